//! How far off a forecast is.

use super::history::{History, Level};
use super::settled::Settled;
use super::trend::Trend;

/// Eight in ten lie within so many standard errors.
const Z_80: f64 = 1.281_552;
/// Days that an earlier forecast is compared over.
const AHEAD: usize = 7;
/// The least that a day differs from what was expected, as a share: nothing is surer than that.
const LEAST_NOISE: f64 = 0.03;
/// What the level drifts by in a day, at least.
const LEAST_DRIFT: f64 = 0.01;
/// What it drifts by where the history is too short to say, counted as so many earlier forecasts.
const PRIOR_DRIFT: f64 = 0.04;
const PRIOR_FORECASTS: f64 = 4.0;

/// How far off, as shares of what is expected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    /// Variance of one day around its level.
    noise: f64,
    /// Variance of the level itself.
    level: f64,
    /// What that grows by each day.
    drift: f64,
    /// Few days make it wider.
    few: f64,
    /// The standard error of what it grows by in a day, and the days over which that has added up by today.
    trend: f64,
    age: f64,
    /// The logarithm of another level that it may have come to, on the last day; else 0.
    unsettled: f64,
}

impl Spread {
    /// `level` and `trend` are those of the settled history.
    pub(super) fn of(settled: &Settled, level: &Level, trend: &Trend) -> Self {
        let history: &History = &settled.history;
        let days = history.len();
        let begin = super::MIN_DAYS;
        let mut squares = Vec::new();
        let mut ahead = Vec::new();
        for count in begin..days {
            let Some(then) = Level::of(&history.until(count), 0) else {
                continue;
            };
            let expected = then.on(history.day(count));
            if expected > 0.0 {
                squares.push((history.days[count] / expected - 1.0).clamp(-1.0, 3.0).powi(2));
            }
            if count + AHEAD <= days {
                let came: f64 = history.days[count..count + AHEAD].iter().sum();
                let expected: f64 = (count..count + AHEAD)
                    .map(|place| then.on(history.day(place)))
                    .sum();
                if expected > 0.0 && came > 0.0 {
                    ahead.push((came / expected).ln().powi(2));
                }
            }
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let one_day = if squares.is_empty() {
            0.1
        } else {
            mean(&squares).max(LEAST_NOISE * LEAST_NOISE)
        };
        // One day ahead is off by its noise and by that of the level, which earlier rested on all days before.
        let weight = Level::of(history, 0).map_or(level.weight, |all| all.weight);
        let noise = one_day / (1.0 + 1.0 / weight);
        // Some days ahead what is more than these two is drift, which a sum of n days has a third of, n times.
        let counted = ahead.len() as f64 / AHEAD as f64;
        let seen = (mean(&ahead) - noise / AHEAD as f64 - noise / weight).max(0.0);
        let seen = seen / (AHEAD as f64 / 3.0);
        let prior = PRIOR_DRIFT * PRIOR_DRIFT;
        let drift = (seen * counted + prior * PRIOR_FORECASTS) / (counted + PRIOR_FORECASTS);
        Self {
            noise,
            level: noise / level.weight,
            drift: drift.max(LEAST_DRIFT * LEAST_DRIFT),
            few: 1.0 + 2.0 / days as f64,
            trend: trend.error,
            age: level.age,
            unsettled: settled.unsettled,
        }
    }

    /// The factors that the sum of so many days lies between, eight times in ten. `error` is one more standard error.
    pub(super) fn around(&self, days: usize, error: f64) -> (f64, f64) {
        let days = days.max(1) as f64;
        let trend = self.trend * (days / 2.0 + self.age);
        let variance =
            self.noise / days + self.level + self.drift * days / 3.0 + trend * trend + error * error;
        let reach = Z_80 * self.few * variance.sqrt();
        // A last day far off may stay alone or be the first of many: the interval holds both.
        let (below, above) = (self.unsettled.min(0.0), self.unsettled.max(0.0));
        ((below - reach).exp(), (above + reach).exp())
    }
}
