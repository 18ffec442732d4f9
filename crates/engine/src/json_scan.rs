//! A JSON validator that walks text once, without recursion and (up to 1,024 levels) without allocation, and
//! names the byte at which the text stops being JSON. Nesting depth is not limited.

mod levels;

use std::ops::Range;

use levels::{ARRAY, Levels, OBJECT};

/// What a JSON value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonKind {
    /// `{…}`; `empty` when it has no entry.
    Object {
        /// True for `{}`.
        empty: bool,
    },
    /// `[…]`.
    Array,
    /// A string, a number, `true`, `false` or `null`.
    Scalar,
}

/// What the scanner was inside of when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// Nothing: before or after the value.
    Top,
    /// An object.
    Object,
    /// An array.
    Array,
    /// A string.
    Text,
}

/// Where text stops being JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// Byte offset; the length of the text when it ends too early.
    pub at: usize,
    /// What was open there.
    pub inside: Inside,
}

/// Checks that the whole text is one JSON value.
pub fn check(text: &str) -> Result<JsonKind, JsonError> {
    check_with_keys(text, |_| {})
}

/// Like [`check`], and shows every object key of every depth in raw form (escapes not decoded).
pub(crate) fn check_with_keys<'a>(text: &'a str, on_key: impl FnMut(&'a str)) -> Result<JsonKind, JsonError> {
    let mut scanner = Scanner::new(text);
    let kind = scanner.value_with_keys(on_key)?;
    scanner.whitespace();
    if scanner.at < text.len() {
        return Err(scanner.error(Inside::Top));
    }
    Ok(kind)
}

/// A member of an object: its key without the quotes, as written, and where its value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The key, escapes not decoded.
    pub key: &'a str,
    /// The bytes of the value.
    pub value: Range<usize>,
}

/// The members of the object that begins at byte `start`, in order, and where it ends. What follows it is not read.
pub fn members(text: &str, start: usize) -> Result<(Vec<Member<'_>>, usize), JsonError> {
    let mut scanner = Scanner { text, at: start };
    let mut members = Vec::new();
    scanner.object(|scanner, key| {
        scanner.whitespace();
        let from = scanner.at;
        scanner.raw_value()?;
        // The scanner stands at what follows the value, past the space between.
        let value = text[from..scanner.at].trim_end_matches([' ', '\n', '\r', '\t']);
        members.push(Member {
            key,
            value: from..from + value.len(),
        });
        Ok(())
    })?;
    Ok((members, scanner.at))
}

