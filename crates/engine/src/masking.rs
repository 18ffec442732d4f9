//! Texts that keep their shape and lose what they say: every letter and digit becomes another one, while what JSON is
//! built of stays. Each character keeps its length in bytes, so that a byte that a condition points at is where it was.
//!
//! **Invariants:** as many bytes come out as went in; JSON stays JSON; no run of letters or digits comes through but keys
//! of JSON and words of [`KEPT_WORDS`].

/// What stands for a letter, and for each byte of a character outside of ASCII.
const LETTER: char = 'x';
/// What stands for a digit.
const DIGIT: char = '0';
/// The longest key of JSON that is kept, in bytes.
const MAX_KEY_BYTES: usize = 40;
/// Keys whose value says what a part of a conversation is.
const KINDS: [&str; 2] = ["role", "type"];
/// Values of those that are kept. They say nothing but what is shown beside a masked text.
const KEPT_WORDS: [&str; 19] = [
    "system",
    "developer",
    "user",
    "assistant",
    "tool",
    "function",
    "model",
    "message",
    "text",
    "input_text",
    "output_text",
    "image",
    "image_url",
    "tool_use",
    "tool_call",
    "tool_result",
    "function_call",
    "function_call_output",
    "thinking",
];

/// The text with everything replaced that says something. What begins like JSON keeps its keys.
pub fn mask(text: &str) -> String {
    let begins_as_json = text.trim_start().starts_with(['{', '[']);
    if begins_as_json {
        mask_json(text)
    } else {
        let mut masked = String::with_capacity(text.len());
        text.chars().for_each(|c| push_masked(&mut masked, c));
        masked
    }
}

/// Whether a text is a name that somebody gave in a program, not what somebody said: letters, `_`, `-`, `.`, `$`, and
/// not many of them. Ids, addresses and sentences have digits, blanks or other signs.
pub fn is_plain_name(text: &str) -> bool {
    let is_sign = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-' | '.' | '$');
    !text.is_empty() && text.len() <= MAX_KEY_BYTES && text.chars().all(is_sign)
}

fn push_masked(masked: &mut String, c: char) {
    if c.is_ascii_digit() {
        masked.push(DIGIT);
    } else if c.is_ascii_alphabetic() {
        masked.push(LETTER);
    } else if c.is_ascii() {
        masked.push(c);
    } else {
        masked.extend(std::iter::repeat_n(LETTER, c.len_utf8()));
    }
}

fn mask_json(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut last_key = "";
    // What is open: only in an object a string before a colon is a key, and not what somebody said.
    let mut open = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            let end = string_end(rest);
            let (string, after) = rest.split_at(end);
            let inner = string
                .strip_prefix('"')
                .and_then(|string| string.strip_suffix('"'))
                .filter(|_| string.len() > 1);
            let before = text[..text.len() - rest.len()].trim_end();
            let is_key = open.last() == Some(&'{')
                && before.ends_with(['{', ','])
                && after.trim_start().starts_with(':');
            let keeps = match inner {
                Some(inner) if is_key => is_plain_name(inner),
                Some(inner) => KINDS.contains(&last_key) && KEPT_WORDS.contains(&inner),
                None => false,
            };
            if keeps {
                masked.push_str(string);
            } else {
                push_string(&mut masked, string);
            }
            last_key = inner.filter(|_| is_key).unwrap_or_default();
            rest = after;
        } else if c == '-' || c.is_ascii_digit() {
            let end = rest
                .find(|c: char| !(c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E')))
                .unwrap_or(rest.len());
            push_number(&mut masked, &rest[..end]);
            rest = &rest[end..];
        } else if c.is_ascii_alphabetic() {
            let end = rest
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(rest.len());
            push_word(&mut masked, &rest[..end]);
            rest = &rest[end..];
        } else {
            match c {
                '{' | '[' => open.push(c),
                '}' | ']' => {
                    open.pop();
                }
                _ => {}
            }
            push_masked(&mut masked, c);
            rest = &rest[c.len_utf8()..];
        }
    }
    masked
}

/// Where the string ends that a text begins with: after its closing quote, or at the end of the text.
pub(crate) fn string_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// A string with its quotes: escapes of signs stay, those of characters by number do not.
fn push_string(masked: &mut String, string: &str) {
    let mut chars = string.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            push_masked(masked, c);
            continue;
        }
        match chars.next() {
            Some(sign @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't')) => {
                masked.push('\\');
                masked.push(sign);
            }
            // The four digits that follow are masked as digits and letters.
            Some(c) => {
                masked.push(LETTER);
                push_masked(masked, c);
            }
            None => masked.push('\\'),
        }
    }
}

/// A number of the same length, which JSON can read where it could before.
fn push_number(masked: &mut String, number: &str) {
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", number),
    };
    masked.push_str(sign);
    let is_number = serde_json::from_str::<serde::de::IgnoredAny>(number).is_ok();
    masked.extend(digits.chars().map(|c| match c {
        '.' => '.',
        '-' | '+' if !is_number => c,
        _ => '1',
    }));
}

