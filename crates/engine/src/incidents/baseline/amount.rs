//! Sums and ratios, on a logarithmic scale: cost, calls, cost per call, output tokens per call.

mod noise;
mod season;

use super::super::metric::Minimums;
use super::super::numbers::{median, student_log_ratio};
use super::super::window::Sums;
use super::{DAY, FULL_DAYS, History, LEAST_BLOCKS, LEVEL_HOURS, REACH, Reading, SHORT_HISTORY};
use noise::{autocorrelation, day_drift, residuals, variance_between};
use season::season;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum AmountKind {
    Cost,
    Calls,
    CostPerCall,
    CostPerRun,
    OutputPerCall,
}

impl AmountKind {
    fn is_sum(self) -> bool {
        matches!(self, Self::Cost | Self::Calls)
    }

    /// The sum, over how many calls, and the sum of squares.
    fn of(self, sums: &Sums) -> (f64, f64, f64) {
        match self {
            Self::Cost | Self::CostPerCall => {
                (sums.cost.0 as f64, sums.priced() as f64, sums.cost_squares as f64)
            }
            Self::CostPerRun => (sums.cost.0 as f64, sums.runs as f64, sums.cost_squares as f64),
            Self::Calls => (sums.calls as f64, sums.calls as f64, sums.calls as f64),
            Self::OutputPerCall => (sums.output as f64, sums.calls as f64, sums.output_squares as f64),
        }
    }

    /// Days that weigh as much as the wish for no season at all.
    fn shrinkage(self) -> f64 {
        if self.is_sum() { 3.0 } else { 10.0 }
    }

    /// A scale below which nothing is: hours are never as alike as chance would have it.
    fn floor(self) -> f64 {
        if self.is_sum() { 0.05 } else { 0.03 }
    }

    fn freedom(self) -> f64 {
        if self.is_sum() { 4.0 } else { 8.0 }
    }
}

/// Calls below which a ratio is not read.
const MIN_CALLS: f64 = 5.0;

#[derive(Clone, Debug)]
pub(in super::super) struct Amount {
    kind: AmountKind,
    pub(super) block: usize,
    pub(super) gate: f64,
    /// What is added before the logarithm: half a call, or half of what one costs.
    offset: f64,
    level: f64,
    /// By place in the day, weekdays and weekends.
    season: [Vec<f64>; 2],
    /// Usual calls by place in the day.
    calls: Vec<f64>,
    /// Variance between blocks that have endless calls.
    between: f64,
    /// Variance of one call, relative to the square of the mean.
    within: f64,
    rho: f64,
    /// By how much an expectation is less certain than the scale says.
    doubt: f64,
    /// Nano-dollars in a usual day.
    day_nano: f64,
    least_a_day: f64,
}

