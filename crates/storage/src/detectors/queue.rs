//! Runs that detectors are to look at. A run is queued in the transaction that stores a step of it, and once more by each
//! step that comes later.

use domain::{ProjectId, Timestamp};
use sqlx::PgConnection;

use crate::{Db, Result, Scope};

/// Queues runs, each once, to be looked at by `due_at` unless another step comes before. Rows are locked in the order of
/// their keys.
pub(crate) async fn queue_within(
    tx: &mut PgConnection,
    runs: &mut [(ProjectId, &str)],
    now: Timestamp,
    due_at: Timestamp,
) -> Result<()> {
    if runs.is_empty() {
        return Ok(());
    }
    runs.sort_unstable();
    sqlx::query!(
        "insert into judgement_queue (project_id, run_id, due_at, changed_at)
         select project_id, run_id, $3, $4 from unnest($1::uuid[], $2::text[]) as u (project_id, run_id)
         on conflict (project_id, run_id) do update set due_at = excluded.due_at, changed_at = excluded.changed_at,
           attempts = 0",
        &runs.iter().map(|(project, _)| project.0).collect::<Vec<_>>(),
        &runs.iter().map(|(_, run)| *run).collect::<Vec<_>>() as _,
        due_at.to_offset_date_time(),
        now.to_offset_date_time()
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A run that is this process's until `until`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedRun {
    pub project_id: ProjectId,
    pub run_id: String,
    /// When a step of it came last.
    pub changed_at: Timestamp,
    pub until: Timestamp,
    /// How often it was taken since its last step and neither judged nor put off, this time included: each time before, it
    /// could not be read, or the process died.
    pub attempts: i32,
}

/// Takes the run that is due and has waited longest, but none of the projects that are `busy`.
pub async fn take(
    db: &Db,
    now: Timestamp,
    until: Timestamp,
    busy: &[ProjectId],
) -> Result<Option<QueuedRun>> {
    let mut tx = db.begin(Scope::All).await?;
    let row = sqlx::query!(
        "update judgement_queue q set due_at = $2, attempts = q.attempts + 1
         from (select project_id, run_id from judgement_queue where due_at <= $1 and project_id <> all($3)
               order by due_at limit 1 for update skip locked) due
         where q.project_id = due.project_id and q.run_id = due.run_id
         returning q.project_id, q.run_id, q.changed_at, q.attempts",
        now.to_offset_date_time(),
        until.to_offset_date_time(),
        &busy.iter().map(|project| project.0).collect::<Vec<_>>()
    )
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(row.map(|row| QueuedRun {
        project_id: ProjectId(row.project_id),
        run_id: row.run_id,
        changed_at: Timestamp::from_offset_date_time(row.changed_at),
        until,
        attempts: row.attempts,
    }))
}

/// Takes a run out of the queue, unless another step of it came meanwhile.
pub async fn done(db: &Db, run: &QueuedRun) -> Result<()> {
    let mut tx = db.project(run.project_id).await?;
    sqlx::query!(
        "delete from judgement_queue where project_id = $1 and run_id = $2 and due_at = $3",
        run.project_id.0,
        run.run_id,
        run.until.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// Leaves a run in the queue until `due_at`, as one that has to wait and was not tried, unless another step of it came
/// meanwhile.
pub async fn later(db: &Db, run: &QueuedRun, due_at: Timestamp) -> Result<()> {
    let mut tx = db.project(run.project_id).await?;
    sqlx::query!(
        "update judgement_queue set due_at = $4, attempts = greatest(attempts - 1, 0)
         where project_id = $1 and run_id = $2 and due_at = $3",
        run.project_id.0,
        run.run_id,
        run.until.to_offset_date_time(),
        due_at.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// Leaves a run in the queue until `due_at` that was tried in vain, unless another step of it came meanwhile.
pub async fn again(db: &Db, run: &QueuedRun, due_at: Timestamp) -> Result<()> {
    let mut tx = db.project(run.project_id).await?;
    sqlx::query!(
        "update judgement_queue set due_at = $4 where project_id = $1 and run_id = $2 and due_at = $3",
        run.project_id.0,
        run.run_id,
        run.until.to_offset_date_time(),
        due_at.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// When the next run is due; `None` when none waits.
pub async fn next_due(db: &Db) -> Result<Option<Timestamp>> {
    let mut tx = db.begin(Scope::All).await?;
    let due = sqlx::query_scalar!("select min(due_at) as due from judgement_queue")
        .fetch_one(&mut *tx)
        .await?;
    Ok(due.map(Timestamp::from_offset_date_time))
}
