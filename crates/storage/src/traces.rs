//! Runs that are to be sent as tracing data. A run is queued in the transaction that stores a step of it, and once more
//! by each step that comes later.

use domain::{ProjectId, Timestamp};
use serde_json::Value;
use sqlx::PgConnection;

use crate::{Db, Result, Scope, Snapshot};

/// What became of a run, in the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceOutcome {
    /// The receiver took it.
    Sent,
    /// The receiver wants none for a while.
    RateLimited,
    /// The receiver refused it.
    Refused,
    /// The receiver could not be reached for a day.
    Unreachable,
    /// Steps that had no place in what one run may be.
    StepsCut,
}

impl TraceOutcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::RateLimited => "rate_limited",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::StepsCut => "steps_cut",
        }
    }
}

/// Queues runs, each once, to be sent at `due_at` unless another step comes before. Rows are locked in the order of
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
        "insert into trace_queue as q (project_id, run_id, due_at, changed_at)
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

/// A run that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedRun {
    pub run_id: String,
    pub changed_at: Timestamp,
    /// This one too.
    pub attempts: u32,
}

/// Runs of one project that are this process's until `until`.
#[derive(Clone, Debug, PartialEq)]
pub struct TakenRuns {
    pub project_id: ProjectId,
    pub slug: String,
    /// Of the integration.
    pub options: Value,
    /// The receiver wants none.
    pub is_limited: bool,
    pub until: Timestamp,
    pub runs: Vec<QueuedRun>,
}

/// Takes up to `limit` runs of the project that has waited longest. `None` when none is due.
pub async fn take(db: &Db, now: Timestamp, until: Timestamp, limit: i64) -> Result<Option<TakenRuns>> {
    let mut tx = db.begin(Scope::All).await?;
    let at = now.to_offset_date_time();
    let found = sqlx::query!(
        "select i.project_id, p.slug, i.options, coalesce(s.limited_until > $1, false) as \"is_limited!\"
         from integrations i
         join projects p on p.project_id = i.project_id and p.deleted_at is null
         left join trace_states s on s.project_id = i.project_id
         join lateral (
           select due_at from trace_queue where project_id = i.project_id and due_at <= $1 order by due_at limit 1
         ) q on true
         where i.kind = 'sentry' and i.paused_at is null and (s.retry_at is null or s.retry_at <= $1)
         order by q.due_at limit 1",
        at
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(found) = found else {
        return Ok(None);
    };
    let rows = sqlx::query!(
        "update trace_queue q set due_at = $3, attempts = q.attempts + 1
         from (select run_id from trace_queue where project_id = $1 and due_at <= $2
               order by due_at, run_id limit $4 for update skip locked) due
         where q.project_id = $1 and q.run_id = due.run_id
         returning q.run_id, q.changed_at, q.attempts",
        found.project_id,
        at,
        until.to_offset_date_time(),
        limit
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Some(TakenRuns {
        project_id: ProjectId(found.project_id),
        slug: found.slug,
        options: found.options,
        is_limited: found.is_limited,
        until,
        runs: rows
            .into_iter()
            .map(|row| QueuedRun {
                run_id: row.run_id,
                changed_at: Timestamp::from_offset_date_time(row.changed_at),
                attempts: u32::try_from(row.attempts).unwrap_or(0),
            })
            .collect(),
    }))
}

/// How an attempt to send a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceEnd {
    /// Nothing more is to be done; `None` where it is tried again.
    pub outcome: Option<TraceOutcome>,
    pub again_at: Timestamp,
    /// Steps that were left out.
    pub steps_cut: i64,
    /// Until when the receiver wants none.
    pub limited_until: Option<Timestamp>,
    /// What was answered, where that was no success.
    pub error: Option<String>,
}

impl TraceEnd {
    /// Whether the receiver could not be reached, and is tried again.
    pub fn is_away(&self) -> bool {
        self.outcome.is_none() && self.error.is_some()
    }
}

