//! Detectors as they are stored, with every version of what they judge by.

mod days;
mod judging;
mod queue;
mod runs;

use domain::detector::{Definition, Detector, DetectorDraft, SampleRate};
use domain::{NanoUsd, ProjectId, Timestamp};
use serde_json::{Value, json};
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::{Db, Error, Result, Snapshot, Tx};

pub use days::{DetectorDay, Spent, days, spent_on};
pub use judging::{EndedJudgement, NewFinding, RunJudgement, begin, end, judged, of_run, own_run_id};
pub(crate) use queue::queue_within;
pub use queue::{QueuedRun, again, done, later, next_due, take};
pub use runs::{MAX_STEPS, latest_ids, read, texts};

/// Most detectors of one project.
pub const MAX_DETECTORS: i64 = 100;

/// A row of `detectors`.
struct DetectorRow {
    detector_id: Uuid,
    created_at: OffsetDateTime,
    version_since: OffsetDateTime,
    daily_cap: Option<i64>,
    sample: i32,
    version: i32,
    is_enabled: bool,
    name: String,
    definition: Json<Definition>,
}

impl From<DetectorRow> for Detector {
    fn from(row: DetectorRow) -> Self {
        Self {
            id: row.detector_id,
            name: row.name,
            enabled: row.is_enabled,
            version: row.version,
            version_since: Timestamp::from_offset_date_time(row.version_since),
            created_at: Timestamp::from_offset_date_time(row.created_at),
            definition: row.definition.0,
            sample: u32::try_from(row.sample)
                .ok()
                .and_then(SampleRate::from_millionths)
                .unwrap_or_default(),
            daily_cap: row.daily_cap.map(NanoUsd),
        }
    }
}

/// A project's detectors, the oldest first.
pub async fn list(snapshot: &mut Snapshot, project: ProjectId) -> Result<Vec<Detector>> {
    let rows = sqlx::query_as!(
        DetectorRow,
        "select detector_id, created_at, version_since, daily_cap, sample, version, is_enabled, name,
           definition as \"definition: Json<Definition>\"
         from detectors where project_id = $1 order by created_at, detector_id",
        project.0
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows.into_iter().map(Detector::from).collect())
}

/// One detector.
pub async fn get(snapshot: &mut Snapshot, project: ProjectId, id: Uuid) -> Result<Detector> {
    let row = sqlx::query_as!(
        DetectorRow,
        "select detector_id, created_at, version_since, daily_cap, sample, version, is_enabled, name,
           definition as \"definition: Json<Definition>\"
         from detectors where project_id = $1 and detector_id = $2",
        project.0,
        id
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    row.map(Detector::from).ok_or(Error::NotFound)
}

/// Whether any of a project's detectors judges.
pub async fn any_enabled(db: &Db, project: ProjectId) -> Result<bool> {
    let mut snapshot = db.snapshot(project).await?;
    Ok(sqlx::query_scalar!(
        "select exists (select from detectors where project_id = $1 and is_enabled) as \"any!\"",
        project.0
    )
    .fetch_one(&mut snapshot)
    .await?)
}

/// A version of a detector.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorVersion {
    pub version: i32,
    pub since: Timestamp,
    pub definition: Definition,
}

/// The versions of a detector, the latest first.
pub async fn versions(snapshot: &mut Snapshot, project: ProjectId, id: Uuid) -> Result<Vec<DetectorVersion>> {
    let rows = sqlx::query!(
        "select version, since, definition as \"definition: Json<Definition>\"
         from detector_versions where project_id = $1 and detector_id = $2 order by version desc limit 50",
        project.0,
        id
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| DetectorVersion {
            version: row.version,
            since: Timestamp::from_offset_date_time(row.since),
            definition: row.definition.0,
        })
        .collect())
}

/// Stores a new detector under an id. `Conflict` when the project has as many as it may.
pub async fn create(
    db: &Db,
    project: ProjectId,
    id: Uuid,
    draft: &DetectorDraft,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    let at = now.to_offset_date_time();
    let definition = json!(draft.definition);
    let inserted = sqlx::query!(
        "insert into detectors (project_id, detector_id, created_at, version_since, daily_cap, sample, version, is_enabled,
           name, definition)
         select $1, $2, $3, $3, $4, $5, 1, $6, $7, $8
         where exists (select from projects where project_id = $1 and deleted_at is null)
           and (select count(*) from detectors where project_id = $1) < $9",
        project.0,
        id,
        at,
        draft.daily_cap.map(|cap| cap.0),
        sample(draft),
        draft.enabled,
        draft.name,
        definition,
        MAX_DETECTORS
    )
    .execute(&mut *tx)
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(Error::Conflict("detectors_limit"));
    }
    add_version(&mut tx, project, (id, 1), &definition, at).await?;
    let entry = Entry::new(actor, "detector.create", &id.to_string(), details(draft));
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}

/// Replaces a detector. What it judges by is another version when it is another.
pub async fn replace(
    db: &Db,
    project: ProjectId,
    id: Uuid,
    draft: &DetectorDraft,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    let at = now.to_offset_date_time();
    let stored = sqlx::query!(
        "select version, definition as \"definition: Json<Definition>\"
         from detectors where project_id = $1 and detector_id = $2 for update",
        project.0,
        id
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound)?;
    let is_new = stored.definition.0 != draft.definition;
    let version = stored.version + i32::from(is_new);
    let definition = json!(draft.definition);
    sqlx::query!(
        "update detectors set daily_cap = $3, sample = $4, is_enabled = $5, name = $6, definition = $7, version = $8,
           version_since = case when $9 then $10 else version_since end
         where project_id = $1 and detector_id = $2",
        project.0,
        id,
        draft.daily_cap.map(|cap| cap.0),
        sample(draft),
        draft.enabled,
        draft.name,
        definition,
        version,
        is_new,
        at
    )
    .execute(&mut *tx)
    .await?;
    if is_new {
        add_version(&mut tx, project, (id, version), &definition, at).await?;
    }
    let entry = Entry::new(actor, "detector.change", &id.to_string(), details(draft));
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}

/// Deletes a detector with its findings. Which runs it judged goes with the runs.
pub async fn delete(db: &Db, project: ProjectId, id: Uuid, actor: &str, now: Timestamp) -> Result<()> {
    let mut tx = db.project(project).await?;
    let name = sqlx::query_scalar!(
        "delete from detectors where project_id = $1 and detector_id = $2 returning name",
        project.0,
        id
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound)?;
    sqlx::query!(
        "delete from findings where project_id = $1 and detector_id = $2",
        project.0,
        id
    )
    .execute(&mut *tx)
    .await?;
    let entry = Entry::new(actor, "detector.delete", &id.to_string(), json!({ "name": name }));
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}

async fn add_version(
    tx: &mut Tx,
    project: ProjectId,
    (id, version): (Uuid, i32),
    definition: &Value,
    at: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "insert into detector_versions (project_id, detector_id, since, version, definition) values ($1, $2, $3, $4, $5)",
        project.0,
        id,
        at,
        version,
        definition
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn sample(draft: &DetectorDraft) -> i32 {
    i32::try_from(draft.sample.millionths()).unwrap_or(1_000_000)
}

/// What the audit log says of a detector: not its prompt, which is in its versions.
fn details(draft: &DetectorDraft) -> Value {
    json!({
        "name": draft.name,
        "template": draft.definition.template.as_str(),
        "enabled": draft.enabled,
        "sample_percent": draft.sample.percent(),
        "daily_cap_usd": draft.daily_cap.map(NanoUsd::to_decimal),
    })
}
