//! How many values were hidden, by day and kind.

use domain::{ProjectId, Timestamp};

use super::BatchTx;
use crate::Result;

/// So many values of one kind were hidden in so many steps of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedactionDay {
    pub project_id: ProjectId,
    /// The beginning of the day in which the steps were received.
    pub day: Timestamp,
    /// The word of a known kind, or the name of an own pattern.
    pub kind: String,
    pub hidden: i64,
    pub steps: i64,
}

/// Adds to the days. There is at most one of a key, and they are in the order of their keys.
pub async fn add_to_redaction_days(batch: &mut BatchTx, days: &[RedactionDay]) -> Result<()> {
    if days.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into redaction_days as d (project_id, day, kind, hidden, steps)
         select * from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::bigint[], $5::bigint[])
         on conflict (project_id, day, kind) do update
           set hidden = d.hidden + excluded.hidden, steps = d.steps + excluded.steps",
        &days.iter().map(|d| d.project_id.0).collect::<Vec<_>>(),
        &days
            .iter()
            .map(|d| d.day.to_offset_date_time())
            .collect::<Vec<_>>(),
        &days.iter().map(|d| d.kind.as_str()).collect::<Vec<_>>() as _,
        &days.iter().map(|d| d.hidden).collect::<Vec<_>>(),
        &days.iter().map(|d| d.steps).collect::<Vec<_>>(),
    )
    .execute(&mut *batch.tx)
    .await?;
    Ok(())
}
