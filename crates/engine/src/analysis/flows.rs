//! Which step's answer is what a later one worked on: links by their texts, of the steps that matter.

use std::collections::{BTreeMap, BTreeSet};

use domain::{RunSummary, StepStatus, StepSummary};

use crate::flow::{MAX_BYTES, Match, reappears};

/// The texts of at most so many steps are read for the links of a run.
const MAX_STEPS: usize = 48;
/// At most so many steps before one are compared with it.
const BESIDE: usize = 24;
/// At most so many bytes are compared in all: a page waits for it. Agents that carry their whole history along have it in
/// every step.
const MAX_COMPARED_BYTES: usize = 16 * 1024 * 1024;

/// What a step was given and gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepTexts {
    /// The prompt, or what a tool was called with.
    pub input: Option<String>,
    /// What came back.
    pub output: Option<String>,
}

/// An answer that came back in what a later step was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The step that gave it.
    pub from: String,
    /// The step that was given it.
    pub to: String,
    /// How much of it came back; 100 is word for word.
    pub percent: u8,
}

/// The ids of steps whose texts tell how a failure travelled, the most telling first: what failed, what deviated, and what
/// stands beside them.
pub fn worth_reading(run: &RunSummary, steps: &[StepSummary]) -> Vec<String> {
    let is_failed = |step: &StepSummary| step.status == StepStatus::Error;
    let parents: BTreeSet<Option<&str>> = steps
        .iter()
        .filter(|step| is_failed(step))
        .map(|step| step.parent_step_id.as_deref())
        .collect();
    let problem = run.problem.as_ref().map(|problem| problem.step_id.as_str());
    let mut ranked: Vec<(i32, usize, &StepSummary)> = steps
        .iter()
        .enumerate()
        .map(|(place, step)| {
            let hardest = step.conditions.iter().map(|found| found.layer).min();
            let mut rank = match hardest {
                Some(1..=3) => 40,
                Some(_) => 10,
                None => 0,
            };
            rank += i32::from(is_failed(step)) * 60;
            rank += i32::from(problem == Some(step.step_id.as_str())) * 40;
            rank += i32::from(parents.contains(&step.parent_step_id.as_deref())) * 20;
            (rank, place, step)
        })
        .filter(|(rank, ..)| *rank > 0)
        .collect();
    // Of equals the later one: it lies nearer to the end.
    ranked.sort_by_key(|(rank, place, _)| (-rank, std::cmp::Reverse(*place)));
    ranked
        .into_iter()
        .take(MAX_STEPS)
        .map(|(_, _, step)| step.step_id.clone())
        .collect()
}

/// Where answers came back, by the texts of some steps. `steps` in the order of time. Where there is more to compare than
/// can be waited for, it is what lies nearest to the end.
pub fn links(steps: &[StepSummary], texts: &BTreeMap<String, StepTexts>) -> Vec<Link> {
    let read: Vec<(&StepSummary, &StepTexts)> = steps
        .iter()
        .filter_map(|step| Some((step, texts.get(&step.step_id)?)))
        .collect();
    let mut links = Vec::new();
    let mut left = MAX_COMPARED_BYTES;
    'compared: for (place, (to, given)) in read.iter().enumerate().rev() {
        let Some(input) = given.input.as_deref() else {
            continue;
        };
        let earlier = read.get(place.saturating_sub(BESIDE)..place).unwrap_or_default();
        for (from, gave) in earlier.iter().rev() {
            let is_before = super::ended_at(from) <= to.started_at;
            let Some(output) = gave.output.as_deref().filter(|_| is_before) else {
                continue;
            };
            let compared = output.len().min(MAX_BYTES) + input.len().min(MAX_BYTES);
            let Some(rest) = left.checked_sub(compared) else {
                break 'compared;
            };
            left = rest;
            let Some(found) = reappears(output, input) else {
                continue;
            };
            // What both were given says nothing.
            if gave
                .input
                .as_deref()
                .is_some_and(|own| own.contains(output.trim()))
            {
                continue;
            }
            links.push(Link {
                from: from.step_id.clone(),
                to: to.step_id.clone(),
                percent: match found.how {
                    Match::Exact | Match::Value => 100,
                    Match::Near(percent) => percent,
                },
            });
        }
    }
    links.reverse();
    links
}
