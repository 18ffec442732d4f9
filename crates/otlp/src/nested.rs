//! Lists that are written as flat attributes: `llm.input_messages.0.message.role`, back as what they were.

use serde_json::{Map, Value};

/// How deep a key may lead: deeper than any dialect, and far from where a stack ends.
const MAX_DEPTH: usize = 12;

/// Everything below `prefix` (which ends with a dot) as one value; `None` when there is nothing.
pub(crate) fn below(attributes: &Map<String, Value>, prefix: &str) -> Option<Value> {
    let mut root = Map::new();
    for (key, value) in attributes {
        if let Some(path) = key.strip_prefix(prefix) {
            put(&mut root, path, MAX_DEPTH, value);
        }
    }
    (!root.is_empty()).then_some(Value::Object(root))
}

fn put(map: &mut Map<String, Value>, path: &str, depth: usize, value: &Value) {
    match path.split_once('.') {
        Some((first, rest)) if depth > 0 => {
            let inner = map.entry(first).or_insert_with(|| Value::Object(Map::new()));
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            if let Value::Object(inner) = inner {
                put(inner, rest, depth - 1, value);
            }
        }
        // What has parts of its own already is a list and no word.
        _ => _ = map.entry(path).or_insert_with(|| value.clone()),
    }
}

/// The items of a list: of an array, or of an object whose keys are numbers, in their order.
pub(crate) fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(map) => {
            let mut numbered: Vec<(u64, &Value)> = map
                .iter()
                .filter_map(|(key, item)| Some((key.parse().ok()?, item)))
                .collect();
            numbered.sort_by_key(|(number, _)| *number);
            numbered.into_iter().map(|(_, item)| item).collect()
        }
        _ => Vec::new(),
    }
}
