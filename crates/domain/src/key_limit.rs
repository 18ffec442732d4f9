//! What the keys of one label may use in a minute and in a month, and what they used. Several keys of one label share a
//! limit, so that one can take another's place.
//!
//! **Error bound:** each process counts what it admits at once and hears of the others' counts when it exchanges them. So a
//! limit of requests is passed by what the other processes admit between two exchanges, at most; limits of tokens and
//! dollars in addition by the calls that are under way, because what those use is known when they end.

use serde::{Deserialize, Serialize};

use crate::{NanoUsd, Timestamp};

/// Amounts of one period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// Calls through the proxy, and requests that send steps.
    pub requests: i64,
    /// All four buckets of tokens.
    pub tokens: i64,
    /// What is known of the cost.
    pub cost: NanoUsd,
}

impl Amounts {
    fn add(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.cost = self.cost.saturating_add(other.cost);
    }
}

/// The most of each amount; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MostAmounts {
    /// Requests.
    pub requests: Option<i64>,
    /// Tokens.
    pub tokens: Option<i64>,
    /// Cost.
    pub cost: Option<NanoUsd>,
}

impl MostAmounts {
    /// The measure that is used up, with its limit as text.
    fn used_up(&self, used: &Amounts) -> Option<(Measure, String)> {
        let is_over = |limit: Option<i64>, used: i64| limit.filter(|limit| used >= *limit);
        if let Some(limit) = is_over(self.requests, used.requests) {
            return Some((Measure::Requests, limit.to_string()));
        }
        if let Some(limit) = is_over(self.tokens, used.tokens) {
            return Some((Measure::Tokens, limit.to_string()));
        }
        is_over(self.cost.map(|cost| cost.0), used.cost.0)
            .map(|limit| (Measure::Dollars, NanoUsd(limit).to_decimal()))
    }
}

/// A share of a monthly limit that is worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reached {
    /// What is limited.
    pub measure: Measure,
    /// The limit: requests, tokens, or nano-dollars.
    pub limit: i64,
    /// What is used of it.
    pub used: i64,
    /// [`TOLD_PERCENT`]: the highest that is reached.
    pub percent: u32,
}

/// From which shares of a month's limit on somebody is told, in percent.
pub const TOLD_PERCENT: [u32; 2] = [80, 100];

impl MostAmounts {
    /// Of each limit the highest share of [`TOLD_PERCENT`] that is reached.
    pub fn reached(&self, used: &Amounts) -> Vec<Reached> {
        let of = |measure, limit: Option<i64>, used: i64| {
            let limit = limit?;
            let has = |percent: u32| i128::from(used) * 100 >= i128::from(limit) * i128::from(percent);
            let percent = TOLD_PERCENT.into_iter().rev().find(|percent| has(*percent))?;
            Some(Reached {
                measure,
                limit,
                used,
                percent,
            })
        };
        [
            of(Measure::Requests, self.requests, used.requests),
            of(Measure::Tokens, self.tokens, used.tokens),
            of(Measure::Dollars, self.cost.map(|cost| cost.0), used.cost.0),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The limits of a label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLimits {
    /// In each minute.
    pub minute: MostAmounts,
    /// In each month, UTC.
    pub month: MostAmounts,
}

impl KeyLimits {
    /// Whether nothing is limited.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Requests.
    Requests,
    /// Tokens.
    Tokens,
    /// Cost in dollars.
    Dollars,
}

impl Measure {
    /// The word in sentences.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Dollars => "dollars",
        }
    }

    /// An amount as messages say it: `$5.00`, `1,000 tokens`.
    pub fn said(self, amount: i64) -> String {
        match self {
            Self::Dollars => NanoUsd(amount).to_short(),
            Self::Requests | Self::Tokens => {
                let number = crate::text::grouped(amount.unsigned_abs());
                format!("{number} {}", self.as_str())
            }
        }
    }
}

/// How long an amount counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    /// A minute of the clock.
    Minute,
    /// A month of the calendar, UTC.
    Month,
}

