//! Tools of the provider that it bills by number, counted from what an answer says they did.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Reading;

/// Counts the provider's own tools among the items of a response.
pub(super) fn count_tools(reading: &mut Reading, response: &Value, items: &[Value]) {
    let of = |kind: &'static str| items.iter().filter(move |item| item["type"] == kind);
    let searches = of("web_search_call")
        // Opening a page and looking into it are no searches.
        .filter(|item| item["action"].is_null() || item["action"]["type"] == "search")
        .filter(|item| item["status"] != "failed")
        .count();
    let billed = response["tool_usage"]["web_search"]["num_requests"].as_i64();
    reading.web_searches = billed
        .or_else(|| i64::try_from(searches).ok())
        .filter(|searches| *searches > 0)
        .or(reading.web_searches);
    let details = &mut reading.usage_details;
    // The older tool has another fee with models that do not reason.
    let is_preview = response["tools"].as_array().into_iter().flatten().any(|tool| {
        tool["type"]
            .as_str()
            .is_some_and(|kind| kind.starts_with("web_search_preview"))
    });
    let is_plain = response["model"]
        .as_str()
        .is_some_and(|model| model.starts_with("gpt-4"));
    if reading.web_searches.is_some() && is_preview && is_plain {
        details
            .unpriced
            .insert("searches of the web by the preview tool".to_owned());
    }
    let file_searches = of("file_search_call").count();
    if let Some(uses) = i64::try_from(file_searches).ok().filter(|uses| *uses > 0) {
        details.tools.insert("file_search".to_owned(), uses);
    }
    let containers: BTreeSet<&str> = of("code_interpreter_call")
        .map(|item| item["container_id"].as_str().unwrap_or_default())
        .collect();
    if let Some(sessions) = i64::try_from(containers.len())
        .ok()
        .filter(|sessions| *sessions > 0)
    {
        if may_be_an_older_session(response) {
            details
                .unpriced
                .insert("a session of the code interpreter that may have begun before".to_owned());
        } else {
            details.tools.insert("code_interpreter".to_owned(), sessions);
        }
    }
    if of("image_generation_call").next().is_some() {
        details.unpriced.insert("images that were generated".to_owned());
    }
    if of("shell_call").any(|item| item["environment"]["container_id"].is_string()) {
        details.unpriced.insert("a container of a shell".to_owned());
    }
}

/// A session costs once, when it begins, and more where it has more memory.
fn may_be_an_older_session(response: &Value) -> bool {
    let tools = response["tools"].as_array().map_or(&[][..], Vec::as_slice);
    let is_other = |container: &Value| {
        container.is_string()
            || container["memory_limit"]
                .as_str()
                .is_some_and(|limit| limit != "1g")
    };
    response["previous_response_id"].is_string()
        || response["conversation"].is_object()
        || tools
            .iter()
            .any(|tool| tool["type"] == "code_interpreter" && is_other(&tool["container"]))
}
