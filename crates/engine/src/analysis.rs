//! What happened in a run, in writing: which step failed first, where that came from and how it travelled, what it took,
//! and what to change. By rules alone; [`evidence`] and [`context`] are what a model gets and is held to.

mod advice;
mod context;
mod evidence;
mod flows;
mod origin;

use domain::{NanoUsd, RunStatus, RunSummary, Severity, StepStatus, StepSummary, Timestamp, text};
use serde::{Deserialize, Serialize};

use crate::citations::{Cite, Dropped};

pub use context::{Context, Fence, context};
pub use evidence::evidence;
pub use flows::{Link, StepTexts, links, worth_reading};

/// Longest excerpt of an error or a condition, in characters.
const REASON_CHARS: usize = 160;

/// What a run's analysis says, whoever wrote it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// A few sentences.
    pub summary: String,
    /// Where it began; `None` where nothing went wrong, or no claim about it held.
    pub root_cause: Option<RootCause>,
    /// How it travelled from there, in the order of time.
    pub cascade: Vec<CascadeStep>,
    /// What to change, the most effective first.
    pub recommendations: Vec<Recommendation>,
    /// Claims of a model that did not hold.
    pub dropped: Vec<Dropped>,
    /// How many steps the run has, and of how many the writer knew more than their sums.
    pub steps: u64,
    /// As [`Report::steps`] says.
    pub steps_read: u64,
}

/// Where it began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootCause {
    /// The step.
    pub step_id: Option<String>,
    /// Its name.
    pub step_name: Option<String>,
    /// What it did and why it is named.
    pub text: String,
    /// What that rests on.
    pub cites: Vec<Cite>,
}

/// A step that the failure passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CascadeStep {
    /// The step.
    pub step_id: String,
    /// Its name.
    pub name: String,
    /// What happened there.
    pub text: String,
}

/// Something to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recommendation {
    /// What to do.
    pub text: String,
    /// Why.
    pub because: String,
    /// What it would have saved here: `−8.20 s`, `−$0.0898`.
    pub saves: Option<String>,
    /// What it rests on.
    pub cites: Vec<Cite>,
}

/// The report by rules. `steps` in the order of time; `links` as [`links`] found them, or none.
pub fn report(run: &RunSummary, steps: &[StepSummary], links: &[Link]) -> Report {
    let found = origin::origin(run, steps, links);
    let recommendations = advice::advice(found.as_ref(), steps);
    let root_cause = found.as_ref().map(|found| RootCause {
        step_id: Some(found.origin.step_id.clone()),
        step_name: Some(name_of(found.origin).to_owned()),
        text: why(found),
        cites: cites_of(found.origin),
    });
    let cascade = found.as_ref().map_or_else(Vec::new, cascade_of);
    let count = u64::try_from(steps.len()).unwrap_or(u64::MAX);
    Report {
        summary: summary(run, steps, found.as_ref()),
        root_cause,
        cascade,
        recommendations,
        dropped: Vec::new(),
        steps: run.step_count.unsigned_abs().max(count),
        steps_read: count,
    }
}

/// When a step ended; when it began where it has not.
fn ended_at(step: &StepSummary) -> Timestamp {
    step.ended_at.unwrap_or(step.started_at)
}

/// What pages call a step.
pub fn name_of(step: &StepSummary) -> &str {
    if step.name.trim().is_empty() {
        "unnamed step"
    } else {
        &step.name
    }
}

/// The step with its conditions.
fn cites_of(step: &StepSummary) -> Vec<Cite> {
    let codes = step.conditions.iter().take(3).map(|found| Cite::Code(found.code));
    std::iter::once(Cite::Step(step.step_id.clone()))
        .chain(codes)
        .collect()
}

/// What a step did, as the second half of a sentence.
fn what_it_did(step: &StepSummary) -> String {
    let gravest = step
        .conditions
        .iter()
        .min_by_key(|found| (found.layer, -found.points, found.code));
    let error = step
        .error
        .as_deref()
        .map(|error| text::first_line(error, REASON_CHARS));
    match (step.status, error.filter(|error| !error.is_empty()), gravest) {
        (StepStatus::Error, Some(error), _) => format!("failed: {}", error.trim_end_matches('.')),
        (StepStatus::Error, None, _) => "failed without an error text".to_owned(),
        (_, _, Some(found)) => {
            let message = text::first_line(&found.message, REASON_CHARS);
            format!("answered, but: {}", message.trim_end_matches('.'))
        }
        (_, Some(error), None) => format!("reports: {}", error.trim_end_matches('.')),
        (_, None, None) => "did nothing wrong by itself".to_owned(),
    }
}