impl Period {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Minute, Self::Month];

    /// The word in the database and in sentences.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Month => "month",
        }
    }

    /// When the one began that `now` lies in.
    pub fn begin(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Minute => now.minute(),
            Self::Month => now.month(),
        }
    }

    /// When the next one begins.
    pub fn next(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Minute => now.minute().plus_micros(60_000_000),
            Self::Month => now.next_month(),
        }
    }
}

/// A limit that is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedUp {
    /// Of which period.
    pub period: Period,
    /// What is used up.
    pub measure: Measure,
    /// The limit, as text.
    pub limit: String,
    /// When there is room again.
    pub until: Timestamp,
}

/// What one process knows of a label's use in one period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted {
    /// The beginning of the period; [`Timestamp::default`] before the first.
    begin: Timestamp,
    /// By all processes, as of the last exchange.
    shared: Amounts,
    /// By this process, on its way to the others.
    leaving: Amounts,
    /// By this process since.
    own: Amounts,
}

impl Counted {
    /// A new period begins with nothing.
    fn roll(&mut self, begin: Timestamp) {
        if self.begin < begin {
            *self = Self {
                begin,
                ..Self::default()
            };
        }
    }

    fn total(&self) -> Amounts {
        let mut total = self.shared;
        total.add(self.leaving);
        total.add(self.own);
        total
    }
}

/// The limits of a label, and what one process knows of its use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyCounter {
    limits: KeyLimits,
    minute: Counted,
    month: Counted,
}

impl KeyCounter {
    /// Counts a request, unless a limit is used up.
    pub fn admit(&mut self, now: Timestamp) -> Result<(), UsedUp> {
        for period in Period::ALL {
            let limits = match period {
                Period::Minute => self.limits.minute,
                Period::Month => self.limits.month,
            };
            let counted = self.counted(period);
            counted.roll(period.begin(now));
            if let Some((measure, limit)) = limits.used_up(&counted.total()) {
                return Err(UsedUp {
                    period,
                    measure,
                    limit,
                    until: period.next(now),
                });
            }
        }
        self.add(
            Amounts {
                requests: 1,
                ..Amounts::default()
            },
            now,
        );
        Ok(())
    }

    /// What of this month's limits is worth telling.
    pub fn reached_in_month(&self, now: Timestamp) -> Vec<Reached> {
        if self.month.begin == Period::Month.begin(now) {
            self.limits.month.reached(&self.month.total())
        } else {
            Vec::new()
        }
    }

    /// Counts what was used.
    pub fn add(&mut self, used: Amounts, now: Timestamp) {
        for period in Period::ALL {
            let counted = self.counted(period);
            counted.roll(period.begin(now));
            counted.own.add(used);
        }
    }

    /// What the other processes have not heard of yet, with the beginning of its period. It is on its way from now on, until
    /// [`KeyCounter::arrived`] or [`KeyCounter::lost`].
    pub fn leave(&mut self) -> Vec<(Period, Timestamp, Amounts)> {
        let mut leaving = Vec::new();
        for period in Period::ALL {
            let counted = self.counted(period);
            if counted.own != Amounts::default() {
                counted.leaving.add(std::mem::take(&mut counted.own));
                leaving.push((period, counted.begin, counted.leaving));
            }
        }
        leaving
    }

    /// What was on its way has arrived; these are the limits, and what all processes used in the periods that begin then.
    pub fn arrived(&mut self, limits: KeyLimits, shared: [(Timestamp, Amounts); 2]) {
        self.limits = limits;
        for (period, (begin, shared)) in Period::ALL.into_iter().zip(shared) {
            let counted = self.counted(period);
            counted.leaving = Amounts::default();
            counted.roll(begin);
            if counted.begin == begin {
                counted.shared = shared;
            }
        }
    }

    /// What was on its way did not arrive.
    pub fn lost(&mut self) {
        for period in Period::ALL {
            let counted = self.counted(period);
            let leaving = std::mem::take(&mut counted.leaving);
            counted.own.add(leaving);
        }
    }

    fn counted(&mut self, period: Period) -> &mut Counted {
        match period {
            Period::Minute => &mut self.minute,
            Period::Month => &mut self.month,
        }
    }
}

#[cfg(test)]
mod tests;
