//! What an API key looks like: `pl_live_`, 32 random bytes and a checksum, in letters and digits.

use rand::TryRng as _;
use rand::rngs::SysRng;
use sha2::{Digest as _, Sha256};

/// How every key begins.
pub const PREFIX: &str = "pl_live_";
/// Characters of a key that lists show.
pub const SHOWN_CHARS: usize = 12;

/// 62^43 is the first power of 62 that holds 32 bytes.
const BODY_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new key; `None` when the system has no randomness to give.
pub fn generate() -> Option<String> {
    let mut bytes = [0; 32];
    SysRng.try_fill_bytes(&mut bytes).ok()?;
    Some(from_bytes(bytes))
}

/// The key of 32 bytes.
pub fn from_bytes(bytes: [u8; 32]) -> String {
    let body = base62(bytes, BODY_CHARS);
    format!("{PREFIX}{body}{}", checksum(&body))
}

/// Whether `text` is a key that this program could have made. A slip of the finger is found here, without a
/// look-up.
pub fn is_well_formed(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(PREFIX) else {
        return false;
    };
    rest.len() == BODY_CHARS + CHECKSUM_CHARS
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && checksum(&rest[..BODY_CHARS]) == rest[BODY_CHARS..]
}

/// What is stored of a key.
pub fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn checksum(body: &str) -> String {
    base62(sha256(body), CHECKSUM_CHARS)
}

/// The lowest `chars` digits of a big-endian number, most significant first.
fn base62(mut number: [u8; 32], chars: usize) -> String {
    let mut digits = vec![0; chars];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0;
        for byte in &mut number {
            let value = remainder * 256 + u32::from(*byte);
            // Both fit: a remainder is below 62, so the quotient is below 256.
            *byte = (value / 62) as u8;
            remainder = value % 62;
        }
        *digit = ALPHABET[remainder as usize];
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_keys_are_well_formed_and_differ() {
        let (a, b) = (generate().unwrap(), generate().unwrap());
        assert!(is_well_formed(&a) && is_well_formed(&b));
        assert_ne!(a, b);
        assert_eq!(a.len(), 8 + 43 + 6);
    }

    #[test]
    fn the_extremes_have_the_same_length() {
        for byte in [0, 1, 255] {
            let key = from_bytes([byte; 32]);
            assert!(is_well_formed(&key), "{key}");
        }
        assert!(from_bytes([0; 32]).starts_with("pl_live_0000"));
    }

    #[test]
    fn slips_are_recognised() {
        let key = from_bytes([7; 32]);
        let check = |text: &str, expected: bool| assert_eq!(is_well_formed(text), expected, "{text}");
        check(&key, true);
        check(&key[..key.len() - 1], false);
        check(&format!("{key}0"), false);
        check(&format!(" {key}"), false);
        check(&key.replace("pl_live_", "pl_test_"), false);
        check("pl_live_", false);
        check("", false);
        check("pl_live_äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüä", false);
        for i in PREFIX.len()..key.len() {
            let mut slip = key.clone().into_bytes();
            slip[i] = if slip[i] == b'x' { b'y' } else { b'x' };
            check(&String::from_utf8(slip).unwrap(), false);
        }
        let mut swapped = key.into_bytes();
        swapped.swap(20, 21);
        let swapped = String::from_utf8(swapped).unwrap();
        check(&swapped, swapped.as_bytes()[20] == swapped.as_bytes()[21]);
    }
}
