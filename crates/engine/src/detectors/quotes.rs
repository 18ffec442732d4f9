//! Whether what a model quotes stands in the run. White space counts as one space, and so do its escapes in JSON: a model
//! reads `\n` of a stored text as a line break.

use domain::detector::{Evidence, FoundIn, StepTexts};

/// The fewest characters of a quote: less stands in every text.
const MIN_CHARS: usize = 3;

/// Words that are said to stand in the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// In which step, where that is said.
    pub step_id: Option<String>,
    /// Word for word.
    pub quote: String,
}

/// What is left of a model's quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Those that stand in the run, with where; each once.
    pub evidence: Vec<Evidence>,
    /// How many do not.
    pub dropped: u32,
}

/// Looks for each quote, first in the step that it is said to stand in.
pub fn verify(quotes: &[Claimed], texts: &[StepTexts]) -> Verified {
    let mut verified = Verified::default();
    for claimed in quotes {
        match locate(claimed, texts) {
            None => verified.dropped += 1,
            Some(evidence) if verified.evidence.contains(&evidence) => {}
            Some(evidence) => verified.evidence.push(evidence),
        }
    }
    verified
}

/// Where a quote stands; `None` where it does not occur.
pub fn locate(claimed: &Claimed, texts: &[StepTexts]) -> Option<Evidence> {
    let quote = Normal::of(
        claimed
            .quote
            .trim_matches(|c: char| c.is_whitespace() || "…\"“”„".contains(c)),
    );
    let wanted = quote.text.trim();
    if wanted.chars().count() < MIN_CHARS {
        return None;
    }
    let is_named = |texts: &&StepTexts| claimed.step_id.as_ref() == Some(&texts.step_id);
    let named = texts.iter().filter(is_named);
    let others = texts.iter().filter(|texts| !is_named(texts));
    named.chain(others).find_map(|texts| in_step(wanted, texts))
}

fn in_step(wanted: &str, texts: &StepTexts) -> Option<Evidence> {
    // What came back first: that is what is judged.
    let places = [
        (FoundIn::Output, &texts.output),
        (FoundIn::Error, &texts.error),
        (FoundIn::Input, &texts.input),
    ];
    places.into_iter().find_map(|(place, text)| {
        let text = text.as_deref()?;
        let (from, to) = Normal::of(text).find(wanted)?;
        Some(Evidence {
            step_id: texts.step_id.clone(),
            step: texts.step.clone(),
            text: Some(place),
            quote: text.get(from..to).map(str::to_owned),
            from_byte: u32::try_from(from).ok(),
            to_byte: u32::try_from(to).ok(),
        })
    })
}

/// A text with each stretch of white space as one space, and where each byte of it comes from.
struct Normal {
    text: String,
    /// For each byte of `text` the place in the original; one more for its end.
    places: Vec<usize>,
}

impl Normal {
    fn of(original: &str) -> Self {
        let mut normal = Self {
            text: String::with_capacity(original.len()),
            places: Vec::with_capacity(original.len() + 1),
        };
        let mut characters = original.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            let escaped = (character == '\\')
                .then(|| characters.peek().map(|(_, next)| *next))
                .flatten();
            match escaped {
                Some('n' | 't' | 'r') => {
                    characters.next();
                    normal.space(at);
                }
                Some('"') => {
                    characters.next();
                    normal.push('"', at);
                }
                _ if character.is_whitespace() => normal.space(at),
                _ => normal.push(character, at),
            }
        }
        normal.places.push(original.len());
        normal
    }

    fn space(&mut self, at: usize) {
        if !self.text.ends_with(' ') {
            self.push(' ', at);
        }
    }

    fn push(&mut self, character: char, at: usize) {
        self.text.push(character);
        self.places.extend(std::iter::repeat_n(at, character.len_utf8()));
    }

    /// Where the first occurrence of `wanted` begins and ends in the original.
    fn find(&self, wanted: &str) -> Option<(usize, usize)> {
        let from = self.text.find(wanted)?;
        let to = from + wanted.len();
        Some((*self.places.get(from)?, *self.places.get(to)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(output: &str) -> StepTexts {
        StepTexts {
            step_id: "s".to_owned(),
            step: "answer".to_owned(),
            output: Some(output.to_owned()),
            ..StepTexts::default()
        }
    }

    fn claimed(quote: &str) -> Claimed {
        Claimed {
            step_id: None,
            quote: quote.to_owned(),
        }
    }

    #[test]
    fn a_quote_is_found_where_it_stands() {
        let check = |text: &str, quote: &str, expected: Option<&str>| {
            let found = locate(&claimed(quote), &[texts(text)]);
            assert_eq!(
                found.as_ref().and_then(|found| found.quote.as_deref()),
                expected,
                "{quote:?} in {text:?}"
            );
        };
        check(
            "You will get the money  back\nsoon.",
            "the money back soon",
            Some("the money  back\nsoon"),
        );
        check(
            r#"{"text":"within\n24 hours"}"#,
            "within 24 hours",
            Some("within\\n24 hours"),
        );
        check(r#"said \"two pieces\" to"#, "\"two pieces\"", Some("two pieces"));
        check("Grüße aus Köln", "aus Köln", Some("aus Köln"));
        check("refund in 5 days", "refund in 50 days", None);
        check("anything", "", None);
        check("anything at all", "a", None);
        check("a b", "…", None);
    }

    #[test]
    fn the_named_step_comes_first_and_a_wrong_name_is_set_right() {
        let one = StepTexts {
            step_id: "one".to_owned(),
            ..texts("same words")
        };
        let two = StepTexts {
            step_id: "two".to_owned(),
            ..texts("same words")
        };
        let of = |step: &str, quote: &str| {
            let claimed = Claimed {
                step_id: Some(step.to_owned()),
                quote: quote.to_owned(),
            };
            locate(&claimed, &[one.clone(), two.clone()]).map(|found| found.step_id)
        };
        assert_eq!(of("two", "same words").as_deref(), Some("two"));
        assert_eq!(of("three", "same words").as_deref(), Some("one"));
    }

    #[test]
    fn what_does_not_occur_is_dropped_and_counted() {
        let quotes = ["5 working days", "24 hours", "5 working  days"].map(claimed);
        let verified = verify(&quotes, &[texts("paid within 5 working days")]);
        assert_eq!(verified.dropped, 1);
        assert_eq!(verified.evidence.len(), 1);
    }

    proptest! {
        #[test]
        fn every_stretch_of_a_text_occurs_in_it(text in "[a-zä\\\\n\"  \t]{0,60}", from in 0usize..60, len in 3usize..20) {
            let quote: String = text.chars().skip(from).take(len).collect();
            let found = locate(&claimed(&quote), &[texts(&text)]);
            if let Some(found) = found {
                let (from, to) = (found.from_byte.unwrap() as usize, found.to_byte.unwrap() as usize);
                prop_assert_eq!(found.quote.as_deref(), text.get(from..to));
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,80}", quote in ".{0,40}") {
            let _ = locate(&claimed(&quote), &[texts(&text)]);
        }
    }
}
