//! What a rule found on a step.

use serde::{Deserialize, Serialize};

/// How bad a step or a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// No condition.
    #[default]
    Ok,
    /// Points, but fewer than the threshold.
    Warning,
    /// The threshold reached, or any condition of layer 1.
    Critical,
}

impl Severity {
    /// The word in the database, the API and the URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The severity of a word, `None` for any other text.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Ok, Self::Warning, Self::Critical]
            .into_iter()
            .find(|s| s.as_str() == word)
    }
}

/// One rule hit on a step, with the evidence for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// The rule's number, for instance 2001.
    pub code: u16,
    /// The layer the rule belongs to, 1 to 5.
    pub layer: u8,
    /// The rule's name, for instance `json_contract_violation`.
    pub name: String,
    /// What the hit adds to the step's score.
    pub points: i32,
    /// One sentence that says what is wrong.
    pub message: String,
    /// What was found.
    pub observed: String,
    /// What the rule wanted to find.
    pub expected: String,
    /// Where in the output, when the rule can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The sample that set the limit, for rules with a learned limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
}

/// A place in a step's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Bytes `start..end` of the UTF-8 output. `start == end` is a point, for instance the end of the output.
    Bytes {
        /// First byte.
        start: usize,
        /// One past the last byte.
        end: usize,
    },
    /// A JSON pointer (RFC 6901) into the parsed output.
    Pointer(String),
}

/// The sample behind a learned limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// How many steps it holds.
    pub n: u32,
    /// Their median, in the metric's unit.
    pub p50: f64,
    /// Their 95th percentile, in the metric's unit.
    pub p95: f64,
    /// In words, which steps those are.
    pub window: String,
}
