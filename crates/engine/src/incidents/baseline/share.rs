//! Shares of calls: errors, anomalies, and calls slower than nearly all used to be.

use super::super::metric::Minimums;
use super::super::numbers::{binomial_log_ratio, trimmed_mean, wilson};
use super::super::window::Sums;
use super::{DAY, FULL_DAYS, History, LEAST_BLOCKS, LEVEL_HOURS, REACH, Reading, SHORT_HISTORY};
use crate::Histogram;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum ShareKind {
    Errors,
    Anomalies,
    Slow,
    SlowFirstToken,
}

/// Events that weigh as much as the wish for no season at all.
const SEASON_EVENTS: f64 = 10.0;
/// Fewer events are no rise of a rate.
const MIN_EVENTS: f64 = 3.0;
/// Fewer calls say nothing of a share, and less of a p95.
const LEAST_CALLS: f64 = 50.0;
/// Below it a block is not read.
const MIN_CALLS: f64 = 1.0;

#[derive(Clone, Debug)]
pub(in super::super) struct Share {
    kind: ShareKind,
    pub(super) block: usize,
    /// Of a rate: by how much it has to rise. Of a latency: the part of calls that become slow, beyond the usual.
    pub(super) gate: f64,
    /// The usual share by place in the day.
    usual: Vec<f64>,
    /// How much more blocks differ than coins would.
    dispersion: f64,
    /// The limit in microseconds above which a call counts as slow.
    limit_us: i64,
    all: f64,
    calls: f64,
    /// By how much the usual share may be off, a standard deviation: it is known only as well as the calls behind it.
    /// A share taken for a little too low would otherwise add up evidence for weeks.
    doubt: f64,
    latency: f64,
    latency_ms: f64,
}

impl Share {
    pub(super) fn fit(
        kind: ShareKind,
        history: &History<'_>,
        until: usize,
        minimums: &Minimums,
    ) -> Option<Self> {
        let block = history.block_hours(until)?;
        let recent: Vec<(usize, &Sums)> = history.clean_hours(until).take(LEVEL_HOURS).collect();
        let mut merged = Histogram::new();
        if let Some(of) = histogram_of(kind) {
            recent.iter().for_each(|(_, sums)| merged.merge(of(sums)));
        }
        let limit_us = match histogram_of(kind) {
            Some(_) => merged.quantile(0.95)?,
            None => 0,
        };
        let counted = |sums: &Sums| count(kind, sums, limit_us);
        let (mut hits, mut calls) = (0.0, 0.0);
        for (_, sums) in &recent {
            let (k, n) = counted(sums);
            hits += k;
            calls += n;
        }
        if calls < LEAST_CALLS {
            return None;
        }
        let all = (hits + 0.5) / (calls + 1.0);
        let blocks: Vec<(usize, f64, f64)> = (until.saturating_sub(REACH)..until)
            .step_by(block)
            .filter(|start| history.is_clean(*start, block))
            .filter_map(|start| sum_of(kind, history, start, block, limit_us).map(|(k, n)| (start, k, n)))
            .collect();
        let days = blocks.len() * block / DAY;
        // What is unusual is learned from the same days: in the first of them there is less of it.
        let since = blocks.first().map_or(until, |(start, ..)| *start);
        let is_learned = kind != ShareKind::Anomalies || until - since >= FULL_DAYS * DAY;
        if blocks.len() < LEAST_BLOCKS || !is_learned {
            return None;
        }
        let usual = season(&blocks, block, all);
        let short = if days >= FULL_DAYS { 1.0 } else { SHORT_HISTORY };
        let dispersion = dispersion(&blocks, block, &usual) * short;
        let gate = match kind {
            ShareKind::Errors | ShareKind::Anomalies => minimums.rate.max(all / 2.0),
            ShareKind::Slow | ShareKind::SlowFirstToken => {
                // The share that would be above the limit if calls became slower by as much as matters.
                let limit = limit_us as f64;
                let shorter = (limit / (1.0 + minimums.latency)).min(limit - minimums.latency_ms * 1_000.0);
                let above = merged.count_above(shorter.max(0.0) as i64) as f64 / merged.count().max(1) as f64;
                (above - all).clamp(0.03, 0.5)
            }
        };
        Some(Self {
            kind,
            block,
            gate: gate.min(0.9 - all).max(0.005),
            usual,
            dispersion,
            limit_us,
            all,
            calls,
            doubt: (all * (1.0 - all) * dispersion / calls).sqrt(),
            latency: minimums.latency,
            latency_ms: minimums.latency_ms,
        })
    }

    fn usual_at(&self, start: usize) -> f64 {
        self.usual
            .get(start % DAY / self.block)
            .copied()
            .unwrap_or(self.all)
    }

    pub(super) fn read(&self, history: &History<'_>, start: usize) -> Option<Reading> {
        let (k, n) = sum_of(self.kind, history, start, self.block, self.limit_us)?;
        if n < MIN_CALLS {
            return None;
        }
        let p = self.usual_at(start);
        let deviation = (n * p * (1.0 - p) * self.dispersion).max(0.25).sqrt();
        // The season is taken out of what is kept: a reading is of calls at the overall share.
        let expected = n * p;
        let effect = (k - expected) / n;
        Some(Reading {
            calls: n,
            deviations: (k - expected) / deviation,
            effect,
            weight: n,
        })
    }

