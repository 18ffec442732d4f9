//! The limits of layer 4 and the threshold: where they come from, and from how many steps.

use domain::{NanoUsd, Sample};
use serde::{Deserialize, Serialize};

use crate::history::RecentSteps;
use crate::rules::{LimitMode, Rules, Threshold};
use crate::sample::Sorted;

/// Steps a sample needs before it sets a limit or the threshold.
pub const MIN_SAMPLE: usize = 30;

/// Static limit of the latency, in milliseconds.
pub const STATIC_LATENCY_MS: f64 = 10_000.0;
/// Static limit of a step's tokens.
pub const STATIC_TOKENS: f64 = 50_000.0;
/// Static limit of a step's cost: one dollar.
pub const STATIC_COST: NanoUsd = NanoUsd(1_000_000_000);

/// A learned latency limit is never below this, in milliseconds.
pub const FLOOR_LATENCY_MS: f64 = 3_000.0;
/// A learned token limit is never below this.
pub const FLOOR_TOKENS: f64 = 1_000.0;
/// A learned cost limit is never below this: five cents.
pub const FLOOR_COST: NanoUsd = NanoUsd(50_000_000);

/// Where a limit comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum LimitSource {
    /// The built-in limit.
    Static,
    /// p95 of the project's last steps, or the floor below it.
    Dynamic,
    /// Set by hand.
    Manual,
}

/// The limit of one metric and the sample of it, in the metric's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricLimit<T> {
    /// A value above this fires.
    pub limit: T,
    /// Where the limit comes from.
    pub source: LimitSource,
    /// True when p95 is below the floor and the floor is the limit.
    pub at_floor: bool,
    /// Usable steps with a known value among the last 100.
    pub n: u32,
    /// Median of the sample, in the unit of the limit.
    pub p50: Option<T>,
    /// Their 95th percentile, by linear interpolation.
    pub p95: Option<T>,
}

/// The limits of layer 4.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Latency in milliseconds.
    pub latency_ms: MetricLimit<f64>,
    /// All tokens of a step.
    pub tokens: MetricLimit<f64>,
    /// Cost of a step, exact.
    pub cost_nano_usd: MetricLimit<NanoUsd>,
}

impl Limits {
    /// The limits in force for the step after `recent`.
    pub fn of(recent: &RecentSteps, rules: &Rules) -> Self {
        let [latency_us, tokens, cost] = &recent.metrics;
        let ms = |sample: &Sorted, twentieths| sample.quantile(twentieths).map(|us| us / 1_000.0);
        let money = |twentieths| cost.quantile_floor(twentieths).map(NanoUsd);
        Self {
            latency_ms: Metric {
                manual: rules.limits.latency_ms.filter(|limit| limit.is_finite()),
                fallback: STATIC_LATENCY_MS,
                floor: FLOOR_LATENCY_MS,
                sample: latency_us,
                p50: ms(latency_us, 10),
                p95: ms(latency_us, 19),
            }
            .limit(rules.mode),
            tokens: Metric {
                manual: rules.limits.tokens.map(|tokens| tokens as f64),
                fallback: STATIC_TOKENS,
                floor: FLOOR_TOKENS,
                sample: tokens,
                p50: tokens.quantile(10),
                p95: tokens.quantile(19),
            }
            .limit(rules.mode),
            cost_nano_usd: Metric {
                manual: rules.limits.cost_nano_usd,
                fallback: STATIC_COST,
                floor: FLOOR_COST,
                sample: cost,
                p50: money(10),
                p95: money(19),
            }
            .limit(rules.mode),
        }
    }
}

struct Metric<'a, T> {
    manual: Option<T>,
    fallback: T,
    floor: T,
    sample: &'a Sorted,
    p50: Option<T>,
    p95: Option<T>,
}

impl<T: Copy + PartialOrd> Metric<'_, T> {
    fn limit(self, mode: LimitMode) -> MetricLimit<T> {
        let n = self.sample.len();
        let learned = self.p95.filter(|_| mode == LimitMode::Dynamic && n >= MIN_SAMPLE);
        let (limit, source, at_floor) = match (self.manual, learned) {
            (Some(manual), _) => (manual, LimitSource::Manual, false),
            (None, Some(p95)) if p95 < self.floor => (self.floor, LimitSource::Dynamic, true),
            (None, Some(p95)) => (p95, LimitSource::Dynamic, false),
            (None, None) => (self.fallback, LimitSource::Static, false),
        };
        MetricLimit {
            limit,
            source,
            at_floor,
            n: n as u32,
            p50: self.p50,
            p95: self.p95,
        }
    }
}

impl MetricLimit<f64> {
    /// The sample behind the limit, for a limit that was learned.
    pub(crate) fn evidence(&self) -> Option<Sample> {
        let is_learned = self.source == LimitSource::Dynamic;
        let (p50, p95) = (self.p50?, self.p95?);
        is_learned.then(|| Sample {
            n: self.n,
            p50,
            p95,
            window: WINDOW.to_owned(),
        })
    }
}

impl MetricLimit<NanoUsd> {
    /// The sample behind the limit, for a limit that was learned; in nano-dollars.
    pub(crate) fn evidence(&self) -> Option<Sample> {
        let is_learned = self.source == LimitSource::Dynamic;
        let (p50, p95) = (self.p50?.0 as f64, self.p95?.0 as f64);
        is_learned.then(|| Sample {
            n: self.n,
            p50,
            p95,
            window: WINDOW.to_owned(),
        })
    }
}

const WINDOW: &str = "the project's last 100 steps, without failed and critical ones";

/// From how many points the step after `recent` is critical.
pub fn threshold(recent: &RecentSteps, rules: &Rules) -> i32 {
    match rules.threshold {
        Threshold::Fixed(points) => points.max(1),
        Threshold::Dynamic if recent.len() < MIN_SAMPLE => 100,
        Threshold::Dynamic => {
            // Totals are whole, so reaching p95 is reaching the next whole number.
            let p95 = recent.totals.quantile(19).map_or(100.0, f64::ceil);
            p95.clamp(50.0, 100.0) as i32
        }
    }
}
