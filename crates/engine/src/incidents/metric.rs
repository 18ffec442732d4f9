//! What is judged, and from when on a change of it matters.

use domain::NanoUsd;
use serde::{Deserialize, Serialize};

use super::daily::DailyRule;

/// What a series shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// What calls cost.
    Cost,
    /// How many there are. Never alone the reason of an incident.
    Calls,
    /// What a call costs.
    CostPerCall,
    /// What a run costs: cost without the ups and downs of traffic. An incident of it is called one of cost.
    CostPerRun,
    /// The latency that 95 in 100 calls stay below.
    LatencyP95,
    /// The time to the first token that 95 in 100 calls stay below.
    TtftP95,
    /// The share of calls that failed.
    ErrorRate,
    /// Output tokens of a call.
    OutputTokens,
    /// The share of calls that are warning or critical.
    AnomalyRate,
    /// Which shapes outputs have.
    ShapeMix,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Cost,
        Self::Calls,
        Self::CostPerCall,
        Self::CostPerRun,
        Self::LatencyP95,
        Self::TtftP95,
        Self::ErrorRate,
        Self::OutputTokens,
        Self::AnomalyRate,
        Self::ShapeMix,
    ];

    /// The metric of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.as_str() == word)
    }

    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Calls => "calls",
            Self::CostPerCall => "cost_per_call",
            Self::CostPerRun => "cost_per_run",
            Self::LatencyP95 => "latency_p95",
            Self::TtftP95 => "ttft_p95",
            Self::ErrorRate => "error_rate",
            Self::OutputTokens => "output_tokens",
            Self::AnomalyRate => "anomaly_rate",
            Self::ShapeMix => "shape_mix",
        }
    }

    /// Which of what moved together an incident is called by: the smallest.
    pub(super) const fn rank(self) -> u8 {
        match self {
            Self::ErrorRate => 0,
            Self::Cost | Self::CostPerRun => 1,
            Self::CostPerCall => 2,
            Self::LatencyP95 => 3,
            Self::TtftP95 => 4,
            Self::ShapeMix => 5,
            Self::AnomalyRate => 6,
            Self::OutputTokens => 7,
            Self::Calls => 8,
        }
    }

    /// What an incident of it is called.
    pub(super) const fn called(self) -> Self {
        match self {
            Self::CostPerRun => Self::Cost,
            other => other,
        }
    }

    /// Whether it is money, or how many calls there are to pay.
    pub(super) const fn is_money(self) -> bool {
        matches!(
            self,
            Self::Cost | Self::CostPerCall | Self::CostPerRun | Self::Calls
        )
    }

    /// Whether it alone opens an incident.
    pub(super) const fn opens(self) -> bool {
        !matches!(self, Self::Calls)
    }
}

/// The smallest changes that matter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Minimums {
    /// Of cost, a day.
    pub cost: NanoUsd,
    /// Of cost, cost per call and output tokens, as a part of what was.
    pub relative: f64,
    /// Of latencies, as a part of what was.
    pub latency: f64,
    /// Of latencies, in milliseconds.
    pub latency_ms: f64,
    /// Of the error rate and the anomaly rate, as a share.
    pub rate: f64,
    /// Of the mix of shapes, as the share that moved.
    pub mix: f64,
}

impl Default for Minimums {
    fn default() -> Self {
        Self {
            cost: NanoUsd(1_000_000_000),
            relative: 0.10,
            latency: 0.20,
            latency_ms: 200.0,
            rate: 0.02,
            mix: 0.10,
        }
    }
}

/// What a project sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Sensitivity: how many incidents a week may come of nothing, over all series of the project.
    pub false_incidents_a_week: f64,
    /// The smallest changes that matter.
    pub minimums: Minimums,
    /// The daily rule, which opens incidents beside the evidence.
    pub daily: DailyRule,
    /// Metrics that open no incidents, of a key or of all.
    pub quiet: Vec<(Option<String>, Metric)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            false_incidents_a_week: 0.5,
            minimums: Minimums::default(),
            daily: DailyRule::default(),
            quiet: Vec::new(),
        }
    }
}

/// Parents and leaves that share the budget of false incidents, half and half.
const PARENTS: f64 = 50.0;
const LEAVES: f64 = 2_000.0;
const HOURS_A_WEEK: f64 = 168.0;

/// Entries of [`Settings::quiet`] at most.
pub const MAX_QUIET: usize = 100;

