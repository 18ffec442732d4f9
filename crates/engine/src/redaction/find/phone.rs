//! Phone numbers: international ones with `+` (E.164: 8 to 15 digits), and North American ones whose separators, or the
//! words in front of them, say what they are. Digits alone are ids, times and amounts far more often.

use super::{before, continues_word, is_word};

const MIN_DIGITS: usize = 8;
const MAX_DIGITS: usize = 15;
/// Digits of the groups of a North American number.
const GROUPS: [usize; 3] = [3, 3, 4];

/// Words that announce a number, however it is written.
const ANNOUNCING: [&str; 8] = [
    "phone",
    "telephone",
    "tel",
    "mobile",
    "cellphone",
    "fax",
    "whatsapp",
    "sms",
];
/// Words that do so where the number is written in groups: tools are called and spreadsheets have cells.
const HINTING: [&str; 7] = ["call", "dial", "ring", "text", "reach", "cell", "contact"];
/// Words that may stand between such a word and the number.
const BETWEEN: [&str; 18] = [
    "number", "no", "nr", "is", "me", "us", "at", "on", "my", "our", "her", "his", "their", "your", "home",
    "work", "office", "direct",
];
/// Words that are looked back for, their longest, and what may stand between two of them, in bytes.
const MAX_WORDS: usize = 6;
const MAX_WORD_BYTES: usize = 10;
const MAX_GAP_BYTES: usize = 3;

pub(super) fn find(text: &str, push: &mut impl FnMut(usize, usize)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let previous = before(bytes, at);
        let may_begin = !continues_word(bytes, at) && !matches!(previous, Some(b'+' | b'-' | b'.'));
        let end = match byte {
            b'+' if may_begin => international(bytes, at),
            b'(' | b'0'..=b'9' if may_begin => with_country(bytes, at)
                .or_else(|| north_american(bytes, at))
                .or_else(|| announced(bytes, at)),
            _ => None,
        };
        match end {
            Some(end) => {
                push(at, end);
                at = end;
            }
            None => at += 1,
        }
    }
}

/// Digits behind a `+` in groups, with at most two separators between two of them.
fn international(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    if !matches!(bytes.get(at), Some(b'1'..=b'9')) {
        return None;
    }
    let (mut digits, mut separators, mut end) = (0, 0, None);
    loop {
        match bytes.get(at) {
            Some(byte) if byte.is_ascii_digit() => {
                digits += 1;
                separators = 0;
                if digits > MAX_DIGITS {
                    return end;
                }
                if digits >= MIN_DIGITS && !is_word(bytes.get(at + 1).copied()) {
                    end = Some(at + 1);
                }
            }
            Some(b' ' | b'-' | b'.' | b'/' | b'(' | b')') if separators < 2 => separators += 1,
            _ => return end,
        }
        at += 1;
    }
}

/// `1-555-234-5678`, `1 (555) 234-5678`.
fn with_country(bytes: &[u8], start: usize) -> Option<usize> {
    match bytes.get(start..start + 2)? {
        [b'1', b'-' | b'.' | b' '] => north_american(bytes, start + 2),
        _ => None,
    }
}

/// `(555) 234-5678`, `(555) 234 5678`, `555-234-5678` or `555.234.5678`.
fn north_american(bytes: &[u8], start: usize) -> Option<usize> {
    let is_bracketed = bytes.get(start) == Some(&b'(');
    let mut at = start + usize::from(is_bracketed);
    let separator = if is_bracketed { b'-' } else { *bytes.get(at + 3)? };
    if !matches!(separator, b'-' | b'.') {
        return None;
    }
    let separates = |byte: Option<&u8>| match byte {
        Some(b'-' | b'.' | b' ') if is_bracketed => true,
        byte => byte == Some(&separator),
    };
    for (nth, digits) in GROUPS.into_iter().enumerate() {
        if nth == 1 && is_bracketed {
            at += usize::from(bytes.get(at) == Some(&b')'));
            if before(bytes, at) != Some(b')') {
                return None;
            }
            at += usize::from(bytes.get(at) == Some(&b' '));
        } else if nth > 0 {
            if !separates(bytes.get(at)) {
                return None;
            }
            at += 1;
        }
        let group = bytes.get(at..at + digits)?;
        // Neither an area nor an exchange begins with 0 or 1.
        let begins = nth == 2 || group.first().is_some_and(|digit| *digit >= b'2');
        if !begins || !group.iter().all(u8::is_ascii_digit) {
            return None;
        }
        at += digits;
    }
    (!is_word(bytes.get(at).copied())).then_some(at)
}

/// Ten digits, with a 1 before them or none, behind a word that says what they are: `phone: 5552345678`, `call me at 555
/// 234 5678`.
fn announced(bytes: &[u8], start: usize) -> Option<usize> {
    let (end, is_grouped) = ten_digits(bytes, start).or_else(|| {
        let has_country = bytes.get(start) == Some(&b'1');
        has_country.then(|| ten_digits(bytes, start + 1)).flatten()
    })?;
    let word = word_before(bytes, start)?;
    let is_one_of = |words: &[&str]| words.iter().any(|one| word.eq_ignore_ascii_case(one.as_bytes()));
    (is_one_of(&ANNOUNCING) || (is_grouped && is_one_of(&HINTING))).then_some(end)
}

/// Where ten digits end, and whether something stands between their groups.
fn ten_digits(bytes: &[u8], start: usize) -> Option<(usize, bool)> {
    let (mut at, mut is_grouped) = (start, false);
    for (nth, digits) in GROUPS.into_iter().enumerate() {
        let between = bytes.get(at..)?.iter().take(2);
        let gap = between
            .take_while(|byte| matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')'))
            .count();
        is_grouped |= nth > 0 && gap > 0;
        at += gap;
        let group = bytes.get(at..at + digits)?;
        let begins = nth == 2 || group.first().is_some_and(|digit| *digit >= b'2');
        if !begins || !group.iter().all(u8::is_ascii_digit) {
            return None;
        }
        at += digits;
    }
    (!is_word(bytes.get(at).copied())).then_some((at, is_grouped))
}

/// The nearest word before a place that is none of those between.
fn word_before(bytes: &[u8], place: usize) -> Option<&[u8]> {
    let mut end = place;
    for _ in 0..MAX_WORDS {
        let text = bytes.get(..end)?;
        let is_gap = |byte: &&u8| matches!(**byte, b' ' | b':' | b'=' | b'#' | b'.' | b'(' | b'\n' | b'\t');
        let gap = text.iter().rev().take(MAX_GAP_BYTES).take_while(is_gap).count();
        let text = text.get(..end - gap)?;
        let letters = text.iter().rev().take(MAX_WORD_BYTES + 1);
        let length = letters.take_while(|byte| byte.is_ascii_alphabetic()).count();
        let begin = text.len() - length;
        if gap == 0 || length == 0 || length > MAX_WORD_BYTES || is_word(before(bytes, begin)) {
            return None;
        }
        let word = text.get(begin..)?;
        if !BETWEEN
            .iter()
            .any(|one| word.eq_ignore_ascii_case(one.as_bytes()))
        {
            return Some(word);
        }
        end = begin;
    }
    None
}
