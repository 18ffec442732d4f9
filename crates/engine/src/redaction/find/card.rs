//! Numbers of payment cards: 13 to 19 digits, in groups or not, with an issuer's beginning and length and a right check
//! digit (ISO/IEC 7812-1). One number in ten has a right check digit by chance, so the beginning counts: times and ids
//! begin with 1.

use super::{before, continues_word, is_word};

const MIN_DIGITS: usize = 13;
const MAX_DIGITS: usize = 19;

pub(super) fn find(text: &str, push: &mut impl FnMut(usize, usize)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if !byte.is_ascii_digit() || !may_begin(bytes, at) {
            at += 1;
            continue;
        }
        match end_of(bytes, at) {
            Some(end) => {
                push(at, end);
                at = end;
            }
            None => at += 1,
        }
    }
}

/// A number begins with a group of digits, and is neither the end of a word nor the decimals of a fraction.
fn may_begin(bytes: &[u8], at: usize) -> bool {
    let previous = before(bytes, at);
    let is_fraction = previous == Some(b'.')
        && before(bytes, at.saturating_sub(1)).is_some_and(|byte| byte.is_ascii_digit());
    !continues_word(bytes, at) && !is_fraction
}

/// Where the longest number ends that begins here, if one does.
fn end_of(bytes: &[u8], start: usize) -> Option<usize> {
    let mut digits = [0_u8; MAX_DIGITS];
    let mut count = 0;
    let mut at = start;
    let mut end = None;
    loop {
        match bytes.get(at) {
            Some(byte) if byte.is_ascii_digit() => {
                *digits.get_mut(count)? = byte - b'0';
                count += 1;
                at += 1;
                let next = bytes.get(at).copied();
                let is_valid = || digits.get(..count).is_some_and(is_card);
                if count >= MIN_DIGITS && !is_word(next) && is_valid() {
                    end = Some(at);
                }
                if count == MAX_DIGITS {
                    return end;
                }
            }
            // One blank or hyphen between two digits.
            Some(b' ' | b'-') if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => at += 1,
            _ => return end,
        }
    }
}

fn is_card(digits: &[u8]) -> bool {
    is_issued(digits) && luhn(digits)
}

/// Beginnings and lengths of the large issuers.
fn is_issued(digits: &[u8]) -> bool {
    let beginning = digits
        .iter()
        .take(4)
        .fold(0_u32, |sum, digit| sum * 10 + u32::from(*digit));
    match beginning {
        // Visa
        4000..=4999 => matches!(digits.len(), 13 | 16 | 19),
        // Mastercard
        5100..=5599 | 2221..=2720 => digits.len() == 16,
        // American Express
        3400..=3499 | 3700..=3799 => digits.len() == 15,
        // Diners Club
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => matches!(digits.len(), 14 | 16 | 19),
        // JCB
        3528..=3589 => (16..=19).contains(&digits.len()),
        // Discover, UnionPay, Maestro
        6011 | 6440..=6599 | 6200..=6299 => (16..=19).contains(&digits.len()),
        5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 => {
            (MIN_DIGITS..=MAX_DIGITS).contains(&digits.len())
        }
        _ => false,
    }
}

/// Luhn's check: every second digit from the right counts twice, with its own digits added up.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(nth, digit)| match (nth % 2, u32::from(*digit) * 2) {
            (0, _) => u32::from(*digit),
            (_, twice) if twice > 9 => twice - 9,
            (_, twice) => twice,
        })
        .sum();
    sum.is_multiple_of(10)
}
