//! The quoted keys an instruction names: `JSON with the keys "intent" and "entities"`, or a JSON template.
//!
//! Quoted text is also how an instruction shows values ("sentiment" is "good" or "bad") and user input, so a
//! quoted name counts as a key only where the sentence speaks of keys, or where a colon follows. A sentence may say
//! only behind the names what they are: `Provide "name" and "email" keys`, `Extract "name" from the text as JSON`.

use crate::words::words;

/// More keys than this are not checked.
const MAX_KEYS: usize = 64;

/// The keys, in order of mention, each once.
pub(crate) fn named_keys(instruction: &str) -> Vec<&str> {
    let names: Vec<(usize, &str, usize)> = quoted_names(instruction).collect();
    let behind = behind(instruction, &names);
    let mut keys: Vec<&str> = Vec::new();
    let mut sentence = Sentence::default();
    let mut end = 0;
    for ((start, name, after), behind) in names.into_iter().zip(behind) {
        let between = instruction.get(end..start).unwrap_or("");
        end = after;
        sentence.read(between);
        let rest = instruction.get(after..).unwrap_or("").trim_start();
        let follows_colon = rest.starts_with(':');
        if (follows_colon || sentence.names_a_key(between, behind))
            && !keys.contains(&name)
            && keys.len() < MAX_KEYS
        {
            keys.push(name);
        }
        if follows_colon {
            sentence.role = Role::Value;
        }
    }
    keys
}

/// What the rest of its sentence says about a quoted name.
#[derive(Clone, Copy, Default)]
struct Behind {
    /// Keys are spoken of.
    speaks_of_keys: bool,
    /// The name, or the list it stands in, is called keys: `"name" and "email" keys`.
    is_called_keys: bool,
    /// An alternative follows, so it is a value: `"yes" or "no"`.
    is_alternative: bool,
}

/// What stands behind each name, worked out from the last one to the first so that every word is read once.
fn behind(instruction: &str, names: &[(usize, &str, usize)]) -> Vec<Behind> {
    let mut all = Vec::with_capacity(names.len());
    let mut next = Behind::default();
    let mut until = instruction.len();
    for (start, _, after) in names.iter().rev() {
        let text = instruction.get(*after..until).unwrap_or("");
        let sentence = first_sentence(text);
        let goes_on = sentence.len() == text.len();
        let mut said = words(sentence).map(|word| word.text);
        let first = said.next().unwrap_or("");
        // Nothing but a comma or a word that joins stands before the next name.
        let is_joined =
            goes_on && said.next().is_none() && (first.is_empty() || is_any(first, &["and", "or", "plus"]));
        let speaks = words(sentence).any(|word| is_key_noun(word.text));
        next = Behind {
            speaks_of_keys: speaks || (goes_on && next.speaks_of_keys),
            is_called_keys: is_any(first, CALLED) || (is_joined && next.is_called_keys),
            is_alternative: is_joined && is_any(first, &["or"]),
        };
        all.push(next);
        until = *start;
    }
    all.reverse();
    all
}

/// The part of a text up to the end of its first sentence; all of it when none ends.
fn first_sentence(text: &str) -> &str {
    let end = text
        .match_indices(SENTENCE_ENDS)
        .find(|(at, _)| ends_sentence(text, *at));
    end.map_or(text, |(at, _)| &text[..at])
}

const SENTENCE_ENDS: &[char] = &['.', '?', '!', '\n'];

