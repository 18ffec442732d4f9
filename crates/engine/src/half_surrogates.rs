//! JSON text in which half of a surrogate pair stands alone, as programs write it that cut text by UTF-16 units. Strict
//! parsers refuse it; everything else in it is worth reading.

use std::borrow::Cow;

const ESCAPED_REPLACEMENT: &str = "\\ufffd";
/// `\ud83d`
const ESCAPE_BYTES: usize = 6;

/// The text with U+FFFD in place of every half that has no other; the same text where there is none. Only escapes inside
/// JSON text are looked at, so it has to be such a text.
pub fn replaced(json: &str) -> Cow<'_, str> {
    if !has_surrogate(json.as_bytes()) {
        return Cow::Borrowed(json);
    }
    let bytes = json.as_bytes();
    let mut out = String::new();
    let (mut at, mut kept) = (0, 0);
    while let Some(step) = bytes[at..].iter().position(|byte| *byte == b'\\') {
        at += step;
        match unit(bytes, at) {
            Some(0xD800..=0xDBFF) if matches!(unit(bytes, at + ESCAPE_BYTES), Some(0xDC00..=0xDFFF)) => {
                at += 2 * ESCAPE_BYTES;
            }
            Some(0xD800..=0xDFFF) => {
                out.push_str(&json[kept..at]);
                out.push_str(ESCAPED_REPLACEMENT);
                at += ESCAPE_BYTES;
                kept = at;
            }
            // Another escape: what it escapes is none itself. A character may be longer than a byte.
            _ => at += 1 + json[at + 1..].chars().next().map_or(0, char::len_utf8),
        }
    }
    if kept == 0 {
        return Cow::Borrowed(json);
    }
    out.push_str(&json[kept..]);
    Cow::Owned(out)
}

fn has_surrogate(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|four| {
        four[0] == b'\\' && four[1] == b'u' && four[2].eq_ignore_ascii_case(&b'd') && four[3] > b'7'
    })
}

/// The UTF-16 unit that is escaped at a place.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let escape = bytes.get(at..at + ESCAPE_BYTES)?;
    let digits = escape.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(digits)
        .ok()
        .filter(|text| !text.starts_with('+'))?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_alone_is_replaced_and_nothing_else() {
        let check = |json: &str, expected: &str| {
            assert_eq!(replaced(json), expected);
            let text: Result<String, _> = serde_json::from_str(&replaced(json));
            assert!(text.is_ok(), "{json}");
        };
        check(r#""a\ud83d""#, r#""a\ufffd""#);
        check(r#""\uDE00 b \uD83D\uDE00""#, r#""\ufffd b \uD83D\uDE00""#);
        check(r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#);
        check(r#""\\ud83d""#, r#""\\ud83d""#);
        check(r#""\n\ud83dé""#, r#""\n\ufffdé""#);
        check(r#""plain""#, r#""plain""#);
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it(text in r"(\\|u|d|8|D|C|0|é|.){0,40}") {
            let _ = replaced(&text);
        }
    }
}
