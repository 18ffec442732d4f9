//! Where an output comes back: what one step gave and a later one was given, word for word, as JSON, or nearly.
//!
//! Time is linear in the lengths of the texts that are compared; texts are cut at [`MAX_BYTES`].

use std::collections::HashSet;

use serde_json::Value;

/// What comes back has to be so long, in bytes: shorter words come back by themselves.
pub const LEAST_BYTES: usize = 12;
/// As much of a text is looked at, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// So many of the output's word triples have to come back, in percent, for a near match.
const NEAR_PERCENT: usize = 70;
/// A near match needs so many triples: fewer are found in any text.
const LEAST_TRIPLES: usize = 4;

/// How an output came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// Word for word, all of it.
    Exact,
    /// A value of its JSON, word for word.
    Value,
    /// So many percent of its words, in their order.
    Near(u8),
}

/// An output in an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reappearance {
    /// How exactly.
    pub how: Match,
    /// How many bytes of the output came back.
    pub bytes: usize,
    /// How many bytes the output has.
    pub of_bytes: usize,
    /// Where in the input it begins, in bytes; `None` where that is no single place.
    pub input_at: Option<usize>,
    /// The beginning of what came back.
    pub excerpt: String,
}

/// Whether an output comes back in an input, and how. The most exact way counts.
pub fn reappears(output: &str, input: &str) -> Option<Reappearance> {
    let (output, input) = (cut(output).trim(), cut(input));
    if output.len() < LEAST_BYTES {
        return None;
    }
    let found = |how: Match, text: &str, input_at: Option<usize>| Reappearance {
        how,
        bytes: text.len().min(output.len()),
        of_bytes: output.len(),
        input_at,
        excerpt: excerpt(text),
    };
    if let Some(at) = input.find(output) {
        return Some(found(Match::Exact, output, Some(at)));
    }
    // Prompts are JSON in which quotes and line breaks of an answer are escaped.
    let given = serde_json::from_str::<Value>(input).ok();
    let texts = given.as_ref().map_or_else(|| vec![input], strings);
    if texts.iter().any(|text| text.contains(output)) {
        return Some(found(Match::Exact, output, None));
    }
    if let Ok(value) = serde_json::from_str::<Value>(output)
        && let Some(part) = value_in(&value, given.as_ref(), &texts)
    {
        let whole = part.len() + 2 >= value.to_string().len();
        let how = if whole { Match::Exact } else { Match::Value };
        let at = input.find(&part);
        return Some(found(how, &part, at));
    }
    let percent = near_percent(output, &texts);
    let percent = percent.filter(|percent| *percent >= NEAR_PERCENT)?;
    let mut near = found(Match::Near(percent.min(99) as u8), output, None);
    near.bytes = output.len() * percent / 100;
    Some(near)
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_BYTES)]
}

fn excerpt(text: &str) -> String {
    const CHARS: usize = 80;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

/// All texts of a JSON value.
fn strings(value: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => found.push(text.as_str()),
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => open.extend(fields.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    found
}

/// The largest part of a value that an input has: as a value of its own JSON, or as a text in it.
fn value_in(value: &Value, given: Option<&Value>, texts: &[&str]) -> Option<String> {
    let mut given_values: HashSet<String> = HashSet::new();
    let mut open: Vec<&Value> = given.into_iter().collect();
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => open.extend(fields.values()),
            _ => continue,
        }
        // Containers that are long are compared only as far as their parts are.
        let text = value.to_string();
        if text.len() <= 4_096 {
            given_values.insert(text);
        }
    }
    let mut candidates: Vec<String> = Vec::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                open.extend(items);
                value.to_string()
            }
            Value::Object(fields) => {
                open.extend(fields.values());
                value.to_string()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => continue,
        };
        if text.len() >= LEAST_BYTES && text.len() <= 4_096 && candidates.len() < 64 {
            candidates.push(text);
        }
    }
    candidates.sort_by_key(|text| std::cmp::Reverse(text.len()));
    candidates
        .into_iter()
        .find(|part| given_values.contains(part) || texts.iter().any(|text| text.contains(part.as_str())))
}

/// How many percent of the output's triples of words are in the texts; `None` for too short an output.
fn near_percent(output: &str, texts: &[&str]) -> Option<usize> {
    let mine = triples(output);
    if mine.len() < LEAST_TRIPLES {
        return None;
    }
    let theirs: HashSet<[&str; 3]> = texts.iter().flat_map(|text| triples(text)).collect();
    let back = mine.iter().filter(|triple| theirs.contains(*triple)).count();
    Some(back * 100 / mine.len())
}

fn triples(text: &str) -> Vec<[&str; 3]> {
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words
        .windows(3)
        .map(|three| [three[0], three[1], three[2]])
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn outputs_come_back() {
        let check = |output: &str, input: &str, expected: Option<(Match, usize)>| {
            let found = reappears(output, input).map(|found| (found.how, found.bytes));
            assert_eq!(found, expected, "{output} in {input}");
        };
        check(
            "the order A-1042",
            "Look at the order A-1042 again",
            Some((Match::Exact, 16)),
        );
        // Too short to mean anything.
        check("refund", "refund", None);
        check("", "", None);
        // Escaped in a prompt.
        let broken = r#"{"intent": "refund", "entities": ["#;
        let prompt = serde_json::json!([{ "role": "user", "content": format!("Enrich this: {broken}") }]);
        check(broken, &prompt.to_string(), Some((Match::Exact, broken.len())));
        // As JSON, whatever the spaces and the order around it.
        check(
            r#"{ "order" : "A-1042", "sku": "KB-88" }"#,
            r#"{"context":{"order":"A-1042","sku":"KB-88"},"n":1}"#,
            Some((Match::Exact, 32)),
        );
        // A value of it.
        check(
            r#"{"note":"keyboard arrived twice","n":4}"#,
            "The customer says: keyboard arrived twice.",
            Some((Match::Value, 22)),
        );
        // Reworded a little.
        let answer = "the parcel was lost near Lyon and a second one left the store on Monday";
        let reworded = "We know: the parcel was lost near Lyon and a second one left our store on Monday";
        let near = reappears(answer, reworded).unwrap();
        assert!(matches!(near.how, Match::Near(70..=99)), "{near:?}");
        check(
            answer,
            "something else entirely, about the price of tea in the far north",
            None,
        );
    }

    #[test]
    fn says_where_and_what() {
        let found = reappears("  a long enough text\n", "xx a long enough text").unwrap();
        assert_eq!(
            (found.input_at, found.excerpt.as_str()),
            (Some(3), "a long enough text")
        );
        assert_eq!(found.of_bytes, 18);
    }

    proptest! {
        #[test]
        fn what_was_pasted_is_found(
            output in "[a-z{}\\[\\]\":,\\n ]{14,60}",
            before in "[a-z ]{0,30}",
            after in "[a-z ]{0,30}",
            escaped in any::<bool>(),
        ) {
            prop_assume!(output.trim().len() >= LEAST_BYTES);
            let text = format!("{before}{output}{after}");
            let input = if escaped { serde_json::json!([{ "content": text }]).to_string() } else { text };
            let found = reappears(&output, &input).unwrap();
            prop_assert_eq!(found.how, Match::Exact);
            prop_assert!(found.bytes <= found.of_bytes);
        }

        #[test]
        fn no_texts_panic(output in ".{0,200}", input in ".{0,200}") {
            if let Some(found) = reappears(&output, &input) {
                prop_assert!(found.bytes <= found.of_bytes && found.of_bytes <= output.len());
            }
        }
    }
}
