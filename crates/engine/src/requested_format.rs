//! What an instruction asks for, found in one pass over its words.

mod listing;
mod term;

use listing::Listing;
use term::{Term, term};

use crate::options::{self, Options};
use crate::shape::Shape;
use crate::words::words;

/// What the rules want to know about an instruction.
#[derive(Debug, Default)]
pub(crate) struct RequestedFormat {
    pub(crate) json: bool,
    /// "only json" and the like.
    pub(crate) only_json: bool,
    /// "how many" or "how much": a plain question for a number.
    pub(crate) quantity: bool,
    number: bool,
    pub(crate) yes_no: bool,
    choice: bool,
    list: bool,
    markdown: bool,
    /// The largest number of words asked for, so that only an answer above every limit breaks the contract.
    pub(crate) max_words: Option<usize>,
    /// Items of a list asked for, and in which direction the answer may differ.
    pub(crate) list_length: Option<ListLength>,
    /// The options of a closed question.
    pub(crate) options: Option<Options>,
}

/// A number of list items asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListLength {
    pub(crate) items: usize,
    pub(crate) bound: Bound,
}

/// Whether a number asked for is exact or a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Exactly,
    AtLeast,
    AtMost,
}

impl RequestedFormat {
    /// The shape the answer should have, by the first kind of trigger that is there.
    pub(crate) fn shape(&self) -> Option<Shape> {
        if self.json {
            Some(Shape::Json)
        } else if self.number {
            Some(Shape::Number)
        } else if self.yes_no || self.choice {
            Some(Shape::EnumShort)
        } else if self.list {
            Some(Shape::List)
        } else if self.markdown {
            Some(Shape::Markdown)
        } else {
            None
        }
    }
}

/// What stands between two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gap {
    /// White space, perhaps with quotes or emphasis, or one hyphen.
    Phrase,
    /// The same with a slash.
    Slash,
    /// A comma and nothing else: a thousands separator if digits are around it.
    Comma,
    Apart,
}

fn gap(between: &str) -> Gap {
    match between {
        " " | "-" => return Gap::Phrase,
        "," => return Gap::Comma,
        _ => {}
    }
    let mut slash = false;
    for character in between.chars() {
        match character {
            '/' => slash = true,
            '"' | '\'' | '`' | '*' | '“' | '”' | '‘' | '’' => {}
            other if other.is_whitespace() => {}
            _ => return Gap::Apart,
        }
    }
    if slash { Gap::Slash } else { Gap::Phrase }
}

/// The last words, the newest last, and the gap before each.
struct Trail([(Term, Gap); 4]);

impl Trail {
    fn push(&mut self, term: Term, gap: Gap) {
        let [_, second, third, last] = self.0;
        self.0 = [second, third, last, (term, gap)];
    }

    /// The newest word.
    fn last(&self) -> Term {
        self.0[3].0
    }

    /// The word that stands `back` words before the newest, when everything between is one phrase.
    fn back(&self, back: usize) -> Term {
        let connected = self.0[4 - back..].iter().all(|(_, gap)| *gap == Gap::Phrase);
        if connected {
            self.0[3 - back].0
        } else {
            Term::Other
        }
    }

    /// What the words before "N words" or "N items" make of the number.
    fn bound(&self) -> Bound {
        match (self.back(3), self.back(2)) {
            (_, Term::Least | Term::Minimum | Term::Over)
            | (Term::More, Term::Than)
            | (Term::Minimum, Term::Of) => Bound::AtLeast,
            (_, Term::Most | Term::Maximum) | (Term::Up, Term::To) | (Term::Maximum, Term::Of) => {
                Bound::AtMost
            }
            _ => Bound::Exactly,
        }
    }
}

/// Reads an instruction.
pub(crate) fn requested_format(instruction: &str) -> RequestedFormat {
    let mut requested = RequestedFormat::default();
    let mut trail = Trail([(Term::Other, Gap::Apart); 4]);
    let mut end = 0;
    let mut options_from = 0;
    let mut listing = Listing::default();
    for word in words(instruction) {
        let between = instruction.get(end..word.start).unwrap_or("");
        end = word.end;
        let mut term = term(word.text);
        let mut gap = gap(between);
        if let (Term::Quantity(thousands), Term::Quantity(rest), Gap::Comma) = (trail.last(), term, gap)
            && word.text.len() == 3
        {
            term = Term::Quantity(thousands.saturating_mul(1_000).saturating_add(rest));
            gap = Gap::Apart;
        }
        trail.push(term, gap);
        listing.take(&trail, &mut requested);
        if term == Term::Other {
            continue;
        }
        note_shape(&mut requested, &trail);
        note_lengths(&mut requested, &trail);
        if announces_options(&trail) && requested.options.is_none() && word.start >= options_from {
            let (found, until) = options::read(instruction, word.end);
            requested.options = found;
            options_from = until;
        }
    }
    listing.end(&mut requested);
    requested
}

