//! Analyses of runs that a model writes: asked for, taken by whichever process is free under a claim that ends by itself,
//! and kept.

use domain::{NanoUsd, ProjectId, Timestamp, WorkState};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::{Db, Error, Result, Scope, Snapshot};

/// Analyses of one project that are written at a time: fewer than there are writers.
const MAX_OF_A_PROJECT: i64 = 2;
/// Where so many are under way, a project has one alone: what is left is for those that have none.
const CROWDED: i64 = 4;

/// An analysis as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Analysis {
    pub analysis_id: Uuid,
    pub run_id: String,
    pub state: WorkState,
    pub requested_by: String,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// The model that wrote it.
    pub model: Option<String>,
    /// What it says.
    pub report: Option<Value>,
    /// Why it says nothing, for people.
    pub error: Option<String>,
    /// `None` while it is not known.
    pub cost: Option<NanoUsd>,
}

/// Asks for an analysis of a run; where one is under way already, that one. `NotFound` where there is no such run, or the
/// project is gone.
pub async fn start(db: &Db, project: ProjectId, run_id: &str, actor: &str, now: Timestamp) -> Result<Uuid> {
    let mut tx = db.project(project).await?;
    let is_there = sqlx::query_scalar!(
        "select project_id from projects where project_id = $1 and deleted_at is null for key share",
        project.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    let has_run = sqlx::query_scalar!(
        "select run_id from runs where project_id = $1 and run_id = $2 limit 1",
        project.0,
        run_id
    )
    .fetch_optional(&mut *tx)
    .await?;
    if is_there.is_none() || has_run.is_none() {
        return Err(Error::NotFound);
    }
    let analysis_id = Uuid::now_v7();
    let made = sqlx::query_scalar!(
        "insert into analyses (project_id, analysis_id, run_id, state, requested_by, created_at)
         values ($1, $2, $3, 'queued', $4, $5)
         on conflict (project_id, run_id) where state in ('queued', 'running') do nothing
         returning analysis_id",
        project.0,
        analysis_id,
        run_id,
        actor,
        now.to_offset_date_time()
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(made) = made else {
        let open = sqlx::query_scalar!(
            "select analysis_id from analyses where project_id = $1 and run_id = $2 and state in ('queued', 'running')",
            project.0,
            run_id
        )
        .fetch_optional(&mut *tx)
        .await?;
        // It ended in between.
        return open.ok_or(Error::Conflict("analyses_open_idx"));
    };
    let entry = Entry::new(actor, "analysis.start", run_id, json!({ "analysis_id": made }));
    audit::record_within(&mut tx, project, &entry, now).await?;
    tx.commit().await?;
    Ok(made)
}

/// The latest analysis of a run.
pub async fn latest(snapshot: &mut Snapshot, project: ProjectId, run_id: &str) -> Result<Option<Analysis>> {
    let row = sqlx::query!(
        "select analysis_id, run_id, state, requested_by, created_at, finished_at, model, report, error, cost_nano_usd
         from analyses where project_id = $1 and run_id = $2 order by created_at desc, analysis_id desc limit 1",
        project.0,
        run_id
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    Ok(row.map(|row| Analysis {
        analysis_id: row.analysis_id,
        run_id: row.run_id,
        state: WorkState::parse(&row.state).unwrap_or(WorkState::Failed),
        requested_by: row.requested_by,
        created_at: Timestamp::from_offset_date_time(row.created_at),
        finished_at: row.finished_at.map(Timestamp::from_offset_date_time),
        model: row.model,
        report: row.report,
        error: row.error,
        cost: row.cost_nano_usd.map(NanoUsd),
    }))
}

/// An analysis that is this process's to write until the claim ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    pub project_id: ProjectId,
    pub analysis_id: Uuid,
    pub run_id: String,
    pub claim: Uuid,
    /// This one too.
    pub attempts: i32,
}

/// Takes the analysis that has waited longest and that nobody works at, or whose process is gone. Those of a project wait
/// for each other where it has enough of them under way: two, and one where there are many of all projects.
pub async fn claim(db: &Db, now: Timestamp, until: Timestamp) -> Result<Option<Claimed>> {
    let mut tx = db.begin(Scope::All).await?;
    let claim = Uuid::now_v7();
    let row = sqlx::query!(
        "update analyses a set state = 'running', claim = $1, claimed_until = $2, attempts = a.attempts + 1
         from (
           select w.project_id, w.analysis_id from analyses w
           join projects p on p.project_id = w.project_id and p.deleted_at is null
           where w.state in ('queued', 'running') and (w.claimed_until is null or w.claimed_until <= $3)
             and w.project_id not in (
               select r.project_id from analyses r where r.state = 'running' and r.claimed_until > $3
               group by r.project_id
               having count(*) >= case when (select count(*) from analyses u
                                             where u.state = 'running' and u.claimed_until > $3) < $5::bigint
                                  then $4::bigint else 1::bigint end)
           order by w.created_at limit 1 for update of w skip locked
         ) due
         where a.project_id = due.project_id and a.analysis_id = due.analysis_id
         returning a.project_id, a.analysis_id, a.run_id, a.attempts",
        claim,
        until.to_offset_date_time(),
        now.to_offset_date_time(),
        MAX_OF_A_PROJECT,
        CROWDED
    )
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(row.map(|row| Claimed {
        project_id: ProjectId(row.project_id),
        analysis_id: row.analysis_id,
        run_id: row.run_id,
        claim,
        attempts: row.attempts,
    }))
}

/// How an analysis ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub state: WorkState,
    pub model: Option<String>,
    pub report: Option<Value>,
    pub error: Option<String>,
    pub cost: Option<NanoUsd>,
}

/// Keeps how it ended, or gives it back as queued, unless another process has taken it over. Returns whether it was kept.
pub async fn finish(db: &Db, claimed: &Claimed, outcome: &Outcome, now: Timestamp) -> Result<bool> {
    let mut tx = db.project(claimed.project_id).await?;
    let kept = sqlx::query!(
        "update analyses set state = $4, model = $5, report = $6, error = $7, cost_nano_usd = $8,
           finished_at = case when $4 <> 'queued' then $9::timestamptz end,
           claim = null, claimed_until = null
         where project_id = $1 and analysis_id = $2 and claim = $3",
        claimed.project_id.0,
        claimed.analysis_id,
        claimed.claim,
        outcome.state.as_str(),
        outcome.model.as_deref(),
        outcome.report,
        outcome.error.as_deref(),
        outcome.cost.map(|cost| cost.0),
        now.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(kept.rows_affected() > 0)
}
