//! Which version has judged which run, and what came of it. No version judges a run twice: the row is its key.

use domain::detector::{Evidence, JudgementState};
use domain::{NanoUsd, OwnRunKind, ProjectId, Timestamp};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::alerts::{NewAlert, insert_within};
use crate::keys::secret;
use crate::{Db, Result, Snapshot, Tx};

/// Detectors and versions that are done with a run.
pub async fn judged(snapshot: &mut Snapshot, project: ProjectId, run_id: &str) -> Result<Vec<(Uuid, i32)>> {
    let rows = sqlx::query!(
        "select detector_id, version from judgements where project_id = $1 and run_id = $2 and state <> 'judging'",
        project.0,
        run_id
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.detector_id, row.version))
        .collect())
}

/// What became of a run under one version of a detector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunJudgement {
    pub detector_id: Uuid,
    pub version: i32,
    pub state: JudgementState,
    /// Why it was not judged.
    pub reason: Option<String>,
    pub at: Timestamp,
}

/// What became of a run, by detector, the latest version first.
pub async fn of_run(snapshot: &mut Snapshot, project: ProjectId, run_id: &str) -> Result<Vec<RunJudgement>> {
    let rows = sqlx::query!(
        "select detector_id, version, state, reason, at from judgements
         where project_id = $1 and run_id = $2 order by detector_id, version desc",
        project.0,
        run_id
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            Some(RunJudgement {
                detector_id: row.detector_id,
                version: row.version,
                state: JudgementState::parse(&row.state)?,
                reason: row.reason,
                at: Timestamp::from_offset_date_time(row.at),
            })
        })
        .collect())
}

