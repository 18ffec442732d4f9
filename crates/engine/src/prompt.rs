//! Unwrapping a prompt to its instruction: system text and the last user turn that has text. Earlier turns are
//! conversation, not instruction, and must never trip a rule.

use std::borrow::Cow;

use crate::json_scan::{Inside, JsonError, Scanner};

/// The instruction in a prompt. A prompt that is not a chat is its own instruction.
///
/// A chat is an object with a `messages` array (and `system`), an object with an `input` array (and
/// `instructions`), or a bare array of messages with roles.
pub fn instruction(prompt: &str) -> Cow<'_, str> {
    let start = prompt.trim_start();
    let chat = match start.as_bytes().first() {
        Some(b'{') => chat_object(start),
        Some(b'[') => chat_array(start),
        _ => None,
    };
    match chat {
        Some(chat) => Cow::Owned(chat.instruction()),
        None => Cow::Borrowed(prompt),
    }
}

/// The parts of a chat that can be instruction, as raw JSON values.
#[derive(Default)]
struct Chat<'a> {
    system: Vec<&'a str>,
    user: Vec<&'a str>,
}

impl Chat<'_> {
    fn instruction(&self) -> String {
        let mut out = String::new();
        for raw in &self.system {
            push_text(raw, &mut out);
        }
        for raw in self.user.iter().rev() {
            let before = out.len();
            push_text(raw, &mut out);
            if out.get(before..).is_some_and(|added| !added.trim().is_empty()) {
                break;
            }
            out.truncate(before);
        }
        out
    }
}

fn chat_object(text: &str) -> Option<Chat<'_>> {
    let mut chat = Chat::default();
    let mut top = Chat::default();
    let mut is_chat = false;
    let mut scanner = Scanner::new(text);
    scanner
        .object(|scanner, key| {
            scanner.whitespace();
            match key {
                "messages" | "input" if scanner.peek() == Some(b'[') => {
                    let found = messages(scanner, &mut chat)?;
                    is_chat |= found || key == "messages";
                }
                "system" | "instructions" => top.system.push(scanner.raw_value()?),
                _ => {
                    scanner.raw_value()?;
                }
            }
            Ok(())
        })
        .ok()?;
    scanner.whitespace();
    if !is_chat || scanner.at < text.len() {
        return None;
    }
    top.system.append(&mut chat.system);
    Some(Chat {
        system: top.system,
        user: chat.user,
    })
}

fn chat_array(text: &str) -> Option<Chat<'_>> {
    let mut chat = Chat::default();
    let mut scanner = Scanner::new(text);
    let found = messages(&mut scanner, &mut chat).ok()?;
    scanner.whitespace();
    (found && scanner.at == text.len()).then_some(chat)
}

/// Collects an array of messages; true when one of them has a role.
fn messages<'a>(scanner: &mut Scanner<'a>, chat: &mut Chat<'a>) -> Result<bool, JsonError> {
    let mut has_role = false;
    scanner.array(|scanner| {
        scanner.whitespace();
        if scanner.peek() != Some(b'{') {
            scanner.raw_value()?;
            return Ok(());
        }
        let mut role = "";
        let mut content = None;
        scanner.object(|scanner, key| {
            let raw = scanner.raw_value()?;
            match key {
                "role" => role = raw.trim_matches('"'),
                "content" | "parts" => content = Some(raw),
                _ => {}
            }
            Ok(())
        })?;
        has_role |= !role.is_empty();
        match (role, content) {
            ("system" | "developer", Some(raw)) => chat.system.push(raw),
            ("user" | "human", Some(raw)) => chat.user.push(raw),
            _ => {}
        }
        Ok(())
    })?;
    Ok(has_role)
}

/// Appends the text of a content value: a string, or an array of which the text parts count.
fn push_text(raw: &str, out: &mut String) {
    match raw.as_bytes().first() {
        Some(b'"') => push_paragraph(raw, out),
        Some(b'[') => {
            let walked = Scanner::new(raw).array(|scanner| {
                scanner.whitespace();
                if scanner.peek() == Some(b'{') {
                    push_part(scanner, out)
                } else {
                    push_paragraph(scanner.raw_value()?, out);
                    Ok(())
                }
            });
            debug_assert!(walked.is_ok(), "the value has been scanned before");
        }
        _ => {}
    }
}

