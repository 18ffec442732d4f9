//! What to change, by rule: each names what it rests on and, where it can, what it would have saved in this run.

use std::collections::BTreeMap;

use domain::{NanoUsd, StepStatus, StepSummary, text};

use super::origin::{Found, Why};
use super::{Recommendation, cites_of, ended_at, name_of};
use crate::citations::Cite;
use crate::codes;

/// At most so many.
const MAX_ADVICE: usize = 8;

/// What to change in what a run did.
pub(super) fn advice(found: Option<&Found<'_>>, steps: &[StepSummary]) -> Vec<Recommendation> {
    let mut all = Vec::new();
    if let Some(found) = found {
        all.push(at_the_origin(found));
        all.extend(stop_early(found));
        all.extend(vain_retries(found));
    }
    all.extend(equal_calls(steps));
    all.extend(recovered(steps, found));
    all.extend(slow(steps, found));
    all.truncate(MAX_ADVICE);
    all
}

fn step_cites<'a>(steps: impl IntoIterator<Item = &'a StepSummary>) -> Vec<Cite> {
    steps
        .into_iter()
        .take(6)
        .map(|step| Cite::Step(step.step_id.clone()))
        .collect()
}

/// What would have kept the origin from going wrong.
fn at_the_origin(found: &Found<'_>) -> Recommendation {
    let step = found.origin;
    let name = name_of(step);
    let has = |code: codes::Code| step.conditions.iter().any(|hit| hit.code == code.code);
    let (text, because) = if step.status == StepStatus::Error {
        failed_advice(name, step, &found.why)
    } else if has(codes::OUTPUT_TRUNCATED) || has(codes::TRUNCATED_TEXT) {
        (
            format!("Raise the output limit of {name}, or ask it for less"),
            "It was cut off at its limit; what came after is what later steps missed.".to_owned(),
        )
    } else if has(codes::JSON_KEY_MISSING) {
        (
            format!("Declare the keys of {name} as required in a schema, and refuse an answer without them"),
            "A key that its instruction names is not in its answer.".to_owned(),
        )
    } else if has(codes::JSON_CONTRACT_VIOLATION)
        || has(codes::JSON_STRICT_VIOLATION)
        || has(codes::SCHEMA_VIOLATION)
        || has(codes::BRACKET_IMBALANCE)
        || has(codes::PROMPT_OUTPUT_SHAPE_MISMATCH)
    {
        (
            format!("Give {name} a declared JSON schema, or an example of its answer in the prompt"),
            "A declared schema makes the provider close what it opens; the answer has another form than was asked for."
                .to_owned(),
        )
    } else if has(codes::EMPTY_OUTPUT_ON_SUCCESS) {
        (
            format!("Treat an empty answer of {name} as a failure, and ask once more"),
            "It said that all went well and gave nothing to work with.".to_owned(),
        )
    } else if has(codes::REFUSAL) {
        (
            format!(
                "Handle a refusal of {name} as an outcome of its own, and say in its prompt what is allowed"
            ),
            "The model declined, and later steps took its words for an answer.".to_owned(),
        )
    } else if has(codes::CONTENT_FILTERED) || has(codes::STREAM_INCOMPLETE) {
        (
            format!("Ask {name} again when its answer ends early, before anything uses it"),
            "Its answer was ended from outside before it was whole.".to_owned(),
        )
    } else if has(codes::ENUM_CONTRACT_VIOLATION) || has(codes::YES_NO_CONTRACT_VIOLATION) {
        (
            format!("Hold {name} to its options: an enum in its schema, and a branch for anything else"),
            "Its answer is none of the options that it was given.".to_owned(),
        )
    } else {
        (
            format!("Check the answer of {name} before it is used"),
            "It deviates from what was asked for.".to_owned(),
        )
    };
    Recommendation {
        text,
        because,
        saves: None,
        cites: cites_of(step),
    }
}

