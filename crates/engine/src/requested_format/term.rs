//! The words that instructions are read by.

/// Trigger words, and the few others that give them their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Term {
    Other,
    Json,
    Only,
    Valid,
    Nothing,
    But,
    How,
    Many,
    Much,
    Number,
    Count,
    Yes,
    No,
    Or,
    Of,
    Choose,
    From,
    Pick,
    Respond,
    With,
    Choice,
    List,
    Bullet,
    Point,
    Markdown,
    Single,
    Word,
    Words,
    Items,
    Least,
    Most,
    Up,
    To,
    More,
    Than,
    Over,
    Minimum,
    Maximum,
    /// A verb that asks for things: "give", "name", "suggest".
    Ask,
    /// A word that may stand between such a verb and a number: "me", "the", "exactly", "top".
    Filler,
    Top,
    /// A noun of which a number is no length of a list: "sentences", "minutes".
    Measure,
    /// The word "one"; the digit is a quantity ("page 1 of 3" offers no choice).
    One,
    Quantity(usize),
}

/// What a word means, in any case.
pub(super) fn term(word: &str) -> Term {
    let mut lower = [0u8; 10];
    let bytes = word.as_bytes();
    if let Some(head) = bytes.get(..7)
        && head.eq_ignore_ascii_case(b"classif")
    {
        return Term::Choice;
    }
    let Some(lower) = lower.get_mut(..bytes.len()) else {
        return Term::Other;
    };
    lower.copy_from_slice(bytes);
    lower.make_ascii_lowercase();
    if let Some(b'0'..=b'9') = lower.first() {
        return word.parse().map_or(Term::Other, Term::Quantity);
    }
    match &*lower {
        b"json" => Term::Json,
        b"only" => Term::Only,
        b"valid" => Term::Valid,
        b"nothing" => Term::Nothing,
        b"but" => Term::But,
        b"how" => Term::How,
        b"many" => Term::Many,
        b"much" => Term::Much,
        b"number" => Term::Number,
        b"count" => Term::Count,
        b"yes" => Term::Yes,
        b"no" => Term::No,
        b"or" => Term::Or,
        b"of" => Term::Of,
        b"choose" => Term::Choose,
        b"from" => Term::From,
        b"pick" => Term::Pick,
        b"respond" => Term::Respond,
        b"with" => Term::With,
        b"category" | b"label" => Term::Choice,
        b"list" => Term::List,
        b"bullet" | b"bullets" => Term::Bullet,
        b"point" | b"points" => Term::Point,
        b"markdown" => Term::Markdown,
        b"single" => Term::Single,
        b"word" => Term::Word,
        b"words" => Term::Words,
        b"items" => Term::Items,
        b"give" | b"name" | b"suggest" | b"provide" | b"propose" | b"recommend" | b"mention"
        | b"identify" | b"generate" | b"brainstorm" | b"enumerate" => Term::Ask,
        b"me" | b"us" | b"the" | b"exactly" | b"precisely" | b"just" | b"a" | b"best" | b"main" | b"some" => {
            Term::Filler
        }
        b"top" => Term::Top,
        b"sentence" | b"sentences" | b"paragraph" | b"paragraphs" | b"character" | b"characters"
        | b"letters" | b"lines" | b"line" | b"pages" | b"page" | b"percent" | b"minutes" | b"minute"
        | b"hours" | b"hour" | b"days" | b"day" | b"weeks" | b"months" | b"years" | b"year" | b"seconds"
        | b"digits" | b"decimal" | b"decimals" | b"tokens" | b"stars" | b"dollars" | b"euros"
        | b"degrees" | b"people" | b"and" | b"by" | b"in" | b"x" | b"times" | b"parts" | b"sections"
        | b"stanzas" | b"verses" | b"columns" | b"column" | b"section" => Term::Measure,
        b"least" => Term::Least,
        b"most" => Term::Most,
        b"up" => Term::Up,
        b"to" => Term::To,
        b"more" => Term::More,
        b"than" => Term::Than,
        b"over" => Term::Over,
        b"minimum" => Term::Minimum,
        b"maximum" => Term::Maximum,
        b"one" => Term::One,
        b"two" => Term::Quantity(2),
        b"three" => Term::Quantity(3),
        b"four" => Term::Quantity(4),
        b"five" => Term::Quantity(5),
        b"six" => Term::Quantity(6),
        b"seven" => Term::Quantity(7),
        b"eight" => Term::Quantity(8),
        b"nine" => Term::Quantity(9),
        b"ten" => Term::Quantity(10),
        b"twelve" => Term::Quantity(12),
        b"fifteen" => Term::Quantity(15),
        b"twenty" => Term::Quantity(20),
        _ => Term::Other,
    }
}
