//! Recognising an answer that declines.

use std::ops::Range;

use crate::quotation;
use crate::words::words;

/// How far into the answer a refusal may begin.
const WITHIN_BYTES: usize = 240;

/// What declines by itself.
const PHRASES: &[&str] = &[
    "i can't help with",
    "i cannot help with",
    "i can't help you",
    "i cannot help you",
    "i can't assist",
    "i cannot assist",
    "i can't provide",
    "i cannot provide",
    "i can't do that",
    "i cannot do that",
    "i can't comply",
    "i cannot comply",
    "i can't fulfill",
    "i cannot fulfill",
    "i can't answer",
    "i cannot answer",
    "i can't share",
    "i cannot share",
    "i can't discuss",
    "i cannot discuss",
    "i can't support",
    "i cannot support",
    "i must decline",
    "i have to decline",
    "i'm sorry, but i can't",
    "i'm sorry, but i cannot",
    "i am sorry, but i can't",
    "i am sorry, but i cannot",
    "sorry, i can't",
    "sorry, i cannot",
    "sorry, but i can't",
    "sorry, but i cannot",
    "as an ai language model, i do not",
    "as an ai language model, i don't",
    "as an ai language model, i cannot",
    "as an ai language model, i can't",
    "as an ai language model, i am",
    "as an ai, i cannot",
    "as an ai, i can't",
    "as an ai, i do not",
    "as an ai, i don't",
];

/// What declines in front of a word for what an assistant does: people are unable to come, too.
const UNABLE: &[&str] = &[
    "i'm unable to",
    "i am unable to",
    "i'm not able to",
    "i am not able to",
    "i won't be able to",
];
const DEEDS: &[&str] = &[
    "access",
    "answer",
    "assist",
    "browse",
    "comment",
    "complete",
    "comply",
    "continue",
    "create",
    "determine",
    "directly",
    "discuss",
    "do",
    "engage",
    "fulfill",
    "generate",
    "give",
    "help",
    "offer",
    "open",
    "perform",
    "process",
    "produce",
    "provide",
    "respond",
    "say",
    "share",
    "support",
    "view",
    "write",
];
/// A letter that was asked for is not the assistant's own words.
const LETTERS: &[&str] = &["dear ", "subject:", "hi ", "hello ", "hey ", "to whom"];

/// Where an answer declines, near its beginning: in whole words, by the assistant, outside quotations and code.
pub(crate) fn find(answer: &str) -> Option<Range<usize>> {
    let mut end = answer.len().min(WITHIN_BYTES);
    while !answer.is_char_boundary(end) {
        end -= 1;
    }
    let head = answer.get(..end)?;
    if !says_i(head.as_bytes()) {
        return None;
    }
    let own = String::from_utf8_lossy(&quotation::without(head)).into_owned();
    // Spaces took the place of bytes, so nothing has moved.
    let own = if own.len() == head.len() {
        own
    } else {
        head.to_owned()
    };
    let (straight, offsets) = straighten(&own.to_ascii_lowercase());
    if is_letter(&straight) {
        return None;
    }
    let beginnings: Vec<usize> = beginnings(straight.as_bytes()).collect();
    let original = |at: usize| at + 2 * offsets.iter().filter(|apostrophe| **apostrophe < at).count();
    let starting = |phrase: &str| {
        beginnings.iter().copied().find(|at| {
            straight
                .get(*at..)
                .is_some_and(|rest| rest.starts_with(phrase) && ends_word(rest, phrase))
        })
    };
    let unable = UNABLE.iter().find_map(|phrase| {
        let at = starting(phrase)?;
        let deed = words(straight.get(at + phrase.len()..)?).next()?;
        DEEDS.contains(&deed.text).then_some((at, *phrase))
    });
    let (at, phrase) = PHRASES
        .iter()
        .find_map(|phrase| Some((starting(phrase)?, *phrase)))
        .or(unable)?;
    Some(original(at)..original(at + phrase.len()))
}