    pub(super) fn log_ratio(&self, at: &Reading, size: f64, share: f64) -> f64 {
        let p0 = (self.all + self.doubt).clamp(1e-4, 0.95);
        let p1 = (p0 + self.gate * size * share).clamp(1e-4, 0.98);
        let hits = (at.calls * (self.all + at.effect)).clamp(0.0, at.calls);
        binomial_log_ratio(hits, at.calls, p0, p1) / self.dispersion
    }

    /// Whether the hours together are worse than before, beyond what chance does and by as much as matters.
    pub(super) fn matters(&self, history: &History<'_>, hours: std::ops::Range<usize>) -> bool {
        let (mut hits, mut calls, mut expected) = (0.0, 0.0, 0.0);
        let mut merged = Histogram::new();
        for hour in hours {
            let Some(sums) = history.hour(hour) else {
                continue;
            };
            let (k, n) = count(self.kind, sums, self.limit_us);
            hits += k;
            calls += n;
            expected += n * self.usual_at(hour / self.block * self.block);
            if let Some(of) = histogram_of(self.kind) {
                merged.merge(of(sums));
            }
        }
        if calls < 1.0 || hits < MIN_EVENTS {
            return false;
        }
        let before = expected / calls;
        let scale = 1.0 / self.dispersion;
        let (low, _) = wilson(hits * scale, calls * scale);
        let (_, high) = wilson(before * self.calls * scale, self.calls * scale);
        if low <= high {
            return false;
        }
        match self.kind {
            ShareKind::Errors | ShareKind::Anomalies => hits / calls - before >= self.gate,
            ShareKind::Slow | ShareKind::SlowFirstToken => {
                let Some(p95) = merged.quantile(0.95) else {
                    return false;
                };
                let (new, old) = (p95 as f64, self.limit_us as f64);
                new >= old * (1.0 + self.latency) && new - old >= self.latency_ms * 1_000.0
            }
        }
    }
}

fn histogram_of(kind: ShareKind) -> Option<fn(&Sums) -> &Histogram> {
    match kind {
        ShareKind::Slow => Some(|sums| &sums.latency_us),
        ShareKind::SlowFirstToken => Some(|sums| &sums.ttft_us),
        ShareKind::Errors | ShareKind::Anomalies => None,
    }
}

/// How many calls count, of how many.
fn count(kind: ShareKind, sums: &Sums, limit_us: i64) -> (f64, f64) {
    match kind {
        ShareKind::Errors => (sums.errors as f64, sums.calls as f64),
        ShareKind::Anomalies => (sums.anomalies as f64, sums.calls as f64),
        ShareKind::Slow => (
            sums.latency_us.count_above(limit_us) as f64,
            sums.latency_us.count() as f64,
        ),
        ShareKind::SlowFirstToken => (
            sums.ttft_us.count_above(limit_us) as f64,
            sums.ttft_us.count() as f64,
        ),
    }
}

fn sum_of(
    kind: ShareKind,
    history: &History<'_>,
    start: usize,
    block: usize,
    limit_us: i64,
) -> Option<(f64, f64)> {
    let hours = history.block(start, block)?;
    let mut sum = (0.0, 0.0);
    for sums in hours.iter().flatten() {
        let (k, n) = count(kind, sums, limit_us);
        sum = (sum.0 + k, sum.1 + n);
    }
    (sum.1 > 0.0).then_some(sum)
}

fn season(blocks: &[(usize, f64, f64)], block: usize, all: f64) -> Vec<f64> {
    let mut by_place = vec![(0.0, 0.0); DAY / block];
    let (mut hits, mut calls) = (0.0, 0.0);
    for (start, k, n) in blocks {
        let place = &mut by_place[start % DAY / block];
        *place = (place.0 + k, place.1 + n);
        hits += k;
        calls += n;
    }
    // A season says how a place differs from all of its weeks; the level is that of the last one.
    let long = (hits + 0.5) / (calls + 1.0);
    let wish = SEASON_EVENTS / long;
    by_place
        .iter()
        .map(|(k, n)| (all * ((k + SEASON_EVENTS) / (n + wish)) / long).clamp(1e-4, 0.95))
        .collect()
}

/// The largest over blocks, quarters of a day and days: what depends on the hour before it shows in the longer ones.
fn dispersion(blocks: &[(usize, f64, f64)], block: usize, usual: &[f64]) -> f64 {
    let mut largest = 1.0f64;
    for length in [block, 6, DAY] {
        if length < block {
            continue;
        }
        let mut sums: std::collections::BTreeMap<usize, (f64, f64, f64)> = std::collections::BTreeMap::new();
        for (start, k, n) in blocks {
            let p = usual.get(start % DAY / block).copied().unwrap_or(0.5);
            let sum = sums.entry(start / length).or_default();
            *sum = (sum.0 + k, sum.1 + n * p, sum.2 + n * p * (1.0 - p));
        }
        let mut ratios: Vec<f64> = sums
            .values()
            .filter(|(_, _, variance)| *variance > 0.2)
            .map(|(k, expected, variance)| (k - expected) * (k - expected) / variance)
            .collect();
        if ratios.len() >= 4 {
            largest = largest.max(trimmed_mean(&mut ratios).unwrap_or(1.0));
        }
    }
    largest.min(1e4)
}
