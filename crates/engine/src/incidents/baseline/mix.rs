//! Which shapes outputs have.

use std::collections::BTreeMap;

use super::super::metric::Minimums;
use super::super::numbers::trimmed_mean;
use super::{DAY, FULL_DAYS, History, LEAST_BLOCKS, LEVEL_HOURS, REACH, Reading, SHORT_HISTORY};

/// Added to each count, so that what was never seen is not impossible.
const PRIOR: f64 = 0.5;
/// Calls below which a block is not read.
const MIN_CALLS: f64 = 5.0;

#[derive(Clone, Debug)]
pub(in super::super) struct Mix {
    pub(super) block: usize,
    /// The share of outputs that has to have moved to other shapes.
    pub(super) gate: f64,
    usual: BTreeMap<String, f64>,
    other: f64,
    dispersion: f64,
    /// How much of the outputs has moved in a usual block, by chance.
    noise: f64,
}

impl Mix {
    pub(super) fn fit(history: &History<'_>, until: usize, minimums: &Minimums) -> Option<Self> {
        let block = history.block_hours(until)?;
        let mut counts: BTreeMap<&str, f64> = BTreeMap::new();
        for (_, sums) in history.clean_hours(until).take(LEVEL_HOURS) {
            for (shape, count) in &sums.shapes {
                *counts.entry(shape).or_default() += *count as f64;
            }
        }
        let total: f64 = counts.values().sum();
        if total < 50.0 {
            return None;
        }
        let whole = total + PRIOR * (counts.len() + 1) as f64;
        let usual: BTreeMap<String, f64> = counts
            .into_iter()
            .map(|(shape, count)| (shape.to_owned(), (count + PRIOR) / whole))
            .collect();
        let mut found = Self {
            block,
            gate: minimums.mix,
            usual,
            other: PRIOR / whole,
            dispersion: 1.0,
            noise: 0.0,
        };
        let mut blocks = 0;
        for length in [block, DAY] {
            let (mut chis, mut moves) = (Vec::new(), Vec::new());
            for start in (until.saturating_sub(REACH)..until).step_by(length) {
                if !history.is_clean(start, length) {
                    continue;
                }
                let (counts, n) = counts_of(history, start, length);
                if n < MIN_CALLS {
                    continue;
                }
                let freedom = found.usual.len().saturating_sub(1).max(1) as f64;
                let chi: f64 = found
                    .usual
                    .iter()
                    .map(|(shape, q)| {
                        let away = count_in(&counts, shape) - n * q;
                        away * away / (n * q)
                    })
                    .sum();
                chis.push(chi / freedom);
                moves.push(found.moved(&counts, n));
            }
            if length == block {
                blocks = chis.len();
                found.noise = super::super::numbers::median(&mut moves).unwrap_or(0.0);
            }
            if chis.len() >= 4 {
                found.dispersion = found.dispersion.max(trimmed_mean(&mut chis).unwrap_or(1.0));
            }
        }
        if blocks < LEAST_BLOCKS {
            return None;
        }
        if blocks * block < FULL_DAYS * DAY {
            found.dispersion *= SHORT_HISTORY;
        }
        Some(found)
    }

    /// The share of outputs that moved to other shapes: total variation.
    fn moved(&self, counts: &Counts<'_>, n: f64) -> f64 {
        let known: f64 = self
            .usual
            .iter()
            .map(|(shape, q)| (count_in(counts, shape) / n - q).abs())
            .sum();
        let new: f64 = counts
            .iter()
            .filter(|(shape, _)| !self.usual.contains_key(*shape))
            .map(|(_, count)| count / n)
            .sum();
        (known + new) / 2.0
    }

    pub(super) fn read(&self, history: &History<'_>, start: usize) -> Option<Reading> {
        let (counts, n) = counts_of(history, start, self.block);
        if n < MIN_CALLS {
            return None;
        }
        let moved = self.moved(&counts, n) - self.noise;
        // What the block says against the usual shares, less what as many calls say by chance.
        let own: f64 = counts
            .iter()
            .map(|(shape, count)| {
                let q = self.usual.get(*shape).copied().unwrap_or(self.other);
                count * (count / n / q).ln()
            })
            .sum();
        let chance = self.usual.len().saturating_sub(1) as f64 / 2.0;
        let evidence = (own / self.dispersion - chance).max(0.0);
        Some(Reading {
            calls: n,
            deviations: (2.0 * evidence).sqrt(),
            effect: moved,
            weight: n,
        })
    }

    /// A quadratic approximation around what was observed: half the squared deviations, less what is missing to the
    /// size that is asked about.
    pub(super) fn log_ratio(&self, at: &Reading, size: f64, share: f64) -> f64 {
        let asked = self.gate * size * share;
        // Deviations of a shift by `asked` at as many calls.
        let spread = (self.dispersion / at.calls).sqrt();
        let (observed, mean) = (at.effect / spread, asked / spread);
        (observed * mean - mean * mean / 2.0).min(at.deviations * at.deviations / 2.0 + 1.0)
    }
}

/// Outputs by shape, in the order of their names: few, so that a list is faster than a tree.
type Counts<'a> = Vec<(&'a str, f64)>;

fn counts_of<'a>(history: &History<'a>, start: usize, block: usize) -> (Counts<'a>, f64) {
    let mut counts: Counts<'_> = Vec::new();
    for sums in history.block(start, block).into_iter().flatten().flatten() {
        for (shape, count) in &sums.shapes {
            match counts.binary_search_by_key(&shape.as_str(), |(known, _)| *known) {
                Ok(at) => counts[at].1 += *count as f64,
                Err(at) => counts.insert(at, (shape, *count as f64)),
            }
        }
    }
    let total = counts.iter().map(|(_, count)| count).sum();
    (counts, total)
}

fn count_in(counts: &Counts<'_>, shape: &str) -> f64 {
    let at = counts.binary_search_by_key(&shape, |(known, _)| *known);
    at.ok()
        .and_then(|at| counts.get(at))
        .map_or(0.0, |(_, count)| *count)
}