impl Amount {
    pub(super) fn fit(
        kind: AmountKind,
        history: &History<'_>,
        until: usize,
        minimums: &Minimums,
    ) -> Option<Self> {
        let block = history.block_hours(until)?;
        let offset = offset(kind, history, until);
        let places = DAY / block;
        let from = until.saturating_sub(REACH);
        let mut blocks = Vec::new();
        for start in (from..until).step_by(block) {
            if history.is_clean(start, block) {
                blocks.extend(value(kind, history, start, block, offset).map(|(y, n)| (start, y, n)));
            }
        }
        if blocks.len() < LEAST_BLOCKS {
            return None;
        }
        let days = blocks.len() / places;
        let is_long = days >= FULL_DAYS;
        let season = season(kind, &blocks, places, block, history.weekend, is_long);
        let rest =
            |(start, y, _): &(usize, f64, f64)| y - season[season_of(history, *start)][start % DAY / block];
        let recent = LEVEL_HOURS / block;
        let mut newest: Vec<f64> = blocks.iter().rev().take(recent).map(rest).collect();
        let newest_count = newest.len() as f64;
        let level = median(&mut newest)?;
        let within = if kind == AmountKind::Calls {
            1.0
        } else {
            spread(kind, history, until)
        };
        let within = if kind == AmountKind::Cost {
            1.0 + within
        } else {
            within
        };
        let calls = usual_calls(&blocks, places, block);
        // Residuals against the level that was known then, so that slow drift is part of the scale.
        let rests: Vec<f64> = blocks.iter().map(rest).collect();
        let residuals = residuals(&rests, recent);
        let sampled: Vec<f64> = blocks
            .iter()
            .map(|(start, _, n)| within / expected_calls(kind, &calls, start % DAY / block, *n))
            .collect();
        let short = if is_long { 1.0 } else { SHORT_HISTORY };
        // Seasons are fitted to the same days: with few of them, residuals look smaller than they will be.
        let fitted = 1.0 + 1.0 / (days.max(1) as f64 + 1.0);
        let between =
            (variance_between(&residuals, &sampled) * fitted).max(kind.floor().powi(2)) * short * short;
        let rho = autocorrelation(&blocks, &residuals, &sampled, between, block);
        let effective = (newest_count * (1.0 - rho) / (1.0 + rho)).max(1.0);
        let drift = day_drift(&blocks, &rests, block);
        let noise = if kind.is_sum() { 1.0 } else { 2.0 } * between.sqrt();
        let gate = (1.0 + minimums.relative).ln().max(noise).max(3.0 * drift);
        Some(Self {
            kind,
            block,
            gate,
            offset,
            level,
            season,
            calls,
            between,
            within,
            rho,
            doubt: (1.0 + 1.0 / effective).sqrt(),
            day_nano: day_nano(history, until),
            least_a_day: minimums.cost.0 as f64,
        })
    }

    fn expected(&self, history: &History<'_>, start: usize) -> f64 {
        self.level
            + self.season[season_of(history, start)]
                .get(start % DAY / self.block)
                .copied()
                .unwrap_or(0.0)
    }

    fn scale(&self, start: usize, calls: f64) -> f64 {
        let calls = expected_calls(self.kind, &self.calls, start % DAY / self.block, calls);
        (self.between + self.within / calls).sqrt()
    }

    pub(super) fn read(&self, history: &History<'_>, start: usize, is_running: bool) -> Option<Reading> {
        let (y, calls) = if is_running {
            let sums = history.known(start, self.block)?;
            value_of(self.kind, &sums, self.offset)?
        } else {
            value(self.kind, history, start, self.block, self.offset)?
        };
        let effect = y - self.expected(history, start);
        // What is already more than a whole hour's will not become less.
        if is_running && self.kind.is_sum() && effect <= 0.0 {
            return None;
        }
        let scale = self.scale(start, calls);
        Some(Reading {
            calls,
            deviations: effect / scale,
            effect,
            weight: 1.0 / (scale * scale),
        })
    }

    pub(super) fn log_ratio(
        &self,
        at: &Reading,
        before: Option<&Reading>,
        size: f64,
        shares: (f64, f64),
    ) -> f64 {
        let rho = if before.is_some() { self.rho } else { 0.0 };
        let white = (1.0 - rho * rho).sqrt() * self.doubt;
        let innovation = (at.deviations - rho * before.map_or(0.0, |before| before.deviations)) / white;
        let shift = |weight: f64| self.gate * size * weight.sqrt();
        let mean = (shares.0 * shift(at.weight)
            - rho * shares.1 * shift(before.map_or(0.0, |before| before.weight)))
            / white;
        student_log_ratio(innovation, mean, self.kind.freedom())
    }

