//! What a detector found, before it is stored.

use domain::detector::Evidence;
use serde_json::Value;

/// Something found in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// One sentence.
    pub summary: String,
    /// What else there is to say.
    pub data: Value,
    /// What shows it.
    pub evidence: Vec<Evidence>,
}
