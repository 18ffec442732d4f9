//! JSON without what is to be hidden. It is not parsed but walked through, string by string, so that everything else
//! stays as it was written, also where it breaks off.

use super::{As, Hidden, OPEN, Redactor};
use crate::masking::string_end;

/// How deep JSON is looked into that stands in a string of JSON, as arguments of tools do. What is deeper is read as text.
const MAX_DEPTH: usize = 3;

/// Whether a text begins as JSON does, and not with what stands where a value was.
pub(super) fn begins(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with(['{', '[']) && !text.starts_with(OPEN)
}

/// The same JSON without what is to be hidden; `None` where nothing is.
pub(super) fn hide(
    redactor: &Redactor,
    text: &str,
    how: As,
    depth: usize,
    hidden: &mut Hidden,
) -> Option<String> {
    let mut out: Option<String> = None;
    // What was looked at and is in `out`, if there is one.
    let mut done = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = if rest.starts_with('"') {
            string_end(rest)
        } else {
            rest.find('"').unwrap_or(rest.len())
        };
        let (part, after) = rest.split_at(floor(rest, end));
        let replaced = if part.starts_with('"') {
            string(redactor, part, how, depth, hidden)
        } else {
            bare(redactor, part, how, hidden)
        };
        let start = text.len() - rest.len();
        if let Some(replaced) = replaced {
            let out = out.get_or_insert_with(|| String::with_capacity(text.len()));
            out.push_str(text.get(done..start).unwrap_or_default());
            out.push_str(&replaced);
            done = start + part.len();
        }
        rest = after;
    }
    let mut out = out?;
    out.push_str(text.get(done..).unwrap_or_default());
    Some(out)
}

/// An escape at the very end reaches beyond it.
fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

/// A string with its quotes.
fn string(redactor: &Redactor, string: &str, how: As, depth: usize, hidden: &mut Hidden) -> Option<String> {
    let inner = string.strip_prefix('"')?;
    if !inner.contains('\\') {
        let (inner, quote) = match inner.strip_suffix('"') {
            Some(inner) => (inner, "\""),
            None => (inner, ""),
        };
        return redactor
            .plain(inner, how, hidden)
            .map(|inner| format!("\"{inner}{quote}"));
    }
    let (said, is_closed) = match serde_json::from_str::<String>(string) {
        Ok(said) => (said, true),
        Err(_invalid) => read_loosely(inner),
    };
    let left = if depth < MAX_DEPTH && begins(&said) {
        hide(redactor, &said, how, depth + 1, hidden)
    } else {
        redactor.plain(&said, how, hidden)
    }?;
    let mut left = serde_json::to_string(&left).ok()?;
    if !is_closed {
        left.pop();
    }
    Some(left)
}

/// What stands behind the first quote of a string that is no valid JSON, because it breaks off or has half a character, as
/// programs make where they cut texts; and whether it is closed. What is no escape stays.
fn read_loosely(inner: &str) -> (String, bool) {
    let mut said = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((before, escape)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        let (character, length) = escaped(escape);
        said.push_str(before);
        said.push(character);
        rest = escape.get(length..).unwrap_or_default();
    }
    // Without a backslash before it, a quote is the string's last one.
    let (rest, is_closed) = match rest.strip_suffix('"') {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    said.push_str(rest);
    (said, is_closed)
}

/// The character that an escape stands for, and the bytes that it takes; a backslash where it is none.
fn escaped(escape: &str) -> (char, usize) {
    let unit = |at: usize| {
        let digits = escape.get(at..at + 6)?.strip_prefix("\\u")?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_number.then(|| u16::from_str_radix(digits, 16).ok())?
    };
    match escape.as_bytes().get(1) {
        Some(sign @ (b'"' | b'\\' | b'/')) => (char::from(*sign), 2),
        Some(b'b') => ('\u{8}', 2),
        Some(b'f') => ('\u{c}', 2),
        Some(b'n') => ('\n', 2),
        Some(b'r') => ('\r', 2),
        Some(b't') => ('\t', 2),
        _ => {
            let Some(first) = unit(0) else {
                return ('\\', 1);
            };
            match char::decode_utf16([first].into_iter().chain(unit(6))).next() {
                Some(Ok(character)) => (character, 6 * character.len_utf16()),
                Some(Err(_)) | None => (char::REPLACEMENT_CHARACTER, 6),
            }
        }
    }
}

/// What stands between strings. A number that is a value becomes a string.
fn bare(redactor: &Redactor, part: &str, how: As, hidden: &mut Hidden) -> Option<String> {
    let found = redactor.found(part);
    if found.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(part.len());
    let mut at = 0;
    for value in found {
        let before = part.get(at..value.start).unwrap_or_default();
        let after = part.get(value.end..).unwrap_or_default();
        let is_value = part
            .get(..value.start)
            .is_some_and(|before| before.trim_end().ends_with([':', ',', '[']))
            && after.trim_start().starts_with([',', '}', ']']);
        let quote = if is_value { "\"" } else { "" };
        out.push_str(before);
        out.push_str(quote);
        out.push_str(&redactor.instead(part, &value, how, hidden));
        out.push_str(quote);
        at = value.end;
    }
    out.push_str(part.get(at..).unwrap_or_default());
    Some(out)
}
