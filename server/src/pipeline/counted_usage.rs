//! Whose usage counts, where several steps of a run tell of the same: the agent that sums up its calls, the SDK that
//! traces itself inside an instrumentation, the proxy below both.
//!
//! A step's usage counts unless a step below it has usage, a step above it counted already, or another with the same
//! answer of a provider does. Children end before their parents and so arrive first or together with them; where a
//! parent was stored long before, it keeps what it counted and its late child counts nothing: never both.

use std::collections::{HashMap, HashSet};

use domain::ProjectId;
use serde_json::Value;
use storage::ingest::{StepRow, StoredUsage};

/// The attribute with a provider's id of its answer.
const RESPONSE_ID: &str = "gen_ai.response.id";

/// Whether a step says that something was used.
pub(super) fn is_in(row: &StepRow<'_>) -> bool {
    row.usage_semantics.is_some() || row.cost_nano_usd.is_some()
}

type Run<'a> = (ProjectId, &'a str);
type Step<'a> = (Run<'a>, &'a str);

/// For each row, whether it only repeats what another says; always false where it `is_asked` not.
pub(super) fn repeated(
    rows: &[StepRow<'_>],
    looks_new: &[bool],
    is_asked: &[bool],
    stored: &[StoredUsage],
) -> Vec<bool> {
    let new = || {
        rows.iter()
            .zip(looks_new)
            .filter(|(_, is_new)| **is_new)
            .map(|(row, _)| row)
    };
    let mut tree = Tree::default();
    for step in stored {
        let run = (step.project_id, step.run_id.as_str());
        tree.add((run, step.step_id.as_str()), step.parent_step_id.as_deref());
    }
    for row in new() {
        tree.add(step_of(row), row.step.parent_step_id.as_deref());
    }
    let mut counted: HashSet<Step<'_>> = HashSet::new();
    let mut answers: HashSet<(Run<'_>, &str)> = HashSet::new();
    for step in stored.iter().filter(|step| step.counts) {
        let run = (step.project_id, step.run_id.as_str());
        counted.insert((run, step.step_id.as_str()));
        answers.extend(step.response_id.as_deref().map(|answer| (run, answer)));
    }
    let mut above_usage: HashSet<Step<'_>> = HashSet::new();
    let with_usage = new().filter(|row| is_in(row)).map(step_of);
    for step in counted.iter().copied().chain(with_usage) {
        tree.mark_above(step, &mut above_usage);
    }
    // The same answer twice: the one that began first.
    let mut order: Vec<usize> = (0..rows.len())
        .filter(|at| looks_new[*at] && is_in(&rows[*at]))
        .collect();
    order.sort_by_key(|at| (rows[*at].step.started_at, rows[*at].step.step_id.as_str()));
    let mut repeated = vec![false; rows.len()];
    let mut below = HashMap::new();
    for at in order {
        let (row, step) = (&rows[at], step_of(&rows[at]));
        let answer = row.step.attributes.get(RESPONSE_ID).and_then(Value::as_str);
        let is_repeated = above_usage.contains(&step)
            || tree.is_below_one_of(step, &counted, &mut below)
            || answer.is_some_and(|answer| answers.contains(&(step.0, answer)));
        repeated[at] = is_asked[at] && is_repeated;
        if !repeated[at] {
            answers.extend(answer.map(|answer| (step.0, answer)));
        }
    }
    repeated
}

fn step_of<'a>(row: &StepRow<'a>) -> Step<'a> {
    (
        (row.project_id, row.step.run_id.as_str()),
        row.step.step_id.as_str(),
    )
}

/// Who lies in whom.
#[derive(Default)]
struct Tree<'a>(HashMap<Step<'a>, &'a str>);

impl<'a> Tree<'a> {
    fn add(&mut self, step: Step<'a>, parent: Option<&'a str>) {
        if let Some(parent) = parent {
            self.0.insert(step, parent);
        }
    }

    fn parent(&self, step: Step<'a>) -> Option<Step<'a>> {
        Some((step.0, *self.0.get(&step)?))
    }

    /// Marks what contains a step. What is marked already has its own marked too, so that each is passed once, and a
    /// circle ends.
    fn mark_above(&self, step: Step<'a>, marked: &mut HashSet<Step<'a>>) {
        let mut at = step;
        while let Some(parent) = self.parent(at) {
            if !marked.insert(parent) {
                return;
            }
            at = parent;
        }
    }

    /// `known` are the answers so far: each step is passed once.
    fn is_below_one_of(
        &self,
        step: Step<'a>,
        of: &HashSet<Step<'a>>,
        known: &mut HashMap<Step<'a>, bool>,
    ) -> bool {
        let mut passed = Vec::new();
        let mut at = step;
        let is_below = loop {
            if let Some(known) = known.get(&at) {
                break *known;
            }
            // Until more is known, so that a circle ends.
            known.insert(at, false);
            passed.push(at);
            match self.parent(at) {
                None => break false,
                Some(parent) if of.contains(&parent) => break true,
                Some(parent) => at = parent,
            }
        };
        if is_below {
            known.extend(passed.into_iter().map(|step| (step, true)));
        }
        is_below
    }
}
