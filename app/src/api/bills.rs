//! Providers' bills in chats, as they were read.

use domain::Timestamp;
use domain::bill::ComparedLine;
use serde::{Deserialize, Serialize};

/// A bill that was read, and what the ledger had beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BillView {
    /// Days and amounts as fields show them: `2026-11-14`, `20.28`.
    pub(crate) lines: Vec<(String, String)>,
    /// What the names of the models that it is of begin with, with commas between; empty is all.
    pub(crate) models: String,
    pub(crate) compared: Option<ComparisonView>,
}

/// What the ledger had beside a bill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ComparisonView {
    pub(crate) at: Timestamp,
    pub(crate) by: String,
    pub(crate) lines: Vec<ComparedLine>,
}

#[cfg(feature = "ssr")]
impl From<storage::bills::Bill> for BillView {
    fn from(bill: storage::bills::Bill) -> Self {
        let line = |line: &domain::bill::BillLine| {
            let day = line.day.to_string().chars().take(10).collect();
            (day, line.amount.to_decimal())
        };
        Self {
            lines: bill.lines.iter().map(line).collect(),
            models: bill.models,
            compared: bill.compared.map(|compared| ComparisonView {
                at: compared.at,
                by: compared.by,
                lines: compared.lines,
            }),
        }
    }
}
