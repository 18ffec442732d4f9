//! Two runs beside each other: which step of one is which of the other, and what became of it.
//!
//! A step is known by where it stands, what it does and what it is called: below the same parent, of one kind and name. Of
//! several such steps those of one prompt template belong together, the rest in the order of time, so that a retry is a
//! step that was added. The order of steps that ran at the same time does not count.

use std::collections::{BTreeMap, HashMap, VecDeque};

use domain::{Condition, StepStatus, StepSummary};

/// Less than this is no change of a duration, in milliseconds.
const LEAST_MS: f64 = 50.0;
/// Nor is a smaller share of it.
const LEAST_TIME_SHARE: f64 = 0.2;
/// Less than this share is no change of a cost.
const LEAST_SHARE: f64 = 0.1;

/// One run: its steps in order of time, and what each answered.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// In order of time.
    pub steps: &'a [StepSummary],
    /// A hash of each step's answer, in the same order; `None` where there is none or it is unknown. May be shorter.
    pub answers: &'a [Option<[u8; 16]>],
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepChange {
    /// Only the second run has it.
    Added,
    /// Only the first run has it.
    Missing,
    /// It failed in the second run alone.
    Failed,
    /// It failed in the first run alone.
    Recovered,
    /// Rules found something in the second run that they did not find in the first.
    Found,
    /// The second run says something else.
    OtherAnswer,
    /// Another model answered.
    OtherModel,
    /// Its prompt is of another template.
    OtherTemplate,
    /// It took longer, by a fifth at least.
    Slower,
    /// It took a fifth less at least.
    Faster,
    /// It cost more, by a tenth at least.
    Costlier,
    /// It cost a tenth less at least.
    Cheaper,
}

impl StepChange {
    /// Whether the runs part here: what came before is the same but for time and money.
    pub const fn parts(self) -> bool {
        matches!(
            self,
            Self::Added | Self::Missing | Self::Failed | Self::Recovered | Self::OtherAnswer
        )
    }
}

/// A step of the first run, of the second, or of both. In the order of a tree: below a row stand the rows in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlignedRow {
    /// Its index in the first run.
    pub first: Option<usize>,
    /// Its index in the second run.
    pub second: Option<usize>,
    /// How many rows it stands in.
    pub depth: usize,
    /// In the order of [`StepChange`].
    pub changes: Vec<StepChange>,
}

/// The steps of two runs, each once.
pub fn align(first: Side<'_>, second: Side<'_>) -> Vec<AlignedRow> {
    let (a, b) = (Tree::of(first.steps), Tree::of(second.steps));
    let mut rows = Vec::with_capacity(first.steps.len().max(second.steps.len()));
    let mut open = Vec::new();
    push_reversed(&mut open, pairs(first.steps, &a.roots, second.steps, &b.roots), 0);
    while let Some((pair, depth)) = open.pop() {
        let (below_a, below_b): (&[usize], &[usize]) = (
            pair.0.map_or(&[], |index| &a.below[index]),
            pair.1.map_or(&[], |index| &b.below[index]),
        );
        push_reversed(
            &mut open,
            pairs(first.steps, below_a, second.steps, below_b),
            depth + 1,
        );
        rows.push(AlignedRow {
            first: pair.0,
            second: pair.1,
            depth,
            changes: changes(first, second, pair),
        });
    }
    rows
}

/// An index in either run, or one in both.
type Pair = (Option<usize>, Option<usize>);

fn push_reversed(open: &mut Vec<(Pair, usize)>, pairs: Vec<Pair>, depth: usize) {
    open.extend(pairs.into_iter().rev().map(|pair| (pair, depth)));
}

/// Which steps stand below which. Parents that were not received, and rings of parents, leave their steps at the top.
struct Tree {
    roots: Vec<usize>,
    below: Vec<Vec<usize>>,
}

impl Tree {
    fn of(steps: &[StepSummary]) -> Self {
        let mut index_of: HashMap<&str, usize> = HashMap::new();
        for (index, step) in steps.iter().enumerate() {
            index_of.entry(step.step_id.as_str()).or_insert(index);
        }
        let parent_of = |index: usize| {
            let parent = steps[index].parent_step_id.as_deref()?;
            index_of.get(parent).copied().filter(|parent| *parent != index)
        };
        let mut tree = Self {
            roots: Vec::new(),
            below: vec![Vec::new(); steps.len()],
        };
        // In which round a step found its place.
        let mut round = vec![usize::MAX; steps.len()];
        for begin in 0..steps.len() {
            // Up to a step that has its place, or to the top, or once around a ring, which is cut there.
            let mut here = begin;
            while round[here] == usize::MAX {
                round[here] = begin;
                match parent_of(here) {
                    Some(parent) if round[parent] != begin => {
                        tree.below[parent].push(here);
                        here = parent;
                    }
                    _ => {
                        tree.roots.push(here);
                        break;
                    }
                }
            }
        }
        tree.roots.sort_unstable();
        tree.below.iter_mut().for_each(|below| below.sort_unstable());
        tree
    }
}

