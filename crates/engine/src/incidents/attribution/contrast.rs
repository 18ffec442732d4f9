//! A release against the one before it, at the same time or nearly.

use std::collections::BTreeMap;

use super::super::grid::{Grid, Scope};
use super::super::metric::Metric;
use super::rollout::Candidate;

/// Hours before and after a rollout that are compared.
const BEFORE: usize = 6;
const AFTER: usize = 12;
/// Calls that a side has to have.
const LEAST_CALLS: i64 = 8;
/// Releases differ by chance beyond what calls say: the standard deviation of the logarithm.
const BETWEEN: f64 = 0.05;

/// What was compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contrast {
    pub(super) old: f64,
    pub(super) new: f64,
    pub(super) calls: (i64, i64),
    /// How much likelier it is under the incident's effect than under none.
    pub(super) log_ratio: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Side {
    calls: i64,
    total: i128,
    squares: i128,
}

/// The contrast of a candidate's release; `None` where calls do not say what they run, or the metric is not one of a
/// call. `effect` is the logarithm of what the incident multiplied a call's value by.
pub(super) fn contrast(
    grid: &Grid<'_>,
    scope: &Scope,
    metric: Metric,
    effect: f64,
    candidate: &Candidate<'_>,
) -> Option<Contrast> {
    let release = candidate.release?;
    let begun = grid.hour_of(candidate.from);
    let done = grid.hour_of(candidate.to);
    let hours = begun.saturating_sub(BEFORE)..(done + AFTER + 1).min(grid.len);
    let mut sides: BTreeMap<(&str, usize), Side> = BTreeMap::new();
    for row in grid
        .window
        .releases
        .iter()
        .filter(|row| scope.contains(&row.key, &row.step))
    {
        let hour = grid.hour_of(row.hour);
        if row.hour < grid.at(0) || !hours.contains(&hour) {
            continue;
        }
        let (total, squares) = match metric {
            Metric::Cost | Metric::CostPerCall => (i128::from(row.cost.0), row.cost_squares),
            Metric::ErrorRate => (i128::from(row.errors), i128::from(row.errors)),
            Metric::OutputTokens => (i128::from(row.output), 0),
            Metric::LatencyP95 => (i128::from(row.latency_us), 0),
            _ => return None,
        };
        let side = sides.entry((&row.release, hour)).or_default();
        side.calls = side.calls.saturating_add(row.calls);
        side.total = side.total.saturating_add(total);
        side.squares = side.squares.saturating_add(squares);
    }
    // The one that most calls ran just before; what came later is not compared with.
    let mut before: BTreeMap<&str, i64> = BTreeMap::new();
    for ((name, hour), side) in &sides {
        if *name != release && *hour <= begun {
            let calls = before.entry(name).or_default();
            *calls = calls.saturating_add(side.calls);
        }
    }
    let (previous, _) = before.into_iter().max_by_key(|(name, calls)| (*calls, *name))?;
    let sum = |wanted: &str| {
        sides
            .iter()
            .filter(|((name, _), _)| *name == wanted)
            .fold(Side::default(), |sum, (_, side)| Side {
                calls: sum.calls.saturating_add(side.calls),
                total: sum.total.saturating_add(side.total),
                squares: sum.squares.saturating_add(side.squares),
            })
    };
    let (old, new) = (sum(previous), sum(release));
    if old.calls < LEAST_CALLS || new.calls < LEAST_CALLS {
        return None;
    }
    let each = |side: &Side| (side.total as f64 + 0.5) / (side.calls as f64 + 1.0);
    let spread = |side: &Side| {
        let n = side.calls as f64;
        let mean = (side.total as f64 / n).max(f64::MIN_POSITIVE);
        let relative = if side.squares > 0 {
            side.squares as f64 / n / (mean * mean) - 1.0
        } else {
            0.6
        };
        relative.clamp(0.02, 200.0) / n
    };
    let log = (each(&new) / each(&old)).ln();
    let variance = spread(&old) + spread(&new) + BETWEEN * BETWEEN;
    let log_ratio = (log * effect - effect * effect / 2.0) / variance;
    Some(Contrast {
        old: old.total as f64 / old.calls as f64,
        new: new.total as f64 / new.calls as f64,
        calls: (old.calls, new.calls),
        log_ratio,
    })
}