/// Whether one of the signs that may end a sentence does: a line break only before a blank line.
fn ends_sentence(text: &str, at: usize) -> bool {
    let rest = &text[at + 1..];
    match text.as_bytes()[at] {
        b'\n' => rest.trim_start_matches([' ', '\t', '\r']).starts_with('\n'),
        _ => rest.is_empty() || rest.starts_with(char::is_whitespace),
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Role {
    #[default]
    Unknown,
    Key,
    Value,
}

/// What the current sentence is about, as far as it has been read.
#[derive(Default)]
struct Sentence {
    speaks_of_keys: bool,
    role: Role,
}

impl Sentence {
    /// Reads the text between two quoted names.
    fn read(&mut self, between: &str) {
        let last_end = between
            .match_indices(SENTENCE_ENDS)
            .rfind(|(at, _)| ends_sentence(between, *at));
        let current = match last_end {
            Some((at, _)) => {
                *self = Self::default();
                &between[at + 1..]
            }
            None => between,
        };
        self.speaks_of_keys |= words(current).any(|word| is_key_noun(word.text));
    }

    /// Decides from the word or sign right before a quoted name, and from what is said behind it, whether it is a key.
    fn names_a_key(&mut self, between: &str, behind: Behind) -> bool {
        let before = between.trim_end();
        let last_word = words(before.get(last_token(before)..).unwrap_or(""))
            .last()
            .map_or("", |word| word.text);
        if !self.speaks_of_keys {
            // Said behind it only, so more has to speak for a key than a word that joins.
            let goes_on =
                self.role == Role::Key && (before.ends_with(',') || is_any(last_word, &["and", "plus"]));
            let is_key = behind.is_called_keys
                || (behind.speaks_of_keys && (goes_on || is_any(last_word, EXTRACT_LEADS)));
            self.role = if is_key && !behind.is_alternative {
                Role::Key
            } else {
                Role::Unknown
            };
            return self.role == Role::Key;
        }
        self.role = if between.trim_start().starts_with(':') {
            // What follows the colon of a template's key.
            Role::Value
        } else if before.ends_with([',', ';', '/', '-', '*', '•', '|']) || is_any(last_word, &["or"]) {
            if self.role == Role::Unknown {
                Role::Key
            } else {
                self.role
            }
        } else if before.ends_with(['(', '=']) || is_any(last_word, VALUE_LEADS) {
            Role::Value
        } else if before.ends_with(['{', '[', ':']) || is_any(last_word, KEY_LEADS) || is_key_noun(last_word)
        {
            Role::Key
        } else {
            Role::Unknown
        };
        self.role == Role::Key
    }
}

/// Whether a word says that names are keys.
fn is_key_noun(word: &str) -> bool {
    is_any(word, CALLED) || is_any(word, &["json", "object"])
}

/// What a list of names is called by the word behind it.
const CALLED: &[&str] = &[
    "key",
    "keys",
    "field",
    "fields",
    "property",
    "properties",
    "attribute",
    "attributes",
];
/// What is done with fields and not with values or words.
const EXTRACT_LEADS: &[&str] = &[
    "extract",
    "provide",
    "collect",
    "capture",
    "include",
    "including",
    "contain",
    "containing",
];
const KEY_LEADS: &[&str] = &[
    "and",
    "with",
    "has",
    "have",
    "contain",
    "contains",
    "containing",
    "include",
    "includes",
    "including",
    "named",
    "called",
    "the",
    "a",
    "an",
    "both",
    "plus",
    "exactly",
];
const VALUE_LEADS: &[&str] = &[
    "as", "is", "are", "be", "being", "either", "to", "of", "equals", "equal", "value", "values", "like",
];

fn is_any(word: &str, list: &[&str]) -> bool {
    list.iter().any(|entry| entry.eq_ignore_ascii_case(word))
}

/// Where the last run of non-space characters begins.
fn last_token(text: &str) -> usize {
    text.rfind(char::is_whitespace).map_or(0, |at| at + 1)
}

/// Quoted identifiers: (offset of the quote, the name, offset after the closing quote).
fn quoted_names(text: &str) -> impl Iterator<Item = (usize, &str, usize)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(from..)?;
            let (at, quote) = rest
                .char_indices()
                .find(|(_, c)| matches!(c, '"' | '\'' | '`' | '“'))?;
            let start = from + at;
            let body_start = start + quote.len_utf8();
            from = body_start;
            let body = text.get(body_start..)?;
            let length = body
                .bytes()
                .take(64)
                .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
                .count();
            let close = if quote == '“' { '”' } else { quote };
            let name = body.get(..length)?;
            let begins_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if begins_well && body.get(length..)?.starts_with(close) {
                from = body_start + length + close.len_utf8();
                return Some((start, name, from));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_keys_and_not_values() {
        let check = |text: &str, expected: &[&str]| assert_eq!(named_keys(text), expected, "{text:?}");
        check("Return JSON with keys \"name\" and \"age\".", &["name", "age"]);
        check(
            "Reply in JSON with \"intent\", \"entities\" and `score`",
            &["intent", "entities", "score"],
        );
        check("JSON. Keys: 'a', 'b'", &["a", "b"]);
        check(
            "Use this JSON: {\"type\": \"string\", \"items\": [\"x\"]}",
            &["type", "items"],
        );
        check("Return JSON. The user said \"refund\".", &[]);
        check("Return JSON with keys \"a\"\n\nText: \"hello\"", &["a"]);
        check(
            "JSON with \"sentiment\" being \"good\" or \"bad\" and \"score\"",
            &["sentiment", "score"],
        );
        check("JSON with \"sentiment\" (\"good\", \"bad\")", &["sentiment"]);
        check("JSON object, fields:\n- \"a\"\n- \"b\"", &["a", "b"]);
        check("Say \"hello\"", &[]);
        check("don't use JSON", &[]);
        check("JSON with “name”", &["name"]);
        check("JSON with \"first name\"", &[]);
        check("keys \"a\", \"a\"", &["a"]);
    }

    #[test]
    fn a_sentence_may_say_behind_the_names_what_they_are() {
        let check = |text: &str, expected: &[&str]| assert_eq!(named_keys(text), expected, "{text:?}");
        check(
            "Extract \"name\" and \"email\" from the text as JSON.",
            &["name", "email"],
        );
        check("Provide \"name\" and \"email\" keys in JSON", &["name", "email"]);
        check(
            "The answer has \"a\", \"b\" and \"c\" fields. Use JSON",
            &["a", "b", "c"],
        );
        check("Extract \"name\". Answer in JSON.", &[]);
        check("Return \"yes\" or \"no\" as JSON", &[]);
        check("If the user says \"refund\" or \"order\", answer in JSON", &[]);
        check("Provide \"good\" or \"bad\" as JSON", &[]);
        check("Count the word \"the\" and return JSON", &[]);
    }
}