fn note_shape(requested: &mut RequestedFormat, trail: &Trail) {
    let last = trail.last();
    match (trail.back(2), trail.back(1), last) {
        (_, _, Term::Json) => {
            requested.json = true;
            requested.only_json |=
                trail.back(1) == Term::Only || (trail.back(2) == Term::Nothing && trail.back(1) == Term::But);
        }
        // "json only"; "valid json only" contains it.
        (_, Term::Json, Term::Only) => requested.only_json = true,
        (_, Term::How, Term::Many | Term::Much) => {
            requested.quantity = true;
            requested.number = true;
        }
        (_, _, Term::Number | Term::Count) => requested.number = true,
        (Term::Yes, Term::Or, Term::No) => requested.yes_no = true,
        (_, _, Term::No) if trail.0[2].0 == Term::Yes && trail.0[3].1 == Gap::Slash => {
            requested.yes_no = true
        }
        (_, Term::One, Term::Of) | (_, Term::Choose, Term::From) | (_, Term::Pick, Term::One) => {
            requested.choice = true;
        }
        (_, _, Term::Choice) => requested.choice = true,
        (_, _, Term::List) | (_, Term::Bullet, Term::Point) => requested.list = true,
        (_, _, Term::Markdown) => requested.markdown = true,
        _ => {}
    }
}

fn note_lengths(requested: &mut RequestedFormat, trail: &Trail) {
    let mut note_words = |n: usize, bound: Bound| {
        if n > 0 && bound != Bound::AtLeast {
            requested.max_words = Some(requested.max_words.map_or(n, |known| known.max(n)));
        }
    };
    match (trail.back(1), trail.last()) {
        (Term::Single | Term::One, Term::Word) => note_words(1, Bound::Exactly),
        (Term::Quantity(n), Term::Word | Term::Words) => note_words(n, trail.bound()),
        (Term::Quantity(items), Term::Items | Term::Bullet | Term::Point) if items > 1 => {
            requested.list_length = Some(ListLength {
                items,
                bound: trail.bound(),
            });
        }
        (Term::Of, Term::Quantity(items)) if items > 1 && trail.back(2) == Term::List => {
            requested.list_length = Some(ListLength {
                items,
                bound: Bound::Exactly,
            });
        }
        _ => {}
    }
}

fn announces_options(trail: &Trail) -> bool {
    matches!(
        (trail.back(1), trail.last()),
        (Term::One, Term::Of) | (Term::Choose, Term::From) | (Term::Respond, Term::With)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_shape_is_the_first_match() {
        let check = |text: &str, expected: Option<Shape>| {
            assert_eq!(requested_format(text).shape(), expected, "{text:?}")
        };
        check("Return JSON", Some(Shape::Json));
        check("Return a list as json", Some(Shape::Json));
        check("Is this jsonb?", None);
        check("How many apples?", Some(Shape::Number));
        check("how\nmuch is it", Some(Shape::Number));
        check("Give the number", Some(Shape::Number));
        check("Open my account, we discount it", None);
        check("Answer yes/no", Some(Shape::EnumShort));
        check("Answer \"yes\" or \"no\".", Some(Shape::EnumShort));
        check("yes / No", Some(Shape::EnumShort));
        check("yes, or no", None);
        check("Is it one of these", Some(Shape::EnumShort));
        check("Choose from a menu", Some(Shape::EnumShort));
        check("Classify: x", Some(Shape::EnumShort));
        check("a classification", Some(Shape::EnumShort));
        check("the category", Some(Shape::EnumShort));
        check("Pick one", Some(Shape::EnumShort));
        check("page 1 of 3", None);
        check("List the cities", Some(Shape::List));
        check("listen to me", None);
        check("in bullet points", Some(Shape::List));
        check("as Markdown", Some(Shape::Markdown));
        check("Write a poem", None);
    }

    #[test]
    fn strict_json_phrases() {
        let check =
            |text: &str, expected: bool| assert_eq!(requested_format(text).only_json, expected, "{text:?}");
        check("only JSON", true);
        check("Valid json only.", true);
        check("JSON-only", true);
        check("nothing but JSON", true);
        check("Return json. Only then stop", false);
        check("only if json", false);
    }

    #[test]
    fn word_limits() {
        let check = |text: &str, expected: Option<usize>| {
            assert_eq!(requested_format(text).max_words, expected, "{text:?}")
        };
        check("Answer in one word", Some(1));
        check("a single-word answer", Some(1));
        check("in 12 words or fewer", Some(12));
        check("at most 1,000 words", Some(1_000));
        check("at least 100 words", None);
        check("more than 100 words", None);
        check("minimum of 100 words", None);
        check("two words", Some(2));
        check("from 5 words to 20 words", Some(20));
        check("other words", None);
        check("0 words", None);
    }

    #[test]
    fn list_lengths() {
        let check = |text: &str, expected: Option<(usize, Bound)>| {
            assert_eq!(
                requested_format(text).list_length.map(|l| (l.items, l.bound)),
                expected,
                "{text:?}"
            );
        };
        check("Give 3 bullet points", Some((3, Bound::Exactly)));
        check("List five cities", Some((5, Bound::Exactly)));
        check("a list of 4 names", Some((4, Bound::Exactly)));
        check("at least 3 items", Some((3, Bound::AtLeast)));
        check("up to 7 points", Some((7, Bound::AtMost)));
        check("a list of names", None);
        check("List exactly 3 colours.", Some((3, Bound::Exactly)));
        check("Give me five good reasons to stay", Some((5, Bound::Exactly)));
        check("the top 10 cities of Peru", Some((10, Bound::Exactly)));
        check("Name at least four rivers", Some((4, Bound::AtLeast)));
        check("Suggest up to 6 titles", Some((6, Bound::AtMost)));
        check("Give me 3 sentences", None);
        check("Give me 3 short sentences", None);
        check("Give it 5 minutes", None);
        check("Name: 17 Main Street", None);
        check("There are 3 colours", None);
        check("List it, 3 colours are enough", None);
    }
}