fn why(found: &origin::Found<'_>) -> String {
    use origin::Why;

    let origin = name_of(found.origin);
    let did = what_it_did(found.origin);
    let Some(failed) = found.attempts.first() else {
        return format!("{origin} {did}.");
    };
    let failed = name_of(failed);
    let earlier = text::duration(found.travelled_ms());
    match &found.why {
        Why::Itself => format!("{origin} {did}. Nothing before it explains that."),
        Why::Outside => format!("{origin} {did}. That comes from outside of this run."),
        Why::Flow { percent: 100 } => format!(
            "{origin} {did}. Its answer came back word for word in what {failed} worked on, {earlier} before that failed."
        ),
        Why::Flow { percent } => format!(
            "{origin} {did}. {percent} % of its answer came back in what {failed} worked on, {earlier} before that failed."
        ),
        Why::Named { word } => format!("{origin} {did}. The error of {failed} names the same: `{word}`."),
        Why::Before => format!(
            "{origin} {did}, {earlier} before {failed} failed; nothing else before it deviated as much."
        ),
    }
}

fn cascade_of(found: &origin::Found<'_>) -> Vec<CascadeStep> {
    let part = |step: &StepSummary, text: String| CascadeStep {
        step_id: step.step_id.clone(),
        name: name_of(step).to_owned(),
        text,
    };
    let mut parts = vec![part(found.origin, what_it_did(found.origin))];
    parts.extend(found.passed.iter().map(|step| part(step, what_it_did(step))));
    let attempts = found
        .attempts
        .iter()
        .filter(|step| step.step_id != found.origin.step_id);
    parts.extend(attempts.map(|step| part(step, what_it_did(step))));
    let above = found.above.iter().map(|step| part(step, what_it_did(step)));
    parts.extend(above);
    parts
}

fn summary(run: &RunSummary, steps: &[StepSummary], found: Option<&origin::Found<'_>>) -> String {
    let duration = text::duration(run.latency_ms);
    let all = text::counted(run.step_count, "step");
    let cost = run
        .cost_nano_usd
        .map_or_else(String::new, |cost| format!(" and {cost}"));
    let mut sentences = vec![match run.status {
        RunStatus::Error => format!("The run failed after {duration}, {all}{cost}."),
        RunStatus::Running => format!("The run goes on: {all} so far{cost}."),
        RunStatus::Ok if found.is_some() => {
            format!("The run completed in {duration}, {all}{cost}, with problems.")
        }
        RunStatus::Ok => {
            format!("The run completed in {duration}, {all}{cost}; the rules found nothing grave.")
        }
    }];
    if let Some(found) = found {
        let origin = name_of(found.origin);
        let last = found.attempts.last().copied().unwrap_or(found.origin);
        if last.step_id == found.origin.step_id {
            sentences.push(format!("It began and ended at {origin}."));
        } else {
            let times = match found.attempts.len() {
                0 | 1 => String::new(),
                times => format!(" {times} times"),
            };
            let passed = match found.passed.as_slice() {
                [] => String::new(),
                [only] => format!(", passed {}", name_of(only)),
                [first, rest @ ..] => format!(", passed {} and {} more", name_of(first), rest.len()),
            };
            sentences.push(format!(
                "It began at {origin}{passed} and made {} fail{times}.",
                name_of(last)
            ));
        }
        if let Some((ms, cost)) = after(found, steps) {
            let money = cost.map_or_else(String::new, |cost| format!(" and {cost}"));
            sentences.push(format!(
                "What ran after {origin} on its account took {}{money}.",
                text::duration(ms)
            ));
        }
    }
    let others = steps
        .iter()
        .filter(|step| step.severity == Severity::Warning && step.status != StepStatus::Error)
        .count();
    if others > 0 {
        let steps = text::counted(i64::try_from(others).unwrap_or(i64::MAX), "step");
        sentences.push(format!("{steps} warned without failing."));
    }
    sentences.join(" ")
}

/// How long, and for how much, the cascade went on after its origin; `None` where the origin is what failed.
fn after(found: &origin::Found<'_>, steps: &[StepSummary]) -> Option<(f64, Option<NanoUsd>)> {
    let last = found.attempts.last()?;
    let began = ended_at(found.origin);
    let ended = ended_at(last);
    if ended <= began {
        return None;
    }
    let part_of = |step: &&StepSummary| {
        found
            .passed
            .iter()
            .chain(&found.attempts)
            .any(|part| part.step_id == step.step_id && part.step_id != found.origin.step_id)
    };
    let costs = steps.iter().filter(part_of).filter_map(|step| step.cost_nano_usd);
    let cost = costs.reduce(|sum, cost| NanoUsd(sum.0.saturating_add(cost.0)));
    Some((ended.ms_since(began), cost.filter(|cost| cost.0 > 0)))
}
