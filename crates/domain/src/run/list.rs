//! What the runs list shows around its rows.

use serde::{Deserialize, Serialize};

use super::RunSummary;
use crate::{NanoUsd, Timestamp};

/// One page of the list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunPage {
    /// At most one page, newest first.
    pub items: Vec<RunSummary>,
    /// Where the next page begins; `None` at the end.
    pub next_cursor: Option<String>,
}

/// Sums over everything a filter shows, its status and severity left aside, so that each of those can carry its
/// own number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunTotals {
    /// Runs that match, on all pages.
    pub runs: i64,
    /// Steps of these runs.
    pub steps: i64,
    /// Runs with a critical step.
    pub critical: i64,
    /// Runs with a warning and nothing worse.
    pub warning: i64,
    /// Runs of which a top-level step failed.
    pub failed: i64,
    /// Runs with a step that has not ended.
    pub running: i64,
    /// Sum of the known costs; `None` when nothing could be priced.
    pub cost_nano_usd: Option<NanoUsd>,
    /// Steps without a price.
    pub unpriced_steps: i64,
    /// Set when more runs match than are counted: everything is about those filed since then.
    pub counted_since: Option<Timestamp>,
}

/// Runs that began in one bucket of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityBucket {
    /// The beginning of the bucket.
    pub at: Timestamp,
    /// Runs without a condition.
    pub ok: i64,
    /// Runs with a warning and nothing worse.
    pub warning: i64,
    /// Runs with a critical step.
    pub critical: i64,
}

/// The runs listed beside one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbours {
    /// The next newer run.
    pub newer: Option<String>,
    /// The next older run.
    pub older: Option<String>,
}

/// Values that recent runs have, offered by the filter bar.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facets {
    /// Models that answered.
    pub models: Vec<String>,
    /// Key labels.
    pub keys: Vec<String>,
    /// The most frequent values among recent runs, for suggestions.
    pub environments: Vec<String>,
    /// The most frequent values among recent runs, for suggestions.
    pub releases: Vec<String>,
    /// Step names.
    pub steps: Vec<String>,
}
