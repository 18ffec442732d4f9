//! Work that takes longer than a request. A job is done in chunks; each chunk is one transaction that holds the job's
//! row, does some of the work and notes where the next chunk begins. So a chunk is done once or not at all, two
//! processes never work on one job at once, and a process that dies leaves a job that any other can go on with. Jobs
//! that are due take turns, so that a long one keeps nobody waiting.

mod chunk;

use domain::{ProjectId, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::error::OnConstraint as _;
use crate::{Db, Error, Result, Scope, Snapshot, Tx, live};

pub use chunk::{ChunkFailure, JobChunk, Progress, chunk_failed, take};

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Not begun.
    Waiting,
    /// Some of it is done.
    Running,
    Done,
    /// It was given up; its error says why. What was done stays.
    Failed,
    /// Cancelled. What was done stays.
    Cancelled,
}

impl JobState {
    pub const ALL: [Self; 5] = [
        Self::Waiting,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word in the database and for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether something is still to be done.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }

    fn parse(word: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .unwrap_or(Self::Failed)
    }
}

/// A job as people see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub project_id: ProjectId,
    pub job_id: Uuid,
    /// What kind of work.
    pub kind: String,
    /// What exactly is to be done.
    pub arguments: Value,
    /// How far it is.
    pub state: JobState,
    /// How much is done, in units of its kind.
    pub progress_done: i64,
    /// How much there is to do, once that is known.
    pub progress_total: Option<i64>,
    /// What came of it so far.
    pub result: Option<Value>,
    /// Why it failed, or why its last chunk had to be retried.
    pub error: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its first chunk was done.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// The constraint that a project has one open job of a kind that is deduplicated.
pub const OPEN_JOB: &str = "jobs_open_key";

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct NewJob<'a> {
    /// What kind of work.
    pub kind: &'a str,
    /// Whether an open job of this kind rules out another one in the same project.
    pub deduplicated: bool,
    /// What exactly.
    pub arguments: &'a Value,
}

/// Asks for a job. `Conflict(OPEN_JOB)` when the project has an open one that rules it out, `NotFound` when it was
/// deleted.
pub async fn start(
    db: &Db,
    project: ProjectId,
    new: &NewJob<'_>,
    actor: &str,
    now: Timestamp,
) -> Result<Uuid> {
    let mut tx = db.project(project).await?;
    let is_there = sqlx::query_scalar!(
        "select project_id from projects where project_id = $1 and deleted_at is null for key share",
        project.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    if is_there.is_none() {
        return Err(Error::NotFound);
    }
    let job_id = start_within(&mut tx, project, new, actor, now).await?;
    tx.commit().await?;
    Ok(job_id)
}

/// Asks for a job in the transaction that makes it necessary. Every process hears of it once that is committed.
pub(crate) async fn start_within(
    tx: &mut Tx,
    project: ProjectId,
    new: &NewJob<'_>,
    actor: &str,
    now: Timestamp,
) -> Result<Uuid> {
    let job_id = Uuid::now_v7();
    sqlx::query!(
        "insert into jobs (project_id, job_id, kind, deduplicated, arguments, state, run_after, created_at)
         values ($1, $2, $3, $4, $5, 'waiting', $6, $6)",
        project.0,
        job_id,
        new.kind,
        new.deduplicated,
        new.arguments,
        now.to_offset_date_time()
    )
    .execute(&mut **tx)
    .await
    .on_constraint(OPEN_JOB)?;
    let details = json!({ "job_id": job_id, "arguments": new.arguments });
    audit::record_within(tx, project, &entry(actor, "start", new.kind, details), now).await?;
    live::notify_jobs_within(tx).await?;
    Ok(job_id)
}

/// When the next open job of these kinds may be run; jobs that somebody works at count too.
pub async fn next_due(db: &Db, kinds: &[&str]) -> Result<Option<Timestamp>> {
    let kinds: Vec<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    let mut tx = db.begin(Scope::All).await?;
    let due = sqlx::query_scalar!(
        "select min(run_after) from jobs where state in ('waiting', 'running') and kind = any ($1)",
        &kinds
    )
    .fetch_one(&mut *tx)
    .await?;
    Ok(due.map(Timestamp::from_offset_date_time))
}

pub async fn get(db: &Db, project: ProjectId, job_id: Uuid) -> Result<Job> {
    let mut tx = db.project(project).await?;
    let row = sqlx::query_as!(
        Row,
        "select project_id, job_id, kind, arguments, state, progress_done, progress_total, result, error, created_at,
           started_at, finished_at from jobs where project_id = $1 and job_id = $2",
        project.0,
        job_id
    )
    .fetch_one(&mut *tx)
    .await?;
    Ok(row.into())
}

/// The latest jobs of one kind, newest first; at most 100.
pub async fn list(db: &Db, project: ProjectId, kind: &str, limit: u32) -> Result<Vec<Job>> {
    let mut tx = db.project(project).await?;
    let rows = sqlx::query_as!(
        Row,
        "select project_id, job_id, kind, arguments, state, progress_done, progress_total, result, error, created_at,
           started_at, finished_at
         from jobs where project_id = $1 and kind = $2 order by created_at desc, job_id desc limit $3",
        project.0,
        kind,
        i64::from(limit.min(100))
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows.into_iter().map(Job::from).collect())
}

/// A job and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectJob {
    /// The project's word in addresses; of one that is being deleted, another project may have it by now.
    pub slug: String,
    pub job: Job,
}

