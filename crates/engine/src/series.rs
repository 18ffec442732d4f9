//! What a metric of a series is, given what was summed up.

use domain::series::{CallSums, Latencies, Metric, MetricUnit};
use domain::{NanoUsd, usage};
use serde::{Deserialize, Serialize};

use crate::Histogram;

/// Sums that can be added to one another and asked for any metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// Calls.
    pub calls: i64,
    /// Those that failed.
    pub errors: i64,
    /// Those that are warning or critical.
    pub anomalies: i64,
    /// Those nobody has a price for.
    pub unpriced: i64,
    /// What is known of their tokens.
    pub tokens: domain::TokenUsage,
    /// What is known of their cost.
    pub cost: Option<NanoUsd>,
    /// Sum of the squares of the costs, in nano-dollars.
    pub cost_squares: i128,
    /// Sum of the squares of the input tokens.
    pub input_squares: i128,
    /// Sum of the squares of the output tokens.
    pub output_squares: i128,
    /// Latencies in microseconds.
    pub latency: Histogram,
    /// Times to the first token in microseconds.
    pub ttft: Histogram,
}

/// A value of a metric, exact where the metric is a sum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MetricValue {
    /// Nano-dollars, calls, tokens.
    Whole(i64),
    /// Milliseconds, shares.
    Real(f64),
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for MetricValue {}

/// A whole number is a number too, so that a choice between them would be ambiguous.
#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for MetricValue {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::Number)
            .into()
    }
}

impl MetricValue {
    /// For drawing and comparing.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Real(real) => real,
        }
    }
}

impl From<&CallSums> for Sums {
    fn from(read: &CallSums) -> Self {
        let mut sums = Self::default();
        sums.add_read(read);
        sums
    }
}

impl Sums {
    /// Adds what was read.
    pub fn add_read(&mut self, read: &CallSums) {
        self.calls = self.calls.saturating_add(read.calls);
        self.errors = self.errors.saturating_add(read.errors);
        self.anomalies = self.anomalies.saturating_add(read.anomalies);
        self.unpriced = self.unpriced.saturating_add(read.unpriced);
        self.tokens = self.tokens.plus(&read.tokens);
        self.cost = known(self.cost, read.cost_nano_usd);
        self.cost_squares = self.cost_squares.saturating_add(read.cost_squares);
        self.input_squares = self.input_squares.saturating_add(read.input_squares);
        self.output_squares = self.output_squares.saturating_add(read.output_squares);
        merge(&mut self.latency, &read.latency);
        merge(&mut self.ttft, &read.ttft);
    }

    /// Adds other sums.
    pub fn add(&mut self, more: &Self) {
        self.calls = self.calls.saturating_add(more.calls);
        self.errors = self.errors.saturating_add(more.errors);
        self.anomalies = self.anomalies.saturating_add(more.anomalies);
        self.unpriced = self.unpriced.saturating_add(more.unpriced);
        self.tokens = self.tokens.plus(&more.tokens);
        self.cost = known(self.cost, more.cost);
        self.cost_squares = self.cost_squares.saturating_add(more.cost_squares);
        self.input_squares = self.input_squares.saturating_add(more.input_squares);
        self.output_squares = self.output_squares.saturating_add(more.output_squares);
        self.latency.merge(&more.latency);
        self.ttft.merge(&more.ttft);
    }

    /// Calls whose cost is known. Steps that cost nothing by nature are no calls.
    pub fn priced_calls(&self) -> i64 {
        if self.cost.is_none() {
            return 0;
        }
        (self.calls - self.unpriced).max(0)
    }

    /// The value of a metric and the number of calls it rests on. `None` is unknown, never 0.
    pub fn value(&self, metric: Metric) -> (Option<MetricValue>, i64) {
        let whole = |value: Option<i64>| value.map(MetricValue::Whole);
        let ms = |histogram: &Histogram, p: f64| {
            let value = histogram
                .quantile(p)
                .map(|us| MetricValue::Real(us as f64 / 1_000.0));
            (value, i64::try_from(histogram.count()).unwrap_or(i64::MAX))
        };
        match metric {
            Metric::Cost => (whole(self.cost.map(|cost| cost.0)), self.calls),
            Metric::Calls => (whole(Some(self.calls)), self.calls),
            Metric::CostPerCall => {
                let n = self.priced_calls();
                (whole(self.cost.and_then(|cost| rounded(cost.0, n))), n)
            }
            Metric::LatencyP50 => ms(&self.latency, 0.5),
            Metric::LatencyP95 => ms(&self.latency, 0.95),
            Metric::TtftP95 => ms(&self.ttft, 0.95),
            Metric::ErrorRate => (share(self.errors, self.calls), self.calls),
            Metric::AnomalyRate => (share(self.anomalies, self.calls), self.calls),
            Metric::Tokens => (whole(self.tokens.total()), self.calls),
            Metric::InputTokens => (whole(self.tokens.input()), self.calls),
            Metric::OutputTokens => (whole(self.tokens.output), self.calls),
        }
    }
}

fn known(a: Option<NanoUsd>, b: Option<NanoUsd>) -> Option<NanoUsd> {
    usage::known_sum(a.map(|cost| cost.0), b.map(|cost| cost.0)).map(NanoUsd)
}

