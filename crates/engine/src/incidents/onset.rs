//! When a shift began: a probability for each quarter of a block, or for each minute, not one moment.

mod minutes;

use domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::baseline::{Baseline, History, Reading};
use super::grid::Grid;
use super::numbers::normalise_logs;
pub(super) use minutes::{Measure, Minute, News};

/// How far before the first evidence a shift may have begun, and how far behind, in hours.
const EARLIER: usize = 24;
const LATER: usize = 12;
/// How many hours behind it are read.
const AFTER: usize = 48;
/// Sizes beside the one that was measured.
const SIZES: [f64; 6] = [0.4, 0.6, 0.8, 1.0, 1.25, 1.6];
/// Which part of the first block the shift was in force.
const PARTS: [f64; 4] = [1.0, 0.75, 0.5, 0.25];
/// Blocks over which it may have grown, and how likely that is against all at once.
const RAMPS: [usize; 3] = [3, 6, 12];
const RAMP_PRIOR: f64 = 0.1;
/// What an hour says is taken for less than the model says, because the model is not the world. Set by the coverage of
/// the interval on the validation incidents.
const TRUST: f64 = 0.8;
/// The interval holds this much.
const MASS: f64 = 0.9;

/// When it began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Onset {
    /// The middle of what is likely.
    pub at: Timestamp,
    /// The interval that holds nine tenths.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// Parts of hours with their probabilities.
    pub parts: Vec<OnsetPart>,
}

/// A part of the time in which it may have begun.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnsetPart {
    /// When it begins.
    pub from: Timestamp,
    /// When it ends.
    pub to: Timestamp,
    /// How likely it began in it.
    pub probability: f64,
}

impl Onset {
    /// From parts in the order of time; their probabilities need not sum to 1.
    pub fn of(mut parts: Vec<OnsetPart>) -> Self {
        let sum: f64 = parts.iter().map(|part| part.probability).sum();
        if parts.is_empty() || sum <= 0.0 {
            return Self::default();
        }
        parts.iter_mut().for_each(|part| part.probability /= sum);
        let mut seen = 0.0;
        let middle = parts.iter().find(|part| {
            seen += part.probability;
            seen >= 0.5
        });
        let at = middle.map_or(Timestamp::default(), |part| halfway(part.from, part.to));
        // The highest parts until they hold enough; the interval spans them.
        let mut order: Vec<&OnsetPart> = parts.iter().collect();
        let density =
            |part: &OnsetPart| part.probability / (part.to.micros() - part.from.micros()).max(1) as f64;
        order.sort_by(|a, b| density(b).total_cmp(&density(a)));
        let mut mass = 0.0;
        let (mut from, mut to) = (at, at);
        for part in order {
            if mass >= MASS {
                break;
            }
            mass += part.probability;
            from = from.min(part.from);
            to = to.max(part.to);
        }
        Self { at, from, to, parts }
    }

    /// How much of the probability two onsets have in common.
    pub(super) fn overlap(&self, other: &Self) -> f64 {
        let density =
            |part: &OnsetPart| part.probability / (part.to.micros() - part.from.micros()).max(1) as f64;
        let mut common = 0.0;
        for a in self.parts.iter().filter(|part| part.probability > 1e-4) {
            for b in other.parts.iter().filter(|part| part.probability > 1e-4) {
                let shared = a.to.micros().min(b.to.micros()) - a.from.micros().max(b.from.micros());
                if shared > 0 {
                    common += density(a).min(density(b)) * shared as f64;
                }
            }
        }
        common
    }
}

fn halfway(from: Timestamp, to: Timestamp) -> Timestamp {
    from.plus_micros((to.micros() - from.micros()) / 2)
}

