//! Prompt templates: which steps use them, since when, and how often.

use serde::{Deserialize, Serialize};

use crate::{NanoUsd, Timestamp};

/// What one step and one model did with one template within a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptUse {
    /// The template: 64 hexadecimal digits.
    pub fingerprint: String,
    /// When the project first saw the template.
    pub first_seen_at: Timestamp,
    /// Name of the steps that use the template.
    pub step_name: String,
    /// The model; `None` when it was not reported.
    pub model: Option<String>,
    /// Calls in the window.
    pub calls: i64,
    /// Those of them that failed.
    pub errors: i64,
    /// Those of them that have no price.
    pub unpriced: i64,
    /// What the others cost; `None` when none has a price.
    pub cost_nano_usd: Option<NanoUsd>,
    /// The hour of the last call in the window.
    pub last_hour: Timestamp,
}

/// A template and its text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptTemplate {
    /// Its identity: 64 hexadecimal digits.
    pub fingerprint: String,
    /// Its canonical text, with what varies from call to call masked.
    pub canonical: String,
    /// When the project first saw it.
    pub first_seen_at: Timestamp,
}

/// Calls of a template on one day, by model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptDay {
    /// The beginning of the day, UTC.
    pub day: Timestamp,
    /// The model; `None` when it was not reported.
    pub model: Option<String>,
    /// Calls on that day, failed ones included.
    pub calls: i64,
}

/// As many digits of a fingerprint as pages show.
pub fn short_fingerprint(fingerprint: &str) -> &str {
    fingerprint.get(..12).unwrap_or(fingerprint)
}
