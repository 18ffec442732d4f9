//! Phone numbers: international ones with `+` (E.164: 8 to 15 digits), and North American ones whose separators say what
//! they are. Digits alone are ids, times and amounts far more often.

use super::{before, continues_word, is_word};

const MIN_DIGITS: usize = 8;
const MAX_DIGITS: usize = 15;
/// Digits of the groups of a North American number.
const GROUPS: [usize; 3] = [3, 3, 4];

pub(super) fn find(text: &str, push: &mut impl FnMut(usize, usize)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let previous = before(bytes, at);
        let may_begin = !continues_word(bytes, at) && !matches!(previous, Some(b'+' | b'-' | b'.'));
        let end = match byte {
            b'+' if may_begin => international(bytes, at),
            b'(' | b'0'..=b'9' if may_begin => north_american(bytes, at),
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

/// `(555) 123-4567`, `555-123-4567` or `555.123.4567`.
fn north_american(bytes: &[u8], start: usize) -> Option<usize> {
    let is_bracketed = bytes.get(start) == Some(&b'(');
    let mut at = start + usize::from(is_bracketed);
    let separator = if is_bracketed { b'-' } else { *bytes.get(at + 3)? };
    if !matches!(separator, b'-' | b'.') {
        return None;
    }
    for (nth, digits) in GROUPS.into_iter().enumerate() {
        if nth == 1 && is_bracketed {
            at += usize::from(bytes.get(at) == Some(&b')'));
            if before(bytes, at) != Some(b')') {
                return None;
            }
            at += usize::from(bytes.get(at) == Some(&b' '));
        } else if nth > 0 {
            if bytes.get(at) != Some(&separator) {
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
