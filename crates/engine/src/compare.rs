//! What changed between two sets of calls, and whether that could be chance.
//!
//! Means and rates are compared as ratios on a logarithmic scale (delta method), percentiles by the ranks around them,
//! shares by their difference (Newcombe's method 10). All intervals are of 95 %. Of few calls the error is a guess as
//! well, which makes intervals wider.

mod chance;

use domain::series::MetricUnit;
use serde::{Deserialize, Serialize};

use crate::Histogram;
use crate::series::{MetricValue, Sums};

/// Fewer calls than this on a side are said aloud.
pub const FEW_CALLS: i64 = 20;
/// Fewer than this name nothing.
const LEAST_CALLS: i64 = 10;
/// Standard errors to either side of an interval of 95 %.
const Z_95: f64 = 1.959_964;
/// The furthest that an end of an interval is from its estimate: a thousandfold. Beyond that it says nothing more.
const MOST_LOG_REACH: f64 = 6.9;
const DAY_MICROS: f64 = 86_400_000_000.0;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Measure {
    /// What a call costs on average.
    CostPerCall,
    /// The latency that 95 in 100 calls stay below.
    LatencyP95,
    /// The median latency.
    LatencyP50,
    /// The time to the first token that 95 in 100 calls stay below.
    TtftP95,
    /// Output tokens of a call on average.
    OutputPerCall,
    /// Input tokens of a call on average.
    InputPerCall,
    /// The share of the input that came from a cache.
    CacheHitRate,
    /// The share of calls that failed.
    ErrorRate,
    /// The share of calls that are warning or critical.
    AnomalyRate,
    /// Calls in 24 hours.
    CallsPerDay,
}

impl Measure {
    /// All of them, in the order of a page.
    pub const ALL: [Self; 10] = [
        Self::CostPerCall,
        Self::LatencyP95,
        Self::LatencyP50,
        Self::TtftP95,
        Self::OutputPerCall,
        Self::InputPerCall,
        Self::CacheHitRate,
        Self::ErrorRate,
        Self::AnomalyRate,
        Self::CallsPerDay,
    ];

    /// What pages call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::CostPerCall => "Cost per call",
            Self::LatencyP95 => "Latency p95",
            Self::LatencyP50 => "Latency p50",
            Self::TtftP95 => "First token p95",
            Self::OutputPerCall => "Output tokens per call",
            Self::InputPerCall => "Input tokens per call",
            Self::CacheHitRate => "Cache hit rate",
            Self::ErrorRate => "Error rate",
            Self::AnomalyRate => "Anomaly rate",
            Self::CallsPerDay => "Calls a day",
        }
    }

    /// What its values are.
    pub const fn unit(self) -> MetricUnit {
        match self {
            Self::CostPerCall => MetricUnit::NanoUsd,
            Self::LatencyP95 | Self::LatencyP50 | Self::TtftP95 => MetricUnit::Ms,
            Self::OutputPerCall | Self::InputPerCall => MetricUnit::Tokens,
            Self::CacheHitRate | Self::ErrorRate | Self::AnomalyRate => MetricUnit::Share,
            Self::CallsPerDay => MetricUnit::Calls,
        }
    }

    /// Whether its change is a difference of shares, not a ratio.
    pub const fn is_share(self) -> bool {
        matches!(self.unit(), MetricUnit::Share)
    }

    /// Whether more of it is worse; `None` where it is neither.
    const fn more_is_worse(self) -> Option<bool> {
        match self {
            Self::CallsPerDay | Self::InputPerCall | Self::OutputPerCall => None,
            Self::CacheHitRate => Some(false),
            _ => Some(true),
        }
    }
}

/// What to make of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Reading {
    /// For the worse, and hardly by chance.
    Worse,
    /// For the better, and hardly by chance.
    Better,
    /// More or less of what is neither good nor bad, hardly by chance.
    Other,
    /// It could be nothing.
    Unclear,
}

/// A change with its interval: a share of the value before (0.5 is half as much again), or a difference of shares.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Change {
    /// The change itself.
    pub estimate: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
    /// How many standard errors it is away from no change.
    pub standard_errors: f64,
}

/// One measure before and after.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Effect {
    /// What was compared.
    pub measure: Measure,
    /// What its values are.
    pub unit: MetricUnit,
    /// Before; `None` when unknown.
    pub before: Option<MetricValue>,
    /// After; `None` when unknown.
    pub after: Option<MetricValue>,
    /// The calls that `before` rests on.
    pub n_before: i64,
    /// The calls that `after` rests on.
    pub n_after: i64,
    /// What changed; `None` when either is unknown or rests on too little to say how sure it is.
    pub change: Option<Change>,
    /// What to make of it.
    pub reading: Reading,
}

