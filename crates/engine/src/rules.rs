//! What a project can set about scoring.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use domain::NanoUsd;
use serde::{Deserialize, Serialize};

use crate::codes::{Code, Group};

/// Version of the rules: stored with every condition, raised whenever a rule changes its verdict.
pub const RULE_VERSION: u16 = 3;

/// The points a hit of a code may be made to cost.
pub const POINTS: RangeInclusive<i32> = 0..=1_000;
/// The points from which a step may be made critical.
pub const THRESHOLDS: RangeInclusive<i32> = 1..=10_000;

/// A project's scoring settings. The default is what a new project has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// Whether arriving steps are scored at all. Nothing in this crate asks: a step that is scored is scored.
    pub enabled: bool,
    /// Whether the extended codes and layer 5 are on.
    pub extended: bool,
    /// From how many points a step is critical.
    pub threshold: Threshold,
    /// How layer 4 finds its limits.
    pub mode: LimitMode,
    /// Limits set by hand; each replaces the limit of its metric.
    pub limits: ManualLimits,
    /// Codes that never fire.
    pub muted: BTreeSet<u16>,
    /// Points that replace a code's own; below 0 counts as 0.
    pub points: BTreeMap<u16, i32>,
    /// The cost of a whole run above which code 4016 fires.
    pub run_cost_limit_nano_usd: NanoUsd,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            enabled: true,
            extended: true,
            threshold: Threshold::default(),
            mode: LimitMode::default(),
            limits: ManualLimits::default(),
            muted: BTreeSet::new(),
            points: BTreeMap::new(),
            run_cost_limit_nano_usd: NanoUsd(5_000_000_000),
        }
    }
}

impl Rules {
    /// The default with the extended group switched off: the core table and nothing else.
    pub fn core() -> Self {
        Self {
            extended: false,
            ..Self::default()
        }
    }

    /// Whether a code can fire at all.
    pub fn is_on(&self, code: &Code) -> bool {
        (self.extended || code.group == Group::Core) && !self.muted.contains(&code.code)
    }

    /// What a hit of a code costs.
    pub fn points_of(&self, code: &Code) -> i32 {
        self.points
            .get(&code.code)
            .map_or(code.points, |points| (*points).max(0))
    }
}

/// From how many points a step is critical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "ThresholdWords", into = "ThresholdWords")]
pub enum Threshold {
    /// Always the same number, at least 1. 100 unless set otherwise.
    Fixed(i32),
    /// p95 of the project's last 100 totals, kept between 50 and 100; 100 until 30 steps exist.
    Dynamic,
}

impl Default for Threshold {
    fn default() -> Self {
        Self::Fixed(100)
    }
}

/// How a threshold is written: a number, or a word.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ThresholdWords {
    Points(i32),
    Word(ThresholdWord),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ThresholdWord {
    Fixed,
    Dynamic,
}

impl From<ThresholdWords> for Threshold {
    fn from(words: ThresholdWords) -> Self {
        match words {
            ThresholdWords::Points(points) => Self::Fixed(points),
            ThresholdWords::Word(ThresholdWord::Fixed) => Self::default(),
            ThresholdWords::Word(ThresholdWord::Dynamic) => Self::Dynamic,
        }
    }
}

impl From<Threshold> for ThresholdWords {
    fn from(threshold: Threshold) -> Self {
        match threshold {
            Threshold::Fixed(points) => Self::Points(points),
            Threshold::Dynamic => Self::Word(ThresholdWord::Dynamic),
        }
    }
}

/// How layer 4 finds the limit of a metric that is not set by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum LimitMode {
    /// From the project's last steps, once there are enough of them; static until then.
    #[default]
    Dynamic,
    /// Only what is set by hand, else the static limit.
    #[serde(alias = "static")]
    Manual,
}

/// Limits set by hand; `None` leaves a metric to the mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ManualLimits {
    /// Latency in milliseconds.
    pub latency_ms: Option<f64>,
    /// All tokens of a step.
    pub tokens: Option<i64>,
    /// Cost of a step.
    pub cost_nano_usd: Option<NanoUsd>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_as_written_in_the_api() {
        let check = |json: &str, expected: Threshold| {
            let rules: Rules = serde_json::from_str(json).unwrap();
            assert_eq!(rules.threshold, expected, "{json}");
            assert_eq!(
                serde_json::from_str::<Rules>(&serde_json::to_string(&rules).unwrap()).unwrap(),
                rules
            );
        };
        check("{}", Threshold::Fixed(100));
        check(r#"{"threshold":80}"#, Threshold::Fixed(80));
        check(
            r#"{"threshold":"dynamic","mode":"static","muted":[3010],"points":{"2001":70}}"#,
            Threshold::Dynamic,
        );
        check(
            r#"{"threshold":"fixed","limits":{"latency_ms":1000.5}}"#,
            Threshold::Fixed(100),
        );
    }
}