impl Settings {
    /// As they were stored; the defaults where nothing was, or what can't be judged by.
    pub fn stored(value: Option<serde_json::Value>) -> Self {
        let known = value.and_then(|value| serde_json::from_value::<Self>(value).ok());
        known
            .filter(|settings| settings.out_of_range().is_none())
            .unwrap_or_default()
    }

    /// The first value that is out of its range, with what the range is; `None` when all can be judged by.
    pub fn out_of_range(&self) -> Option<(&'static str, &'static str)> {
        let least = &self.minimums;
        let within = |value: f64, low: f64, high: f64| value.is_finite() && value >= low && value <= high;
        let money = |nano: NanoUsd| (1..=1_000_000_000_000_000).contains(&nano.0);
        let checks = [
            (
                within(self.false_incidents_a_week, 0.01, 20.0),
                "false_incidents_a_week",
                "0.01 to 20",
            ),
            (money(least.cost), "cost", "above 0, to a million dollars"),
            (within(least.relative, 0.01, 10.0), "relative", "1 % to 1,000 %"),
            (within(least.latency, 0.01, 10.0), "latency", "1 % to 1,000 %"),
            (
                within(least.latency_ms, 0.0, 3_600_000.0),
                "latency_ms",
                "0 to 3,600,000 ms",
            ),
            (within(least.rate, 0.001, 0.5), "rate", "0.1 to 50 points"),
            (within(least.mix, 0.01, 0.9), "mix", "1 % to 90 %"),
            (
                (50..=1_000).contains(&self.daily.sigma_hundredths),
                "sigma",
                "0.5 to 10",
            ),
            (
                money(self.daily.delta),
                "daily_delta",
                "above 0, to a million dollars",
            ),
            (self.quiet.len() <= MAX_QUIET, "quiet", "at most 100"),
        ];
        let wrong = checks.into_iter().find(|(is_right, ..)| !is_right);
        wrong.map(|(_, name, range)| (name, range))
    }

    /// How much evidence a series of a whole key needs: a sum of log likelihood ratios takes e^h hours on average to
    /// get there by chance.
    pub(super) fn parent_evidence(&self) -> f64 {
        self.evidence(PARENTS)
    }

    /// How much one of a step needs.
    pub(super) fn leaf_evidence(&self) -> f64 {
        self.evidence(LEAVES)
    }

    fn evidence(&self, series: f64) -> f64 {
        let budget = if self.false_incidents_a_week.is_finite() {
            self.false_incidents_a_week.clamp(0.01, 50.0)
        } else {
            0.5
        };
        (HOURS_A_WEEK * series / (budget / 2.0)).ln()
    }

    /// How much the evidence since a deploy needs, which is asked once for each series and deploy of the week.
    pub(super) fn deploy_evidence(&self, series: usize, deploys_a_week: usize) -> f64 {
        const SHARE_OF_BUDGET: f64 = 0.1;
        let asked = series.max(1) as f64 * deploys_a_week.max(1) as f64;
        let budget = self.false_incidents_a_week.clamp(0.01, 50.0);
        (asked / (budget * SHARE_OF_BUDGET)).ln().max(4.0)
    }

    /// Whether a metric of a key, or of one of its steps, may open an incident.
    pub(super) fn may_open(&self, key: &str, metric: Metric) -> bool {
        metric.opens() && !self.is_quiet(key, metric)
    }

    pub(super) fn is_quiet(&self, key: &str, metric: Metric) -> bool {
        let metric = metric.called();
        self.quiet
            .iter()
            .any(|(quiet, of)| *of == metric && quiet.as_deref().is_none_or(|quiet| quiet == key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_can_be_judged_by_is_named() {
        let of = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.out_of_range().map(|(name, _)| name)
        };
        assert_eq!(of(|_| {}), None);
        assert_eq!(
            of(|settings| settings.false_incidents_a_week = f64::NAN),
            Some("false_incidents_a_week")
        );
        assert_eq!(of(|settings| settings.minimums.cost = NanoUsd(0)), Some("cost"));
        assert_eq!(of(|settings| settings.minimums.rate = 0.51), Some("rate"));
        assert_eq!(of(|settings| settings.daily.sigma_hundredths = 49), Some("sigma"));
    }

    #[test]
    fn half_a_false_incident_a_week_needs_10_4_of_a_key_and_14_1_of_a_step() {
        let settings = Settings::default();
        assert!((settings.parent_evidence() - 10.42).abs() < 0.01);
        assert!((settings.leaf_evidence() - 14.11).abs() < 0.01);
        let eager = Settings {
            false_incidents_a_week: f64::NAN,
            ..Settings::default()
        };
        assert!(eager.parent_evidence().is_finite());
    }
}