impl Effect {
    /// Fewer than 20 calls on a side.
    pub fn is_of_few(&self) -> bool {
        self.n_before.min(self.n_after) < FEW_CALLS
    }

    /// Clear enough to be named `among` so many that were looked at, large enough to matter, and of at least ten calls on
    /// either side.
    pub fn is_notable(&self, among: usize) -> bool {
        let least = if self.measure.is_share() { 0.01 } else { 0.1 };
        let errors = chance::errors_to_name(among);
        self.change
            .is_some_and(|change| change.standard_errors.abs() >= errors && change.estimate.abs() >= least)
            && self.n_before.min(self.n_after) >= LEAST_CALLS
    }
}

/// Calls and how long they were collected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Side {
    /// What they did.
    pub sums: Sums,
    /// The length of the window in microseconds.
    pub micros: i64,
}

/// Every measure before and after.
pub fn effects(before: &Side, after: &Side) -> Vec<Effect> {
    Measure::ALL
        .map(|measure| effect(measure, before, after))
        .to_vec()
}

/// One measure before and after.
pub fn effect(measure: Measure, before: &Side, after: &Side) -> Effect {
    let (a, b) = (Estimate::of(measure, before), Estimate::of(measure, after));
    let change = if measure.is_share() {
        difference(&a, &b)
    } else {
        ratio(&a, &b)
    };
    let is_clear = change.is_some_and(|change| change.standard_errors.abs() >= Z_95);
    let rose = change.is_some_and(|change| change.estimate > 0.0);
    let reading = match (is_clear, measure.more_is_worse()) {
        (false, _) => Reading::Unclear,
        (true, None) => Reading::Other,
        (true, Some(more_is_worse)) if more_is_worse == rose => Reading::Worse,
        (true, Some(_)) => Reading::Better,
    };
    Effect {
        measure,
        unit: measure.unit(),
        before: a.shown(measure),
        after: b.shown(measure),
        n_before: a.n,
        n_after: b.n,
        change,
        reading,
    }
}

/// A value, the number of calls behind it, and how sure it is: of a share nothing more is needed, of all else the
/// standard error of its logarithm, and how many degrees of freedom that has.
struct Estimate {
    value: Option<f64>,
    n: i64,
    log_error: Option<f64>,
    freedom: f64,
}

impl Estimate {
    fn of(measure: Measure, side: &Side) -> Self {
        let sums = &side.sums;
        match measure {
            Measure::CostPerCall => mean(
                sums.cost.map(|cost| cost.0),
                sums.cost_squares,
                sums.priced_calls(),
            ),
            Measure::OutputPerCall => mean(sums.tokens.output, sums.output_squares, sums.calls),
            Measure::InputPerCall => mean(sums.tokens.input(), sums.input_squares, sums.calls),
            Measure::LatencyP95 => percentile(&sums.latency, 0.95),
            Measure::LatencyP50 => percentile(&sums.latency, 0.5),
            Measure::TtftP95 => percentile(&sums.ttft, 0.95),
            Measure::ErrorRate => share(sums.errors, sums.calls),
            Measure::AnomalyRate => share(sums.anomalies, sums.calls),
            Measure::CacheHitRate => {
                let input = sums.tokens.input().filter(|input| *input > 0);
                let value = input.map(|input| sums.tokens.cache_read.unwrap_or(0) as f64 / input as f64);
                // Tokens of one call come and go together: their number says nothing of how sure the share is.
                Self {
                    value: value.filter(|_| sums.tokens.cache_read.is_some()),
                    n: sums.calls,
                    log_error: None,
                    freedom: f64::INFINITY,
                }
            }
            Measure::CallsPerDay => Self {
                value: (side.micros > 0).then(|| sums.calls as f64 * DAY_MICROS / side.micros as f64),
                n: sums.calls,
                log_error: (sums.calls > 0).then(|| (1.0 / sums.calls as f64).sqrt()),
                freedom: f64::INFINITY,
            },
        }
    }

    fn shown(&self, measure: Measure) -> Option<MetricValue> {
        self.value.map(|value| match measure.unit() {
            MetricUnit::NanoUsd => MetricValue::Whole(value.round() as i64),
            _ => MetricValue::Real(value),
        })
    }
}

