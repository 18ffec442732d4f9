//! What became of everything that was received.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// One key's accounts for one minute: `received = stored + duplicate + Σ rejected`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}
