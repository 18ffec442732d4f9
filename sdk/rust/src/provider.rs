//! What providers' requests and answers say, read from their JSON: Anthropic's Messages, OpenAI's Chat Completions and
//! Responses, and services that speak like them.

use serde_json::{Map, Value, json};

/// Longer text that begins as a data URL, or with nothing but base64, is a file.
const MIN_FILE_BYTES: usize = 16 * 1024;

/// What a request says. All of it is the prompt, because tools and settings are part of what was asked.
pub(crate) fn request_fields(request: &Value) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("prompt".to_owned(), without_files(request));
    if let Some(model) = request["model"].as_str() {
        fields.insert("model".to_owned(), json!(model));
    }
    fields
}

/// Files in a request (base64) are named, not kept.
fn without_files(value: &Value) -> Value {
    match value {
        Value::String(text) if is_file(text) => json!(format!("[file, {} characters of base64]", text.len())),
        Value::Array(items) => items.iter().map(without_files).collect(),
        Value::Object(fields) => {
            let kept = fields
                .iter()
                .map(|(name, field)| (name.clone(), without_files(field)));
            Value::Object(kept.collect())
        }
        other => other.clone(),
    }
}

fn is_file(text: &str) -> bool {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/_-".contains(&byte);
    text.len() >= MIN_FILE_BYTES && (text.starts_with("data:") || text.bytes().take(1_024).all(is_base64))
}

