//! What Postgres cannot hold: the NUL character. It is replaced, never a reason to lose a step.

use serde_json::{Map, Value};

/// The text with every NUL turned into U+FFFD.
pub(crate) fn clean(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text
    }
}

/// The object with every NUL in its keys and texts turned into U+FFFD.
pub(crate) fn clean_map(map: Map<String, Value>) -> Map<String, Value> {
    map.into_iter()
        .map(|(key, value)| (clean(key), clean_value(value)))
        .collect()
}

fn clean_value(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(clean(text)),
        Value::Array(items) => items.into_iter().map(clean_value).collect(),
        Value::Object(map) => Value::Object(clean_map(map)),
        other => other,
    }
}
