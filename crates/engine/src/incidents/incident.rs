//! What an incident is, as pages, the API and alerts say it.

use domain::{NanoUsd, Timestamp};
use serde::{Deserialize, Serialize};

use super::attribution::{Attribution, NullOption, Verdict};
use super::decomposition::Term;
use super::metric::Metric;
use super::onset::Onset;
use super::shift::{Door, Status};

/// A value in its metric's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Amount {
    /// Nano-dollars, or calls.
    Whole(i64),
    /// Milliseconds, tokens of a call, shares.
    Real(f64),
}

impl Amount {
    /// For drawing and comparing.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Real(real) => real,
        }
    }

    /// How much larger than another value of the same metric.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => Self::Whole(a.saturating_sub(b)),
            (a, b) => Self::Real(a.as_f64() - b.as_f64()),
        }
    }
}

/// One day of an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentDay {
    /// Its first moment, UTC.
    pub date: Timestamp,
    /// What was measured; of a running day, what has elapsed.
    pub actual: Amount,
    /// The same hours of the days of the baseline.
    pub baseline: Amount,
    /// How many standard deviations above it, by the daily rule for cost; `None` with fewer than 7 days.
    pub sigma: Option<f64>,
    /// Calls of the day.
    pub samples: i64,
}

/// What moved with an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    /// The key's label.
    pub key: String,
    /// The step, where it is one.
    pub step: Option<String>,
    /// What moved.
    pub metric: Metric,
    /// When it began to.
    pub onset: Timestamp,
    /// After it against before: 0.6 is 60 % more. Of shares, the difference.
    pub change: f64,
}

/// A part of a change, in the unit of its metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "unit", content = "terms", rename_all = "snake_case")]
pub enum Decomposition {
    /// Whole nano-dollars that sum to the change exactly.
    NanoUsd(Vec<Term<NanoUsd>>),
    /// Milliseconds of the p95, and of the mean: two views of one change.
    Ms {
        /// They sum to the change of the p95.
        p95: Vec<Term<f64>>,
        /// They sum to the change of the mean.
        mean: Vec<Term<f64>>,
    },
    /// Shares.
    Share(Vec<Term<f64>>),
    /// Tokens of a call.
    Tokens(Vec<Term<f64>>),
    /// Nothing to take apart.
    None,
}

/// Something that left its baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// The key; `None` where one model moved on all keys at once.
    pub key: Option<String>,
    /// The step, where only that moved enough.
    pub step: Option<String>,
    /// The model that nearly all its calls have, where it is one of a step, or of one model on all keys.
    #[serde(default)]
    pub model: Option<String>,
    /// What it is called by.
    pub metric: Metric,
    /// How it stands.
    pub status: Status,
    /// One hour was extreme and the next is not over.
    pub is_provisional: bool,
    /// What opened it.
    pub door: Door,
    /// When it began.
    pub onset: Onset,
    /// When it was noticed: the end of the hour that was enough.
    pub opened_at: Timestamp,
    /// The end of its last hour.
    pub last_at: Timestamp,
    /// When it was closed or accepted.
    pub ended_at: Option<Timestamp>,
    /// How often it came back.
    pub flaps: u32,
    /// The first day that the daily rule flagged in it.
    pub flagged_on: Option<Timestamp>,
    /// The day its figures are of: the first flagged one, else that of the onset; then the days that follow.
    pub days: Vec<IncidentDay>,
    /// Where the change of that day comes from.
    pub decomposition: Decomposition,
    /// What moved with it.
    pub also_moved: Vec<Moved>,
    /// What caused it.
    pub verdict: Verdict,
    /// Every deploy that could have, likeliest first; those that are cleared say why.
    pub attributions: Vec<Attribution>,
    /// How likely each cause is that is no deploy.
    pub nulls: Vec<NullOption>,
}

impl Incident {
    /// The day its figures are of.
    pub fn day(&self) -> Option<&IncidentDay> {
        self.days.first()
    }

    /// Actual less baseline of that day.
    pub fn delta(&self) -> Amount {
        self.day()
            .map_or(Amount::Real(0.0), |day| day.actual.minus(day.baseline))
    }

    /// The day on which it was worst.
    pub fn peak(&self) -> Option<&IncidentDay> {
        let above = |day: &&IncidentDay| day.actual.minus(day.baseline).as_f64();
        self.days.iter().max_by(|a, b| above(a).total_cmp(&above(b)))
    }

    /// Whether a stored incident is this one: of the same key, of the same metric or both of money, at times that
    /// overlap. A moving onset keeps its identity, and so does a dearer call that became a dearer day.
    pub fn is_same(
        &self,
        key: Option<&str>,
        metric: Metric,
        onset_from: Timestamp,
        last_at: Timestamp,
    ) -> bool {
        self.key.as_deref() == key
            && (self.metric == metric || self.metric.is_money() && metric.is_money())
            && self.onset.from < last_at
            && onset_from < self.last_at
    }
}