fn ends_word(rest: &str, phrase: &str) -> bool {
    rest.get(phrase.len()..)
        .and_then(|after| after.chars().next())
        .is_none_or(|next| !next.is_alphanumeric() && next != '_')
}

fn is_letter(text: &str) -> bool {
    text.lines()
        .map(|line| line.trim_start_matches(['*', '#', ' ']))
        .any(|line| {
            LETTERS.iter().any(|begin| line.starts_with(begin)) && line.trim_end().ends_with([',', ':', '!'])
        })
        || text.contains("subject:")
}

/// Whether "i " or "i'" is in a text, with either apostrophe: one of them is in every phrase, and neither in most
/// answers that are data.
fn says_i(text: &[u8]) -> bool {
    text.windows(2)
        .any(|pair| pair[0].eq_ignore_ascii_case(&b'i') && matches!(pair[1], b' ' | b'\'' | 0xE2))
}

/// Where a phrase may begin. Looking for each of them everywhere took a tenth of the time of scoring.
fn beginnings(text: &[u8]) -> impl Iterator<Item = usize> {
    let is_beginning = |pair: &[u8]| matches!(pair, b"i " | b"i'" | b"so" | b"as");
    let begins_word = |at: usize| at == 0 || text.get(at - 1).is_none_or(|before| !is_in_word(*before));
    text.windows(2)
        .enumerate()
        .filter(move |(at, pair)| is_beginning(pair) && begins_word(*at))
        .map(|(at, _)| at)
}

/// Letters of other scripts are several bytes, all of them above ASCII.
fn is_in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// Typographic apostrophes made plain, with the offsets (in the result) where that was done.
fn straighten(text: &str) -> (String, Vec<usize>) {
    let mut out = String::with_capacity(text.len());
    let mut offsets = Vec::new();
    for character in text.chars() {
        if character == '’' {
            offsets.push(out.len());
            out.push('\'');
        } else {
            out.push(character);
        }
    }
    (out, offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognises_refusals() {
        let check = |answer: &str, expected: Option<&str>| {
            assert_eq!(find(answer).map(|range| &answer[range]), expected, "{answer:?}");
        };
        check(
            "I'm sorry, but I can't help with that.",
            Some("I can't help with"),
        );
        for ordinary in [
            "Delhi cannot provide enough water in May.",
            "The API cannot provide this",
            "The model answered: \"I cannot provide that\", which is a refusal.",
            "> I can't help with that\n\nThis line is quoted.",
            "Sure: `I cannot help with this` is the string.",
            "I'm sorry, but I can only see two files; here they are.",
            "As an AI, I can help you plan the trip.",
            "I am unable to sleep when it is hot, the narrator says.",
            "Dear Ms Weber,\nI am unable to provide the report before Friday.",
            "Wi-Fi cannot do that by itself",
            "Alibi cannot answer for it",
        ] {
            check(ordinary, None);
        }
        check(
            "Unfortunately, I am unable to help with this.",
            Some("I am unable to"),
        );
        check("Ich? I’m unable to say", Some("I’m unable to"));
        check(
            "As an AI language model, I do not know",
            Some("As an AI language model, I do not"),
        );
        check("Sure, here it is.", None);
        check("The customer wrote: we are sorry for the delay", None);
        check(&format!("{} I cannot help with that", "word ".repeat(60)), None);
        check("", None);
    }

    #[test]
    fn every_phrase_is_found_wherever_it_stands() {
        let unable = UNABLE.iter().map(|phrase| format!("{phrase} help"));
        for phrase in PHRASES.iter().map(|phrase| (*phrase).to_owned()).chain(unable) {
            for apostrophe in ["'", "’"] {
                let phrase = phrase.replace('\'', apostrophe);
                let answer = format!("Well. {}, you see", phrase.to_ascii_uppercase());
                let found = find(&answer).unwrap_or_else(|| panic!("{answer:?}"));
                assert!(
                    found.start < answer.len() && !answer[found].is_empty(),
                    "{answer:?}"
                );
            }
        }
    }
}
