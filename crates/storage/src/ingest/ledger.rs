//! The accounts: what became of everything received, per key and minute.

use domain::ledger::Dimension;
use domain::{ProjectId, Timestamp};

use super::BatchTx;
use crate::Result;

/// What became of a received step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It became a row.
    Stored,
    /// It was there already.
    Duplicate,
    /// It was refused, for this reason (a word, not a sentence).
    Rejected(&'static str),
    /// Beside being stored: the hourly sums count it as `other`, because this dimension has too many values.
    Limited(Dimension),
}

/// So many steps of one key in one minute with one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerEntry<'a> {
    pub project_id: ProjectId,
    /// The minute of receipt.
    pub minute: Timestamp,
    pub key_label: &'a str,
    /// What became of them.
    pub outcome: Outcome,
    pub steps: i64,
}

/// Adds entries to the accounts. Each (project, minute, key, outcome) appears at most once.
pub async fn add_to_ledger(batch: &mut BatchTx, entries: &mut [LedgerEntry<'_>]) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    entries.sort_unstable_by_key(|e| (e.project_id, e.minute, e.key_label, e.outcome));
    let words = |outcome: Outcome| match outcome {
        Outcome::Stored => ("stored", ""),
        Outcome::Duplicate => ("duplicate", ""),
        Outcome::Rejected(reason) => ("rejected", reason),
        Outcome::Limited(dimension) => ("limited", dimension.as_str()),
    };
    sqlx::query!(
        "insert into ledger as l (project_id, minute, key_label, outcome, reason, steps)
         select * from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::bigint[])
         on conflict (project_id, minute, key_label, outcome, reason) do update set steps = l.steps + excluded.steps",
        &entries.iter().map(|e| e.project_id.0).collect::<Vec<_>>(),
        &entries.iter().map(|e| e.minute.to_offset_date_time()).collect::<Vec<_>>(),
        &entries.iter().map(|e| e.key_label).collect::<Vec<_>>() as _,
        &entries.iter().map(|e| words(e.outcome).0).collect::<Vec<_>>() as _,
        &entries.iter().map(|e| words(e.outcome).1).collect::<Vec<_>>() as _,
        &entries.iter().map(|e| e.steps).collect::<Vec<_>>(),
    )
    .execute(&mut *batch.tx)
    .await?;
    Ok(())
}
