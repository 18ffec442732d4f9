//! What is written of deploys, each change with its row in the audit log; what changes nothing writes nothing.

use domain::deploy::{Deploy, DeployRecord, DeployReport};
use domain::{ProjectId, Timestamp};
use serde_json::{Value, json};

use super::{BLAMED_MICROS, Row};
use crate::audit::{self, Entry};
use crate::{Db, Error, Result, Tx};

/// Ids that a row of the audit log names of those that were written together.
const NAMED_IDS: usize = 50;

/// A deploy that was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub deploy_id: String,
    pub change: Change,
}

/// What a record changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not known.
    New,
    /// These of its fields are others now.
    Corrected(Vec<&'static str>),
    Nothing,
}

/// Who reports several deploys at once, for one row of the audit log.
#[derive(Clone, Copy, Debug)]
pub struct Applying<'a> {
    pub actor: &'a str,
    /// Where they come from.
    pub subject: &'a str,
}

/// Writes what a record says and returns the deploy as it is known now. The same record again changes nothing.
pub async fn record(
    db: &Db,
    project: ProjectId,
    record: DeployRecord,
    actor: &str,
    now: Timestamp,
) -> Result<Deploy> {
    let mut tx = db.project(project).await?;
    lock(&mut tx, project).await?;
    let (deploy, change) = write(&mut tx, project, record, now).await?;
    note(&mut tx, project, &deploy, &change, actor, now).await?;
    tx.commit().await?;
    Ok(deploy)
}

/// Writes what several reports say, with one row in the audit log where that changes something.
pub async fn apply(
    db: &Db,
    project: ProjectId,
    reports: Vec<DeployReport>,
    by: Applying<'_>,
    now: Timestamp,
) -> Result<Vec<Applied>> {
    let mut tx = db.project(project).await?;
    lock(&mut tx, project).await?;
    let mut applied = Vec::new();
    for report in reports {
        if let Some((deploy, change)) = write_report(&mut tx, project, report, now).await? {
            applied.push(Applied {
                deploy_id: deploy.id,
                change,
            });
        }
    }
    let ids = |wanted: fn(&Change) -> bool| -> Vec<&str> {
        applied
            .iter()
            .filter(|one| wanted(&one.change))
            .map(|one| one.deploy_id.as_str())
            .collect()
    };
    let (new, corrected) = (
        ids(|change| *change == Change::New),
        ids(|change| matches!(change, Change::Corrected(_))),
    );
    if !new.is_empty() || !corrected.is_empty() {
        let details = json!({
            "recorded": new.len(), "corrected": corrected.len(),
            "ids": new.iter().chain(&corrected).take(NAMED_IDS).collect::<Vec<_>>(),
        });
        let entry = Entry::new(by.actor, "deploy.sync", by.subject, details);
        audit::record_within(&mut tx, project, &entry, now).await?;
    }
    tx.commit().await?;
    Ok(applied)
}

/// Writes what a report says, within the transaction that hears it. The caller holds [`lock`].
pub(crate) async fn apply_within(
    tx: &mut Tx,
    project: ProjectId,
    report: DeployReport,
    actor: &str,
    now: Timestamp,
) -> Result<Option<Applied>> {
    let Some((deploy, change)) = write_report(tx, project, report, now).await? else {
        return Ok(None);
    };
    note(tx, project, &deploy, &change, actor, now).await?;
    Ok(Some(Applied {
        deploy_id: deploy.id,
        change,
    }))
}

/// Forgets a deploy. What calls did by release stays: a record that comes again finds it. `NotFound` when there is none.
pub async fn delete(db: &Db, project: ProjectId, deploy_id: &str, actor: &str, now: Timestamp) -> Result<()> {
    let mut tx = db.project(project).await?;
    let deleted = sqlx::query!(
        "delete from deploys where project_id = $1 and deploy_id = $2
         returning sha, coalesce(started_at, completed_at, received_at) as \"began!\"",
        project.0,
        deploy_id
    )
    .fetch_optional(&mut *tx)
    .await?;
    let deleted = deleted.ok_or(Error::NotFound)?;
    let began = Timestamp::from_offset_date_time(deleted.began);
    crate::incidents::mark_changed(&mut tx, project, began.plus_micros(-BLAMED_MICROS)).await?;
    let entry = Entry::new(actor, "deploy.delete", deploy_id, json!({ "sha": deleted.sha }));
    audit::record_within(&mut tx, project, &entry, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Two records of one deploy at the same moment: the second has to see the first. Nothing is written for a project that
/// is being deleted.
pub(crate) async fn lock(tx: &mut Tx, project: ProjectId) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended($1::text || ' deploys', 0))::text as locked",
        project.to_string()
    )
    .fetch_one(&mut **tx)
    .await?;
    let is_there = sqlx::query_scalar!(
        "select project_id from projects where project_id = $1 and deleted_at is null for key share",
        project.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    is_there.map(|_| ()).ok_or(Error::NotFound)
}

