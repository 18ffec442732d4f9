//! Series: what calls cost, took and failed over time, and by what.

use serde::{Deserialize, Serialize};

use crate::step::words;
use crate::{NanoUsd, Timestamp, TokenUsage};

words!(
    /// What a series shows.
    Metric {
        /// What calls cost.
        Cost = "cost",
        /// Model calls.
        Calls = "calls",
        /// What a call with a known cost costs on average.
        CostPerCall = "cost_per_call",
        /// The median latency.
        LatencyP50 = "latency_p50",
        /// The latency that 95 in 100 calls stay below.
        LatencyP95 = "latency_p95",
        /// The time to the first token that 95 in 100 calls stay below.
        TtftP95 = "ttft_p95",
        /// The share of calls that failed.
        ErrorRate = "error_rate",
        /// All tokens.
        Tokens = "tokens",
        /// Input tokens, from a cache and to one included.
        InputTokens = "input_tokens",
        /// Output tokens.
        OutputTokens = "output_tokens",
        /// The share of calls that are warning or critical.
        AnomalyRate = "anomaly_rate",
    }
);

words!(
    /// What one unit of a metric is.
    MetricUnit {
        /// Billionths of a dollar.
        NanoUsd = "nano_usd",
        /// Milliseconds.
        Ms = "ms",
        /// A share, 0 to 1.
        Share = "share",
        /// Calls.
        Calls = "calls",
        /// Tokens.
        Tokens = "tokens",
    }
);

words!(
    /// By what calls are told apart.
    SeriesBy {
        /// The label of the key that sent them.
        Key = "key",
        /// The model that answered.
        Model = "model",
        /// The name of the step.
        Step = "step",
        /// Where they ran.
        Environment = "environment",
        /// The template of their prompt, in hex.
        Template = "template",
    }
);

words!(
    /// How long a bucket is.
    Bucket {
        /// A minute.
        Minute = "1m",
        /// Five minutes.
        FiveMinutes = "5m",
        /// An hour.
        Hour = "1h",
        /// A day, UTC.
        Day = "1d",
    }
);

impl Metric {
    /// What its values are.
    pub const fn unit(self) -> MetricUnit {
        match self {
            Self::Cost | Self::CostPerCall => MetricUnit::NanoUsd,
            Self::Calls => MetricUnit::Calls,
            Self::LatencyP50 | Self::LatencyP95 | Self::TtftP95 => MetricUnit::Ms,
            Self::ErrorRate | Self::AnomalyRate => MetricUnit::Share,
            Self::Tokens | Self::InputTokens | Self::OutputTokens => MetricUnit::Tokens,
        }
    }

    /// What pages call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Cost => "Cost",
            Self::Calls => "Calls",
            Self::CostPerCall => "Cost per call",
            Self::LatencyP50 => "Latency p50",
            Self::LatencyP95 => "Latency p95",
            Self::TtftP95 => "First token p95",
            Self::ErrorRate => "Error rate",
            Self::Tokens => "Tokens",
            Self::InputTokens => "Input tokens",
            Self::OutputTokens => "Output tokens",
            Self::AnomalyRate => "Anomalies",
        }
    }

    /// Whether the series of parts add up to that of the whole.
    pub const fn adds_up(self) -> bool {
        matches!(
            self.unit(),
            MetricUnit::NanoUsd | MetricUnit::Calls | MetricUnit::Tokens
        ) && !matches!(self, Self::CostPerCall)
    }

    /// Whether it is read from histograms.
    pub const fn is_percentile(self) -> bool {
        matches!(self.unit(), MetricUnit::Ms)
    }

    /// Whether more of it is worse; `None` where it is neither.
    pub const fn more_is_worse(self) -> Option<bool> {
        match self {
            Self::Calls | Self::Tokens | Self::InputTokens | Self::OutputTokens => None,
            _ => Some(true),
        }
    }
}

impl Bucket {
    /// Its length in microseconds.
    pub const fn micros(self) -> i64 {
        match self {
            Self::Minute => 60_000_000,
            Self::FiveMinutes => 300_000_000,
            Self::Hour => 3_600_000_000,
            Self::Day => 86_400_000_000,
        }
    }

    /// The longest window it is offered for, in microseconds: buckets below the hour are counted from steps.
    pub const fn max_window_micros(self) -> i64 {
        match self {
            Self::Minute => 6 * 3_600_000_000,
            Self::FiveMinutes => 48 * 3_600_000_000,
            Self::Hour => 93 * 86_400_000_000,
            Self::Day => 3_660 * 86_400_000_000,
        }
    }

    /// What a window is cut into when nothing is asked for.
    pub const fn of_window(micros: i64) -> Self {
        const HOUR: i64 = 3_600_000_000;
        if micros <= HOUR {
            Self::Minute
        } else if micros <= 6 * HOUR {
            Self::FiveMinutes
        } else if micros <= 7 * 24 * HOUR {
            Self::Hour
        } else {
            Self::Day
        }
    }

    /// The beginning of the bucket that `at` lies in.
    pub const fn start_of(self, at: Timestamp) -> Timestamp {
        at.plus_micros(-at.micros().rem_euclid(self.micros()))
    }
}

