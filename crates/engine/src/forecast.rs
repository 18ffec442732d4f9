//! What a month will cost: from the spend of the days before, with an interval that eight months in ten end within.
//!
//! A day's spend is a level times a factor for weekends times noise. The level is a mean that forgets: a day counts half
//! as much as one five days later. It begins anew where spend came to another level and stayed there (`settled.rs`), and
//! steady growth goes on, damped (`trend.rs`). How far off such a forecast is, the history itself says: forecasts are made
//! from earlier days of it and compared with what came.

mod by_key;
mod history;
mod interval;
mod sentences;
mod settled;
mod trend;

use domain::{NanoUsd, Timestamp};
use serde::{Deserialize, Serialize};

use history::Level;
use interval::Spread;
use settled::Settled;
use trend::Trend;

pub use by_key::{BudgetOutlook, KeyForecast, WithoutDeploy, forecasts};
pub use history::{History, MIN_DAYS};

const DAY_MICROS: i64 = 86_400_000_000;

/// An amount that is expected, and an interval that eight in ten lie within.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Outlook {
    /// As likely too low as too high.
    pub expected: NanoUsd,
    /// One in ten ends below.
    pub low: NanoUsd,
    /// One in ten ends above.
    pub high: NanoUsd,
}

/// How a month ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MonthEnd {
    /// Spent until now.
    pub spent: NanoUsd,
    /// All of it at the month's end.
    pub month_end: Outlook,
    /// The complete days that it rests on.
    pub days: u32,
}

/// When a budget is used up: on which day, by its midnight in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Exhaustion {
    /// As expected; `None` when it outlasts the month.
    pub expected: Option<Timestamp>,
    /// One in ten is used up before that; `None` when nine in ten outlast the month.
    pub earliest: Option<Timestamp>,
}

/// A change of what calls cost, as a deploy made it: 0.5 is half as much again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CostChange {
    /// The change.
    pub estimate: f64,
    /// The lower end of its interval of 95 %.
    pub low: f64,
    /// The upper end of its interval of 95 %.
    pub high: f64,
}

impl CostChange {
    /// By what a cost is multiplied.
    fn ratio(&self) -> f64 {
        (1.0 + self.estimate).max(0.01)
    }
}

/// How the rest of the month goes on, day by day.
#[derive(Clone, Debug)]
pub struct Forecast {
    spent: f64,
    /// What is left of today, then each whole day until the month's end.
    days: Vec<f64>,
    /// Where today began.
    today: Timestamp,
    spread: Spread,
    basis: u32,
}

impl Forecast {
    /// From the spend of complete days. `None` when there are fewer than [`MIN_DAYS`] of them.
    pub fn of(history: &History) -> Option<Self> {
        let settled = Settled::of(history);
        let level = Level::of(&settled.history, settled.since)?;
        let trend = Trend::of(&settled.history, &level);
        let now = history.now;
        let today = now.day();
        let end = today.next_month();
        let left_today = 1.0 - (now.micros() - today.micros()) as f64 / DAY_MICROS as f64;
        let count = (end.micros() - today.micros()) / DAY_MICROS;
        let days = (0..count)
            .map(|day| {
                let grown = trend.factor(day as f64 + 1.0 + level.age);
                let whole = level.on(today.plus_micros(day * DAY_MICROS)) * grown;
                if day == 0 { whole * left_today } else { whole }
            })
            .collect();
        Some(Self {
            spent: history.spent,
            days,
            today,
            spread: Spread::of(&settled, &level, &trend),
            basis: u32::try_from(history.days.len()).unwrap_or(u32::MAX),
        })
    }

    /// How the month ends when nothing changes.
    pub fn month_end(&self) -> MonthEnd {
        MonthEnd {
            spent: nano_usd(self.spent),
            month_end: self.outlook(1.0, 0.0),
            days: self.basis,
        }
    }

    /// How it would end had a deploy not changed what calls cost, from now on: as many calls, each for what they cost
    /// before it.
    pub fn without(&self, change: &CostChange) -> Outlook {
        const SIDES_95: f64 = 2.0 * 1.959_964;
        // How sure the ratio is, on a logarithmic scale.
        let (low, high) = ((1.0 + change.low).max(0.01), (1.0 + change.high).max(0.01));
        let error = (high / low).ln().max(0.0) / SIDES_95;
        self.outlook(1.0 / change.ratio(), error)
    }

    /// The rest of the month times `factor`, which is sure up to `error`, a standard error on a logarithmic scale.
    fn outlook(&self, factor: f64, error: f64) -> Outlook {
        let rest: f64 = self.days.iter().sum::<f64>() * factor;
        let (low, high) = self.spread.around(self.days.len(), error);
        Outlook {
            expected: nano_usd(self.spent + rest),
            low: nano_usd(self.spent + rest * low),
            high: nano_usd(self.spent + rest * high),
        }
    }

    /// When a monthly budget is used up.
    pub fn exhaustion(&self, budget: NanoUsd) -> Exhaustion {
        let day_of = |factor: &dyn Fn(usize) -> f64| {
            let mut rest = 0.0;
            self.days.iter().enumerate().find_map(|(day, expected)| {
                rest += expected;
                let is_over = self.spent + rest * factor(day + 1) >= budget.0 as f64;
                is_over.then(|| {
                    let day = i64::try_from(day).unwrap_or(0);
                    self.today.plus_micros(day * DAY_MICROS)
                })
            })
        };
        Exhaustion {
            expected: day_of(&|_| 1.0),
            earliest: day_of(&|days| self.spread.around(days, 0.0).1),
        }
    }
}

fn nano_usd(amount: f64) -> NanoUsd {
    NanoUsd(amount.round() as i64)
}

#[cfg(test)]
mod tests;
