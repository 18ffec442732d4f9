//! How a bad answer travels: a step answers in another form than it was asked to, the steps after it work with that,
//! and one of them fails. It follows from the conditions; texts are not needed.

use domain::{StepStatus, StepSummary, Timestamp};

/// A failure that an earlier answer explains.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cascade<'a> {
    /// The first step that deviated.
    pub(super) origin: &'a StepSummary,
    /// Steps between the two with findings of their own, in order of time.
    pub(super) passed: Vec<&'a StepSummary>,
    /// The attempts that failed, in order of time; the last is the one the verdict is about.
    pub(super) attempts: Vec<&'a StepSummary>,
}

impl Cascade<'_> {
    /// From the end of the answer that deviated to the first failure, in milliseconds.
    pub(super) fn travelled_ms(&self) -> f64 {
        let failed_at = self.attempts.first().map(|attempt| attempt.started_at);
        failed_at.map_or(0.0, |at| at.ms_since(ended_at(self.origin)))
    }
}

/// The cascade that ends in a failed step; `None` when nothing before it explains the failure.
pub(super) fn cascade<'a>(failed: &'a StepSummary, steps: &'a [StepSummary]) -> Option<Cascade<'a>> {
    if failed.status != StepStatus::Error || comes_from_outside(failed) {
        return None;
    }
    let is_beside = |step: &StepSummary| step.parent_step_id == failed.parent_step_id;
    let mut attempts: Vec<&StepSummary> = steps
        .iter()
        .filter(|step| step.status == StepStatus::Error && step.name == failed.name && is_beside(step))
        .filter(|step| step.started_at <= failed.started_at)
        .collect();
    attempts.sort_by_key(|step| step.started_at);
    let first_failed_at = attempts.first().map_or(failed.started_at, |step| step.started_at);

    let before = |step: &StepSummary| step.step_id != failed.step_id && ended_at(step) <= first_failed_at;
    let deviating = || steps.iter().filter(|step| before(step) && deviates(step));
    let named = quoted(failed.error.as_deref().unwrap_or(""));
    // What the error names is the better witness; else the steps side by side, of which each works on what the one
    // before it gave.
    let origin = deviating()
        .filter(|step| mentions(step, &named))
        .min_by_key(|step| step.started_at)
        .or_else(|| {
            deviating()
                .filter(|step| is_beside(step))
                .min_by_key(|step| step.started_at)
        })?;

    let mut passed: Vec<&StepSummary> = steps
        .iter()
        .filter(|step| is_beside(step) && before(step) && step.started_at >= ended_at(origin))
        .filter(|step| step.status == StepStatus::Ok && !step.conditions.is_empty())
        .collect();
    passed.sort_by_key(|step| step.started_at);
    Some(Cascade {
        origin,
        passed,
        attempts,
    })
}

fn ended_at(step: &StepSummary) -> Timestamp {
    step.ended_at.unwrap_or(step.started_at)
}

/// Whether the answer came and has another form than the next step can use. A long or late answer has not.
fn deviates(step: &StepSummary) -> bool {
    const FORM: [u16; 12] = [
        1003, 1009, 1010, 1014, 2001, 2002, 2005, 2007, 3011, 3012, 3014, 3015,
    ];
    step.status == StepStatus::Ok
        && step
            .conditions
            .iter()
            .any(|condition| FORM.contains(&condition.code))
}

/// Failures that no answer of an earlier step can cause.
fn comes_from_outside(step: &StepSummary) -> bool {
    const CLASSES: [&str; 9] = [
        "rate_limit",
        "overloaded",
        "timeout",
        "unavailable",
        "unreachable",
        "authentication",
        "permission",
        "billing",
        "api_error",
    ];
    const WORDS: [&str; 9] = [
        "timeout",
        "timed out",
        "429",
        "500",
        "502",
        "503",
        "504",
        "529",
        "connection",
    ];
    let holds = |text: Option<&str>, words: &[&str]| {
        let text = text.unwrap_or("").to_lowercase();
        words.iter().any(|word| text.contains(word))
    };
    let first_line = step.error.as_deref().and_then(|error| error.lines().next());
    holds(step.error_class.as_deref(), &CLASSES) || holds(first_line, &WORDS)
}

