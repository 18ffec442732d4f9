//! How much a series varies by itself: between blocks, from one to the next, from day to day.

use std::collections::BTreeMap;

use super::super::super::numbers::median;
use super::super::{DAY, FULL_DAYS};

/// What each block is above the median of the `recent` blocks before it.
pub(super) fn residuals(rests: &[f64], recent: usize) -> Vec<f64> {
    let day = (recent / FULL_DAYS).max(1);
    let mut found = Vec::with_capacity(rests.len());
    let mut level = 0.0;
    let mut sorted = Vec::with_capacity(recent);
    for (at, rest) in rests.iter().enumerate() {
        if at % day == 0 {
            let before = rests.get(at.saturating_sub(recent)..at).unwrap_or_default();
            let window = if before.len() < 3 * day {
                rests.get(..recent.min(rests.len())).unwrap_or(rests)
            } else {
                before
            };
            sorted.clear();
            sorted.extend_from_slice(window);
            level = median(&mut sorted).unwrap_or(0.0);
        }
        found.push(rest - level);
    }
    found
}

/// The variance that, added to that of sampling, makes the residuals as large as they are, judged by their median: the
/// median of r² / (between + v) is that of a squared standard normal, so that of r² / it − v is what is between.
pub(super) fn variance_between(residuals: &[f64], sampled: &[f64]) -> f64 {
    /// The median of a squared standard normal.
    const MEDIAN_SQUARE: f64 = 0.4549;
    let both = residuals.iter().zip(sampled);
    let mut rest: Vec<f64> = both.map(|(r, v)| r * r / MEDIAN_SQUARE - v).collect();
    median(&mut rest).unwrap_or(0.0).max(0.0)
}

pub(super) fn autocorrelation(
    blocks: &[(usize, f64, f64)],
    residuals: &[f64],
    sampled: &[f64],
    between: f64,
    block: usize,
) -> f64 {
    let scaled: Vec<f64> = residuals
        .iter()
        .zip(sampled)
        .map(|(r, v)| (r / (between + v).sqrt()).clamp(-3.0, 3.0))
        .collect();
    let (mut products, mut squares, mut pairs) = (0.0, 0.0, 0.0);
    for (at, pair) in scaled.windows(2).enumerate() {
        if blocks[at + 1].0 == blocks[at].0 + block {
            products += pair[0] * pair[1];
            squares += f64::midpoint(pair[0] * pair[0], pair[1] * pair[1]);
            pairs += 1.0;
        }
    }
    if pairs < 12.0 || squares <= 0.0 {
        return 0.3;
    }
    (products / squares).clamp(0.0, 0.8)
}

/// How far a day's middle usually is from that of the week before it.
pub(super) fn day_drift(blocks: &[(usize, f64, f64)], rests: &[f64], block: usize) -> f64 {
    let mut days: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for ((start, ..), rest) in blocks.iter().zip(rests) {
        days.entry(start / DAY).or_default().push(*rest);
    }
    let enough = DAY / block / 2;
    let middles: Vec<f64> = days
        .into_values()
        .filter(|day| day.len() >= enough.max(1))
        .filter_map(|mut day| median(&mut day))
        .collect();
    let mut away: Vec<f64> = (3..middles.len())
        .filter_map(|at| {
            let before = middles.get(at.saturating_sub(FULL_DAYS)..at)?;
            Some((middles[at] - median(&mut before.to_vec())?).abs())
        })
        .collect();
    if away.len() < 3 {
        return 0.0;
    }
    1.4826 * median(&mut away).unwrap_or(0.0)
}
