//! Where the known kinds of values stand in a text. Each kind goes through the text once.

mod account;
mod card;
mod email;
mod key;
mod own;
mod phone;

use super::settings::is_name_byte;
use super::{HASH_DIGITS, Kind, OPEN};

pub use key::PROVIDER_KEY_PREFIXES;
pub(super) use own::find as of_own;

/// The most parameters of a control sequence that are looked at.
const MAX_PARAMETER_BYTES: usize = 32;
/// The character that begins one, and how it is written where it is escaped.
const ESCAPE_CHARACTERS: [&[u8]; 8] = [
    b"\x1b", b"\\x1b", b"\\x1B", b"\\u001b", b"\\u001B", b"\\u{1b}", b"\\033", b"\\e",
];

/// A value, by its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Its place among [`Kind::ALL`]; own patterns come behind them.
    pub(super) kind: usize,
}

/// Which kinds are looked for, in the order of [`Kind::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted([bool; Kind::ALL.len()]);

impl Wanted {
    pub(super) fn of(is_wanted: impl Fn(Kind) -> bool) -> Self {
        Self(Kind::ALL.map(is_wanted))
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.iter().all(|is_wanted| !is_wanted)
    }
}

/// The values of the known kinds, by kind.
pub(super) fn known(text: &str, wanted: Wanted) -> Vec<Found> {
    let mut found = Vec::new();
    for (nth, (kind, is_wanted)) in Kind::ALL.into_iter().zip(wanted.0).enumerate() {
        if !is_wanted {
            continue;
        }
        let mut push = |start, end| {
            found.push(Found {
                start,
                end,
                kind: nth,
            })
        };
        match kind {
            Kind::Key => key::find(text, &mut push),
            Kind::Email => email::find(text, &mut push),
            Kind::Card => card::find(text, &mut push),
            Kind::Iban => account::find(text, &mut push),
            Kind::Phone => phone::find(text, &mut push),
        }
    }
    found
}

/// Where something was hidden before, in order: it is not hidden again.
pub(super) fn placeholders(text: &str) -> Vec<(usize, usize)> {
    text.match_indices(OPEN)
        .filter_map(|(start, _)| {
            let rest = text.get(start + OPEN.len()..)?;
            let name = rest.bytes().take_while(|byte| is_name_byte(*byte)).count();
            let after = rest.get(name..)?;
            let hash = after
                .strip_prefix(' ')
                .map(|after| after.bytes().take_while(u8::is_ascii_hexdigit).count());
            let length = match hash {
                Some(HASH_DIGITS) => name + 1 + HASH_DIGITS,
                Some(_) => return None,
                None => name,
            };
            let is_closed = name > 0 && rest.get(length..)?.starts_with(']');
            is_closed.then_some((start, start + OPEN.len() + length + 1))
        })
        .collect()
}

/// Whether a value lies within one of these.
pub(super) fn is_within(value: &Found, places: &[(usize, usize)]) -> bool {
    let before = places.partition_point(|(start, _)| *start <= value.start);
    before
        .checked_sub(1)
        .and_then(|nth| places.get(nth))
        .is_some_and(|(_, end)| value.end <= *end)
}

/// The byte before a place; none at the beginning.
fn before(bytes: &[u8], at: usize) -> Option<u8> {
    at.checked_sub(1).and_then(|at| bytes.get(at)).copied()
}

/// Whether what begins at a place is the rest of a word. The last character of an escape is no word: JSON and lines of logs
/// stand in texts as they were written.
fn continues_word(bytes: &[u8], at: usize) -> bool {
    is_word(before(bytes, at)) && !ends_escape(bytes.get(..at).unwrap_or_default())
}

/// Whether a text ends with an escape such as `\n`, behind however many backslashes.
fn ends_escape(text: &[u8]) -> bool {
    match text {
        [.., b'\\', b'b' | b'f' | b'n' | b'r' | b't'] => true,
        [.., b'\\', b'x', a, b] if [a, b].iter().all(|digit| digit.is_ascii_hexdigit()) => true,
        [.., b'\\', b'u', a, b, c, d] if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) => true,
        _ => ends_control_sequence(text),
    }
}

/// The same for a control sequence of terminals (ECMA-48), such as the red of `\x1b[31m`.
fn ends_control_sequence(text: &[u8]) -> bool {
    let Some((b'A'..=b'Z' | b'a'..=b'z', rest)) = text.split_last() else {
        return false;
    };
    let is_parameter = |byte: &&u8| byte.is_ascii_digit() || matches!(**byte, b';' | b':');
    let parameters = rest
        .iter()
        .rev()
        .take(MAX_PARAMETER_BYTES)
        .take_while(is_parameter)
        .count();
    let begin = rest.get(..rest.len() - parameters).unwrap_or_default();
    begin
        .strip_suffix(b"[")
        .is_some_and(|begin| ESCAPE_CHARACTERS.iter().any(|escape| begin.ends_with(escape)))
}

/// Whether a byte belongs to a word, so that what stands beside it is part of something longer.
fn is_word(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric())
}
