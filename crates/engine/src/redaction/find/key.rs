//! Keys and tokens whose form is known by the documentation of who gives them out.

use super::continues_word;

/// How keys of model providers begin.
pub const PROVIDER_KEY_PREFIXES: [&str; 12] = [
    "sk-", "sk_", "gsk_", "xai-", "pplx-", "hf_", "r8_", "AIza", "nvapi-", "tgp_v1_", "csk-", "fw_",
];
/// How other keys begin: our own, code hosts, chats, clouds, payments, packages.
const OTHER_PREFIXES: [&str; 26] = [
    "pl_live_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xoxr-",
    "xoxs-",
    "xapp-",
    "rk_live_",
    "rk_test_",
    "whsec_",
    "npm_",
    "pypi-",
    "dop_v1_",
    "shpat_",
    "lin_api_",
    "SG.",
    "ya29.",
    "AKIA",
    "ASIA",
];
/// What comes after such a beginning at least, with a digit in it: `sk-team-of-five` is none.
const MIN_REST_BYTES: usize = 16;
const BEARER: &[u8] = b"bearer ";
const MIN_BEARER_BYTES: usize = 20;
/// A JSON Web Token: the base64 of `{"`, and three parts.
const TOKEN_PREFIX: &str = "eyJ";
const MIN_TOKEN_BYTES: usize = 40;
/// The ends of PEM's first and the beginning of its last line (RFC 7468).
const PRIVATE_KEY: &str = "PRIVATE KEY-----";
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
/// The longest word between them.
const MAX_LABEL_BYTES: usize = 40;

pub(super) fn find(text: &str, push: &mut impl FnMut(usize, usize)) {
    private_keys(text, push);
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut token = Token::default();
    while at < bytes.len() {
        if at >= token.end {
            token = Token::at(bytes, at);
        }
        if continues_word(bytes, at) {
            at += 1;
            continue;
        }
        let end = bearer(bytes, at).map(|(start, end)| {
            push(start, end);
            end
        });
        let end = end.or_else(|| {
            let rest = text.get(at..token.end)?;
            token.is_key(at, rest).then(|| {
                push(at, token.end);
                token.end
            })
        });
        at = end.unwrap_or(at + 1);
    }
}

/// A run of what keys consist of, and what is known of it, so that it is looked through once.
#[derive(Clone, Copy, Debug, Default)]
struct Token {
    end: usize,
    last_digit: Option<usize>,
    dots: usize,
}

impl Token {
    fn at(bytes: &[u8], start: usize) -> Self {
        let mut token = Self {
            end: start,
            ..Self::default()
        };
        while let Some(byte) = bytes.get(token.end) {
            // The end of a sentence is no part of it.
            let is_inner_dot =
                *byte == b'.' && bytes.get(token.end + 1).is_some_and(|next| is_key_byte(*next));
            if !is_key_byte(*byte) && !is_inner_dot {
                break;
            }
            if byte.is_ascii_digit() {
                token.last_digit = Some(token.end);
            }
            token.dots += usize::from(is_inner_dot);
            token.end += 1;
        }
        token
    }

    /// Whether what begins at `at` with `rest`, up to the token's end, is a key.
    fn is_key(&self, at: usize, rest: &str) -> bool {
        // Most words end here.
        if rest.len() < MIN_REST_BYTES || self.last_digit.is_none_or(|digit| digit < at) {
            return false;
        }
        if rest.starts_with(TOKEN_PREFIX) && rest.len() >= MIN_TOKEN_BYTES && self.dots >= 2 {
            return true;
        }
        let prefix = PROVIDER_KEY_PREFIXES
            .iter()
            .chain(&OTHER_PREFIXES)
            .find(|prefix| rest.starts_with(**prefix));
        prefix.is_some_and(|prefix| {
            rest.len() >= prefix.len() + MIN_REST_BYTES
                && self.last_digit.is_some_and(|digit| digit >= at + prefix.len())
        })
    }
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The token behind `Bearer` (RFC 6750).
fn bearer(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let start = at + BEARER.len();
    if !bytes.get(at..start)?.eq_ignore_ascii_case(BEARER) {
        return None;
    }
    let is_part = |byte: &&u8| is_key_byte(**byte) || b".~+/=".contains(byte);
    let length = bytes.get(start..)?.iter().take_while(is_part).count();
    let has_digit = bytes.get(start..start + length)?.iter().any(u8::is_ascii_digit);
    (length >= MIN_BEARER_BYTES && has_digit).then_some((start, start + length))
}

/// From the first line to the last; one that breaks off to the end of the text.
fn private_keys(text: &str, push: &mut impl FnMut(usize, usize)) {
    let mut done = 0;
    for (at, _) in text.match_indices(PRIVATE_KEY) {
        let label = text.floor_char_boundary(at.saturating_sub(MAX_LABEL_BYTES).max(done));
        let Some(start) = text.get(label..at).and_then(|line| line.rfind(BEGIN)) else {
            continue;
        };
        let after = at + PRIVATE_KEY.len();
        let rest = text.get(after..).unwrap_or_default();
        let end = rest.find(END).map_or(text.len(), |last| {
            let closing = rest.get(last..).and_then(|line| line.find(PRIVATE_KEY));
            after + closing.map_or(rest.len(), |closing| last + closing + PRIVATE_KEY.len())
        });
        push(label + start, end);
        done = end;
    }
}
