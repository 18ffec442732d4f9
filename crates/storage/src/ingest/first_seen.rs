//! When calls first named a model, a step or a release.

use domain::{ProjectId, Timestamp};

use super::BatchTx;
use crate::Result;

/// A value that a batch names, and when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen<'a> {
    pub project_id: ProjectId,
    /// `model`, `step` or `release`.
    pub dimension: &'static str,
    pub value: &'a str,
    /// The start of the earliest step that names it.
    pub at: Timestamp,
}

/// Keeps the earlier of what is known and what is seen now. Follows `add_to_runs`, which lets one batch of a project at
/// a time go on; no two are of the same value.
pub async fn keep_first_seen(batch: &mut BatchTx, seen: &[Seen<'_>]) -> Result<()> {
    if seen.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into first_seen (project_id, dimension, value, at)
         select * from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])
         on conflict (project_id, dimension, value) do update set at = excluded.at
           where first_seen.at > excluded.at",
        &seen.iter().map(|seen| seen.project_id.0).collect::<Vec<_>>(),
        &seen.iter().map(|seen| seen.dimension).collect::<Vec<_>>() as _,
        &seen.iter().map(|seen| seen.value).collect::<Vec<_>>() as _,
        &seen
            .iter()
            .map(|seen| seen.at.to_offset_date_time())
            .collect::<Vec<_>>()
    )
    .execute(&mut *batch.tx)
    .await?;
    Ok(())
}
