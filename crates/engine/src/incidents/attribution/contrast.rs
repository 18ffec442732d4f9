//! A release against the one before it, at the same time.

use std::collections::{BTreeMap, BTreeSet};

use domain::Timestamp;

use super::super::grid::{Grid, Scope};
use super::super::metric::Metric;
use super::super::window::Novelty;
use super::rollout::Candidate;

/// Calls that a side has to have.
const LEAST_CALLS: f64 = 8.0;
/// Releases whose first calls are closer than this came in an order that nobody knows.
const UNORDERED_MICROS: i64 = 5 * 60_000_000;
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

/// Calls of one release in one hour.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    calls: f64,
    total: f64,
    squares: f64,
}

impl Side {
    fn add(&mut self, other: &Self, weight: f64) {
        self.calls += other.calls * weight;
        self.total += other.total * weight;
        self.squares += other.squares * weight;
    }

    fn each(&self) -> f64 {
        (self.total + 0.5) / (self.calls + 1.0)
    }

    /// Variance of the logarithm of the mean.
    fn variance(&self, calls: f64) -> f64 {
        let mean = (self.total / self.calls.max(1.0)).max(f64::MIN_POSITIVE);
        let relative = if self.squares > 0.0 {
            self.squares / self.calls.max(1.0) / (mean * mean) - 1.0
        } else {
            0.6
        };
        relative.clamp(0.02, 200.0) / calls.max(1.0)
    }
}

/// The contrast of a candidate's release with the one before it, in the hours of its rollout that have calls of both:
/// whatever else happened meanwhile happened to both. A rollout of less than an hour has none: its time says it. `None` where calls do not say what they run, or the metric is not one of a call. `effect`
/// is the logarithm of what the incident multiplied a call's value by.
pub(super) fn contrast(
    grid: &Grid<'_>,
    scope: &Scope,
    steps: &BTreeSet<&str>,
    metric: Metric,
    effect: f64,
    candidate: &Candidate<'_>,
) -> Option<Contrast> {
    let release = candidate.release?;
    let (begun, done) = (grid.hour_of(candidate.from), grid.hour_of(candidate.to));
    // Of the hours in which it begins and ends it is not known which calls came first.
    let hours = begun + 1..done.min(grid.len);
    let mut sides: BTreeMap<(usize, &str, &str), BTreeMap<&str, Side>> = BTreeMap::new();
    let rows = grid.window.releases.iter();
    for row in rows.filter(|row| scope.contains(&row.key, &row.step)) {
        let hour = grid.hour_of(row.hour);
        let is_changed = steps.is_empty() || steps.contains(row.step.as_str());
        if row.hour < grid.at(0) || !hours.contains(&hour) || !is_changed {
            continue;
        }
        let (total, squares) = match metric {
            Metric::Cost | Metric::CostPerCall => (row.cost.0 as f64, row.cost_squares as f64),
            Metric::ErrorRate => (row.errors as f64, row.errors as f64),
            Metric::OutputTokens => (row.output as f64, 0.0),
            Metric::LatencyP95 => (row.latency_us as f64, 0.0),
            _ => return None,
        };
        let own = sides.entry((hour, &row.key, &row.step)).or_default();
        let side = own.entry(&row.release).or_default();
        side.add(
            &Side {
                calls: row.calls as f64,
                total,
                squares,
            },
            1.0,
        );
    }
    let previous = previous(grid, release, &sides)?;
    // Step by step and hour by hour, weighted by what a difference of it is known from.
    let (mut old, mut new, mut calls) = (Side::default(), Side::default(), (0.0, 0.0));
    for own in sides.values() {
        let (Some(a), Some(b)) = (own.get(previous), own.get(release)) else {
            continue;
        };
        if a.calls <= 0.0 || b.calls <= 0.0 {
            continue;
        }
        let weight = a.calls * b.calls / (a.calls + b.calls);
        old.add(a, weight / a.calls);
        new.add(b, weight / b.calls);
        calls = (calls.0 + a.calls, calls.1 + b.calls);
    }
    if calls.0.min(calls.1) < LEAST_CALLS || old.calls < LEAST_CALLS / 2.0 {
        return None;
    }
    let log = (new.each() / old.each()).ln();
    let variance = old.variance(calls.0) + new.variance(calls.1) + BETWEEN * BETWEEN;
    let log_ratio = (log * effect - effect * effect / 2.0) / variance;
    Some(Contrast {
        old: old.total / old.calls,
        new: new.total / new.calls,
        calls: (calls.0.round() as i64, calls.1.round() as i64),
        log_ratio,
    })
}

/// The release that began last before another one, of those that have calls beside it. Those that came in the same minutes
/// are left out: which of them came first is not known.
fn previous<'a>(
    grid: &Grid<'a>,
    release: &str,
    sides: &BTreeMap<(usize, &'a str, &'a str), BTreeMap<&'a str, Side>>,
) -> Option<&'a str> {
    let known: BTreeSet<&str> = sides.values().flat_map(|own| own.keys().copied()).collect();
    let first_seen = |name: &str| -> Timestamp {
        let seen = grid.window.first_seen.iter();
        let seen = seen.filter(|seen| seen.what == Novelty::Release && seen.value == name);
        let rows = grid.window.releases.iter().filter(|row| row.release == name);
        let hour = rows.map(|row| row.hour).min().unwrap_or(grid.window.now);
        seen.map(|seen| seen.at).min().unwrap_or(hour)
    };
    let own = first_seen(release);
    let order = |name: &str| (first_seen(name), name.to_owned());
    let earlier = known
        .into_iter()
        .filter(|name| *name != release && first_seen(name).micros() <= own.micros() - UNORDERED_MICROS);
    earlier.max_by_key(|name| order(name))
}