/// The latest jobs of a project, of all kinds, newest first; at most `limit`.
pub async fn latest(snapshot: &mut Snapshot, project: ProjectId, limit: u32) -> Result<Vec<ProjectJob>> {
    let rows = sqlx::query!(
        "select p.slug, j.project_id, job_id, kind, arguments, state, progress_done, progress_total, result, error,
           j.created_at, started_at, finished_at
         from jobs j join projects p on p.project_id = j.project_id
         where j.project_id = $1 order by j.created_at desc, job_id desc limit $2",
        project.0,
        i64::from(limit)
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ProjectJob {
            slug: row.slug,
            job: Row {
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
            }
            .into(),
        })
        .collect())
}

/// Ends a job that is not done, after the chunk that is under way. Ending one that has ended changes nothing.
pub async fn cancel(db: &Db, project: ProjectId, job_id: Uuid, actor: &str, now: Timestamp) -> Result<()> {
    let mut tx = db.project(project).await?;
    let job = sqlx::query!(
        "select kind, state from jobs where project_id = $1 and job_id = $2 for update",
        project.0,
        job_id
    )
    .fetch_one(&mut *tx)
    .await?;
    if !JobState::parse(&job.state).is_open() {
        return Ok(());
    }
    sqlx::query!(
        "update jobs set state = 'cancelled', finished_at = $3 where project_id = $1 and job_id = $2",
        project.0,
        job_id,
        now.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    let details = json!({ "job_id": job_id });
    audit::record_within(&mut tx, project, &entry(actor, "cancel", &job.kind, details), now).await?;
    Ok(tx.commit().await?)
}

/// Lets open jobs of a kind begin again, in the transaction that makes what they have done out of date; those of one
/// project, or all. A chunk that is under way is waited for. What a job says of itself is about its last beginning.
pub(crate) async fn begin_again_within(tx: &mut Tx, kind: &str, project: Option<ProjectId>) -> Result<()> {
    sqlx::query!(
        "update jobs set cursor = null, progress_done = 0, progress_total = null, result = null
         where kind = $1 and state in ('waiting', 'running') and ($2::uuid is null or project_id = $2)",
        kind,
        project.map(|project| project.0)
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn entry(actor: &str, what: &str, kind: &str, details: Value) -> Entry {
    Entry {
        actor: actor.to_owned(),
        action: format!("job.{what}"),
        subject: kind.to_owned(),
        details,
    }
}

struct Row {
    project_id: Uuid,
    job_id: Uuid,
    kind: String,
    arguments: Value,
    state: String,
    progress_done: i64,
    progress_total: Option<i64>,
    result: Option<Value>,
    error: Option<String>,
    created_at: time::OffsetDateTime,
    started_at: Option<time::OffsetDateTime>,
    finished_at: Option<time::OffsetDateTime>,
}

impl From<Row> for Job {
    fn from(row: Row) -> Self {
        Self {
            project_id: ProjectId(row.project_id),
            job_id: row.job_id,
            kind: row.kind,
            arguments: row.arguments,
            state: JobState::parse(&row.state),
            progress_done: row.progress_done,
            progress_total: row.progress_total,
            result: row.result,
            error: row.error,
            created_at: Timestamp::from_offset_date_time(row.created_at),
            started_at: row.started_at.map(Timestamp::from_offset_date_time),
            finished_at: row.finished_at.map(Timestamp::from_offset_date_time),
        }
    }
}
