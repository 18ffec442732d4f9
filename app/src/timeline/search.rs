//! Which steps a search finds: by name, id, model, kind, state or error.

use domain::Severity;
use domain::skeleton::Skeleton;

use super::layout::Layout;

/// Rows whose step holds every word of the search; all false for an empty one.
pub(crate) fn hits(layout: &Layout, skeleton: &Skeleton, search: &str) -> Vec<bool> {
    let words: Vec<String> = search.split_whitespace().map(str::to_lowercase).collect();
    if words.is_empty() {
        return vec![false; layout.rows.len()];
    }
    // Each text is looked through once, however many steps have it.
    let table =
        |texts: &[String]| -> Vec<Vec<bool>> { texts.iter().map(|text| found_in(text, &words)).collect() };
    let (names, models, errors) = (
        table(&skeleton.names),
        table(&skeleton.models),
        table(&skeleton.errors),
    );
    let in_table = |table: &[Vec<bool>], place: Option<u32>, word: usize| {
        place.is_some_and(|place| table.get(place as usize).is_some_and(|found| found[word]))
    };
    layout
        .rows
        .iter()
        .map(|row| {
            let step = &skeleton.steps[row.step];
            words.iter().enumerate().all(|(at, word)| {
                let severity = match step.severity {
                    Severity::Ok => "",
                    severity => severity.as_str(),
                };
                in_table(&names, Some(step.name), at)
                    || in_table(&models, step.model, at)
                    || in_table(&errors, step.error, at)
                    || step.kind.as_str() == word
                    || step.status.as_str() == word
                    || severity == word
                    || skeleton.id_of(row.step).to_lowercase().contains(word.as_str())
            })
        })
        .collect()
}

fn found_in(text: &str, words: &[String]) -> Vec<bool> {
    let text = text.to_lowercase();
    words.iter().map(|word| text.contains(word.as_str())).collect()
}

/// The row of the next hit after (or before) a row, going round at the end.
pub(crate) fn next_hit(hits: &[bool], from: Option<usize>, forward: bool) -> Option<usize> {
    let count = hits.len();
    let start = match (from, forward) {
        (Some(row), _) => row,
        (None, true) => count.checked_sub(1)?,
        (None, false) => 0,
    };
    (1..=count)
        .map(|by| {
            if forward {
                (start + by) % count
            } else {
                (start + count - by) % count
            }
        })
        .find(|row| hits[*row])
}

#[cfg(test)]
mod tests {
    use domain::{Severity, StepKind, StepStatus};

    use super::*;
    use crate::timeline::sample::{skeleton, step};

    #[test]
    fn searches() {
        let mut failed = step("s2", None, 1, 1);
        failed.name = "Summarize-chunk".to_owned();
        failed.error = Some("429 too many requests\nat x".to_owned());
        failed.status = StepStatus::Error;
        failed.severity = Severity::Critical;
        failed.kind = StepKind::Llm;
        let mut other = step("s1", None, 0, 1);
        other.model = Some("claude-haiku".to_owned());
        let skeleton = skeleton(&[other, failed]);
        let layout = Layout::of(&skeleton);
        let check = |search: &str, expected: [bool; 2]| {
            assert_eq!(hits(&layout, &skeleton, search), expected, "{search}");
        };
        check("", [false, false]);
        check("  ", [false, false]);
        check("s", [true, true]);
        check("429", [false, true]);
        check("summarize 429", [false, true]);
        check("summarize haiku", [false, false]);
        check("HAIKU", [true, false]);
        check("error", [false, true]);
        check("critical", [false, true]);
        check("llm", [false, true]);
        check("at x", [false, false]);
    }

    #[test]
    fn hits_are_visited_round_and_round() {
        let hits = [false, true, false, true];
        let check = |from: Option<usize>, forward: bool, expected: Option<usize>| {
            assert_eq!(next_hit(&hits, from, forward), expected, "{from:?} {forward}");
        };
        check(None, true, Some(1));
        check(Some(1), true, Some(3));
        check(Some(3), true, Some(1));
        check(Some(1), false, Some(3));
        check(None, false, Some(3));
        assert_eq!(next_hit(&[false, false], None, true), None);
        assert_eq!(next_hit(&[], None, true), None);
        assert_eq!(next_hit(&[], None, false), None);
    }
}