/// `sum / n`, to the nearest whole, halves away from zero.
fn rounded(sum: i64, n: i64) -> Option<i64> {
    let (sum, n) = (i128::from(sum), i128::from(n));
    if n <= 0 {
        return None;
    }
    let half = if sum < 0 { -n } else { n };
    i64::try_from((2 * sum + half) / (2 * n)).ok()
}

fn share(part: i64, of: i64) -> Option<MetricValue> {
    (of > 0).then(|| MetricValue::Real(part as f64 / of as f64))
}

fn merge(histogram: &mut Histogram, read: &Latencies) {
    histogram.merge_encoded(read.histograms.iter().map(Vec::as_slice));
    for ms in &read.ms {
        // As the batch writer records them.
        if *ms >= 0.0 {
            histogram.add((*ms * 1_000.0) as i64);
        }
    }
}

/// How a value reads: `$0.0178`, `1,170`, `4.85 s`, `0.83 %`.
pub fn text(value: f64, unit: MetricUnit) -> String {
    match unit {
        MetricUnit::NanoUsd => NanoUsd(value.round() as i64).to_short(),
        MetricUnit::Ms => domain::text::duration(value),
        MetricUnit::Share => percent(value),
        MetricUnit::Calls => domain::text::grouped(value.max(0.0).round() as u64),
        MetricUnit::Tokens => domain::text::short_count(value.round() as i64),
    }
}

/// `0.83 %`, `12.5 %`, `140 %`.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    let magnitude = value.abs();
    if magnitude == 0.0 {
        "0 %".to_owned()
    } else if magnitude < 9.995 {
        format!("{value:.2} %")
    } else if magnitude < 99.95 {
        format!("{value:.1} %")
    } else {
        format!("{value:.0} %")
    }
}

#[cfg(test)]
mod tests {
    use domain::TokenUsage;
    use proptest::prelude::*;

    use super::*;

    fn sums(calls: i64, cost: Option<i64>, latencies: &[f64]) -> Sums {
        Sums::from(&CallSums {
            calls,
            errors: calls / 4,
            cost_nano_usd: cost.map(NanoUsd),
            tokens: TokenUsage {
                input_fresh: Some(calls * 10),
                output: Some(calls),
                ..TokenUsage::default()
            },
            latency: Latencies {
                histograms: Vec::new(),
                ms: latencies.to_vec(),
            },
            ..CallSums::default()
        })
    }

    #[test]
    fn metrics_of_sums() {
        let sums = sums(8, Some(21), &[100.0, 200.0, 300.0, 4_000.0]);
        let check = |metric: Metric, expected: Option<f64>, n: i64| {
            let (value, of) = sums.value(metric);
            assert_eq!((value.map(MetricValue::as_f64), of), (expected, n), "{metric:?}");
        };
        check(Metric::Cost, Some(21.0), 8);
        check(Metric::CostPerCall, Some(3.0), 8);
        check(Metric::Calls, Some(8.0), 8);
        check(Metric::ErrorRate, Some(0.25), 8);
        check(Metric::Tokens, Some(88.0), 8);
        check(Metric::OutputTokens, Some(8.0), 8);
        check(Metric::TtftP95, None, 0);
        let (p95, n) = sums.value(Metric::LatencyP95);
        assert!((p95.unwrap().as_f64() / 4_000.0 - 1.0).abs() < 0.011 && n == 4);
    }

    #[test]
    fn nothing_known_is_not_zero() {
        let nothing = Sums::default();
        for metric in Metric::ALL {
            let expected = (*metric == Metric::Calls).then_some(MetricValue::Whole(0));
            assert_eq!(nothing.value(*metric), (expected, 0), "{metric:?}");
        }
        assert_eq!(sums(3, None, &[]).value(Metric::CostPerCall), (None, 0));
    }

    #[test]
    fn values_read_like_the_rest_of_the_product() {
        let check = |value: f64, unit: MetricUnit, expected: &str| assert_eq!(text(value, unit), expected);
        check(17_800_000.0, MetricUnit::NanoUsd, "$0.0178");
        check(4_850.0, MetricUnit::Ms, "4.85 s");
        check(0.0083, MetricUnit::Share, "0.83 %");
        check(0.0, MetricUnit::Share, "0 %");
        check(0.125, MetricUnit::Share, "12.5 %");
        check(1.4, MetricUnit::Share, "140 %");
        check(1_170.0, MetricUnit::Calls, "1,170");
        check(101_785.0, MetricUnit::Tokens, "101.8k");
    }

    proptest! {
        #[test]
        fn parts_add_up_to_the_whole(
            parts in prop::collection::vec((0..50i64, prop::option::of(0..1_000i64), prop::collection::vec(0.0..9e5f64, 0..5)), 1..8)
        ) {
            let mut one_by_one = Sums::default();
            let mut at_once = CallSums::default();
            for (calls, cost, latencies) in &parts {
                let part = sums(*calls, *cost, latencies);
                one_by_one.add(&part);
                at_once.calls += calls;
                at_once.errors += calls / 4;
                at_once.cost_nano_usd = known(at_once.cost_nano_usd, cost.map(NanoUsd));
                at_once.latency.ms.extend(latencies);
            }
            let at_once = Sums::from(&at_once);
            for metric in [Metric::Cost, Metric::Calls, Metric::ErrorRate, Metric::LatencyP50, Metric::LatencyP95] {
                prop_assert_eq!(one_by_one.value(metric), at_once.value(metric));
            }
        }
    }
}