/// What a step is among those beside it.
fn identity(step: &StepSummary) -> (&str, &str, &str) {
    (
        step.kind.as_str(),
        step.name.as_str(),
        step.tool_name.as_deref().unwrap_or_default(),
    )
}

/// The steps below one parent of both runs, in the order of the second; those of the first alone stand before the step
/// they came before.
fn pairs(a: &[StepSummary], below_a: &[usize], b: &[StepSummary], below_b: &[usize]) -> Vec<Pair> {
    let mut partner_of: HashMap<usize, usize> = HashMap::new();
    let mut is_taken: HashMap<usize, bool> = below_a.iter().map(|index| (*index, false)).collect();
    for by_template in [true, false] {
        let mut waiting: BTreeMap<_, VecDeque<usize>> = BTreeMap::new();
        let key = |step: &'_ StepSummary| {
            let template = step.template_fingerprint.clone();
            (by_template.then_some(template).flatten(), by_template)
        };
        for index in below_a
            .iter()
            .filter(|index| is_taken.get(*index) == Some(&false))
        {
            let step = &a[*index];
            if by_template && step.template_fingerprint.is_none() {
                continue;
            }
            waiting
                .entry((identity(step), key(step)))
                .or_default()
                .push_back(*index);
        }
        for index in below_b {
            let step = &b[*index];
            if partner_of.contains_key(index) || (by_template && step.template_fingerprint.is_none()) {
                continue;
            }
            let found = waiting
                .get_mut(&(identity(step), key(step)))
                .and_then(VecDeque::pop_front);
            if let Some(found) = found {
                partner_of.insert(*index, found);
                is_taken.insert(found, true);
            }
        }
    }
    let mut alone = below_a
        .iter()
        .copied()
        .filter(|index| is_taken.get(index) == Some(&false))
        .peekable();
    let mut rows = Vec::with_capacity(below_a.len().max(below_b.len()));
    for index in below_b {
        let partner = partner_of.get(index).copied();
        if partner.is_some() {
            while let Some(before) = alone.next_if(|before| Some(*before) < partner) {
                rows.push((Some(before), None));
            }
        }
        rows.push((partner, Some(*index)));
    }
    rows.extend(alone.map(|index| (Some(index), None)));
    rows
}

fn changes(first: Side<'_>, second: Side<'_>, pair: Pair) -> Vec<StepChange> {
    let (a, b) = match pair {
        (None, Some(_)) => return vec![StepChange::Added],
        (Some(_), None) => return vec![StepChange::Missing],
        (Some(a), Some(b)) => (a, b),
        (None, None) => return Vec::new(),
    };
    let answer = |side: Side<'_>, index: usize| side.answers.get(index).copied().flatten();
    let answers = (answer(first, a), answer(second, b));
    let (a, b) = (&first.steps[a], &second.steps[b]);
    let failed = |step: &StepSummary| step.status == StepStatus::Error;
    let differs = |a: Option<&str>, b: Option<&str>| matches!((a, b), (Some(a), Some(b)) if a != b);
    let found = |conditions: &[Condition], code: u16| conditions.iter().any(|found| found.code == code);
    let has_new_finding = b.conditions.iter().any(|new| !found(&a.conditions, new.code));
    let cost = (a.cost_nano_usd, b.cost_nano_usd);
    let time = (a.latency_ms, b.latency_ms);
    [
        (StepChange::Failed, !failed(a) && failed(b)),
        (StepChange::Recovered, failed(a) && !failed(b)),
        (StepChange::Found, has_new_finding && !failed(b)),
        (
            StepChange::OtherAnswer,
            matches!(answers, (Some(a), Some(b)) if a != b),
        ),
        (
            StepChange::OtherModel,
            differs(a.model.as_deref(), b.model.as_deref()),
        ),
        (
            StepChange::OtherTemplate,
            differs(
                a.template_fingerprint.as_deref(),
                b.template_fingerprint.as_deref(),
            ),
        ),
        (StepChange::Slower, is_slower(time)),
        (StepChange::Faster, is_slower((time.1, time.0))),
        (
            StepChange::Costlier,
            is_costlier((cost.0.map(|cost| cost.0), cost.1.map(|cost| cost.0))),
        ),
        (
            StepChange::Cheaper,
            is_costlier((cost.1.map(|cost| cost.0), cost.0.map(|cost| cost.0))),
        ),
    ]
    .into_iter()
    .filter_map(|(change, is_so)| is_so.then_some(change))
    .collect()
}

/// What is unknown on one side is no change.
fn is_slower((before, after): (Option<f64>, Option<f64>)) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => {
            let more = after - before;
            more >= LEAST_MS && more >= before.abs() * LEAST_TIME_SHARE
        }
        _ => false,
    }
}

fn is_costlier((before, after): (Option<i64>, Option<i64>)) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => {
            let more = after.saturating_sub(before);
            more > 0 && more as f64 >= before.unsigned_abs() as f64 * LEAST_SHARE
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
