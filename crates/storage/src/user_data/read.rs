//! Reading what belongs to a user, and the receipts of deletions.

use std::collections::BTreeMap;

use domain::{ProjectId, Timestamp};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{Result, Snapshot};

/// The runs that a user has a part in, by id, after the run `after`; at most `limit`.
pub async fn runs(
    snapshot: &mut Snapshot,
    project: ProjectId,
    user_id: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<String>> {
    let run_ids = sqlx::query_scalar!(
        "select run_id as \"run_id!\"
         from (
           select run_id from steps where project_id = $1 and user_id = $2 and ($3::text is null or run_id > $3)
           union
           select run_id from runs where project_id = $1 and user_id = $2 and ($3::text is null or run_id > $3)
         ) t
         order by run_id limit $4",
        project.0,
        user_id,
        after,
        i64::from(limit)
    );
    Ok(run_ids.fetch_all(&mut *snapshot).await?)
}

/// The ids of a user's steps in one run: what [`super::delete_chunk`] would delete of it.
pub async fn step_ids(
    snapshot: &mut Snapshot,
    project: ProjectId,
    user_id: &str,
    run_id: &str,
) -> Result<Vec<String>> {
    let step_ids = sqlx::query_scalar!(
        "with recorded as (
           select s.step_id, s.user_id, s.started_at
           from runs k
           join steps s on s.project_id = k.project_id and s.run_id = k.run_id and s.partition_at = k.partition_at
           where k.project_id = $1 and k.run_id = $2
         )
         select step_id as \"step_id!\" from recorded
         where user_id = $3 or user_id is null and not exists (select from recorded o where o.user_id <> $3)
         group by step_id order by min(started_at), step_id",
        project.0,
        run_id,
        user_id
    );
    Ok(step_ids.fetch_all(&mut *snapshot).await?)
}

/// Whether a run names others than the user.
pub async fn is_shared(
    snapshot: &mut Snapshot,
    project: ProjectId,
    user_id: &str,
    run_id: &str,
) -> Result<bool> {
    let is_shared = sqlx::query_scalar!(
        "select exists (
           select from runs k
           join steps s on s.project_id = k.project_id and s.run_id = k.run_id and s.partition_at = k.partition_at
           where k.project_id = $1 and k.run_id = $2 and s.user_id <> $3) as \"is_shared!\"",
        project.0,
        run_id,
        user_id
    );
    Ok(is_shared.fetch_one(&mut *snapshot).await?)
}

/// What stays of a deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its job.
    pub job_id: Uuid,
    /// [`super::user_sha256`] of the id.
    pub user_sha256: String,
    /// Who asked for it.
    pub requested_by: String,
    pub requested_at: Timestamp,
    /// When all was gone; `None` before, and for ever where it was cancelled.
    pub finished_at: Option<Timestamp>,
    /// How many rows went so far, by table.
    pub rows: BTreeMap<String, i64>,
}

/// The latest deletions of a project; at most `limit`.
pub async fn receipts(snapshot: &mut Snapshot, project: ProjectId, limit: u32) -> Result<Vec<Receipt>> {
    let rows = sqlx::query!(
        "select job_id, user_sha256, requested_by, requested_at, finished_at,
           rows as \"rows: Json<BTreeMap<String, i64>>\"
         from user_deletions where project_id = $1 order by requested_at desc, job_id desc limit $2",
        project.0,
        i64::from(limit)
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Receipt {
            job_id: row.job_id,
            user_sha256: row.user_sha256,
            requested_by: row.requested_by,
            requested_at: Timestamp::from_offset_date_time(row.requested_at),
            finished_at: row.finished_at.map(Timestamp::from_offset_date_time),
            rows: row.rows.0,
        })
        .collect())
}
