//! The options of a closed question: "one of billing, technical or other".

/// The options named in an instruction, trimmed and in lower case. Always two or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options(pub(crate) Vec<String>);

/// Longest stretch of an instruction that is read as one list of options.
const MAX_BYTES: usize = 4_000;

impl Options {
    /// Whether an answer, trimmed and in lower case, is one of the options. The last option may run on into the
    /// rest of the sentence ("… or other for this text"), so it is enough that it begins with the answer.
    pub(crate) fn contain(&self, answer: &str) -> bool {
        let runs_on = |option: &String| {
            option
                .strip_prefix(answer)
                .is_some_and(|rest| !answer.is_empty() && rest.starts_with(char::is_whitespace))
        };
        self.0.iter().any(|option| option == answer) || self.0.last().is_some_and(runs_on)
    }
}

/// Reads the options that follow a trigger phrase; gives them and the offset where the reading ended.
pub(crate) fn read(instruction: &str, from: usize) -> (Option<Options>, usize) {
    let rest = instruction.get(from..).unwrap_or("");
    let end = segment_end(rest);
    let segment = rest.get(..end).unwrap_or("");
    // "one of the following: a, b": the list begins after the colon, or inside the brackets.
    let (list, announced) = match announced(segment) {
        Some(list) => (list, true),
        None => (segment, false),
    };
    let mut options: Vec<String> = split(list)
        .into_iter()
        .map(clean)
        .filter(|option| !option.is_empty())
        .collect();
    if let Some(first) = options.first_mut()
        && let Some(introduced) = behind_introduction(first)
    {
        *first = introduced;
    }
    let is_list = options.len() >= 2 && (announced || is_quoted(list) || reads_as_options(&options));
    (is_list.then_some(Options(options)), from + end)
}

/// Where the sentence ends: a `.` that is not inside a word or number, `?`, or a line end.
fn segment_end(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut end = bytes.len().min(MAX_BYTES);
    for (at, byte) in bytes.iter().enumerate().take(MAX_BYTES) {
        let inside_word = || bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric);
        if matches!(byte, b'?' | b'\n') || (*byte == b'.' && !inside_word()) {
            end = at;
            break;
        }
    }
    while !rest.is_char_boundary(end) {
        end -= 1;
    }
    end
}

/// A list in brackets, or after a colon that comes before the first separator.
fn announced(segment: &str) -> Option<&str> {
    if let Some((_, rest)) = segment.split_once('(') {
        let inside = rest.split(')').next().unwrap_or("");
        if split(inside).len() >= 2 {
            return Some(inside);
        }
    }
    let (head, list) = segment.split_once(':')?;
    (!head.contains([',', '/', ';', '|'])).then_some(list)
}

fn split(list: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in list.split([',', '/', ';', '|']) {
        let mut start = 0;
        for word in crate::words::words(part) {
            if word.text.eq_ignore_ascii_case("or") {
                parts.push(part.get(start..word.start).unwrap_or(""));
                start = word.end;
            }
        }
        parts.push(part.get(start..).unwrap_or(""));
    }
    parts
}

fn clean(option: &str) -> String {
    const AROUND: &[char] = &[
        '"', '\'', '`', '*', '(', ')', '[', ']', '{', '}', '<', '>', '“', '”', '‘', '’', '.', '!', ':',
    ];
    let mut rest = option.trim_matches(|c: char| c.is_whitespace() || AROUND.contains(&c));
    loop {
        let lead = ["only ", "just ", "exactly ", "either ", "and "]
            .iter()
            .find_map(|lead| {
                rest.get(..lead.len())
                    .filter(|head| head.eq_ignore_ascii_case(lead))
            });
        match lead {
            Some(lead) => {
                rest = rest[lead.len()..].trim_matches(|c: char| c.is_whitespace() || AROUND.contains(&c));
            }
            None => {
                // "billing (money questions)": the brackets explain the option.
                let name = rest.split(" (").next().unwrap_or(rest);
                return name.to_lowercase();
            }
        }
    }
}

