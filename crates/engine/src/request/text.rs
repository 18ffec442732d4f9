//! The text inside raw JSON values.

use crate::json_scan::{Inside, JsonError, Scanner};

/// Parts within parts are followed so deep: Gemini's object of parts is one level, and deeper nesting is not in use.
const MAX_DEPTH: u32 = 8;

/// Appends the text of a content value: a string, an array of which the text parts count, or Gemini's object of parts.
pub(crate) fn push_text(raw: &str, out: &mut String) {
    push_content(raw, out, 0);
}

fn push_content(raw: &str, out: &mut String, depth: u32) {
    match raw.as_bytes().first() {
        Some(b'"') => push_paragraph(raw, out),
        Some(b'[') => {
            let walked = Scanner::new(raw).array(|scanner| {
                scanner.whitespace();
                if scanner.peek() == Some(b'{') {
                    push_part(scanner, out, depth)
                } else {
                    push_paragraph(scanner.raw_value()?, out);
                    Ok(())
                }
            });
            debug_assert!(walked.is_ok(), "the value has been scanned before");
        }
        Some(b'{') => {
            let walked = push_part(&mut Scanner::new(raw), out, depth);
            debug_assert!(walked.is_ok(), "the value has been scanned before");
        }
        _ => {}
    }
}

fn push_part(scanner: &mut Scanner<'_>, out: &mut String, depth: u32) -> Result<(), JsonError> {
    let mut kind = "";
    let mut text = None;
    let mut parts = None;
    let start = scanner.at;
    scanner.object(|scanner, key| {
        let raw = scanner.raw_value()?;
        match key {
            "type" => kind = raw.trim_matches('"'),
            "text" | "content" => text = Some(raw),
            "parts" => parts = Some(raw),
            _ => {}
        }
        Ok(())
    })?;
    if scanner.at == start {
        return Err(scanner.error(Inside::Array));
    }
    if let ("" | "text" | "input_text" | "output_text", Some(raw)) = (kind, text) {
        push_paragraph(raw, out);
    }
    if let Some(raw) = parts.filter(|raw| raw.starts_with('[') && depth < MAX_DEPTH) {
        push_content(raw, out, depth + 1);
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