    pub(super) fn matters(&self, history: &History<'_>, hours: std::ops::Range<usize>, effect: f64) -> bool {
        if effect < self.gate {
            return false;
        }
        let is_money = matches!(
            self.kind,
            AmountKind::Cost | AmountKind::CostPerCall | AmountKind::CostPerRun
        );
        if !is_money {
            return true;
        }
        // A dollar a day, at the pace of these hours or of a usual day.
        let (mut nano, mut count) = (0.0, 0.0);
        for sums in hours.filter_map(|hour| history.hour(hour)) {
            nano += sums.cost.0 as f64;
            count += 1.0;
        }
        let pace = if count > 0.0 {
            nano / count * DAY as f64
        } else {
            0.0
        };
        let share = 1.0 - (-effect).exp();
        (pace * share).max(self.day_nano * effect.exp_m1()) >= self.least_a_day
    }
}

fn season_of(history: &History<'_>, start: usize) -> usize {
    usize::from(history.weekend.get(start).copied().unwrap_or(false))
}

fn offset(kind: AmountKind, history: &History<'_>, until: usize) -> f64 {
    match kind {
        AmountKind::Calls => 0.5,
        AmountKind::Cost => {
            let (mut nano, mut calls) = (0.0, 0.0);
            for (_, sums) in history.clean_hours(until) {
                nano += sums.cost.0 as f64;
                calls += sums.calls as f64;
            }
            if calls > 0.0 {
                (nano / calls / 2.0).max(1.0)
            } else {
                1.0
            }
        }
        AmountKind::CostPerCall | AmountKind::CostPerRun | AmountKind::OutputPerCall => 0.0,
    }
}

/// The logarithm of a block's value, and its calls.
fn value(
    kind: AmountKind,
    history: &History<'_>,
    start: usize,
    block: usize,
    offset: f64,
) -> Option<(f64, f64)> {
    let sums = if kind.is_sum() {
        history.whole(start, block)?
    } else {
        history.known(start, block)?
    };
    let (y, calls) = value_of(kind, &sums, offset)?;
    Some((y + history.shift_of(start), calls))
}

fn value_of(kind: AmountKind, sums: &Sums, offset: f64) -> Option<(f64, f64)> {
    let (total, calls, _) = kind.of(sums);
    if kind.is_sum() {
        return (total + offset > 0.0).then(|| ((total + offset).ln(), calls));
    }
    (calls >= MIN_CALLS && total > 0.0).then(|| ((total / calls).ln(), calls))
}

/// A ratio is as certain as the calls it has; a sum as those it usually has.
fn expected_calls(kind: AmountKind, usual: &[f64], place: usize, calls: f64) -> f64 {
    if kind.is_sum() {
        usual.get(place).copied().unwrap_or(1.0).max(0.5)
    } else {
        calls.max(1.0)
    }
}

fn usual_calls(blocks: &[(usize, f64, f64)], places: usize, block: usize) -> Vec<f64> {
    let mut by_place: Vec<Vec<f64>> = vec![Vec::new(); places];
    for (start, _, calls) in blocks {
        by_place[start % DAY / block].push(*calls);
    }
    by_place
        .iter_mut()
        .map(|calls| median(calls).unwrap_or(1.0))
        .collect()
}

/// Relative variance of one call.
fn spread(kind: AmountKind, history: &History<'_>, until: usize) -> f64 {
    let (mut total, mut calls, mut squares) = (0.0, 0.0, 0.0);
    for (_, sums) in history.clean_hours(until) {
        let (more, n, square) = kind.of(sums);
        total += more;
        calls += n;
        squares += square;
    }
    if total <= 0.0 || calls <= 0.0 || squares <= 0.0 {
        return 1.0;
    }
    let second = squares * calls / (total * total);
    // How many calls a run has is chance too.
    let known = if kind == AmountKind::CostPerRun { 0.0 } else { 1.0 };
    (second - known).clamp(0.01, 100.0)
}

fn day_nano(history: &History<'_>, until: usize) -> f64 {
    let (mut nano, mut hours) = (0.0, 0.0);
    for (_, sums) in history.clean_hours(until).take(LEVEL_HOURS) {
        nano += sums.cost.0 as f64;
        hours += 1.0;
    }
    if hours > 0.0 {
        nano / hours * DAY as f64
    } else {
        0.0
    }
}
