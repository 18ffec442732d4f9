//! Telling usage objects that are not understood by their names.

use serde_json::Value;

/// What an object that is not understood looks like: its names in order, those inside objects behind a dot. One shape
/// is one text, so that a new spelling can be counted. What does not look like a name is a `?`: it may be
/// somebody's address.
pub fn shape(usage: &Value) -> Option<String> {
    const MAX_NAMES: usize = 40;
    const MAX_BYTES: usize = 300;
    let mut names = Vec::new();
    names_in(usage, "", 0, &mut names);
    names.sort_unstable();
    names.dedup();
    names.truncate(MAX_NAMES);
    let mut shape = names.join(" ");
    shape.truncate(shape.floor_char_boundary(MAX_BYTES));
    (!shape.is_empty()).then_some(shape)
}

fn names_in(value: &Value, before: &str, depth: usize, names: &mut Vec<String>) {
    const MAX_DEPTH: usize = 3;
    for (name, inner) in value.as_object().into_iter().flatten() {
        let path = format!("{before}{}", if is_name(name) { name } else { "?" });
        match inner {
            Value::Object(inner_map) if !inner_map.is_empty() && depth < MAX_DEPTH => {
                names_in(inner, &format!("{path}."), depth + 1, names);
            }
            Value::Null => {}
            _ => names.push(path),
        }
    }
}

/// Letters, digits and what joins them, with a letter or an underscore first.
fn is_name(name: &str) -> bool {
    const MAX_NAME_BYTES: usize = 64;
    let begins_as_one = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_of_names = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    begins_as_one && name.len() <= MAX_NAME_BYTES && name.bytes().all(is_of_names)
}
