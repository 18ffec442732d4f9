//! `confidence`: points for what a deploy changed, added up. A function of its own: nothing here is fitted, nothing
//! here knows of the probability beside it.

use std::collections::BTreeMap;

use domain::Timestamp;
use serde::{Deserialize, Serialize};

const HOUR_MICROS: i64 = 3_600_000_000;
/// A candidate's rollout begins at most this long before T.
const BEFORE_MICROS: i64 = 4 * HOUR_MICROS;
/// And less than this long after it.
const AFTER_MICROS: i64 = 24 * HOUR_MICROS;
/// How far from the pivot calls are looked at.
const REACH_MICROS: i64 = 48 * HOUR_MICROS;
/// No sum of points says more.
const CAP: u8 = 95;

/// When a deploy went live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// When it began.
    pub started_at: Timestamp,
    /// When it was complete.
    pub completed_at: Timestamp,
}

/// Calls of the incident's series at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallCount<'a> {
    /// When they were made.
    pub at: Timestamp,
    /// The model that answered; empty when none did.
    pub model: &'a str,
    /// Their template; empty when they have none.
    pub template: &'a str,
    /// How many.
    pub calls: i64,
    /// How many of them failed.
    pub errors: i64,
}

/// What points are given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It shipped in the window of the incident: always.
    TimeWindow,
    /// Another model became dominant.
    ModelChange,
    /// Another template became dominant.
    PromptChange,
    /// The error rate rose.
    ErrorSpike,
}

impl Kind {
    /// Hundredths of confidence.
    pub const fn points(self) -> u8 {
        match self {
            Self::TimeWindow => 5,
            Self::ModelChange => 50,
            Self::PromptChange => 30,
            Self::ErrorSpike => 15,
        }
    }
}

/// Calls before and after the pivot of a candidate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sides {
    /// Calls before.
    pub calls_before: i64,
    /// Calls after.
    pub calls_after: i64,
    /// Failed calls before.
    pub errors_before: i64,
    /// Failed calls after.
    pub errors_after: i64,
    /// The model most calls had before, with how many.
    pub model_before: Option<(String, i64)>,
    /// The model most calls had after, with how many.
    pub model_after: Option<(String, i64)>,
    /// The template most calls had before, with how many.
    pub template_before: Option<(String, i64)>,
    /// The template most calls had after, with how many.
    pub template_after: Option<(String, i64)>,
}

/// What the rubric says of one candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Points {
    /// Index of the deploy.
    pub rollout: usize,
    /// What it was given points for.
    pub kinds: Vec<Kind>,
    /// The points, hundredths of confidence, at most 95.
    pub points: u8,
    /// What they rest on.
    pub sides: Sides,
}

impl Points {
    /// The points as a share.
    pub fn confidence(&self) -> f64 {
        f64::from(self.points) / 100.0
    }
}

/// The candidates for an incident at `t`, in the order in which they were completed: those whose rollout began in
/// [t − 4 h, t + 24 h). `calls` are those of the incident's series, in any order.
pub fn rubric(rollouts: &[Rollout], t: Timestamp, calls: &[CallCount<'_>]) -> Vec<Points> {
    let window = t.plus_micros(-BEFORE_MICROS)..t.plus_micros(AFTER_MICROS);
    let mut candidates: Vec<(Rollout, usize)> = rollouts
        .iter()
        .enumerate()
        .filter(|(_, rollout)| window.contains(&rollout.started_at))
        .map(|(index, rollout)| (*rollout, index))
        .collect();
    candidates.sort_by_key(|(rollout, index)| (rollout.completed_at, rollout.started_at, *index));
    let pivot = |at: usize| candidates.get(at).map(|(rollout, _)| rollout.completed_at);
    let judged = candidates.iter().enumerate().map(|(at, (rollout, index))| {
        let done = rollout.completed_at;
        let previous = at.checked_sub(1).and_then(pivot);
        let from = done
            .plus_micros(-REACH_MICROS)
            .max(previous.unwrap_or(Timestamp::from_micros(i64::MIN)));
        let to = done
            .plus_micros(REACH_MICROS)
            .min(pivot(at + 1).unwrap_or(Timestamp::from_micros(i64::MAX)));
        points(*index, sides(calls, from, done, to))
    });
    judged.collect()
}

fn sides(calls: &[CallCount<'_>], from: Timestamp, pivot: Timestamp, to: Timestamp) -> Sides {
    let side = |range: std::ops::Range<Timestamp>| -> Vec<&CallCount<'_>> {
        calls.iter().filter(|call| range.contains(&call.at)).collect()
    };
    let (before, after) = (side(from..pivot), side(pivot..to));
    let count = |side: &[&CallCount<'_>], of: fn(&CallCount<'_>) -> i64| {
        side.iter().fold(0i64, |sum, call| sum.saturating_add(of(call)))
    };
    Sides {
        calls_before: count(&before, |call| call.calls),
        calls_after: count(&after, |call| call.calls),
        errors_before: count(&before, |call| call.errors),
        errors_after: count(&after, |call| call.errors),
        model_before: dominant(&before, |call| call.model),
        model_after: dominant(&after, |call| call.model),
        template_before: dominant(&before, |call| call.template),
        template_after: dominant(&after, |call| call.template),
    }
}

/// The value that most calls have; of two with as many the first by name.
fn dominant<'a>(side: &[&CallCount<'a>], value: fn(&CallCount<'a>) -> &'a str) -> Option<(String, i64)> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for call in side
        .iter()
        .filter(|call| call.calls > 0 && !value(call).is_empty())
    {
        let count = counts.entry(value(call)).or_default();
        *count = count.saturating_add(call.calls);
    }
    let most = counts.into_iter().rev().max_by_key(|(_, calls)| *calls);
    most.map(|(value, calls)| (value.to_owned(), calls))
}

fn points(rollout: usize, sides: Sides) -> Points {
    let changed = |before: &Option<(String, i64)>, after: &Option<(String, i64)>| match (before, after) {
        (Some((before, _)), Some((after, calls))) => {
            before != after && i128::from(*calls) * 100 >= i128::from(sides.calls_after) * 60
        }
        _ => false,
    };
    let mut kinds = vec![Kind::TimeWindow];
    if changed(&sides.model_before, &sides.model_after) {
        kinds.push(Kind::ModelChange);
    }
    if changed(&sides.template_before, &sides.template_after) {
        kinds.push(Kind::PromptChange);
    }
    // after / n > before / m + 5 / 100, without a fraction
    let held = |count: i64| i128::from(count.clamp(0, 1_000_000_000_000_000));
    let (n, m) = (held(sides.calls_after), held(sides.calls_before));
    let rise = held(sides.errors_after) * m - held(sides.errors_before) * n;
    if n > 0 && m > 0 && rise * 100 > 5 * n * m {
        kinds.push(Kind::ErrorSpike);
    }
    Points {
        rollout,
        points: kinds.iter().map(|kind| kind.points()).sum::<u8>().min(CAP),
        kinds,
        sides,
    }
}

#[cfg(test)]
mod tests;
