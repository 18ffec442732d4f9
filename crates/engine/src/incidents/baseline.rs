//! What a series usually does, from its clean hours before a day.

mod amount;
mod mix;
mod share;

pub(super) use amount::{Amount, AmountKind};
pub(super) use mix::Mix;
pub(super) use share::{Share, ShareKind};

use super::grid::Hours;
use super::metric::{Metric, Minimums};
use super::window::Sums;

pub(super) const DAY: usize = 24;
/// How far back a baseline looks, in hours.
const REACH: usize = 28 * DAY;
/// A series with fewer clean hours is being learned.
pub(super) const MIN_CLEAN_HOURS: usize = 24;
/// Hours that say where a series is now: those of the last 7 clean days.
const LEVEL_HOURS: usize = 7 * DAY;
/// Calls that a block of hours should have.
const BLOCK_CALLS: f64 = 30.0;
/// Fewer blocks say nothing of how much they differ: a series of a few calls a day is known after a week.
const LEAST_BLOCKS: usize = 7;
/// Below it a baseline knows no weekdays and trusts itself less.
const FULL_DAYS: usize = 7;
/// By how much less.
const SHORT_HISTORY: f64 = 1.5;

/// What a baseline is made from.
pub(super) struct History<'a> {
    pub(super) hours: &'a Hours,
    /// Which hour the first of `hours` is. What comes before it is not known here, and a baseline is not fitted to it.
    pub(super) begins: usize,
    /// Which hours belong to no incident.
    pub(super) clean: &'a [bool],
    /// What was added to the logarithm of earlier hours when a change was accepted as normal: up to which hour, and
    /// how much.
    pub(super) accepted: &'a [(usize, f64)],
    /// Which hours are on a weekend.
    pub(super) weekend: &'a [bool],
}

impl<'a> History<'a> {
    /// Behind the last hour.
    fn end(&self) -> usize {
        self.begins + self.hours.len()
    }

    /// What happened in an hour; `None` when that is not known.
    fn hour(&self, hour: usize) -> Option<&'a Sums> {
        self.hours.get(hour.checked_sub(self.begins)?)?.as_ref()
    }

    /// The hours of a block as far as there are any; `None` when it begins before the first or behind the last.
    fn block(&self, from: usize, length: usize) -> Option<&'a [Option<Sums>]> {
        let first = from.checked_sub(self.begins)?;
        self.hours.get(first..(first + length).min(self.hours.len()))
    }

    /// Sums of a block, clean or not; `None` when one of its hours is missing.
    fn whole(&self, from: usize, length: usize) -> Option<Sums> {
        let hours = self.block(from, length).filter(|hours| hours.len() == length)?;
        let mut sums = Sums::default();
        for hour in hours {
            sums.add_figures(hour.as_ref()?);
        }
        Some(sums)
    }

    /// Sums of what is known of a block.
    fn known(&self, from: usize, length: usize) -> Option<Sums> {
        let mut hours = self.block(from, length)?.iter().flatten();
        let mut sums = Sums::default();
        let first = hours.next()?;
        sums.add_figures(first);
        hours.for_each(|hour| sums.add_figures(hour));
        Some(sums)
    }

    /// Clean hours with data before `until`, newest first.
    fn clean_hours(&self, until: usize) -> impl Iterator<Item = (usize, &Sums)> {
        let from = until.saturating_sub(REACH);
        (from..until.min(self.end())).rev().filter_map(|hour| {
            let sums = self.hour(hour)?;
            self.clean
                .get(hour)
                .copied()
                .unwrap_or(false)
                .then_some((hour, sums))
        })
    }

    fn is_clean(&self, from: usize, length: usize) -> bool {
        self.clean
            .get(from..from + length)
            .is_some_and(|hours| hours.iter().all(|clean| *clean))
    }

    fn shift_of(&self, hour: usize) -> f64 {
        self.accepted
            .iter()
            .filter(|(until, _)| hour < *until)
            .map(|(_, by)| by)
            .sum()
    }

    /// How many hours in a row are judged as one, so that there are enough calls in them: a divisor of 24, with what
    /// it rests on. `None` while the series is being learned.
    fn block_hours(&self, until: usize) -> Option<usize> {
        let recent: Vec<f64> = self
            .clean_hours(until)
            .take(LEVEL_HOURS)
            .map(|(_, sums)| sums.calls as f64)
            .collect();
        if recent.len() < MIN_CLEAN_HOURS {
            return None;
        }
        let each = recent.iter().sum::<f64>() / recent.len() as f64;
        let fits = |length: &&usize| **length as f64 * each >= BLOCK_CALLS;
        Some([1, 2, 3, 4, 6, 8, 12].iter().find(fits).copied().unwrap_or(DAY))
    }
}

