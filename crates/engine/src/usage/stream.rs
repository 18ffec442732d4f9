//! What the events of a stream say of its usage together.

use serde_json::Value;

/// The usage of an Anthropic stream after one more `message_delta`. What comes last counts, as in the official SDK: its
/// figures are cumulative. What it leaves out or has as null stays, and so does what it only fills up with zeros: no
/// call has no input at all.
pub fn merge_anthropic(start: &Value, delta: &Value) -> Value {
    const INPUT: [&str; 3] = [
        "input_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
    ];
    let has_input = INPUT.iter().any(|name| delta[*name].as_i64().unwrap_or(0) != 0);
    merged(start, delta, has_input)
}

fn merged(before: &Value, now: &Value, has_input: bool) -> Value {
    match (before, now) {
        (_, Value::Null) => before.clone(),
        (Value::Object(known), Value::Object(new)) => {
            let mut both = known.clone();
            for (key, value) in new {
                let was = known.get(key).unwrap_or(&Value::Null);
                both.insert(key.clone(), merged(was, value, has_input));
            }
            Value::Object(both)
        }
        (Value::Number(known), Value::Number(new))
            if new.as_i64() == Some(0) && known.as_i64().is_some_and(|known| known > 0) && !has_input =>
        {
            before.clone()
        }
        _ => now.clone(),
    }
}