fn mean(sum: Option<i64>, squares: i128, n: i64) -> Estimate {
    let count = n as f64;
    let value = sum.filter(|_| n > 0).map(|sum| sum as f64 / count);
    let log_error = value.filter(|value| n > 1 && *value > 0.0).map(|value| {
        let variance = (squares as f64 - value * value * count).max(0.0) / (count - 1.0);
        (variance / count).sqrt() / value
    });
    Estimate {
        value,
        n,
        log_error,
        freedom: count - 1.0,
    }
}

fn percentile(histogram: &Histogram, p: f64) -> Estimate {
    let n = i64::try_from(histogram.count()).unwrap_or(i64::MAX);
    let count = n as f64;
    let log_ms = |p: f64| {
        let us = histogram.quantile(p).filter(|us| *us > 0)?;
        Some((us as f64 / 1_000.0).ln())
    };
    // The ranks between which the percentile of everything lies 95 times in 100.
    let reach = Z_95 * (count * p * (1.0 - p)).sqrt();
    let bounds = log_ms((count * p - reach) / count.max(1.0))
        .zip(log_ms(p))
        .zip(log_ms((count * p + reach) / count.max(1.0)));
    // With so few calls that none is expected beyond the percentile, the highest of them says nothing of it.
    let is_enough = count * (1.0 - p) >= 1.0;
    let log_error = bounds.filter(|_| is_enough).map(|((low, middle), high)| {
        let error = if count * p + reach < count {
            (high - low) / 2.0
        } else {
            (middle - low).max(high - middle)
        };
        // Never surer than the buckets of the histogram are wide.
        (error / Z_95).max(0.005)
    });
    Estimate {
        value: histogram.quantile(p).map(|us| us as f64 / 1_000.0),
        n,
        log_error,
        // It is a sum of the gaps between those ranks, each of which is as uncertain as it is wide: half a degree each.
        freedom: reach.min(count / 2.0).max(1.0),
    }
}

fn share(part: i64, of: i64) -> Estimate {
    Estimate {
        value: (of > 0).then(|| part as f64 / of as f64),
        n: of,
        log_error: Some(0.0),
        freedom: f64::INFINITY,
    }
}

fn ratio(before: &Estimate, after: &Estimate) -> Option<Change> {
    let (a, b) = before.value.zip(after.value)?;
    let (before_error, after_error) = (before.log_error?, after.log_error?);
    let error = before_error.hypot(after_error);
    if a <= 0.0 || b <= 0.0 {
        return None;
    }
    let log = (b / a).ln();
    let freedom = chance::freedom_of((before_error, before.freedom), (after_error, after.freedom));
    let reach = (chance::as_student(Z_95, freedom) * error).min(MOST_LOG_REACH);
    Some(Change {
        estimate: log.exp() - 1.0,
        low: (log - reach).exp() - 1.0,
        high: (log + reach).exp() - 1.0,
        standard_errors: standard_errors(log, error, freedom),
    })
}

fn difference(before: &Estimate, after: &Estimate) -> Option<Change> {
    let (a, b) = before.value.zip(after.value)?;
    before.log_error.zip(after.log_error)?;
    let ((a_low, a_high), (b_low, b_high)) = (wilson(a, before.n), wilson(b, after.n));
    let estimate = b - a;
    let low = estimate - (b - b_low).hypot(a_high - a);
    let high = estimate + (b_high - b).hypot(a - a_low);
    // The side of the interval that faces no change says how far away that is.
    let facing = if estimate > 0.0 {
        estimate - low
    } else {
        high - estimate
    };
    Some(Change {
        estimate,
        low,
        high,
        standard_errors: standard_errors(estimate, facing / Z_95, f64::INFINITY),
    })
}

fn standard_errors(distance: f64, error: f64, freedom: f64) -> f64 {
    if error > 0.0 {
        chance::as_normal(distance / error, freedom).clamp(-99.0, 99.0)
    } else if distance == 0.0 {
        0.0
    } else {
        99.0_f64.copysign(distance)
    }
}

/// Wilson's interval of a share.
fn wilson(share: f64, n: i64) -> (f64, f64) {
    let (n, z2) = ((n as f64).max(1.0), Z_95 * Z_95);
    let middle = share + z2 / (2.0 * n);
    let reach = Z_95 * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    (
        ((middle - reach) / scale).max(0.0),
        ((middle + reach) / scale).min(1.0),
    )
}

#[cfg(test)]
mod tests;