/// The onset of a shift of `effect` whose evidence begins at `start` and that went on until `end`.
pub(super) fn locate(
    baseline: &Baseline,
    history: &History<'_>,
    grid: &Grid<'_>,
    start: usize,
    end: usize,
    effect: f64,
) -> Onset {
    let block = baseline.block();
    let first = (start / block * block).saturating_sub(EARLIER.next_multiple_of(block));
    let last = end.min(start + AFTER.max(2 * block)).min(grid.len);
    let mut readings: Vec<(usize, Option<Reading>)> = Vec::new();
    for from in (first..last.max(first + block)).step_by(block) {
        let is_running = from + block > grid.len.saturating_sub(1);
        readings.push((from, baseline.read(history, from, is_running)));
    }
    let measured = (effect / baseline.gate()).clamp(0.3, 50.0);
    let candidates = readings
        .iter()
        .take_while(|(from, _)| *from <= start + LATER.max(block))
        .count()
        .max(1);
    let mut logs = vec![f64::NEG_INFINITY; candidates * PARTS.len()];
    for size in SIZES {
        add_size(baseline, &readings, measured * size, candidates, &mut logs);
    }
    logs.iter_mut().for_each(|log| *log *= TRUST);
    normalise_logs(&mut logs);
    let part_micros = i64::try_from(block).unwrap_or(1) * 3_600_000_000 / PARTS.len() as i64;
    let parts = logs.iter().enumerate().map(|(index, probability)| {
        let (from, _) = readings[index / PARTS.len()];
        let from = grid
            .at(from)
            .plus_micros(part_micros * (index % PARTS.len()) as i64);
        OnsetPart {
            from,
            to: from.plus_micros(part_micros),
            probability: *probability,
        }
    });
    Onset::of(parts.collect())
}

/// Adds, for each part in which the shift may have begun, how well a shift of this size explains the readings.
fn add_size(
    baseline: &Baseline,
    readings: &[(usize, Option<Reading>)],
    size: f64,
    candidates: usize,
    logs: &mut [f64],
) {
    let n = readings.len();
    let ratio = |at: usize, shares: (f64, f64)| -> f64 {
        let Some(reading) = readings.get(at).and_then(|(_, reading)| reading.as_ref()) else {
            return 0.0;
        };
        let before = at.checked_sub(1).and_then(|at| readings.get(at)?.1.as_ref());
        baseline
            .log_ratio(reading, before, size, shares)
            .clamp(-12.0, 12.0)
    };
    // What all blocks from one on say of a shift that is wholly in force.
    let mut rest = vec![0.0; n + 1];
    for at in (0..n).rev() {
        rest[at] = rest[at + 1] + ratio(at, (1.0, 1.0));
    }
    let add = |log: &mut f64, more: f64| {
        let top = log.max(more);
        *log = if top.is_finite() {
            top + ((*log - top).exp() + (more - top).exp()).ln()
        } else {
            more
        };
    };
    let step_prior = (1.0 - RAMP_PRIOR * RAMPS.len() as f64).ln();
    for at in 0..candidates {
        for (place, part) in PARTS.iter().enumerate() {
            let after = rest.get(at + 2).copied().unwrap_or(0.0);
            let log = step_prior + ratio(at, (*part, 0.0)) + ratio(at + 1, (1.0, *part)) + after;
            add(&mut logs[at * PARTS.len() + place], log);
        }
        for ramp in RAMPS {
            let mut log = RAMP_PRIOR.ln() + rest.get(at + ramp).copied().unwrap_or(0.0);
            let mut before = 0.0;
            for step in 0..ramp {
                let now = (step as f64 + 0.5) / ramp as f64;
                log += ratio(at + step, (now, before));
                before = now;
            }
            for place in 0..PARTS.len() {
                add(&mut logs[at * PARTS.len() + place], log);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(from: i64, to: i64, probability: f64) -> OnsetPart {
        OnsetPart {
            from: Timestamp::from_micros(from),
            to: Timestamp::from_micros(to),
            probability,
        }
    }

    #[test]
    fn the_interval_spans_what_is_likely() {
        let onset = Onset::of(vec![
            part(0, 10, 1.0),
            part(10, 20, 60.0),
            part(20, 30, 35.0),
            part(30, 40, 4.0),
        ]);
        assert_eq!(
            (onset.from.micros(), onset.to.micros(), onset.at.micros()),
            (10, 30, 15)
        );
        assert_eq!(Onset::of(Vec::new()), Onset::default());
    }

    #[test]
    fn onsets_overlap_by_what_they_have_in_common() {
        let a = Onset::of(vec![part(0, 10, 0.5), part(10, 20, 0.5)]);
        let b = Onset::of(vec![part(10, 20, 0.5), part(20, 30, 0.5)]);
        assert!((a.overlap(&b) - 0.5).abs() < 1e-9);
        assert!((a.overlap(&a) - 1.0).abs() < 1e-9);
    }
}
