//! What became of everything that was received.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{NanoUsd, Timestamp};

/// One key's accounts for one minute: `received = stored + duplicate + Σ rejected`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LedgerMinute {
    /// The beginning of the minute in which the steps were received.
    pub minute: Timestamp,
    /// Label of the API key that sent the steps.
    pub key_label: String,
    /// Steps that arrived.
    pub received: i64,
    /// Steps that became rows.
    pub stored: i64,
    /// Steps that were there already.
    pub duplicate: i64,
    /// Steps that were refused, by reason.
    pub rejected: BTreeMap<String, i64>,
    /// Stored steps that the hourly sums count as `other`, by the dimension that had too many values. They are among
    /// `stored`; a step may be here more than once.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub limited: BTreeMap<String, i64>,
}

/// A usage object that was not understood, told by its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageShape {
    /// The names in the object, those inside objects behind a dot.
    pub shape: String,
    /// The model that answered; empty when none was named.
    pub model: String,
    /// How many steps had it.
    pub steps: i64,
    /// When the last of them began.
    pub last_at: Timestamp,
    /// The run of that step.
    pub run_id: String,
}

/// What was computed for the calls of a model at a provider, beside what was stated for the same calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatedCost {
    /// The model that answered; empty when none was named.
    pub model: String,
    /// Who served it; empty when nobody was named.
    pub provider: String,
    /// How many calls have both costs.
    pub calls: i64,
    /// What they cost by our prices.
    pub computed_nano_usd: NanoUsd,
    /// What they cost as the client, a gateway or the provider said.
    pub stated_nano_usd: NanoUsd,
    /// When the last of them began.
    pub last_at: Timestamp,
    /// The run of that call.
    pub run_id: String,
}

/// What is counted under this name when a dimension has too many different values.
pub const OTHER: &str = "other";

/// What the hourly sums are divided by, and the number of whose values is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Environments.
    Environment,
    /// Names of steps.
    StepName,
    /// Models.
    Model,
    /// Reasons for which an answer ended.
    FinishReason,
    /// Releases.
    Release,
    /// Combinations of all of them with keys and templates.
    Series,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Environment,
        Self::StepName,
        Self::Model,
        Self::FinishReason,
        Self::Release,
        Self::Series,
    ];

    /// The word in the database and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::StepName => "step_name",
            Self::Model => "model",
            Self::FinishReason => "finish_reason",
            Self::Release => "release",
            Self::Series => "series",
        }
    }
}