/// `true`, `false` and `null` all become `null`, with blanks for what is missing.
fn push_word(masked: &mut String, word: &str) {
    match word {
        "true" | "null" => masked.push_str("null"),
        "false" => masked.push_str("null "),
        other => masked.extend(std::iter::repeat_n(LETTER, other.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_keep_their_shape() {
        let check = |text: &str, expected: &str| assert_eq!(mask(text), expected);
        check("", "");
        check("Order A-1042, please!\n", "xxxxx x-0000, xxxxxx!\n");
        check("é ☃ 漢", "xx xxx xxx");
        check(
            r#"{"intent":"refund","n":12.5,"ok":false,"x":null}"#,
            r#"{"intent":"xxxxxx","n":11.1,"ok":null ,"x":null}"#,
        );
        check(
            r#"[{"role":"user","content":"Hi \"Bob\" \u00e9\n"}]"#,
            r#"[{"role":"user","content":"xx \"xxx\" xx00x0\n"}]"#,
        );
        // A value is no key and a key of digits or blanks is one that somebody said.
        check(r#"["role","user"]"#, r#"["xxxx","xxxx"]"#);
        check(
            r#"{"mara@acme.dev":1,"A-1042":2,"two words":3}"#,
            r#"{"xxxx@xxxx.xxx":1,"x-0000":1,"xxx xxxxx":1}"#,
        );
        check(r#"He said "role": fine"#, r#"xx xxxx "xxxx": xxxx"#);
        check(r#"{"role":"root"}"#, r#"{"role":"xxxx"}"#);
        // What breaks off keeps its brackets, which are the finding.
        check(r#"{"a": [{"b": "se"#, r#"{"a": [{"b": "xx"#);
        check(r#"{"a": "x\"#, r#"{"a": "x\"#);
        check(r#"{"n":-1e5,"m":1E+9}"#, r#"{"n":-111,"m":1111}"#);
        check("{secret 12.34.56}", "{xxxxxx 11.11.11}");
        // What only begins like JSON has no keys.
        check(r#"[Ticket] "Mara": hi"#, r#"[xxxxxx] "xxxx": xx"#);
        check(
            r#"{"a":1} said "Mara": hi, "Bob": no"#,
            r#"{"a":1} xxxx "xxxx": xx, "xxx": xx"#,
        );
    }

    #[test]
    fn names() {
        let check = |text: &str, expected: bool| assert_eq!(is_plain_name(text), expected, "{text}");
        check("gen_ai.request.model", true);
        check("end_turn", true);
        check("", false);
        check("order 7", false);
        check("sk-live-4", false);
        check("mara@acme.dev", false);
        check(&"a".repeat(41), false);
    }

    mod properties {
        use proptest::prelude::*;

        use super::super::*;

        /// Any value, its strings and keys made of what would be recognised.
        fn json() -> impl Strategy<Value = serde_json::Value> {
            let text = prop_oneof!["[a-z@]{0,8}", "\\PC{0,12}", "[\"\\\\\n{}:\\[\\],]{0,8}"];
            let leaf = prop_oneof![
                Just(serde_json::Value::Null),
                any::<bool>().prop_map(serde_json::Value::from),
                any::<i64>().prop_map(serde_json::Value::from),
                any::<f64>().prop_map(serde_json::Value::from),
                text.clone().prop_map(serde_json::Value::from),
            ];
            leaf.prop_recursive(4, 32, 6, move |inner| {
                prop_oneof![
                    prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
                    prop::collection::btree_map(text.clone(), inner, 0..6)
                        .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
                ]
            })
        }

        proptest! {
            #[test]
            fn as_many_bytes_come_out_as_went_in(text in "\\PC{0,200}") {
                prop_assert_eq!(mask(&text).len(), text.len());
                let as_json = format!("{{{text}");
                prop_assert_eq!(mask(&as_json).len(), as_json.len());
            }

            #[test]
            fn nothing_that_was_said_is_left(secret in "[A-Za-z]{3,12}", around in "\\PC{0,20}") {
                prop_assume!(!secret.contains("xxx") && !"xxxx".contains(&secret) && !secret.contains("null"));
                let text = format!("{around}{secret}{around}");
                let masked = mask(&text);
                prop_assert!(!masked.contains(&secret) || KEPT_WORDS.contains(&secret.as_str()), "{}", masked);
            }

            #[test]
            fn json_stays_json(value in json()) {
                let text = value.to_string();
                prop_assume!(text.starts_with(['{', '[']));
                let masked = mask(&text);
                prop_assert_eq!(masked.len(), text.len());
                prop_assert!(serde_json::from_str::<serde_json::Value>(&masked).is_ok(), "{} {}", text, masked);
            }

            #[test]
            fn numbers_are_not_told(value in prop::collection::vec(any::<u32>(), 1..5)) {
                let text = serde_json::to_string(&value).unwrap();
                let masked = mask(&text);
                prop_assert!(masked.chars().all(|c| !c.is_ascii_digit() || c == '1'), "{}", masked);
            }
        }
    }
}