fn failed_advice(name: &str, step: &StepSummary, why: &Why) -> (String, String) {
    let error = step.error.as_deref().unwrap_or_default().to_lowercase();
    let class = step.error_class.as_deref().unwrap_or_default().to_lowercase();
    let says = |words: &[&str]| {
        words
            .iter()
            .any(|word| error.contains(word) || class.contains(word))
    };
    if says(&[
        "rate limit",
        "rate_limit",
        "429",
        "too many requests",
        "overloaded",
        "529",
    ]) {
        (
            format!(
                "Give {name} retries with pauses that grow, and keep its calls below the provider's limit"
            ),
            "The provider was busy; waiting as it asks is what helps.".to_owned(),
        )
    } else if says(&["timeout", "timed out", "deadline"]) {
        (
            format!("Raise the time limit of {name}, or make what it asks for smaller"),
            format!(
                "It gave up after {}.",
                step.latency_ms
                    .map_or_else(|| "its limit".to_owned(), text::duration)
            ),
        )
    } else if says(&[
        "unauthorized",
        "authentication",
        "permission",
        "401",
        "403",
        "forbidden",
    ]) {
        (
            format!("Check the key and the permissions of {name}"),
            "It was not let in; trying again changes nothing.".to_owned(),
        )
    } else if says(&[
        "502",
        "503",
        "504",
        "500",
        "connection",
        "unavailable",
        "unreachable",
        "econn",
    ]) {
        (
            format!("Retry {name} a few times with pauses, and go on without it or stop where that fails"),
            "What it calls was away.".to_owned(),
        )
    } else if *why == Why::Itself {
        (
            format!("Look at {name} first: nothing before it explains its failure"),
            "No earlier step deviates in a way that reaches it.".to_owned(),
        )
    } else {
        (
            format!("Stop when {name} fails, or give what follows a way to go on without it"),
            "It failed, nothing tried it again, and later steps went on as if it had not.".to_owned(),
        )
    }
}

/// A check right after the origin would have saved the rest.
fn stop_early(found: &Found<'_>) -> Option<Recommendation> {
    let last = found.attempts.last()?;
    if last.step_id == found.origin.step_id || matches!(found.why, Why::Itself | Why::Outside) {
        return None;
    }
    let wasted_ms = ended_at(last).ms_since(ended_at(found.origin));
    let after: Vec<&StepSummary> = found.passed.iter().chain(&found.attempts).copied().collect();
    let count = i64::try_from(after.len()).unwrap_or(i64::MAX);
    Some(Recommendation {
        text: format!(
            "Stop when {} deviates, before {} runs",
            name_of(found.origin),
            name_of(last)
        ),
        because: format!(
            "{} ran on something that could not work.",
            text::counted(count, "step")
        ),
        saves: (wasted_ms > 0.0).then(|| format!("−{}", text::duration(wasted_ms))),
        cites: step_cites(after),
    })
}

/// Attempts with the same error: only what comes from outside is worth one.
fn vain_retries(found: &Found<'_>) -> Option<Recommendation> {
    let (first, rest) = found.attempts.split_first()?;
    let is_vain = !rest.is_empty()
        && found.why != Why::Outside
        && found.attempts.iter().all(|attempt| attempt.error == first.error);
    if !is_vain {
        return None;
    }
    let took_ms: f64 = rest.iter().filter_map(|attempt| attempt.latency_ms).sum();
    let name = name_of(first);
    Some(Recommendation {
        text: format!("Do not retry {name} on its own error"),
        because: format!(
            "{} attempts ended with the same error; only what is busy or away is worth another try.",
            found.attempts.len()
        ),
        saves: (took_ms > 0.0).then(|| format!("−{}", text::duration(took_ms))),
        cites: step_cites(found.attempts.iter().copied()),
    })
}

