//! Looking into JSON that may hold anything.

use std::borrow::Cow;

use engine::half_surrogates;
use serde_json::Value;

use super::ProviderError;

/// A body or the data of an event, also where half a surrogate pair stands in it; none where it is no JSON.
pub(super) fn parse(json: &[u8]) -> Option<Value> {
    serde_json::from_slice(json)
        .ok()
        .or_else(|| serde_json::from_str(&mended(json)?).ok())
}

/// The text of JSON that strict parsers refuse, without what they refuse; none where there is nothing to mend.
fn mended(json: &[u8]) -> Option<String> {
    match half_surrogates::replaced(std::str::from_utf8(json).ok()?) {
        Cow::Borrowed(_) => None,
        Cow::Owned(mended) => Some(mended),
    }
}

/// The text of parts of any shape: a text, `{"text": …}`, or a list of such things.
pub(super) fn text_of(value: &Value, into: &mut String) -> bool {
    match value {
        Value::String(text) => {
            into.push_str(text);
            !text.is_empty()
        }
        // Every part, so no short cut.
        Value::Array(parts) => parts.iter().fold(false, |has, part| text_of(part, into) | has),
        Value::Object(part) => ["text", "content", "thinking", "summary", "output_text"]
            .iter()
            .find_map(|key| part.get(*key).filter(|inner| !inner.is_null()))
            .is_some_and(|inner| text_of(inner, into)),
        _ => false,
    }
}

/// The text at `key`; none where it is blank or not a text.
pub(super) fn text(value: &Value, key: &str) -> Option<String> {
    value[key]
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// Puts what `from` says at `key` into `to`, unless it says nothing.
pub(super) fn keep(to: &mut Option<String>, from: &Value, key: &str) {
    if let Some(text) = text(from, key) {
        *to = Some(text);
    }
}

/// Appends the text at `key`; false when there is none.
pub(super) fn append(to: &mut String, from: &Value, key: &str) -> bool {
    match from[key].as_str() {
        Some(text) if !text.is_empty() => {
            to.push_str(text);
            true
        }
        _ => false,
    }
}

/// The error that a body consists of, at any status. Anthropic: `{"type":"error","error":{"type","message"}}`, OpenAI:
/// `{"error":{"message","type","code"}}`; others put a text or a list there, Google a list around it, MiniMax a status of
/// its own into an answer.
pub(super) fn error_of(body: &[u8]) -> Option<ProviderError> {
    #[derive(serde::Deserialize)]
    struct Body {
        error: Option<Value>,
        errors: Option<Value>,
        object: Option<Value>,
        message: Option<Value>,
        #[serde(rename = "type")]
        kind: Option<Value>,
        code: Option<Value>,
        base_resp: Option<Value>,
    }
    if let Ok([first, ..]) = serde_json::from_slice::<Vec<Value>>(body).as_deref() {
        return error_in(&first["error"]);
    }
    // Answers have no `error`, or null (Responses), so a large answer is not made into a tree for this.
    let parsed: Option<Body> = serde_json::from_slice(body)
        .ok()
        .or_else(|| serde_json::from_str(&mended(body)?).ok());
    let body = parsed?;
    if let Some(error) = body.error.as_ref().and_then(error_in) {
        return Some(error);
    }
    if let Some(first) = body.errors.as_ref().and_then(|errors| errors.get(0)) {
        return error_in(first);
    }
    let status = body
        .base_resp
        .as_ref()
        .map(|answer| (&answer["status_code"], &answer["status_msg"]));
    if let Some((code, message)) = status
        && code.as_i64().is_some_and(|code| code != 0)
    {
        return Some(ProviderError {
            class: Some(format!("status_{code}")),
            message: message.as_str().unwrap_or_default().to_owned(),
        });
    }
    let is_error = [&body.object, &body.kind]
        .into_iter()
        .any(|word| word.as_ref().is_some_and(|word| word == "error"));
    let message = body.message.as_ref().and_then(Value::as_str)?;
    let code = body.code.as_ref().and_then(Value::as_str);
    (is_error || code.is_some()).then(|| ProviderError {
        class: body
            .kind
            .as_ref()
            .and_then(Value::as_str)
            .filter(|kind| *kind != "error")
            .or(code)
            .map(str::to_owned),
        message: message.to_owned(),
    })
}

/// What a body at a status of failure says went wrong, where it has no error in one of the known forms: a message beside
/// a type or a code, as AWS, Mistral, FastAPI and problem details have it.
pub(super) fn failure_of(body: &[u8]) -> Option<ProviderError> {
    let body = parse(body)?;
    let body = match &body {
        Value::Array(items) => items.first()?,
        other => other,
    };
    let word = |keys: &[&str]| {
        // `"type": "error"` says no kind of error.
        let found = keys.iter().find_map(|key| {
            body[*key]
                .as_str()
                .filter(|word| !word.is_empty() && *word != "error")
        });
        found.map(str::to_owned)
    };
    let message = word(&[
        "message",
        "Message",
        "msg",
        "error_msg",
        "error_message",
        "detail",
        "title",
    ])
    .or_else(|| {
        body.get("detail")
            .filter(|detail| !detail.is_null())
            .map(Value::to_string)
    })?;
    let class = word(&["__type", "type", "code", "error_code", "status"])
        .map(|class| class.rsplit('#').next().unwrap_or_default().to_owned());
    Some(ProviderError { class, message })
}

/// The error that an event named `error` is, in whatever form its data is.
pub(super) fn error_event(data: &str) -> Option<ProviderError> {
    let Some(value) = parse(data.as_bytes()) else {
        return Some(ProviderError {
            class: None,
            message: data.trim().to_owned(),
        });
    };
    error_in(&value["error"])
        .or_else(|| failure_of(data.as_bytes()))
        .or_else(|| error_in(&value))
}

/// The error that `value` describes; none for null.
pub(super) fn error_in(value: &Value) -> Option<ProviderError> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Object(error) => {
            let named = |key: &str| {
                error
                    .get(key)
                    .and_then(Value::as_str)
                    .filter(|word| !word.is_empty())
            };
            Some(ProviderError {
                class: named("type")
                    .filter(|kind| *kind != "error")
                    .or_else(|| named("code"))
                    .or_else(|| named("status"))
                    .map(str::to_owned),
                message: named("message")
                    .or_else(|| named("detail"))
                    .map_or_else(|| value.to_string(), str::to_owned),
            })
        }
        Value::String(message) => Some(ProviderError {
            class: None,
            message: message.clone(),
        }),
        other => Some(ProviderError {
            class: None,
            message: other.to_string(),
        }),
    }
}
