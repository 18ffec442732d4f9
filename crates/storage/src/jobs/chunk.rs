//! One chunk of a job: taken, done and noted in one transaction, or noted as failed in another.

use domain::{ProjectId, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use super::{Job, JobState, Row};
use crate::{Db, Result, Scope, Tx};

/// A job whose next chunk this transaction does. Dropped without `commit` it rolls back.
#[derive(Debug)]
pub struct JobChunk {
    pub(crate) tx: Tx,
    pub job: Job,
    /// Where this chunk begins; `None` at the beginning.
    pub cursor: Option<Value>,
    /// How often it failed since the last one that was done.
    pub failures: u32,
}

/// The result of a chunk.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Where the next chunk begins; `None` when all is done.
    pub next: Option<Value>,
    /// How much is done so far.
    pub done: i64,
    /// How much there is to do.
    pub total: Option<i64>,
    /// What came of it so far.
    pub result: Value,
}

/// Takes the job that has waited longest and that no process works at; `only` names the one that is wanted.
/// `None` when there is none. It holds its project's row as a batch does; of a deleted project there is only its deletion
/// to do.
pub async fn take(
    db: &Db,
    kinds: &[&str],
    only: Option<(ProjectId, Uuid)>,
    now: Timestamp,
) -> Result<Option<JobChunk>> {
    let mut tx = db.begin(Scope::All).await?;
    let kinds: Vec<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    let row = sqlx::query!(
        "select j.project_id, j.job_id, j.kind, j.arguments, j.state, j.progress_done, j.progress_total, j.result,
           j.error, j.created_at, j.started_at, j.finished_at, j.cursor, j.attempts + j.delays as \"failures!\"
         from jobs j join projects p on p.project_id = j.project_id
         where j.state in ('waiting', 'running') and j.run_after <= $1 and j.kind = any ($2)
           and ($3::uuid is null or j.project_id = $3) and ($4::uuid is null or j.job_id = $4)
           and (p.deleted_at is null or j.kind = 'delete_project')
         order by j.run_after, j.job_id limit 1
         for update of j skip locked for key share of p skip locked",
        now.to_offset_date_time(),
        &kinds,
        only.map(|(project, _)| project.0),
        only.map(|(_, job_id)| job_id)
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    // What follows concerns one project, and the transaction may see no other from here on. A chunk may work elsewhere for
    // a while; the rows that it holds meanwhile keep only other chunks waiting.
    sqlx::query!(
        "select set_config('plumbline.scope', $1, true) as scope,
           set_config('idle_in_transaction_session_timeout', '10min', true) as idle",
        row.project_id.to_string()
    )
    .fetch_one(&mut *tx)
    .await?;
    let cursor = row.cursor;
    let failures = u32::try_from(row.failures).unwrap_or(0);
    let job = Row {
        project_id: row.project_id,
        job_id: row.job_id,
        kind: row.kind,
        arguments: row.arguments,
        state: row.state,
        progress_done: row.progress_done,
        progress_total: row.progress_total,
        result: row.result,
        error: row.error,
        created_at: row.created_at,
        started_at: row.started_at,
        finished_at: row.finished_at,
    };
    Ok(Some(JobChunk {
        tx,
        job: job.into(),
        cursor,
        failures,
    }))
}

impl JobChunk {
    /// Makes the chunk durable, together with where the next one begins.
    pub async fn commit(mut self, progress: &Progress, now: Timestamp) -> Result<()> {
        sqlx::query!(
            "update jobs set state = case when $3::jsonb is null then 'done' else 'running' end, cursor = $3,
               progress_done = $4, progress_total = $5, result = $6, error = null, attempts = 0, delays = 0,
               started_at = coalesce(started_at, $7), finished_at = case when $3::jsonb is null then $7 end,
               run_after = $7
             where project_id = $1 and job_id = $2",
            self.job.project_id.0,
            self.job.job_id,
            progress.next,
            progress.done,
            progress.total,
            progress.result,
            now.to_offset_date_time()
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(self.tx.commit().await?)
    }
}

/// That a chunk was not done.
#[derive(Clone, Copy, Debug)]
pub struct ChunkFailure<'a> {
    /// Why, for people.
    pub error: &'a str,
    /// When it is tried again; others have their turn meanwhile.
    pub again_at: Timestamp,
    /// After how many failures in a row the job is given up; `None` when this is no reason to.
    pub max_attempts: Option<i32>,
}

/// Notes that a chunk failed. Returns whether the job is given up for it.
pub async fn chunk_failed(
    db: &Db,
    project: ProjectId,
    job_id: Uuid,
    failure: &ChunkFailure<'_>,
    now: Timestamp,
) -> Result<bool> {
    let mut tx = db.project(project).await?;
    let state = sqlx::query_scalar!(
        "update jobs set error = $3, run_after = $4,
           attempts = attempts + case when $5::int is null then 0 else 1 end,
           delays = delays + case when $5::int is null then 1 else 0 end,
           state = case when attempts + 1 >= $5::int then 'failed' else state end,
           finished_at = case when attempts + 1 >= $5::int then $6::timestamptz end
         where project_id = $1 and job_id = $2 and state in ('waiting', 'running') returning state",
        project.0,
        job_id,
        failure.error,
        failure.again_at.to_offset_date_time(),
        failure.max_attempts,
        now.to_offset_date_time()
    )
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    // One that is done, or was cancelled meanwhile, is not given up.
    Ok(state.is_some_and(|state| JobState::parse(&state) == JobState::Failed))
}
