//! What has to be looked at in a run, each thing once: the same finding on the same step is one line, however often it
//! came.

use std::collections::HashMap;

use domain::{Severity, StepStatus, StepSummary, text};

/// One line: a step with what is wrong with it, and how often.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Problem<'a> {
    /// The gravest of these steps, the last of several: a repetition says there how often.
    pub(super) step: &'a StepSummary,
    /// How many steps have it.
    pub(super) count: usize,
}

/// Everything wrong in these steps, what failed or is critical first, else in order of time.
pub(super) fn problems<'a>(steps: impl IntoIterator<Item = &'a StepSummary>) -> Vec<Problem<'a>> {
    let mut wrong: Vec<&StepSummary> = steps.into_iter().filter(|step| is_problem(step)).collect();
    wrong.sort_by_key(|step| step.started_at);
    let mut found: Vec<Problem<'a>> = Vec::new();
    let mut line_of = HashMap::new();
    for step in wrong {
        let line = *line_of.entry(identity(step)).or_insert(found.len());
        match found.get_mut(line) {
            Some(problem) => {
                problem.count += 1;
                if weight(step) >= weight(problem.step) {
                    problem.step = step;
                }
            }
            None => found.push(Problem { step, count: 1 }),
        }
    }
    found.sort_by_key(|problem| !is_severe(problem.step));
    found
}

/// What steps of one line have in common: the name, and the error or else the code.
fn identity(step: &StepSummary) -> (&str, StepStatus, Option<&str>, Option<u16>) {
    let error = step.error.as_deref();
    let code = step.conditions.first().map(|condition| condition.code);
    (&step.name, step.status, error, code.filter(|_| error.is_none()))
}

/// Whether a step needs to be looked at.
fn is_problem(step: &StepSummary) -> bool {
    step.severity != Severity::Ok || step.status == StepStatus::Error
}

fn is_severe(step: &StepSummary) -> bool {
    step.severity == Severity::Critical || step.status == StepStatus::Error
}

fn weight(step: &StepSummary) -> (bool, i32) {
    (is_severe(step), step.score.unwrap_or(0))
}

impl Problem<'_> {
    /// The step's error or first condition, in one line.
    pub(super) fn reason(&self) -> Option<String> {
        let condition = || {
            self.step
                .conditions
                .first()
                .map(|condition| condition.message.as_str())
        };
        let reason = self.step.error.as_deref().or_else(condition)?;
        Some(text::first_line(reason, 120))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::sample::{condition, step};

    fn found(name: &str, at_ms: i64, severity: Severity, code: u16, message: &str) -> StepSummary {
        let mut step = step(&format!("{name}-{at_ms}"), None, at_ms, 5);
        step.name = name.to_owned();
        step.severity = severity;
        step.score = Some(30);
        step.conditions = vec![condition(code, message)];
        step
    }

    fn failing(name: &str, at_ms: i64, error: &str) -> StepSummary {
        let mut step = found(name, at_ms, Severity::Critical, 1001, "The call failed.");
        step.status = StepStatus::Error;
        step.error = Some(error.to_owned());
        step
    }

    #[test]
    fn repetitions_are_one_line_and_what_is_critical_comes_first() {
        let mut steps: Vec<StepSummary> = (3..=17)
            .map(|n| {
                let message = format!("The same call {n} times.");
                found("decide-next", n, Severity::Warning, 4012, &message)
            })
            .collect();
        steps.push(found("decide-next", 18, Severity::Warning, 4001, "It took 3 s."));
        steps.push(found(
            "enrich-context",
            30,
            Severity::Warning,
            4001,
            "It took 6.4 s.",
        ));
        steps.extend((0..3).map(|n| failing("generate-response", 40 + n, "TypeError: null\n    at x")));
        steps.push(failing("generate-response", 50, "503"));
        steps.push(found(
            "parse-request",
            20,
            Severity::Critical,
            2001,
            "JSON was asked for.",
        ));
        steps.push(step("fine", None, 60, 5));

        let lines: Vec<(String, usize, String)> = problems(&steps)
            .into_iter()
            .map(|problem| {
                let reason = problem.reason().unwrap_or_default();
                (problem.step.step_id.clone(), problem.count, reason)
            })
            .collect();
        let expected = [
            ("parse-request-20", 1, "JSON was asked for."),
            ("generate-response-42", 3, "TypeError: null"),
            ("generate-response-50", 1, "503"),
            ("decide-next-17", 15, "The same call 17 times."),
            ("decide-next-18", 1, "It took 3 s."),
            ("enrich-context-30", 1, "It took 6.4 s."),
        ];
        assert_eq!(
            lines,
            expected.map(|(id, count, reason)| (id.to_owned(), count, reason.to_owned()))
        );
        assert!(problems([&steps[steps.len() - 1]]).is_empty());
    }
}
