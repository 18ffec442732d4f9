//! Whose turn it is: each connection is asked by one process at a time, without a transaction that waits for a foreign
//! server. A claim ends by itself, so that what a dead process was at is taken up by another.

use domain::{ProjectId, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use crate::{Db, Result, Scope};

/// A connection that this process is to ask.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    pub project_id: ProjectId,
    /// What shows that it is still ours.
    pub claim: Uuid,
    pub options: Value,
    /// Where to go on.
    pub cursor: Value,
    /// Attempts in a row that failed.
    pub failures: u32,
}

/// When the next connection of a kind is due, also one that somebody is at.
pub async fn next_due(db: &Db, kind: &str) -> Result<Option<Timestamp>> {
    let mut tx = db.begin(Scope::All).await?;
    let due = sqlx::query_scalar!(
        "select min(due_at) from integrations where kind = $1 and paused_at is null",
        kind
    )
    .fetch_one(&mut *tx)
    .await?;
    Ok(due.map(Timestamp::from_offset_date_time))
}

/// Takes the connection that is due longest, until `until`; `only` takes that project's, due or not, unless another
/// process is at it.
pub async fn claim(
    db: &Db,
    kind: &str,
    only: Option<ProjectId>,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<Claimed>> {
    let mut tx = db.begin(Scope::All).await?;
    let claim = Uuid::now_v7();
    let row = sqlx::query!(
        "update integrations i set claim = $3, due_at = $5, last_attempt_at = $4
         where (i.project_id, i.kind) = (
           select d.project_id, d.kind from integrations d join projects p on p.project_id = d.project_id
           where d.kind = $1 and p.deleted_at is null and d.paused_at is null
             and ($2::uuid is null or d.project_id = $2)
             and (d.due_at <= $4 or ($2::uuid is not null and d.claim is null))
           order by d.due_at limit 1 for update of d skip locked)
         returning project_id, options, cursor, failures",
        kind,
        only.map(|project| project.0),
        claim,
        now.to_offset_date_time(),
        until.to_offset_date_time()
    )
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(row.map(|row| Claimed {
        project_id: ProjectId(row.project_id),
        claim,
        options: row.options,
        cursor: row.cursor,
        failures: u32::try_from(row.failures).unwrap_or(0),
    }))
}

/// Goes on until `until`. False where the claim is lost: somebody changed the connection, or another process took over.
pub async fn keep_claim(
    db: &Db,
    project: ProjectId,
    kind: &str,
    claim: Uuid,
    until: Timestamp,
) -> Result<bool> {
    let mut tx = db.project(project).await?;
    let kept = sqlx::query!(
        "update integrations set due_at = $4 where project_id = $1 and kind = $2 and claim = $3",
        project.0,
        kind,
        claim,
        until.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    tx.commit().await?;
    Ok(kept > 0)
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Whether it got through.
    pub is_ok: bool,
    /// Why it did not, for people; `None` where that is nobody's concern.
    pub error: Option<String>,
    /// Whether that counts as a failure; being told to wait does not.
    pub is_failure: bool,
    /// Where the next one goes on.
    pub cursor: Value,
    /// When that is.
    pub next_at: Timestamp,
}

/// Writes down how an attempt ended, and lets go. Of a claim that is lost nothing is written.
pub async fn finish(
    db: &Db,
    project: ProjectId,
    kind: &str,
    claim: Uuid,
    outcome: &Outcome,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    sqlx::query!(
        "update integrations set claim = null, due_at = $4, cursor = $5, last_error = $6,
           last_ok_at = case when $9 then $7::timestamptz else last_ok_at end,
           failures = case when $9 then 0 when $8 then failures + 1 else failures end
         where project_id = $1 and kind = $2 and claim = $3",
        project.0,
        kind,
        claim,
        outcome.next_at.to_offset_date_time(),
        outcome.cursor,
        outcome.error,
        now.to_offset_date_time(),
        outcome.is_failure,
        outcome.is_ok
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}