/// What an answer says that came whole; nothing of one that is none of the known ones.
pub(crate) fn answer_fields(answer: &Value) -> Map<String, Value> {
    let is_embedding = answer["data"][0]["object"] == "embedding";
    let (provider, output, stop_reason) = if answer["type"] == "message" {
        ("anthropic", message_output(answer), &answer["stop_reason"])
    } else if answer["choices"].is_array() {
        (
            "openai",
            chat_output(answer),
            &answer["choices"][0]["finish_reason"],
        )
    } else if answer["object"] == "response" {
        let reason = &answer["incomplete_details"]["reason"];
        let stop_reason = if reason.is_string() {
            reason
        } else {
            &answer["status"]
        };
        ("openai", response_output(answer), stop_reason)
    } else if is_embedding {
        // The vectors are not kept.
        ("openai", Value::Null, &Value::Null)
    } else {
        return Map::new();
    };
    let said = [
        (
            "kind",
            if is_embedding {
                json!("embedding")
            } else {
                Value::Null
            },
        ),
        ("model", answer["model"].clone()),
        ("usage", answer["usage"].clone()),
        ("output_code", output),
        ("stop_reason", stop_reason.clone()),
        ("service_tier", answer["service_tier"].clone()),
        ("gen_ai.response.id", answer["id"].clone()),
        ("provider", json!(provider)),
    ];
    said.into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The texts of a list where it holds nothing else.
fn joined(parts: &Value, text: impl Fn(&Value) -> Option<&str>) -> Option<String> {
    parts.as_array()?.iter().map(text).collect()
}

fn text_of_block(block: &Value) -> Option<&str> {
    if block["type"] == "text" {
        block["text"].as_str()
    } else {
        None
    }
}

fn text_of_part(part: &Value) -> Option<&str> {
    part["text"].as_str()
}

/// The text where the answer is nothing else, otherwise the message.
fn message_output(answer: &Value) -> Value {
    match joined(&answer["content"], text_of_block) {
        Some(text) => json!(text),
        None => json!({ "role": "assistant", "content": answer["content"] }),
    }
}

/// As above, of the one choice or of all where there are several.
fn chat_output(answer: &Value) -> Value {
    let choices = answer["choices"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let [choice] = choices else {
        return choices.iter().map(|choice| choice["message"].clone()).collect();
    };
    // Completions have no message.
    if choice["text"].is_string() {
        return choice["text"].clone();
    }
    let message = &choice["message"];
    let says_more = message.as_object().is_some_and(|fields| {
        fields.iter().any(|(name, value)| {
            let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
            !(is_empty || name == "role" || name == "content")
        })
    });
    if says_more {
        message.clone()
    } else {
        message["content"].clone()
    }
}

/// The text of its messages where there is nothing else but them, otherwise the items.
fn response_output(answer: &Value) -> Value {
    let items = answer["output"].as_array().map(Vec::as_slice).unwrap_or_default();
    // An item of reasoning without a summary says nothing.
    let says_something = |item: &&Value| {
        item["type"] != "reasoning"
            || item["summary"]
                .as_array()
                .is_some_and(|summary| !summary.is_empty())
    };
    let texts: Option<String> = items
        .iter()
        .filter(says_something)
        .map(|item| joined(&item["content"], text_of_part))
        .collect();
    match texts {
        Some(text) => json!(text),
        None => answer["output"].clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_each_api_are_read() {
        for (answer, expected) in [
            (
                json!({
                    "id": "msg_1", "type": "message", "model": "claude-haiku-4-5", "stop_reason": "end_turn",
                    "content": [{ "type": "text", "text": "A " }, { "type": "text", "text": "line." }],
                    "usage": { "input_tokens": 3, "output_tokens": 2 }
                }),
                json!({
                    "gen_ai.response.id": "msg_1", "provider": "anthropic", "model": "claude-haiku-4-5",
                    "stop_reason": "end_turn", "output_code": "A line.", "usage": { "input_tokens": 3, "output_tokens": 2 }
                }),
            ),
            (
                json!({ "type": "message", "content": [{ "type": "tool_use", "name": "search" }] }),
                json!({
                    "provider": "anthropic",
                    "output_code": { "role": "assistant", "content": [{ "type": "tool_use", "name": "search" }] }
                }),
            ),
            (
                json!({ "choices": [{
                    "finish_reason": "stop", "message": { "role": "assistant", "content": "Yes.", "refusal": null, "annotations": [] }
                }] }),
                json!({ "provider": "openai", "output_code": "Yes.", "stop_reason": "stop" }),
            ),
            (
                json!({ "choices": [{ "message": { "role": "assistant", "content": null, "tool_calls": [{ "id": "1" }] } }] }),
                json!({
                    "provider": "openai",
                    "output_code": { "role": "assistant", "content": null, "tool_calls": [{ "id": "1" }] }
                }),
            ),
            (
                json!({ "choices": [{ "text": "once" }] }),
                json!({ "provider": "openai", "output_code": "once" }),
            ),
            (
                json!({
                    "object": "response", "status": "completed",
                    "output": [
                        { "type": "reasoning", "summary": [] },
                        { "type": "message", "content": [{ "type": "output_text", "text": "Yes." }] }
                    ]
                }),
                json!({ "provider": "openai", "output_code": "Yes.", "stop_reason": "completed" }),
            ),
            (
                json!({ "object": "response", "output": [{ "type": "function_call", "name": "search" }] }),
                json!({ "provider": "openai", "output_code": [{ "type": "function_call", "name": "search" }] }),
            ),
            (
                json!({
                    "object": "list", "model": "m", "data": [{ "object": "embedding", "embedding": [0.1] }],
                    "usage": { "prompt_tokens": 3, "total_tokens": 3 }
                }),
                json!({
                    "provider": "openai", "model": "m", "kind": "embedding", "usage": { "prompt_tokens": 3, "total_tokens": 3 }
                }),
            ),
            (json!({ "hello": 1 }), json!({})),
            (json!("text"), json!({})),
        ] {
            assert_eq!(Value::Object(answer_fields(&answer)), expected, "{answer}");
        }
    }

    #[test]
    fn files_in_a_request_are_named_by_their_size() {
        let (file, text) = ("QUJD".repeat(5_000), "a word ".repeat(5_000));
        let request = json!({ "model": "m", "messages": [{ "content": [
            { "source": { "data": file } }, { "url": format!("data:image/png;base64,{file}") }, { "text": text }
        ] }] });
        let fields = request_fields(&request);
        assert_eq!(fields["model"], "m");
        assert_eq!(
            fields["prompt"]["messages"][0]["content"],
            json!([
                { "source": { "data": "[file, 20000 characters of base64]" } },
                { "url": "[file, 20022 characters of base64]" },
                { "text": text }
            ])
        );
    }
}
