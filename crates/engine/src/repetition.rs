//! Finding a passage that a model repeats over and over.

use std::ops::Range;

/// A repeated passage.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Repetition {
    /// Its first occurrence.
    pub(crate) first: Range<usize>,
    /// All occurrences together.
    pub(crate) all: Range<usize>,
    pub(crate) times: usize,
}

const TIMES: usize = 5;
/// Fewer repeated bytes than this are emphasis, not a loop.
const MIN_BYTES: usize = 120;
/// Longest period looked for at the end of the output.
const MAX_PERIOD: usize = 4_096;

/// The loop at the end of a text, which is where models get stuck, or a run of equal lines anywhere.
pub(crate) fn find(text: &str) -> Option<Repetition> {
    if text.len() < MIN_BYTES {
        return None;
    }
    loop_at_end(text.trim_end())
        .filter(|found| !is_data(text, found.all.start))
        .or_else(|| equal_lines(text))
}

/// Whether what begins here is a table or code in a fence, of which equal rows are no loop.
fn is_data(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let fences = before.lines().filter(|line| is_fence(line)).count();
    let from = before.rfind('\n').map_or(0, |end| end + 1);
    let row = text.get(from..).unwrap_or_default();
    // The loop may begin in the middle of a row.
    fences % 2 == 1 || row.lines().take(2).any(is_row)
}

fn is_fence(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("```") || line.starts_with("~~~")
}

/// Whether a line is a row of a table: Markdown's, or values between tabs, semicolons or commas without space.
fn is_row(line: &str) -> bool {
    let line = line.trim();
    let count = |mark: char| line.matches(mark).count();
    count('|') >= 2
        || line.starts_with('|')
        || count('\t') >= 1
        || count(';') >= 2 && !line.contains("; ")
        || count(',') >= 2 && !line.contains(", ")
}

fn loop_at_end(text: &str) -> Option<Repetition> {
    const PROBE: usize = 16;
    let bytes = text.as_bytes();
    let end = bytes.len();
    let probe_at = end.checked_sub(PROBE)?;
    let probe = bytes.get(probe_at..)?;
    let from = probe_at.saturating_sub(MAX_PERIOD);
    // A loop with a short period repeats the probe one period earlier; the nearest such place gives the period.
    let earlier = bytes
        .get(from..end - 1)?
        .windows(PROBE)
        .rposition(|window| window.first() == probe.first() && window == probe)?;
    let period = probe_at - (from + earlier);
    let same = (period..end)
        .rev()
        .take_while(|at| bytes.get(*at) == bytes.get(*at - period))
        .count();
    let times = same / period + 1;
    let start = text_start(text, end - times * period);
    let first = start..text_start(text, start + period);
    let passage = text.get(first.clone())?;
    (times >= TIMES && times * period >= MIN_BYTES && has_letters(passage)).then_some(Repetition {
        first,
        all: start..end,
        times,
    })
}

/// The character boundary at or after an offset: a period may begin inside a character.
fn text_start(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

fn equal_lines(text: &str) -> Option<Repetition> {
    let mut at = 0;
    // With the first line's text without the space around it.
    let mut run: Option<(Repetition, &str)> = None;
    let mut in_fence = false;
    for line in text.split_inclusive('\n') {
        let range = at..at + line.len();
        at = range.end;
        let content = line.trim();
        if content.is_empty() {
            continue;
        }
        let marks_code = is_fence(content);
        if marks_code || in_fence || is_row(content) {
            in_fence ^= marks_code;
            run = None;
            continue;
        }
        match &mut run {
            Some((run, first)) if *first == content => {
                run.times += 1;
                run.all.end = range.end;
                let is_loop = run.times >= TIMES && run.all.len() >= MIN_BYTES && has_letters(content);
                if is_loop
                    && !text
                        .get(at..)
                        .is_some_and(|rest| rest.trim_start().starts_with(content))
                {
                    return Some(Repetition {
                        first: run.first.clone(),
                        all: run.all.clone(),
                        times: run.times,
                    });
                }
            }
            _ => {
                let begun = Repetition {
                    first: range.clone(),
                    all: range,
                    times: 1,
                };
                run = Some((begun, content));
            }
        }
    }
    None
}

/// Rules and table borders repeat too.
fn has_letters(passage: &str) -> bool {
    passage.chars().filter(|c| c.is_alphabetic()).take(3).count() == 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_loops_and_not_tables() {
        let check = |text: &str, expected: Option<usize>| {
            assert_eq!(find(text).map(|found| found.times), expected, "{text:?}");
        };
        check(&"I will check the order.\n".repeat(10), Some(9));
        check(&format!("Sure. {}", "very ".repeat(60)), Some(60));
        check(
            &format!("{}The end of it.", "The same line again and again\n".repeat(6)),
            Some(6),
        );
        check(&"größer und größer ".repeat(12), Some(11));
        check(&"I will check the order. ".repeat(3), None);
        check(&"-----+".repeat(80), None);
        check("short short short short short", None);
        check(
            &format!("| City | Open |\n|---|---|\n{}", "| Berlin | yes |\n".repeat(20)),
            None,
        );
        check(
            &format!(
                "```sql\n{}```\nDone.",
                "insert into t values (null, 'x');\n".repeat(12)
            ),
            None,
        );
        check(
            &format!("```\n{}```", "sleep 1 && echo waiting for it\n".repeat(12)),
            None,
        );
        check(&"north,closed,unknown\n".repeat(12), None);
        check(
            &(0..200)
                .map(|n| format!("row {n} is not like the others\n"))
                .collect::<String>(),
            None,
        );
        check(&"=".repeat(5_000), None);
    }
}
