//! Counting { } [ ] and finding the ones without a partner.

/// How often each bracket occurs: `{`, `}`, `[`, `]`.
pub(crate) struct Counts(pub(crate) [usize; 4]);

impl Counts {
    pub(crate) fn are_balanced(&self) -> bool {
        self.0[0] == self.0[1] && self.0[2] == self.0[3]
    }
}

/// Counts every bracket of a text.
pub(crate) fn count(text: &str) -> Counts {
    // One plain pass per bracket: the compiler turns each into vector instructions.
    let occurrences = |bracket: u8| text.bytes().filter(|byte| *byte == bracket).count();
    Counts([b'{', b'}', b'[', b']'].map(occurrences))
}

/// A sentence about the brackets without a partner, and the offsets of those that it names.
pub(crate) fn describe(text: &str, counts: &Counts) -> (String, Vec<usize>) {
    let [open_curly, close_curly, open_square, close_square] = counts.0;
    let unclosed = open_curly.saturating_sub(close_curly) + open_square.saturating_sub(close_square);
    let mut never_closed = Vec::new();
    if open_curly > close_curly {
        never_closed.extend(first_unclosed(text, b'{', b'}').map(|at| (at, '{')));
    }
    if open_square > close_square {
        never_closed.extend(first_unclosed(text, b'[', b']').map(|at| (at, '[')));
    }
    never_closed.sort_unstable();
    if !never_closed.is_empty() {
        let places: Vec<String> = never_closed
            .iter()
            .map(|(at, c)| format!("{c} at byte {at}"))
            .collect();
        let (number, verb) = match unclosed {
            1 => ("One bracket".to_owned(), "is"),
            2 => ("Two brackets".to_owned(), "are"),
            n => (format!("{n} brackets"), "are"),
        };
        return (
            format!("{number} {verb} never closed: {}.", places.join(" and ")),
            never_closed.iter().map(|(at, _)| *at).collect(),
        );
    }
    let mut never_opened = Vec::new();
    if close_curly > open_curly {
        never_opened.extend(first_unopened(text, b'{', b'}').map(|at| (at, '}')));
    }
    if close_square > open_square {
        never_opened.extend(first_unopened(text, b'[', b']').map(|at| (at, ']')));
    }
    never_opened.sort_unstable();
    match never_opened.first() {
        Some((at, bracket)) => (
            format!("A bracket is closed that was never opened: {bracket} at byte {at}."),
            vec![*at],
        ),
        None => ("The brackets do not balance.".to_owned(), Vec::new()),
    }
}

fn first_unclosed(text: &str, open: u8, close: u8) -> Option<usize> {
    let mut pending = 0usize;
    let mut first = None;
    for (at, byte) in text.bytes().enumerate().rev() {
        if byte == close {
            pending += 1;
        } else if byte == open {
            match pending.checked_sub(1) {
                Some(rest) => pending = rest,
                None => first = Some(at),
            }
        }
    }
    first
}

fn first_unopened(text: &str, open: u8, close: u8) -> Option<usize> {
    let mut pending = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        if byte == open {
            pending += 1;
        } else if byte == close {
            match pending.checked_sub(1) {
                Some(rest) => pending = rest,
                None => return Some(at),
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_brackets_without_a_partner() {
        let check = |text: &str, expected: &str, at: &[usize]| {
            let counts = count(text);
            assert!(!counts.are_balanced());
            assert_eq!(
                describe(text, &counts),
                (expected.to_owned(), at.to_vec()),
                "{text}"
            );
        };
        check(
            "{\"a\": [{}, {}",
            "Two brackets are never closed: { at byte 0 and [ at byte 6.",
            &[0, 6],
        );
        check("[[]", "One bracket is never closed: [ at byte 0.", &[0]);
        check(
            "a]",
            "A bracket is closed that was never opened: ] at byte 1.",
            &[1],
        );
        check("{{{", "3 brackets are never closed: { at byte 0.", &[0]);
        assert!(count("}{").are_balanced());
    }
}
