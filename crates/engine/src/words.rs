//! Whole words in text: "account" is not "count".

/// A run of letters, digits and underscores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    pub(crate) text: &'a str,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The words of a text, in order.
pub(crate) fn words(text: &str) -> Words<'_> {
    Words { text, at: 0 }
}

pub(crate) struct Words<'a> {
    text: &'a str,
    at: usize,
}

/// Of each ASCII character, whether it is part of a word.
const IS_WORD: [bool; 128] = {
    let mut is_word = [false; 128];
    let mut byte = 0;
    while byte < 128 {
        is_word[byte as usize] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'_';
        byte += 1;
    }
    is_word
};

/// Length of the word character that begins at a byte; `Err` with the length of any other character.
#[inline]
fn word_char(text: &str, at: usize) -> Option<Result<usize, usize>> {
    let byte = *text.as_bytes().get(at)?;
    if byte.is_ascii() {
        return Some(if IS_WORD[usize::from(byte)] { Ok(1) } else { Err(1) });
    }
    let character = text.get(at..)?.chars().next()?;
    let length = character.len_utf8();
    Some(if character.is_alphanumeric() {
        Ok(length)
    } else {
        Err(length)
    })
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        let start = loop {
            match word_char(self.text, self.at)? {
                Ok(_) => break self.at,
                Err(length) => self.at += length,
            }
        };
        while let Some(Ok(length)) = word_char(self.text, self.at) {
            self.at += length;
        }
        Some(Word {
            text: self.text.get(start..self.at)?,
            start,
            end: self.at,
        })
    }
}

/// Whether a name contains one of some words in lower case, in any case and anywhere: `classify` is in
/// `ReClassify-v2`. The first letters are compared first: they nearly always differ.
pub(crate) fn name_contains(name: &str, needles: &[&str]) -> bool {
    let name = name.as_bytes();
    needles.iter().any(|needle| {
        let first = needle.as_bytes().first();
        name.windows(needle.len()).any(|window| {
            window.first().map(u8::to_ascii_lowercase).as_ref() == first
                && window.eq_ignore_ascii_case(needle.as_bytes())
        })
    })
}

/// Where a needle begins that is nearly always absent. A short needle is looked for with vector instructions, a
/// long one is not, so its head goes first.
pub(crate) fn rarely_found(text: &str, needle: &str) -> Option<usize> {
    let mut head = needle.len().min(7);
    while !needle.is_char_boundary(head) {
        head -= 1;
    }
    text.contains(needle.get(..head)?)
        .then(|| text.find(needle))
        .flatten()
}

/// An option, an answer or a name in quotes: at most 40 characters of its first line.
pub(crate) fn quoted(text: &str) -> String {
    format!("“{}”", domain::text::first_line(text, 40))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_everything_but_letters_digits_and_underscores() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(
                words(text).map(|w| w.text).collect::<Vec<_>>(),
                expected,
                "{text:?}"
            );
        };
        check(
            "Return JSON-only, in 2 words!",
            &["Return", "JSON", "only", "in", "2", "words"],
        );
        check("größer_als\u{0}x — \"ja\"", &["größer_als", "x", "ja"]);
        check("", &[]);
        assert!(name_contains("ReClassify-v2", &["intent", "classify"]));
        assert!(!name_contains("class", &["classify"]));
    }
}