/// Writes down how an attempt ended. A run of which another step came meanwhile stays in the queue.
pub async fn finish(db: &Db, taken: &TakenRuns, run_id: &str, end: &TraceEnd, now: Timestamp) -> Result<()> {
    let mut tx = db.project(taken.project_id).await?;
    let project = taken.project_id.0;
    let until = taken.until.to_offset_date_time();
    match end.outcome {
        None => {
            sqlx::query!(
                "update trace_queue set due_at = $4 where project_id = $1 and run_id = $2 and due_at = $3",
                project,
                run_id,
                until,
                end.again_at.to_offset_date_time()
            )
            .execute(&mut *tx)
            .await?;
        }
        Some(outcome) => {
            sqlx::query!(
                "delete from trace_queue where project_id = $1 and run_id = $2 and due_at = $3",
                project,
                run_id,
                until
            )
            .execute(&mut *tx)
            .await?;
            count(&mut tx, taken.project_id, outcome, 1, now).await?;
        }
    }
    if end.steps_cut > 0 {
        count(
            &mut tx,
            taken.project_id,
            TraceOutcome::StepsCut,
            end.steps_cut,
            now,
        )
        .await?;
    }
    sqlx::query!(
        "insert into trace_states as s (project_id, limited_until, last_sent_at, last_error, retry_at)
         select $1, $2, case when $3 then $4::timestamptz end, $5, $6
         where exists (select from projects where project_id = $1 and deleted_at is null)
         on conflict (project_id) do update set
           limited_until = greatest(s.limited_until, excluded.limited_until),
           last_sent_at = coalesce(excluded.last_sent_at, s.last_sent_at), last_error = excluded.last_error,
           retry_at = excluded.retry_at",
        project,
        end.limited_until.map(Timestamp::to_offset_date_time),
        end.outcome == Some(TraceOutcome::Sent),
        now.to_offset_date_time(),
        end.error,
        end.is_away().then(|| end.again_at.to_offset_date_time())
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

async fn count(
    tx: &mut PgConnection,
    project: ProjectId,
    outcome: TraceOutcome,
    runs: i64,
    now: Timestamp,
) -> Result<()> {
    sqlx::query!(
        "insert into trace_days as d (project_id, day, runs, outcome)
         select $1, $2, $3, $4 where exists (select from projects where project_id = $1 and deleted_at is null)
         on conflict (project_id, day, outcome) do update set runs = d.runs + excluded.runs",
        project.0,
        now.day().to_offset_date_time(),
        runs,
        outcome.as_str()
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Gives up runs that wait since before `before`: nobody took them, or the channel was paused or removed. Returns how
/// many.
pub async fn drop_forgotten(db: &Db, before: Timestamp, now: Timestamp) -> Result<i64> {
    let mut tx = db.begin(Scope::All).await?;
    let dropped = sqlx::query_scalar!(
        "with gone as (
           delete from trace_queue where (project_id, run_id) in (
             select project_id, run_id from trace_queue where changed_at < $1 for update skip locked)
           returning project_id
         ), counted as (
           insert into trace_days as d (project_id, day, runs, outcome)
           select g.project_id, $2, count(*), 'unreachable' from gone g
           join projects p on p.project_id = g.project_id and p.deleted_at is null
           group by g.project_id
           on conflict (project_id, day, outcome) do update set runs = d.runs + excluded.runs
         )
         select count(*) as \"gone!\" from gone",
        before.to_offset_date_time(),
        now.day().to_offset_date_time()
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(dropped)
}

/// When the next run is due; `None` when none waits.
pub async fn next_due(db: &Db) -> Result<Option<Timestamp>> {
    let mut tx = db.begin(Scope::All).await?;
    let due = sqlx::query_scalar!(
        "select min(greatest(q.due_at, s.retry_at)) as due
         from integrations i
         left join trace_states s on s.project_id = i.project_id
         join lateral (
           select due_at from trace_queue where project_id = i.project_id order by due_at limit 1
         ) q on true
         where i.kind = 'sentry' and i.paused_at is null"
    )
    .fetch_one(&mut *tx)
    .await?;
    Ok(due.map(Timestamp::from_offset_date_time))
}

/// What became of a project's runs since a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceCounts {
    /// By [`TraceOutcome::as_str`].
    pub runs: Vec<(String, i64)>,
    pub waiting: i64,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    pub limited_until: Option<Timestamp>,
}

/// What became of a project's runs since `from`.
pub async fn counts(snapshot: &mut Snapshot, project: ProjectId, from: Timestamp) -> Result<TraceCounts> {
    let runs = sqlx::query!(
        "select outcome, sum(runs)::bigint as \"runs!\" from trace_days where project_id = $1 and day >= $2
         group by outcome order by outcome",
        project.0,
        from.day().to_offset_date_time()
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let state = sqlx::query!(
        "select (select count(*) from trace_queue where project_id = $1) as \"waiting!\",
           (select last_error from trace_states where project_id = $1) as last_error,
           (select limited_until from trace_states where project_id = $1) as limited_until",
        project.0
    )
    .fetch_one(&mut *snapshot)
    .await?;
    Ok(TraceCounts {
        runs: runs.into_iter().map(|row| (row.outcome, row.runs)).collect(),
        waiting: state.waiting,
        last_error: state.last_error,
        limited_until: state.limited_until.map(Timestamp::from_offset_date_time),
    })
}