/// Begins to judge: false when a version has judged the run, or somebody else is at it since `stale_before` or later,
/// or the run is gone.
pub async fn begin(
    db: &Db,
    project: ProjectId,
    (detector, version): (Uuid, i32),
    run_id: &str,
    now: Timestamp,
    stale_before: Timestamp,
) -> Result<bool> {
    let mut tx = db.project(project).await?;
    if !hold_run(&mut tx, project, run_id).await? || !is_alive(&mut tx, project, detector).await? {
        return Ok(false);
    }
    let begun = sqlx::query!(
        "insert into judgements as j (project_id, detector_id, at, version, state, run_id)
         values ($1, $2, $3, $4, 'judging', $5)
         on conflict (project_id, run_id, detector_id, version) do update set at = excluded.at
           where j.state = 'judging' and j.at < $6",
        project.0,
        detector,
        now.to_offset_date_time(),
        version,
        run_id,
        stale_before.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(begun.rows_affected() > 0)
}

/// Whether the run is there: whoever deletes it waits until the transaction ends, and takes with it what was said of it.
async fn hold_run(tx: &mut Tx, project: ProjectId, run_id: &str) -> Result<bool> {
    let held = sqlx::query_scalar!(
        "select run_id from run_keys where project_id = $1 and run_id = $2 for key share",
        project.0,
        run_id
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(held.is_some())
}

/// Whether a detector, and its project, is there: it stays until the transaction ends.
async fn is_alive(tx: &mut Tx, project: ProjectId, detector: Uuid) -> Result<bool> {
    let found = sqlx::query_scalar!(
        "select d.version from projects p join detectors d on d.project_id = p.project_id
         where p.project_id = $1 and p.deleted_at is null and d.detector_id = $2 for key share",
        project.0,
        detector
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(found.is_some())
}

/// Something found.
#[derive(Clone, Debug, PartialEq)]
pub struct NewFinding {
    pub id: Uuid,
    pub summary: String,
    pub data: Value,
    pub evidence: Vec<Evidence>,
    pub model: Option<String>,
    /// The run of ours in which the judgement is recorded.
    pub judged_in: Option<String>,
}

/// How judging a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedJudgement {
    pub detector_id: Uuid,
    pub version: i32,
    pub state: JudgementState,
    /// Why it was not judged, in words for people.
    pub reason: Option<String>,
    /// What it cost; `None` where that is unknown.
    pub cost: Option<NanoUsd>,
    /// A model was asked, so that it costs.
    pub has_asked: bool,
    /// The first answer was no good.
    pub is_retried: bool,
    pub dropped_quotes: i32,
    pub finding: Option<NewFinding>,
    /// When it was begun with [`begin`]; `None` for what was judged at once.
    pub begun_at: Option<Timestamp>,
}

/// Writes down how judging a run ended, with its findings and what is told of them. Returns which of them counted: those
/// that no one else had written down.
pub async fn end(
    db: &Db,
    project: ProjectId,
    run_id: &str,
    ended: Vec<(EndedJudgement, Vec<NewAlert>)>,
    now: Timestamp,
) -> Result<Vec<EndedJudgement>> {
    let mut tx = db.project(project).await?;
    if !hold_run(&mut tx, project, run_id).await? {
        return Ok(Vec::new());
    }
    let mut counted = Vec::new();
    for (judgement, mut alerts) in ended {
        if !is_alive(&mut tx, project, judgement.detector_id).await?
            || !write(&mut tx, project, run_id, &judgement, now).await?
        {
            continue;
        }
        count(&mut tx, project, &judgement, now).await?;
        if let Some(finding) = &judgement.finding {
            insert_finding(&mut tx, project, run_id, &judgement, finding, now).await?;
            insert_within(&mut tx, &mut alerts, now).await?;
        }
        counted.push(judgement);
    }
    tx.commit().await?;
    Ok(counted)
}

async fn write(
    tx: &mut PgConnection,
    project: ProjectId,
    run_id: &str,
    judgement: &EndedJudgement,
    now: Timestamp,
) -> Result<bool> {
    let at = now.to_offset_date_time();
    let state = judgement.state.as_str();
    let written = if let Some(begun_at) = judgement.begun_at {
        // Never made again: where it is gone, its run was deleted, or a part of it.
        sqlx::query!(
            "update judgements set at = $5, state = $6, reason = $7
             where project_id = $1 and run_id = $2 and detector_id = $3 and version = $4
               and state = 'judging' and at = $8",
            project.0,
            run_id,
            judgement.detector_id,
            judgement.version,
            at,
            state,
            judgement.reason,
            begun_at.to_offset_date_time()
        )
        .execute(tx)
        .await?
    } else {
        sqlx::query!(
            "insert into judgements (project_id, run_id, detector_id, version, at, state, reason)
             values ($1, $2, $3, $4, $5, $6, $7) on conflict (project_id, run_id, detector_id, version) do nothing",
            project.0,
            run_id,
            judgement.detector_id,
            judgement.version,
            at,
            state,
            judgement.reason
        )
        .execute(tx)
        .await?
    };
    Ok(written.rows_affected() > 0)
}

/// The id of the run of Plumbline's own in which a model judges the run. Made of what a judgement has, so that it is found
/// again when the run is deleted.
pub fn own_run_id(detector: Uuid, version: i32, run_id: &str) -> String {
    let hash = secret::sha256(run_id);
    let digits: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    OwnRunKind::Judgement.run_id(format_args!("{detector}-{version}-{digits}"))
}

async fn count(
    tx: &mut PgConnection,
    project: ProjectId,
    judgement: &EndedJudgement,
    now: Timestamp,
) -> Result<()> {
    let is = |state| i64::from(judgement.state == state);
    let has_judged = matches!(judgement.state, JudgementState::Clear | JudgementState::Found);
    let cost = judgement.cost.unwrap_or_default().0;
    let unpriced = judgement.has_asked && judgement.cost.is_none();
    sqlx::query!(
        "insert into detector_days as d (project_id, detector_id, version, day, judged, found, failed, capped, refused,
           retried, dropped_quotes, cost, dearest, unpriced)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13)
         on conflict (project_id, detector_id, version, day) do update set
           judged = d.judged + excluded.judged, found = d.found + excluded.found, failed = d.failed + excluded.failed,
           capped = d.capped + excluded.capped, refused = d.refused + excluded.refused,
           retried = d.retried + excluded.retried, dropped_quotes = d.dropped_quotes + excluded.dropped_quotes,
           cost = d.cost + excluded.cost, dearest = greatest(d.dearest, excluded.dearest),
           unpriced = d.unpriced + excluded.unpriced",
        project.0,
        judgement.detector_id,
        judgement.version,
        now.day().to_offset_date_time(),
        i64::from(has_judged),
        is(JudgementState::Found),
        is(JudgementState::Failed),
        is(JudgementState::Capped),
        is(JudgementState::Refused),
        i64::from(judgement.is_retried),
        i64::from(judgement.dropped_quotes),
        cost,
        i64::from(unpriced)
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn insert_finding(
    tx: &mut PgConnection,
    project: ProjectId,
    run_id: &str,
    judgement: &EndedJudgement,
    finding: &NewFinding,
    now: Timestamp,
) -> Result<()> {
    sqlx::query!(
        "insert into findings (project_id, finding_id, detector_id, created_at, cost, version, dropped_quotes, run_id, summary,
           model, judged_in, data, evidence)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        project.0,
        finding.id,
        judgement.detector_id,
        now.to_offset_date_time(),
        judgement.cost.map(|cost| cost.0),
        judgement.version,
        judgement.dropped_quotes,
        run_id,
        finding.summary,
        finding.model,
        finding.judged_in,
        finding.data,
        json!(finding.evidence)
    )
    .execute(tx)
    .await?;
    Ok(())
}
