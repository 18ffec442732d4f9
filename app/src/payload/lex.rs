//! Splits text that looks like JSON into coloured tokens. Works on broken and cut JSON too, keeps byte positions,
//! key order and the digits of numbers.

use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A string before a colon.
    Key,
    /// Any other string.
    String,
    /// A number, `true`, `false` or `null`.
    Literal,
    /// `{` or `[`.
    Open,
    /// `}` or `]`.
    Close,
    Comma,
    Colon,
    Space,
    /// What JSON does not know.
    Other,
}

impl TokenKind {
    /// The class that colours it; empty for plain.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Key => "tk-k",
            Self::String => "tk-s",
            Self::Literal => "tk-n",
            _ => "",
        }
    }
}

/// A token and the bytes it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) bytes: Range<usize>,
}

/// The tokens of a text, gapless from its first to its last byte.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut out: Vec<Token> = Vec::new();
    let mut at = 0;
    while let Some(first) = bytes.get(at) {
        let rest = &bytes[at..];
        let (kind, length) = match first {
            b'{' | b'[' => (TokenKind::Open, 1),
            b'}' | b']' => (TokenKind::Close, 1),
            b',' => (TokenKind::Comma, 1),
            b':' => (TokenKind::Colon, 1),
            b'"' => (TokenKind::String, string_length(rest)),
            first if first.is_ascii_whitespace() => {
                (TokenKind::Space, run_length(rest, |b| b.is_ascii_whitespace()))
            }
            _ => {
                let length = run_length(rest, |b| !b.is_ascii_whitespace() && !b"{}[],:\"".contains(&b));
                (word_kind(&rest[..length]), length)
            }
        };
        if kind == TokenKind::Colon
            && let Some(key) = out.iter_mut().rev().find(|t| t.kind != TokenKind::Space)
            && key.kind == TokenKind::String
        {
            key.kind = TokenKind::Key;
        }
        out.push(Token {
            kind,
            bytes: at..at + length,
        });
        at += length;
    }
    out
}

fn run_length(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|b| !belongs(*b)).unwrap_or(bytes.len())
}

/// The length of a string with its quotes; an open string goes to the end.
fn string_length(bytes: &[u8]) -> usize {
    let mut escaped = false;
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    bytes.len()
}

fn word_kind(word: &[u8]) -> TokenKind {
    let literal = matches!(word, b"true" | b"false" | b"null")
        || std::str::from_utf8(word).is_ok_and(|w| {
            w.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && w.parse::<f64>().is_ok()
        });
    if literal {
        TokenKind::Literal
    } else {
        TokenKind::Other
    }
}

/// The bytes of the value a JSON pointer (RFC 6901) leads to.
pub(crate) fn pointer_bytes(text: &str, pointer: &str) -> Option<Range<usize>> {
    let tokens: Vec<Token> = tokens(text)
        .into_iter()
        .filter(|t| t.kind != TokenKind::Space)
        .collect();
    let mut at = 0;
    for segment in pointer.split('/').skip(1) {
        let segment = segment.replace("~1", "/").replace("~0", "~");
        at = child(text, &tokens, at, &segment)?;
    }
    let first = tokens.get(at)?;
    let last = tokens.get(value_end(&tokens, at).checked_sub(1)?)?;
    Some(first.bytes.start..last.bytes.end)
}

/// The token at which the member `name` of the value at `at` begins.
fn child(text: &str, tokens: &[Token], at: usize, name: &str) -> Option<usize> {
    let open = tokens.get(at).filter(|t| t.kind == TokenKind::Open)?;
    let is_object = text.as_bytes().get(open.bytes.start) == Some(&b'{');
    let mut here = at + 1;
    let mut index = 0;
    while tokens.get(here)?.kind != TokenKind::Close {
        let found = if is_object {
            let key = tokens.get(here).filter(|t| t.kind == TokenKind::Key)?;
            here += 2;
            serde_json::from_str::<String>(&text[key.bytes.clone()]).is_ok_and(|key| key == name)
        } else {
            name == index.to_string()
        };
        if found {
            return Some(here);
        }
        here = value_end(tokens, here);
        index += 1;
        if tokens.get(here)?.kind == TokenKind::Comma {
            here += 1;
        }
    }
    None
}

/// One past the last token of the value that begins at `at`.
fn value_end(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0usize;
    for (offset, token) in tokens[at.min(tokens.len())..].iter().enumerate() {
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + offset + 1;
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_is_lost() {
        let check = |text: &str, expected: &str| {
            let tokens = tokens(text);
            let joined: String = tokens.iter().map(|t| &text[t.bytes.clone()]).collect();
            assert_eq!(joined, text);
            let kinds: String = tokens
                .iter()
                .map(|t| match t.kind {
                    TokenKind::Key => 'k',
                    TokenKind::String => 's',
                    TokenKind::Literal => 'n',
                    TokenKind::Open => '(',
                    TokenKind::Close => ')',
                    TokenKind::Comma => ',',
                    TokenKind::Colon => ':',
                    TokenKind::Space => ' ',
                    TokenKind::Other => '?',
                })
                .collect();
            assert_eq!(kinds, expected, "{text}");
        };
        check("", "");
        check(
            r#"{"a" : [1, -2.5e3, true, null, "x\"y"]}"#,
            "(k : (n, n, n, n, s))",
        );
        check(r#"{"offen": "größ"#, "(k: s");
        check(r#""\"#, "s");
        check("nope größer 12x", "? ? ?");
        check("]]", "))");
    }

    #[test]
    fn pointers() {
        let text = r#"{"a": {"b": [10, {"c/d": "x"}]}, "a~": 1}"#;
        let check = |pointer: &str, expected: Option<&str>| {
            assert_eq!(
                pointer_bytes(text, pointer).map(|b| &text[b]),
                expected,
                "{pointer}"
            );
        };
        check("", Some(text));
        check("/a/b/0", Some("10"));
        check("/a/b/1/c~1d", Some(r#""x""#));
        check("/a~0", Some("1"));
        check("/a/b", Some(r#"[10, {"c/d": "x"}]"#));
        check("/a/b/2", None);
        check("/zzz", None);
        check("/a~0/x", None);
        assert_eq!(pointer_bytes("", "/a"), None);
        assert_eq!(pointer_bytes(r#"{"a": [1"#, "/a/1"), None);
        assert_eq!(pointer_bytes(r#"{"a" 1}"#, "/a"), None);
    }
}