/// A cursor over JSON text.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    pub(crate) at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) fn error(&self, inside: Inside) -> JsonError {
        JsonError {
            at: self.at.min(self.text.len()),
            inside,
        }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(crate) fn whitespace(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Moves past one value of any depth and gives its raw text.
    pub(crate) fn raw_value(&mut self) -> Result<&'a str, JsonError> {
        self.whitespace();
        let start = self.at;
        self.value_with_keys(|_| {})?;
        Ok(self.text.get(start..self.at).unwrap_or(""))
    }

    /// Walks one object; `on_entry` gets each raw key and must move past its value.
    pub(crate) fn object(
        &mut self,
        mut on_entry: impl FnMut(&mut Self, &'a str) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.whitespace();
        if !self.eat(b'{') {
            return Err(self.error(Inside::Top));
        }
        self.whitespace();
        if self.eat(b'}') {
            return Ok(());
        }
        loop {
            let key = self.key()?;
            on_entry(self, key)?;
            self.whitespace();
            if self.eat(b'}') {
                return Ok(());
            }
            if !self.eat(b',') {
                return Err(self.error(Inside::Object));
            }
        }
    }

    /// Walks one array; `on_item` must move past its item.
    pub(crate) fn array(
        &mut self,
        mut on_item: impl FnMut(&mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.whitespace();
        if !self.eat(b'[') {
            return Err(self.error(Inside::Top));
        }
        self.whitespace();
        if self.eat(b']') {
            return Ok(());
        }
        loop {
            on_item(self)?;
            self.whitespace();
            if self.eat(b']') {
                return Ok(());
            }
            if !self.eat(b',') {
                return Err(self.error(Inside::Array));
            }
        }
    }

    fn value_with_keys(&mut self, mut on_key: impl FnMut(&'a str)) -> Result<JsonKind, JsonError> {
        let mut open = Levels::default();
        let mut kind = None;
        loop {
            self.whitespace();
            let inside = open.inside();
            let value = match self.peek() {
                Some(b'{') => {
                    self.at += 1;
                    self.whitespace();
                    let empty = self.eat(b'}');
                    kind.get_or_insert(JsonKind::Object { empty });
                    if !empty {
                        open.push(OBJECT);
                        on_key(self.key()?);
                        continue;
                    }
                    JsonKind::Object { empty }
                }
                Some(b'[') => {
                    self.at += 1;
                    self.whitespace();
                    kind.get_or_insert(JsonKind::Array);
                    if !self.eat(b']') {
                        open.push(ARRAY);
                        continue;
                    }
                    JsonKind::Array
                }
                Some(b'"') => {
                    self.string()?;
                    JsonKind::Scalar
                }
                Some(b'-' | b'0'..=b'9') => {
                    self.number(inside)?;
                    JsonKind::Scalar
                }
                Some(b't') => self.word("true", inside)?,
                Some(b'f') => self.word("false", inside)?,
                Some(b'n') => self.word("null", inside)?,
                _ => return Err(self.error(inside)),
            };
            kind.get_or_insert(value);
            // A value is complete: close what it completes, up to the next value to read.
            loop {
                self.whitespace();
                match open.top() {
                    None => return Ok(kind.unwrap_or(value)),
                    Some(OBJECT) => {
                        if self.eat(b',') {
                            on_key(self.key()?);
                            break;
                        }
                        if !self.eat(b'}') {
                            return Err(self.error(Inside::Object));
                        }
                    }
                    Some(ARRAY) => {
                        if self.eat(b',') {
                            break;
                        }
                        if !self.eat(b']') {
                            return Err(self.error(Inside::Array));
                        }
                    }
                }
                open.pop();
            }
        }
    }

    /// Moves past `"key":` and gives the raw key.
    fn key(&mut self) -> Result<&'a str, JsonError> {
        self.whitespace();
        if self.peek() != Some(b'"') {
            return Err(self.error(Inside::Object));
        }
        let start = self.at + 1;
        self.string()?;
        let key = self.text.get(start..self.at - 1).unwrap_or("");
        self.whitespace();
        if self.eat(b':') {
            Ok(key)
        } else {
            Err(self.error(Inside::Object))
        }
    }

    fn string(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        loop {
            self.at += plain_string_bytes(self.text.as_bytes().get(self.at..).unwrap_or(&[]));
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
                        Some(b'u') => {
                            self.at += 1;
                            for _ in 0..4 {
                                if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                                    return Err(self.error(Inside::Text));
                                }
                                self.at += 1;
                            }
                        }
                        _ => return Err(self.error(Inside::Text)),
                    }
                }
                _ => return Err(self.error(Inside::Text)),
            }
        }
    }

    fn number(&mut self, inside: Inside) -> Result<(), JsonError> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits(inside)?;
        }
        if self.eat(b'.') {
            self.digits(inside)?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            self.digits(inside)?;
        }
        Ok(())
    }

    fn digits(&mut self, inside: Inside) -> Result<(), JsonError> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start {
            Ok(())
        } else {
            Err(self.error(inside))
        }
    }

    fn word(&mut self, word: &str, inside: Inside) -> Result<JsonKind, JsonError> {
        for byte in word.bytes() {
            if !self.eat(byte) {
                return Err(self.error(inside));
            }
        }
        Ok(JsonKind::Scalar)
    }
}

/// How many leading bytes need no attention inside a JSON string: neither a quote, a backslash nor a control
/// character. Eight at a time, because payloads are mostly this.
fn plain_string_bytes(bytes: &[u8]) -> usize {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let has_zero = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    let (chunks, _) = bytes.as_chunks::<8>();
    let mut plain = 0;
    for chunk in chunks {
        let word = u64::from_le_bytes(*chunk);
        let quote = has_zero(word ^ (LOW * u64::from(b'"')));
        let backslash = has_zero(word ^ (LOW * u64::from(b'\\')));
        let control = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
        if quote | backslash | control != 0 {
            break;
        }
        plain += 8;
    }
    let rest = bytes.get(plain..).unwrap_or(&[]);
    plain
        + rest
            .iter()
            .take_while(|byte| **byte >= 0x20 && **byte != b'"' && **byte != b'\\')
            .count()
}

#[cfg(test)]
mod tests;
