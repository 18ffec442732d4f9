//! Fixes that a model proposed for incidents, and the pull requests that came of them.

use domain::fix::FixDraft;
use domain::{NanoUsd, ProjectId, Timestamp};
use serde_json::json;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::inquiries::may_begin;
use crate::{Db, Error, Result, Snapshot};

/// After this time, in microseconds, somebody else may try to open a pull request.
const OPENING_MICROS: i64 = 300_000_000;

/// A fix that is to be kept.
#[derive(Clone, Debug)]
pub struct NewFix<'a> {
    pub id: Uuid,
    pub incident_id: Uuid,
    pub model: &'a str,
    /// What asking for it cost; `None` where that is unknown.
    pub cost: Option<NanoUsd>,
    /// The branch that the files were read from.
    pub base_branch: &'a str,
    pub draft: &'a FixDraft,
}

/// A fix and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fix {
    pub id: Uuid,
    pub asked_at: Timestamp,
    pub asked_by: String,
    pub model: String,
    pub cost: Option<NanoUsd>,
    pub base_branch: String,
    pub draft: FixDraft,
    pub opened_at: Option<Timestamp>,
    pub opened_by: Option<String>,
    /// The branch that it was pushed to.
    pub branch: Option<String>,
    pub pull_url: Option<String>,
    /// Why opening the pull request failed last, in words for people.
    pub failure: Option<String>,
}

struct Row {
    fix_id: Uuid,
    asked_at: OffsetDateTime,
    asked_by: String,
    model: String,
    cost_nano_usd: Option<i64>,
    base_branch: String,
    draft: Json<FixDraft>,
    opened_at: Option<OffsetDateTime>,
    opened_by: Option<String>,
    branch: Option<String>,
    pull_url: Option<String>,
    failure: Option<String>,
}

impl From<Row> for Fix {
    fn from(row: Row) -> Self {
        Self {
            id: row.fix_id,
            asked_at: Timestamp::from_offset_date_time(row.asked_at),
            asked_by: row.asked_by,
            model: row.model,
            cost: row.cost_nano_usd.map(NanoUsd),
            base_branch: row.base_branch,
            draft: row.draft.0,
            opened_at: row.opened_at.map(Timestamp::from_offset_date_time),
            opened_by: row.opened_by,
            branch: row.branch,
            pull_url: row.pull_url,
            failure: row.failure,
        }
    }
}

/// Writes into the audit log that somebody asks for a fix. `Conflict` with `inquiries::TOO_MANY_AN_HOUR`.
pub async fn begin(
    db: &Db,
    project: ProjectId,
    (incident, fix): (Uuid, Uuid),
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    may_begin(&mut tx, project, actor, now).await?;
    let entry = Entry::new(
        actor,
        "incident.fix_draft",
        &incident.to_string(),
        json!({ "fix_id": fix }),
    );
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}

/// Keeps what a model proposed.
pub async fn add(db: &Db, project: ProjectId, new: &NewFix<'_>, actor: &str, now: Timestamp) -> Result<()> {
    let mut tx = db.project(project).await?;
    sqlx::query!(
        "insert into incident_fixes (project_id, fix_id, incident_id, asked_at, asked_by, model, cost_nano_usd, base_branch,
           draft)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        project.0,
        new.id,
        new.incident_id,
        now.to_offset_date_time(),
        actor,
        new.model,
        new.cost.map(|cost| cost.0),
        new.base_branch,
        json!(new.draft)
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// The latest fix of an incident.
pub async fn latest(snapshot: &mut Snapshot, project: ProjectId, incident: Uuid) -> Result<Option<Fix>> {
    let row = sqlx::query_as!(
        Row,
        "select fix_id, asked_at, asked_by, model, cost_nano_usd, base_branch, draft as \"draft: Json<FixDraft>\",
           opened_at, opened_by, branch, pull_url, failure
         from incident_fixes where project_id = $1 and incident_id = $2 order by fix_id desc limit 1",
        project.0,
        incident
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    Ok(row.map(Fix::from))
}

/// One fix; `None` where there is none.
pub async fn get(snapshot: &mut Snapshot, project: ProjectId, fix: Uuid) -> Result<Option<Fix>> {
    let row = sqlx::query_as!(
        Row,
        "select fix_id, asked_at, asked_by, model, cost_nano_usd, base_branch, draft as \"draft: Json<FixDraft>\",
           opened_at, opened_by, branch, pull_url, failure
         from incident_fixes where project_id = $1 and fix_id = $2",
        project.0,
        fix
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    Ok(row.map(Fix::from))
}

/// Takes a fix to open its pull request; `None` where that is done, or somebody is at it. [`Error::NotFound`] when the
/// incident has no such fix.
pub async fn take(
    db: &Db,
    project: ProjectId,
    (incident, fix): (Uuid, Uuid),
    now: Timestamp,
) -> Result<Option<Fix>> {
    let mut tx = db.project(project).await?;
    let known = sqlx::query_scalar!(
        "select fix_id from incident_fixes where project_id = $1 and incident_id = $2 and fix_id = $3",
        project.0,
        incident,
        fix
    )
    .fetch_optional(&mut *tx)
    .await?;
    if known.is_none() {
        return Err(Error::NotFound);
    }
    let row = sqlx::query_as!(
        Row,
        "update incident_fixes set opening_at = $4, failure = null
         where project_id = $1 and incident_id = $2 and fix_id = $3 and opened_at is null
           and (opening_at is null or opening_at < $5)
         returning fix_id, asked_at, asked_by, model, cost_nano_usd, base_branch, draft as \"draft: Json<FixDraft>\",
           opened_at, opened_by, branch, pull_url, failure",
        project.0,
        incident,
        fix,
        now.to_offset_date_time(),
        now.plus_micros(-OPENING_MICROS).to_offset_date_time()
    )
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(row.map(Fix::from))
}

/// Writes down, in the audit log too, that a fix is a pull request now.
pub async fn opened(
    db: &Db,
    project: ProjectId,
    (incident, fix): (Uuid, Uuid),
    (branch, url): (&str, &str),
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    sqlx::query!(
        "update incident_fixes set opened_at = $3, opened_by = $4, branch = $5, pull_url = $6, opening_at = null
         where project_id = $1 and fix_id = $2",
        project.0,
        fix,
        now.to_offset_date_time(),
        actor,
        branch,
        url
    )
    .execute(&mut *tx)
    .await?;
    let details = json!({ "fix_id": fix, "url": url, "branch": branch });
    let entry = Entry::new(actor, "incident.fix_pr", &incident.to_string(), details);
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}

/// Writes down why there is no pull request; it may be tried again.
pub async fn failed(db: &Db, project: ProjectId, fix: Uuid, failure: &str) -> Result<()> {
    let mut tx = db.project(project).await?;
    sqlx::query!(
        "update incident_fixes set opening_at = null, failure = $3 where project_id = $1 and fix_id = $2",
        project.0,
        fix,
        failure
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}