/// Which calls. Every field narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesFilter {
    /// The key's label.
    pub key: Option<String>,
    /// The model that answered, exact match.
    pub model: Option<String>,
    /// Steps of this name, of whatever kind.
    pub step: Option<String>,
    /// Exact match.
    pub environment: Option<String>,
    /// The template of the prompt: 64 hexadecimal digits.
    pub template: Option<String>,
}

impl SeriesFilter {
    /// The value of one of its fields.
    pub fn get(&self, by: SeriesBy) -> Option<&str> {
        match by {
            SeriesBy::Key => self.key.as_deref(),
            SeriesBy::Model => self.model.as_deref(),
            SeriesBy::Step => self.step.as_deref(),
            SeriesBy::Environment => self.environment.as_deref(),
            SeriesBy::Template => self.template.as_deref(),
        }
    }

    /// The same with one of its fields set, or cleared.
    pub fn with(mut self, by: SeriesBy, value: Option<String>) -> Self {
        match by {
            SeriesBy::Key => self.key = value,
            SeriesBy::Model => self.model = value,
            SeriesBy::Step => self.step = value,
            SeriesBy::Environment => self.environment = value,
            SeriesBy::Template => self.template = value,
        }
        self
    }
}

/// Sums of one bucket, or of anything else that is added up. Calls, errors and anomalies are those of model calls; of
/// all steps where a filter names one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallSums {
    /// Calls.
    pub calls: i64,
    /// Those that failed.
    pub errors: i64,
    /// Those that are warning or critical.
    pub anomalies: i64,
    /// Steps nobody has a price for.
    pub unpriced: i64,
    /// What is known of their tokens.
    pub tokens: TokenUsage,
    /// What is known of their cost.
    pub cost_nano_usd: Option<NanoUsd>,
    /// Sum of the squares of the costs, in nano-dollars.
    pub cost_squares: i128,
    /// Sum of the squares of the input tokens.
    pub input_squares: i128,
    /// Sum of the squares of the output tokens.
    pub output_squares: i128,
    /// Histograms of the latency in microseconds, encoded, and latencies in milliseconds that are in none of them.
    pub latency: Latencies,
    /// The same of the time to the first token.
    pub ttft: Latencies,
}

/// Latencies as they are stored: some summed up, some one by one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latencies {
    /// Encoded histograms, to be merged.
    pub histograms: Vec<Vec<u8>>,
    /// One by one, in milliseconds.
    pub ms: Vec<f64>,
}

/// The sums of one bucket of one group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BucketSums {
    /// When the bucket begins.
    pub at: Timestamp,
    /// The value by which calls are told apart; `None` where they have none, or nothing was asked for.
    pub group: Option<String>,
    /// What was counted.
    pub sums: CallSums,
}

/// What one key, model, step, environment or template did in a window.
#[derive(Clone, Debug, PartialEq)]
pub struct PartSums {
    /// By what the calls are told apart.
    pub by: SeriesBy,
    /// The value; `None` for calls without one.
    pub name: Option<String>,
    /// What they did.
    pub sums: CallSums,
    /// The hour, or where they were counted one by one the moment, of its first call in the window.
    pub first: Timestamp,
    /// The same of its last call.
    pub last: Timestamp,
}

/// Conditions of one layer in one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerCount {
    /// When the bucket begins.
    pub at: Timestamp,
    /// The layer, 1 to 5.
    pub layer: u8,
    /// How many conditions.
    pub count: i64,
}

/// What one key, step, model and template did in one of several windows.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowSums {
    /// Which window, counted from 0.
    pub window: usize,
    /// The key's label.
    pub key: String,
    /// The step's name.
    pub step: String,
    /// The model that answered.
    pub model: Option<String>,
    /// The template in hex.
    pub template: Option<String>,
    /// What its calls did.
    pub sums: CallSums,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_cut_into_a_readable_number_of_buckets() {
        let check = |minutes: i64, expected: &str| {
            let bucket = Bucket::of_window(minutes * 60_000_000);
            assert_eq!(bucket.as_str(), expected, "{minutes}");
            assert!(minutes * 60_000_000 <= bucket.max_window_micros());
        };
        check(15, "1m");
        check(60, "1m");
        check(360, "5m");
        check(1_440, "1h");
        check(10_080, "1h");
        check(43_200, "1d");
        check(129_600, "1d");
    }

    #[test]
    fn buckets_begin_where_the_clock_says() {
        let at = Timestamp::parse_rfc3339("2026-11-12T14:07:31Z").unwrap();
        let check = |bucket: Bucket, expected: &str| assert_eq!(bucket.start_of(at).to_string(), expected);
        check(Bucket::Minute, "2026-11-12T14:07:00Z");
        check(Bucket::FiveMinutes, "2026-11-12T14:05:00Z");
        check(Bucket::Hour, "2026-11-12T14:00:00Z");
        check(Bucket::Day, "2026-11-12T00:00:00Z");
    }

    #[test]
    fn only_sums_are_stacked() {
        let stacked: Vec<_> = Metric::ALL.iter().filter(|metric| metric.adds_up()).collect();
        let sums = [
            Metric::Cost,
            Metric::Calls,
            Metric::Tokens,
            Metric::InputTokens,
            Metric::OutputTokens,
        ];
        assert_eq!(stacked, sums.iter().collect::<Vec<_>>());
    }
}
