//! How long a project keeps what, and whether nothing of it may be deleted. `partitions::delete_expired` holds to it.

use domain::{ProjectId, Timestamp};
use serde_json::json;

use crate::audit::{self, Entry};
use crate::{Db, Error, Result, Snapshot};

/// What a project without settings keeps.
pub const DEFAULT: KeptDays = KeptDays {
    runs: 90,
    payloads: 30,
    sums: 90,
};
/// The longest that anything is kept without a hold.
pub const MAX_DAYS: i32 = 3_650;

/// Days that something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptDays {
    /// Runs, steps, events, conditions, ledger.
    pub runs: i32,
    /// Prompts and outputs; never longer than their runs.
    pub payloads: i32,
    /// Sums of hours and days, of which charts and costs are made; never shorter than the runs.
    pub sums: i32,
}

/// How long a project keeps what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectRetention {
    pub kept: KeptDays,
    /// Since when nothing of it may be deleted.
    pub held_at: Option<Timestamp>,
}

/// What is set.
pub async fn get(snapshot: &mut Snapshot, project: ProjectId) -> Result<ProjectRetention> {
    let row = sqlx::query!(
        "select retention_days, payload_retention_days,
           greatest(rollup_retention_days, retention_days) as \"sum_days!\", held_at
         from project_settings where project_id = $1",
        project.0
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    Ok(row.map_or(
        ProjectRetention {
            kept: DEFAULT,
            held_at: None,
        },
        |row| ProjectRetention {
            kept: KeptDays {
                runs: row.retention_days,
                payloads: row.payload_retention_days,
                sums: row.sum_days,
            },
            held_at: row.held_at.map(Timestamp::from_offset_date_time),
        },
    ))
}

/// Sets it and writes down who did. A hold that goes on keeps the time at which it began. `NotFound` where the project is
/// gone.
pub async fn set(
    db: &Db,
    project: ProjectId,
    kept: KeptDays,
    is_held: bool,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    let saved = sqlx::query!(
        "insert into project_settings as s (project_id, retention_days, payload_retention_days, rollup_retention_days, held_at,
           updated_at)
         select $1, $2, $3, $6, case when $4 then $5::timestamptz end, $5 from projects
         where project_id = $1 and deleted_at is null
         on conflict (project_id) do update set retention_days = excluded.retention_days,
           payload_retention_days = excluded.payload_retention_days,
           rollup_retention_days = excluded.rollup_retention_days, updated_at = excluded.updated_at,
           held_at = case when $4 then coalesce(s.held_at, excluded.held_at) end",
        project.0,
        kept.runs,
        kept.payloads,
        is_held,
        now.to_offset_date_time(),
        kept.sums
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if saved == 0 {
        return Err(Error::NotFound);
    }
    let details = json!({
        "runs_days": kept.runs, "payloads_days": kept.payloads, "sums_days": kept.sums, "legal_hold": is_held,
    });
    let entry = Entry::new(actor, "retention.change", "retention", details);
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}