async fn note(
    tx: &mut Tx,
    project: ProjectId,
    deploy: &Deploy,
    change: &Change,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let (action, changed) = match change {
        Change::New => ("deploy.record", Value::Null),
        Change::Corrected(fields) => ("deploy.correct", json!(fields)),
        Change::Nothing => return Ok(()),
    };
    let mut details =
        json!({ "sha": deploy.sha, "status": deploy.status, "environment": deploy.environment });
    if !changed.is_null() {
        details["changed"] = changed;
    }
    audit::record_within(tx, project, &Entry::new(actor, action, &deploy.id, details), now).await
}

async fn write_report(
    tx: &mut Tx,
    project: ProjectId,
    report: DeployReport,
    now: Timestamp,
) -> Result<Option<(Deploy, Change)>> {
    let known = known(tx, project, &report.record.deploy_id()).await?;
    match report.record(known.as_ref()) {
        Some(record) => Ok(Some(write_known(tx, project, record, known, now).await?)),
        None => Ok(None),
    }
}

async fn write(
    tx: &mut Tx,
    project: ProjectId,
    record: DeployRecord,
    now: Timestamp,
) -> Result<(Deploy, Change)> {
    let known = known(tx, project, &record.deploy_id()).await?;
    write_known(tx, project, record, known, now).await
}

async fn known(tx: &mut Tx, project: ProjectId, deploy_id: &str) -> Result<Option<Deploy>> {
    let row = sqlx::query_as!(
        Row,
        "select deploy_id, sha, status, title, pr_number, author, url, environment, repo, branch, started_at,
           completed_at, received_at
         from deploys where project_id = $1 and deploy_id = $2",
        project.0,
        deploy_id
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(Deploy::from))
}

async fn write_known(
    tx: &mut Tx,
    project: ProjectId,
    record: DeployRecord,
    known: Option<Deploy>,
    now: Timestamp,
) -> Result<(Deploy, Change)> {
    let deploy = record.applied_to(known.clone(), now);
    let began = known
        .as_ref()
        .map_or(deploy.began_at(), |known| known.began_at().min(deploy.began_at()));
    let change = match known.map(|known| known.differences(&deploy)) {
        None => Change::New,
        Some(fields) if fields.is_empty() => return Ok((deploy, Change::Nothing)),
        Some(fields) => Change::Corrected(fields),
    };
    sqlx::query!(
        "insert into deploys (project_id, deploy_id, sha, status, title, pr_number, author, url, environment, repo,
           branch, started_at, completed_at, received_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         on conflict (project_id, deploy_id) do update set sha = excluded.sha, status = excluded.status,
           title = excluded.title, pr_number = excluded.pr_number, author = excluded.author, url = excluded.url,
           environment = excluded.environment, repo = excluded.repo, branch = excluded.branch,
           started_at = excluded.started_at, completed_at = excluded.completed_at,
           updated_at = excluded.updated_at",
        project.0,
        deploy.id,
        deploy.sha,
        deploy.status.as_str(),
        deploy.title,
        deploy.pr_number,
        deploy.author,
        deploy.url,
        deploy.environment,
        deploy.repo,
        deploy.branch,
        deploy.started_at.map(Timestamp::to_offset_date_time),
        deploy.completed_at.map(Timestamp::to_offset_date_time),
        deploy.received_at.to_offset_date_time(),
        now.to_offset_date_time()
    )
    .execute(&mut **tx)
    .await?;
    crate::incidents::mark_changed(tx, project, began.plus_micros(-BLAMED_MICROS)).await?;
    Ok((deploy, change))
}