fn push_part(scanner: &mut Scanner<'_>, out: &mut String) -> Result<(), JsonError> {
    let mut kind = "";
    let mut text = None;
    let start = scanner.at;
    scanner.object(|scanner, key| {
        let raw = scanner.raw_value()?;
        match key {
            "type" => kind = raw.trim_matches('"'),
            "text" | "content" => text = Some(raw),
            _ => {}
        }
        Ok(())
    })?;
    if scanner.at == start {
        return Err(scanner.error(Inside::Array));
    }
    if let ("" | "text" | "input_text", Some(raw)) = (kind, text) {
        push_paragraph(raw, out);
    }
    Ok(())
}

/// Appends a raw JSON string decoded, as a paragraph of its own.
fn push_paragraph(raw: &str, out: &mut String) {
    let Some(body) = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return;
    };
    if !out.is_empty() {
        out.push_str("\n\n");
    }
    decode(body, out);
}

/// Decodes the escapes of a JSON string body. Half a surrogate pair becomes U+FFFD.
fn decode(body: &str, out: &mut String) {
    let mut rest = body;
    while let Some(escape) = rest.find('\\') {
        out.push_str(&rest[..escape]);
        let mut chars = rest[escape + 1..].chars();
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let (decoded, after) = unicode_escape(chars.as_str());
                out.push(decoded);
                rest = after;
                continue;
            }
            Some(other) => out.push(other),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
}

/// Decodes what follows `\u`, with the second half of a surrogate pair where there is one.
fn unicode_escape(text: &str) -> (char, &str) {
    let unit = |text: &str| text.get(..4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let Some(first) = unit(text) else {
        return (char::REPLACEMENT_CHARACTER, text);
    };
    let after = &text[4..];
    if let 0xD800..=0xDBFF = first
        && let Some(next) = after.strip_prefix("\\u")
        && let Some(second @ 0xDC00..=0xDFFF) = unit(next)
    {
        let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return (
            char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
            &next[4..],
        );
    }
    (
        char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER),
        after,
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn judges_only_the_instruction() {
        let check = |prompt: &str, expected: &str| assert_eq!(instruction(prompt), expected, "{prompt}");
        check("Say hello", "Say hello");
        check("{\"a\":1}", "{\"a\":1}");
        check("{broken", "{broken");
        check(
            r#"{"system":"Be brief.","messages":[{"role":"user","content":"Hi"}]}"#,
            "Be brief.\n\nHi",
        );
        check(
            r#"{"messages":[{"role":"user","content":"Return JSON"},{"role":"assistant","content":"{}"},{"role":"user","content":"Now a poem"}]}"#,
            "Now a poem",
        );
        check(
            r#"{"system":[{"type":"text","text":"A"},{"type":"text","text":"B"}],"messages":[{"role":"user","content":[{"type":"image","source":{}},{"type":"text","text":"C"}]}]}"#,
            "A\n\nB\n\nC",
        );
        check(
            r#"{"messages":[{"role":"system","content":"S"},{"role":"user","content":"Q"},{"role":"assistant","content":[{"type":"tool_use","id":"1"}]},{"role":"user","content":[{"type":"tool_result","content":"json"}]}]}"#,
            "S\n\nQ",
        );
        check(
            r#"{"messages":[{"content":"late role","role":"user"}],"system":null}"#,
            "late role",
        );
        check(
            r#"[{"role":"system","parts":[{"type":"text","content":"S"}]},{"role":"user","parts":[{"type":"text","content":"U"}]}]"#,
            "S\n\nU",
        );
        check(
            r#"{"instructions":"I","input":[{"role":"user","content":[{"type":"input_text","text":"U"}]}]}"#,
            "I\n\nU",
        );
        check(
            r#"{"instructions":"I","input":"plain"}"#,
            r#"{"instructions":"I","input":"plain"}"#,
        );
        check(r#"{"messages":[]}"#, "");
        check("[1,2]", "[1,2]");
        check(
            r#"{"messages":[{"role":"user","content":"caf\u00e9 \ud83d\ude00 \ud83d \"q\"\n"}]}"#,
            "café 😀 \u{FFFD} \"q\"\n",
        );
    }

    proptest! {
        #[test]
        fn decodes_like_serde_json(text in any::<String>()) {
            let prompt = serde_json::json!({"system": text, "messages": []}).to_string();
            prop_assert_eq!(instruction(&prompt), text);
        }

        #[test]
        fn no_text_panics(text in "[{}\\[\\]\":,a-z\\\\ ]{0,40}") {
            instruction(&text);
            instruction(&format!("{{\"messages\":[{{\"role\":\"user\",\"content\":{text}}}]}}"));
        }
    }
}
