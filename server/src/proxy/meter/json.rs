//! Looking into JSON that may hold anything.

use serde_json::Value;

use super::ProviderError;

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

/// The error that a body consists of. Anthropic: `{"type":"error","error":{"type","message"}}`, OpenAI:
/// `{"error":{"message","type","code"}}`; others put a text or a list there.
pub(super) fn error_of(body: &[u8]) -> Option<ProviderError> {
    #[derive(serde::Deserialize)]
    struct Body {
        error: Option<Value>,
    }
    // Answers have no `error`, or null (Responses), so a large answer is not made into a tree for this.
    let Body { error } = serde_json::from_slice(body).ok()?;
    error_in(&error?)
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
                class: named("type").or_else(|| named("code")).map(str::to_owned),
                message: named("message").map_or_else(|| value.to_string(), str::to_owned),
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