/// The first option without the words that introduce the list: `the colors red` is `red`, and `these labels: “a` is
/// `a`. `None` when nothing introduces it, or when it is not plain where the option begins.
fn behind_introduction(first: &str) -> Option<String> {
    // Words that follow a plural and say more about it: "the options given", "the friends who".
    const NO_OPTIONS: &[&str] = &[
        "above",
        "available",
        "below",
        "given",
        "here",
        "listed",
        "mentioned",
        "nearby",
        "of",
        "provided",
        "shown",
        "that",
        "which",
        "who",
        "you",
        "we",
        "i",
        "they",
    ];
    let phrase = ["the ", "these ", "those "]
        .iter()
        .find_map(|lead| first.strip_prefix(lead))?;
    if let Some((_, quoted)) = phrase
        .split_once(" '")
        .or_else(|| phrase.split_once(['"', '`', '“']))
    {
        return Some(clean(quoted)).filter(|option| !option.is_empty());
    }
    let words: Vec<&str> = phrase.split_whitespace().take(5).collect();
    let [.., noun, option] = words.as_slice() else {
        return None;
    };
    let is_plural =
        noun.len() > 3 && noun.ends_with('s') && !noun.ends_with("ss") && !noun.contains(['\'', '’']);
    (is_plural && words.len() <= 4 && !NO_OPTIONS.contains(option)).then(|| (*option).to_owned())
}

fn is_quoted(list: &str) -> bool {
    list.matches(['"', '`', '“', '”']).count() >= 4 || list.matches(" '").count() >= 2
}

/// Whether bare words read as options and not as a description: each short, and the first not introduced by an
/// article or a possessive ("one of my friends, or …", "respond with a short, polite note"). The last one may run on.
fn reads_as_options(options: &[String]) -> bool {
    const DETERMINERS: &[&str] = &[
        "a ", "an ", "the ", "my ", "your ", "our ", "their ", "its ", "his ", "her ", "this ", "these ",
        "those ",
    ];
    let all_but_last = options.get(..options.len().saturating_sub(1)).unwrap_or(&[]);
    let short = all_but_last
        .iter()
        .all(|option| option.split_whitespace().count() <= 3);
    let described = options
        .first()
        .is_some_and(|first| DETERMINERS.iter().any(|lead| first.starts_with(lead)));
    short && !described
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lists_of_options() {
        let check = |text: &str, expected: Option<&[&str]>| {
            let found = crate::requested_format::requested_format(text)
                .options
                .map(|o| o.0);
            assert_eq!(
                found
                    .as_deref()
                    .map(|o| o.iter().map(String::as_str).collect::<Vec<_>>()),
                expected.map(<[_]>::to_vec),
                "{text:?}"
            );
        };
        check(
            "one of billing, technical, or other.",
            Some(&["billing", "technical", "other"]),
        );
        check("Choose from red/green/blue?", Some(&["red", "green", "blue"]));
        check(
            "Respond with only 'positive' or 'negative'",
            Some(&["positive", "negative"]),
        );
        check("Respond with exactly one of: A, B", Some(&["a", "b"]));
        check(
            "one of the following categories (spam, ham)",
            Some(&["spam", "ham"]),
        );
        check(
            "one of these intents: refund the order today, cancel",
            Some(&["refund the order today", "cancel"]),
        );
        check("one of gpt-4.1, claude. Then stop", Some(&["gpt-4.1", "claude"]));
        check(
            "one of \"very likely to buy\" or \"not\"",
            Some(&["very likely to buy", "not"]),
        );
        check("This is one of my best books, or so they say", None);
        check("Respond with a short, polite note", None);
        check("one of them", None);
        check("one of:\n- a\n- b", None);
        check("one of spam (junk), ham (good)", Some(&["spam", "ham"]));
        check("one of us. Choose from yes or no", Some(&["yes", "no"]));
        check(
            "Choose from the colors red, green, blue",
            Some(&["red", "green", "blue"]),
        );
        check(
            "one of the following labels \"very good\", \"bad\"",
            Some(&["very good", "bad"]),
        );
        check("Respond with the customer name, age and city", None);
        check("Respond with the customer's name, age, city", None);
        check("one of the options given, or none", None);
        check("one of the reasons people leave, or none", None);
        check("Choose from the menu, or ask the waiter", None);
    }

    #[test]
    fn the_last_option_may_run_on() {
        let options = Options(vec!["a".to_owned(), "other for this text".to_owned()]);
        assert!(options.contain("a") && options.contain("other"));
        assert!(!options.contain("oth") && !options.contain("") && !options.contain("b"));
    }
}