/// The same call again and again.
fn equal_calls(steps: &[StepSummary]) -> Vec<Recommendation> {
    let code = codes::DUPLICATE_CALL_LOOP.code;
    let mut loops: BTreeMap<(&str, Option<&str>), Vec<&StepSummary>> = BTreeMap::new();
    for step in steps
        .iter()
        .filter(|step| step.conditions.iter().any(|hit| hit.code == code))
    {
        loops
            .entry((name_of(step), step.parent_step_id.as_deref()))
            .or_default()
            .push(step);
    }
    let mut found: Vec<Recommendation> = loops
        .into_values()
        .filter_map(|calls| {
            let last = calls.last()?;
            let observed = &last.conditions.iter().find(|hit| hit.code == code)?.observed;
            let costs = calls.iter().filter_map(|step| step.cost_nano_usd);
            let cost = costs.reduce(|sum, cost| NanoUsd(sum.0.saturating_add(cost.0)));
            let took_ms: f64 = calls.iter().filter_map(|step| step.latency_ms).sum();
            let saves = match cost.filter(|cost| cost.0 > 0) {
                Some(cost) => format!("−{cost}"),
                None => format!("−{}", text::duration(took_ms)),
            };
            let mut cites = vec![Cite::Step(last.step_id.clone())];
            cites.push(Cite::Code(code));
            Some(Recommendation {
                text: format!(
                    "Stop {} after three equal calls, or change what it is asked",
                    name_of(last)
                ),
                because: format!("It made {observed}; the answer can't be another one."),
                saves: Some(saves),
                cites,
            })
        })
        .collect();
    found.truncate(2);
    found
}

/// Failures that a second attempt made good: what the first one took was lost.
fn recovered(steps: &[StepSummary], found: Option<&Found<'_>>) -> Option<Recommendation> {
    let is_part = |step: &StepSummary| {
        found.is_some_and(|found| {
            found
                .attempts
                .iter()
                .any(|attempt| attempt.step_id == step.step_id)
        })
    };
    let (failed, again) = steps
        .iter()
        .filter(|step| step.status == StepStatus::Error && !is_part(step))
        .find_map(|failed| {
            let again = steps.iter().find(|later| {
                later.name == failed.name
                    && later.parent_step_id == failed.parent_step_id
                    && later.status == StepStatus::Ok
                    && later.started_at >= ended_at(failed)
            })?;
            Some((failed, again))
        })?;
    let lost_ms = again.started_at.ms_since(failed.started_at);
    let name = name_of(failed);
    Some(Recommendation {
        text: format!("Let {name} fail sooner"),
        because: format!(
            "It gave up after {} and the next attempt answered in {}.",
            failed
                .latency_ms
                .map_or_else(|| "a while".to_owned(), text::duration),
            again
                .latency_ms
                .map_or_else(|| "a moment".to_owned(), text::duration)
        ),
        saves: (lost_ms > 0.0).then(|| format!("−{}", text::duration(lost_ms))),
        cites: step_cites([failed, again]),
    })
}

/// The slowest step that answered with next to nothing.
fn slow(steps: &[StepSummary], found: Option<&Found<'_>>) -> Option<Recommendation> {
    let code = codes::HIGH_LATENCY_LOW_OUTPUT.code;
    let step = steps
        .iter()
        .filter(|step| step.conditions.iter().any(|hit| hit.code == code))
        .filter(|step| found.is_none_or(|found| found.passed.iter().all(|part| part.step_id != step.step_id)))
        .max_by(|a, b| {
            a.latency_ms
                .unwrap_or(0.0)
                .total_cmp(&b.latency_ms.unwrap_or(0.0))
        })?;
    Some(Recommendation {
        text: format!("Give {} a smaller model or a time limit", name_of(step)),
        because: format!(
            "It took {} for a few tokens.",
            step.latency_ms.map_or_else(|| "long".to_owned(), text::duration)
        ),
        saves: None,
        cites: cites_of(step),
    })
}
