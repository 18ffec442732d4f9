//! Reading the ledger: what became of every received step.

use domain::{LedgerMinute, ProjectId, Timestamp};

use crate::{Result, Snapshot};

/// The most minutes one answer may have.
pub const MAX_MINUTES: u32 = 10_000;

/// One row per minute and key within `from..to`, newest first, at most `limit`.
pub async fn minutes(
    snapshot: &mut Snapshot,
    project: ProjectId,
    from: Timestamp,
    to: Timestamp,
    limit: u32,
) -> Result<Vec<LedgerMinute>> {
    let rows = sqlx::query!(
        "with wanted as (
           select distinct minute, key_label from ledger
           where project_id = $1 and minute >= $2 and minute < $3
           order by minute desc, key_label limit $4
         )
         select minute, key_label, outcome, reason, steps from ledger join wanted using (minute, key_label)
         where project_id = $1 and minute >= $2 and minute < $3
         order by minute desc, key_label",
        project.0,
        from.to_offset_date_time(),
        to.to_offset_date_time(),
        i64::from(limit.clamp(1, MAX_MINUTES))
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let mut minutes: Vec<LedgerMinute> = Vec::new();
    for row in rows {
        let minute = Timestamp::from_offset_date_time(row.minute);
        if minutes
            .last()
            .is_none_or(|last| (last.minute, last.key_label.as_str()) != (minute, row.key_label.as_str()))
        {
            minutes.push(LedgerMinute {
                minute,
                key_label: row.key_label,
                received: 0,
                stored: 0,
                duplicate: 0,
                rejected: Default::default(),
                limited: Default::default(),
            });
        }
        if let Some(last) = minutes.last_mut() {
            match row.outcome.as_str() {
                // What the sums made of stored steps; these are counted as stored already.
                "limited" => *last.limited.entry(row.reason).or_insert(0) += row.steps,
                "stored" => last.stored += row.steps,
                "duplicate" => last.duplicate += row.steps,
                _ => *last.rejected.entry(row.reason).or_insert(0) += row.steps,
            }
            last.received = last.stored + last.duplicate + last.rejected.values().sum::<i64>();
        }
    }
    Ok(minutes)
}
