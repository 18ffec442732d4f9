//! International bank account numbers (ISO 13616): a country, its length, two check digits, in groups or not.

use super::{continues_word, is_word};

/// Countries of the registry and how long their numbers are.
#[rustfmt::skip]
const LENGTHS: [(&[u8; 2], usize); 78] = [
    (b"AD", 24), (b"AE", 23), (b"AL", 28), (b"AT", 20), (b"AZ", 28), (b"BA", 20), (b"BE", 16), (b"BG", 22),
    (b"BH", 22), (b"BR", 29), (b"BY", 28), (b"CH", 21), (b"CR", 22), (b"CY", 28), (b"CZ", 24), (b"DE", 22),
    (b"DK", 18), (b"DO", 28), (b"EE", 20), (b"EG", 29), (b"ES", 24), (b"FI", 18), (b"FO", 18), (b"FR", 27),
    (b"GB", 22), (b"GE", 22), (b"GI", 23), (b"GL", 18), (b"GR", 27), (b"GT", 28), (b"HR", 21), (b"HU", 28),
    (b"IE", 22), (b"IL", 23), (b"IQ", 23), (b"IS", 26), (b"IT", 27), (b"JO", 30), (b"KW", 30), (b"KZ", 20),
    (b"LB", 28), (b"LC", 32), (b"LI", 21), (b"LT", 20), (b"LU", 20), (b"LV", 21), (b"LY", 25), (b"MC", 27),
    (b"MD", 24), (b"ME", 22), (b"MK", 19), (b"MR", 27), (b"MT", 31), (b"MU", 30), (b"NL", 18), (b"NO", 15),
    (b"PK", 24), (b"PL", 28), (b"PS", 29), (b"PT", 25), (b"QA", 29), (b"RO", 24), (b"RS", 22), (b"SA", 24),
    (b"SC", 31), (b"SD", 18), (b"SE", 24), (b"SI", 19), (b"SK", 24), (b"SM", 27), (b"ST", 25), (b"SV", 28),
    (b"TL", 23), (b"TN", 24), (b"TR", 26), (b"UA", 29), (b"VA", 22), (b"XK", 20),
];

pub(super) fn find(text: &str, push: &mut impl FnMut(usize, usize)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let may_begin = byte.is_ascii_alphabetic() && !continues_word(bytes, at);
        let end = if may_begin { end_of(bytes, at) } else { None };
        match end {
            Some(end) => {
                push(at, end);
                at = end;
            }
            None => at += 1,
        }
    }
}

/// Where the number ends that begins here, if one does.
fn end_of(bytes: &[u8], start: usize) -> Option<usize> {
    let [first, second, c, d] = *bytes.get(start..start + 4)?.first_chunk()?;
    let country = [first.to_ascii_uppercase(), second.to_ascii_uppercase()];
    if !(c.is_ascii_digit() && d.is_ascii_digit()) {
        return None;
    }
    let length = LENGTHS.iter().find(|(known, _)| **known == country)?.1;
    let mut number = Vec::with_capacity(length);
    let mut at = start;
    while number.len() < length {
        match bytes.get(at)? {
            byte if byte.is_ascii_alphanumeric() => number.push(byte.to_ascii_uppercase()),
            b' ' | b'-' if !number.is_empty() && is_word(bytes.get(at + 1).copied()) => {}
            _ => return None,
        }
        at += 1;
    }
    let is_whole = !is_word(bytes.get(at).copied());
    (is_whole && remainder(&number) == 1).then_some(at)
}

/// ISO 7064, mod 97-10: the first four characters go to the end, letters count from 10.
fn remainder(number: &[u8]) -> u32 {
    let (head, rest) = number.split_at(number.len().min(4));
    rest.iter().chain(head).fold(0, |sum, byte| {
        if byte.is_ascii_digit() {
            (sum * 10 + u32::from(byte - b'0')) % 97
        } else {
            (sum * 100 + u32::from(byte.saturating_sub(b'A')) + 10) % 97
        }
    })
}
