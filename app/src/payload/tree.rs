//! JSON as a tree whose branches fold, without a script.

use leptos::prelude::*;
use serde_json::Value;

/// Values that are shown; the others are counted.
const MAX_VALUES: usize = 1_000;
/// Branches deeper than this begin folded.
const OPEN_DEPTH: usize = 2;
/// Branches with more values than this begin folded.
const OPEN_VALUES: usize = 20;
/// The longest text that is shown of a value, in characters.
const TEXT_CHARS: usize = 2_000;
/// What lies deeper is shown as it stands: parsers of HTML nest elements only so far.
const MAX_DEPTH: usize = 32;

/// An object or a list; `None` for any other text.
pub(crate) fn parse(text: &str) -> Option<Value> {
    let trimmed = text.trim_start();
    if !trimmed.starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str(trimmed).ok()
}

/// The tree of an object or a list.
pub(crate) fn tree(value: &Value, label: String) -> AnyView {
    let mut left = MAX_VALUES;
    let root = branch(value, 0, &mut left);
    let is_cut = left == 0;
    view! {
        <div class="json-tree mono" tabindex="0" role="group" aria-label=label>
            {root}
            {is_cut.then(|| view! { <p class="dim">{format!("Only the first {MAX_VALUES} values are shown")}</p> })}
        </div>
    }
    .into_any()
}

/// What stands inside an object or a list.
fn branch(value: &Value, depth: usize, left: &mut usize) -> AnyView {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(place, value)| (place.to_string(), value))
            .collect(),
        _ => Vec::new(),
    };
    let mut rows = Vec::new();
    for (name, value) in inner {
        if *left == 0 {
            break;
        }
        *left -= 1;
        // HTML can't have NUL: a name of nothing else would be no text on the page.
        rows.push(row(name.replace('\0', "\u{fffd}"), value, depth, left));
    }
    view! { <ul>{rows}</ul> }.into_any()
}

fn row(name: String, value: &Value, depth: usize, left: &mut usize) -> AnyView {
    let Some(size) = size(value).filter(|_| depth < MAX_DEPTH) else {
        let text = leaf(value);
        return view! { <li><span class="json-key">{name}</span>" "<span>{text}</span></li> }.into_any();
    };
    if size == 0 {
        let text = value.to_string();
        return view! { <li><span class="json-key">{name}</span>" "<span class="dim">{text}</span></li> }
            .into_any();
    }
    let said = match value {
        Value::Array(_) => domain::text::counted(size as i64, "item"),
        _ => domain::text::counted(size as i64, "key"),
    };
    let is_open = depth < OPEN_DEPTH && size <= OPEN_VALUES;
    let inner = branch(value, depth + 1, left);
    view! {
        <li>
            <details open=is_open>
                <summary><span class="json-key">{name}</span>" "<span class="dim">{said}</span></summary>
                {inner}
            </details>
        </li>
    }
    .into_any()
}

/// How many values stand inside one; `None` for a text, a number, a truth value and nothing.
fn size(value: &Value) -> Option<usize> {
    match value {
        Value::Object(fields) => Some(fields.len()),
        Value::Array(items) => Some(items.len()),
        _ => None,
    }
}

/// A value as JSON, cut where it is long.
fn leaf(value: &Value) -> String {
    let mut text = value.to_string();
    if let Some((end, _)) = text.char_indices().nth(TEXT_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_and_lists_have_branches() {
        let check = |text: &str, expected: bool| assert_eq!(parse(text).is_some(), expected, "{text}");
        check(r#" {"a":[1]}"#, true);
        check("[]", true);
        check("7", false);
        check(r#"{"a":"#, false);
        check(&"[".repeat(100_000), false);
    }

    #[test]
    fn long_values_are_cut() {
        assert_eq!(leaf(&Value::from("short")), "\"short\"");
        let cut = leaf(&Value::from("é".repeat(5_000)));
        assert!(cut.ends_with('…') && cut.chars().count() == TEXT_CHARS + 1);
    }
}
