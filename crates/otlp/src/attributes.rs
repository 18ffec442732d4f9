//! Attributes as JSON values, within bounds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

use crate::wire::{Any, AnyValue, KeyValue};

/// The longest text of one attribute that is kept beside a step; prompts and answers are not kept there.
const MAX_TEXT_BYTES: usize = 16 * 1024;
/// How much of all attributes is kept.
const MAX_BYTES: usize = 200 * 1024;
/// How much of an event's.
const MAX_EVENT_BYTES: usize = 15 * 1024;
/// Says how many were left out.
const LEFT_OUT: &str = "attributes_left_out";
/// The longest text of which every span of a resource or scope gets a copy.
pub(crate) const MAX_SHARED_BYTES: usize = 256;
/// The longest text that is looked into for JSON: parsed, it may take thirty times as much.
const MAX_PARSED_BYTES: usize = 8 * 1024 * 1024;

/// Attributes as a JSON object. Of two with one key the last counts, as the specification leaves it to us.
pub(crate) fn object(attributes: Vec<KeyValue>) -> Map<String, Value> {
    let pairs = attributes.into_iter().filter(|pair| !pair.key.is_empty());
    pairs
        .filter_map(|pair| Some((pair.key, json(pair.value?)?)))
        .collect()
}

/// A value as JSON; `None` for one that is none.
fn json(value: AnyValue) -> Option<Value> {
    Some(match value.value? {
        Any::String(text) => Value::String(text),
        Any::Bool(yes) => Value::Bool(yes),
        Any::Int(number) => Value::Number(number.into()),
        Any::Double(number) => {
            Number::from_f64(number).map_or_else(|| Value::String(number.to_string()), Value::Number)
        }
        Any::Array(array) => Value::Array(
            array
                .values
                .into_iter()
                .map(|item| json(item).unwrap_or(Value::Null))
                .collect(),
        ),
        Any::Map(map) => Value::Object(object(map.values)),
        Any::Bytes(bytes) => Value::String(STANDARD.encode(bytes)),
    })
}

/// Cuts long texts and leaves out what is too much, with a word about how much that was.
pub(crate) fn bound(attributes: &mut Map<String, Value>) {
    keep(attributes, MAX_BYTES);
}

/// Cuts what each span of a resource gets a copy of: the size of a request says nothing of what those would take.
pub(crate) fn bound_shared(resource: &mut Map<String, Value>) {
    resource.retain(|_, value| match value {
        Value::String(text) => {
            cut(text, MAX_SHARED_BYTES);
            true
        }
        other => bytes_of(other) <= MAX_SHARED_BYTES,
    });
}

/// The same of an event's.
pub(crate) fn bound_event(attributes: &mut Map<String, Value>) {
    keep(attributes, MAX_EVENT_BYTES);
}

fn keep(attributes: &mut Map<String, Value>, max_bytes: usize) {
    let (mut left, mut left_out) = (max_bytes, 0_u64);
    attributes.retain(|key, value| {
        if let Value::String(text) = value {
            cut(text, MAX_TEXT_BYTES.min(max_bytes / 2));
        }
        let bytes = key.len() + bytes_of(value) + 8;
        let fits = key.len() <= MAX_TEXT_BYTES && bytes <= left;
        if fits {
            left -= bytes;
        } else {
            left_out += 1;
        }
        fits
    });
    if left_out > 0 {
        attributes.insert(LEFT_OUT.to_owned(), left_out.into());
    }
}

/// Roughly how long a value is as JSON; escapes may make it a little longer.
fn bytes_of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 20,
        Value::String(text) => text.len() + 2 + text.bytes().filter(|byte| *byte < 0x20).count() * 5,
        Value::Array(items) => 2 + items.iter().map(|item| 1 + bytes_of(item)).sum::<usize>(),
        Value::Object(map) => {
            2 + map
                .iter()
                .map(|(key, value)| key.len() + 4 + bytes_of(value))
                .sum::<usize>()
        }
    }
}

/// Cuts a text between two characters, and shows it.
pub(crate) fn cut(text: &mut String, max_bytes: usize) {
    if text.len() > max_bytes {
        text.truncate(text.floor_char_boundary(max_bytes));
        text.push('…');
    }
}

/// The text of a value that is one, or a figure.
pub(crate) fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        // Several reasons to stop, one per choice.
        Value::Array(items) => items.first().and_then(word),
        Value::Null | Value::Object(_) => None,
    }
}

/// A value that may be JSON in a text.
pub(crate) fn parsed(value: &Value) -> Value {
    match value {
        Value::String(text)
            if text.len() <= MAX_PARSED_BYTES && text.trim_start().starts_with(['{', '[', '"']) =>
        {
            serde_json::from_str(text).unwrap_or_else(|_text| value.clone())
        }
        _ => value.clone(),
    }
}

/// A value as a text of its own: a text as it is, anything else as JSON.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        other => Some(other.to_string()),
    }
}