/// The words that the first line of an error puts in quotes, at most a few.
fn quoted(error: &str) -> Vec<&str> {
    const MAX_QUOTES: usize = 8;
    let line = error.lines().next().unwrap_or("");
    ['"', '\'', '`']
        .iter()
        .flat_map(|quote| line.split(*quote).skip(1).step_by(2))
        .filter(|word| !word.is_empty() && !word.contains(char::is_whitespace))
        .take(MAX_QUOTES)
        .collect()
}

/// Whether a finding about a step's form quotes one of these words, as a missing key does.
fn mentions(step: &StepSummary, words: &[&str]) -> bool {
    let quotes = |text: &str, word: &str| {
        ['"', '`', '“'].iter().any(|quote| {
            text.match_indices(*quote)
                .any(|(at, mark)| text[at + mark.len()..].starts_with(word))
        })
    };
    step.conditions.iter().any(|condition| {
        let texts = [&condition.message, &condition.observed, &condition.expected];
        words
            .iter()
            .any(|word| texts.iter().any(|text| quotes(text, word)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::sample::{condition, step};

    fn found(mut step: StepSummary, code: u16, message: &str) -> StepSummary {
        step.conditions.push(condition(code, message));
        step
    }

    fn failing(mut step: StepSummary, error: &str) -> StepSummary {
        step.status = StepStatus::Error;
        step.error = Some(error.to_owned());
        step
    }

    const NULL: &str = "TypeError: cannot read 'entities' of null";

    #[test]
    fn the_first_deviating_step_is_the_origin() {
        let parse = || found(step("parse", Some("chain"), 0, 10), 2001, "JSON was asked for.");
        let enrich = || found(step("enrich", Some("chain"), 10, 50), 4007, "It took 6 s.");
        let check = |steps: &[StepSummary], error: &str, expected: Option<(&str, &[&str], f64)>| {
            let mut steps = steps.to_vec();
            steps.push(failing(step("reply", Some("chain"), 70, 10), error));
            let found = cascade(&steps[steps.len() - 1], &steps);
            let found = found.map(|cascade| {
                let passed: Vec<&str> = cascade.passed.iter().map(|step| step.step_id.as_str()).collect();
                (cascade.origin.step_id.clone(), passed, cascade.travelled_ms())
            });
            let expected = expected.map(|(origin, passed, ms)| (origin.to_owned(), passed.to_vec(), ms));
            assert_eq!(found, expected, "{error}");
        };
        check(&[parse(), enrich()], NULL, Some(("parse", &["enrich"], 60.0)));
        check(&[enrich(), parse()], NULL, Some(("parse", &["enrich"], 60.0)));
        check(&[enrich()], NULL, None);
        check(&[], NULL, None);
        // A network error is not a step's answer.
        check(&[parse(), enrich()], "503 from the orders service", None);
        check(&[parse()], "Timed out after 30 s", None);
        // Still writing when the failure came.
        check(
            &[found(step("late", Some("chain"), 0, 100), 2001, "x")],
            NULL,
            None,
        );
        // Elsewhere in the run, and only the error connects the two.
        let elsewhere = |message: &str| found(step("far", Some("agent"), 0, 10), 3012, message);
        check(&[elsewhere("A key is missing.")], NULL, None);
        check(
            &[elsewhere("The key \"entities\" is missing.")],
            NULL,
            Some(("far", &[], 60.0)),
        );
        check(&[elsewhere("The key \"intent\" is missing.")], NULL, None);
        check(
            &[parse(), elsewhere("The key \"entities\" is missing.")],
            NULL,
            Some(("far", &[], 60.0)),
        );
    }

    #[test]
    fn attempts_are_one_consequence() {
        let steps = [
            found(step("parse", None, 0, 10), 2001, "JSON was asked for."),
            failing(step("reply", None, 20, 5), NULL),
            StepSummary {
                name: "reply".to_owned(),
                ..failing(step("reply-2", None, 40, 5), NULL)
            },
        ];
        let found = cascade(&steps[2], &steps).unwrap();
        assert_eq!(found.attempts.len(), 2);
        assert!((found.travelled_ms() - 10.0).abs() < 1e-9);
        assert_eq!(cascade(&steps[0], &steps), None, "it has not failed");
    }
}