/// A block of hours beside what was expected of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// Calls in it.
    pub(super) calls: f64,
    /// How many deviations above the expectation, in the direction that is looked at.
    pub(super) deviations: f64,
    /// The difference in the unit of [`Baseline::gate`].
    pub(super) effect: f64,
    /// How much the effect counts in a mean of several.
    pub(super) weight: f64,
}

/// The baseline of a series for one day.
#[derive(Clone, Debug)]
pub(super) enum Baseline {
    Amount(Amount),
    Share(Share),
    Mix(Mix),
}

impl Baseline {
    pub(super) fn fit(
        metric: Metric,
        history: &History<'_>,
        until: usize,
        minimums: &Minimums,
    ) -> Option<Self> {
        let amount = |kind| Amount::fit(kind, history, until, minimums).map(Self::Amount);
        let share = |kind| Share::fit(kind, history, until, minimums).map(Self::Share);
        match metric {
            Metric::Cost => amount(AmountKind::Cost),
            Metric::Calls => amount(AmountKind::Calls),
            Metric::CostPerCall => amount(AmountKind::CostPerCall),
            Metric::CostPerRun => amount(AmountKind::CostPerRun),
            Metric::OutputTokens => amount(AmountKind::OutputPerCall),
            Metric::LatencyP95 => share(ShareKind::Slow),
            Metric::TtftP95 => share(ShareKind::SlowFirstToken),
            Metric::ErrorRate => share(ShareKind::Errors),
            Metric::AnomalyRate => share(ShareKind::Anomalies),
            Metric::ShapeMix => Mix::fit(history, until, minimums).map(Self::Mix),
        }
    }

    /// How many hours it judges as one.
    pub(super) fn block(&self) -> usize {
        match self {
            Self::Amount(of) => of.block,
            Self::Share(of) => of.block,
            Self::Mix(of) => of.block,
        }
    }

    /// The smallest effect that matters.
    pub(super) fn gate(&self) -> f64 {
        match self {
            Self::Amount(of) => of.gate,
            Self::Share(of) => of.gate,
            Self::Mix(of) => of.gate,
        }
    }

    /// Reads a block; `None` when there is too little in it.
    pub(super) fn read(&self, history: &History<'_>, from: usize, is_running: bool) -> Option<Reading> {
        match self {
            Self::Amount(of) => of.read(history, from, is_running),
            Self::Share(of) => of.read(history, from),
            Self::Mix(of) => of.read(history, from),
        }
    }

    /// The log likelihood ratio of a shift by `size` times the smallest that matters against none, for one block with
    /// the share `now` of the shift in force, `before` of it in the block before.
    pub(super) fn log_ratio(
        &self,
        at: &Reading,
        before: Option<&Reading>,
        size: f64,
        shares: (f64, f64),
    ) -> f64 {
        match self {
            Self::Amount(of) => of.log_ratio(at, before, size, shares),
            Self::Share(of) => of.log_ratio(at, size, shares.0),
            Self::Mix(of) => of.log_ratio(at, size, shares.0),
        }
    }

    /// How strong the effect of some hours together is, and whether it matters.
    pub(super) fn matters(&self, history: &History<'_>, hours: std::ops::Range<usize>, effect: f64) -> bool {
        match self {
            Self::Amount(of) => of.matters(history, hours, effect),
            Self::Share(of) => of.matters(history, hours),
            Self::Mix(_) => effect >= self.gate(),
        }
    }
}
