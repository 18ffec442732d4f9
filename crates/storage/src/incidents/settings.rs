//! What a project sets of its incidents, and what its people said of causes.

use domain::{ProjectId, Timestamp};
use serde_json::Value;

use super::judging::mark_changed;
use crate::audit::{self, Entry};
use crate::{Db, Result, Snapshot};

/// What people said of the causes of a project's incidents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// How often it was a deploy.
    pub deploys: i64,
    /// How often it was not the one that was named, or none.
    pub others: i64,
}

/// The settings as they were stored; `None` for the defaults.
pub async fn settings(snapshot: &mut Snapshot, project: ProjectId) -> Result<Option<Value>> {
    Ok(sqlx::query_scalar!(
        "select settings from incident_settings where project_id = $1",
        project.0
    )
    .fetch_optional(&mut *snapshot)
    .await?)
}

/// Stores settings with who set them, and has everything judged by them that is still judged again.
pub async fn save_settings(
    db: &Db,
    project: ProjectId,
    settings: &Value,
    entry: &Entry,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    sqlx::query!(
        "insert into incident_settings (project_id, changed_at, changed_by, settings) values ($1, $2, $3, $4)
         on conflict (project_id) do update set changed_at = excluded.changed_at, changed_by = excluded.changed_by,
           settings = excluded.settings",
        project.0,
        now.to_offset_date_time(),
        entry.actor,
        settings
    )
    .execute(&mut *tx)
    .await?;
    audit::record_within(&mut tx, project, entry, now).await?;
    mark_changed(&mut tx, project, now.hour()).await?;
    Ok(tx.commit().await?)
}

/// What people said of causes so far.
pub async fn answers(snapshot: &mut Snapshot, project: ProjectId) -> Result<Answers> {
    let counts = sqlx::query!(
        "select count(*) filter (where answer = 'confirmed' and confirmed_deploy_id is not null) as \"deploys!\",
           count(*) filter (where answer = 'refused') as \"others!\"
         from incidents where project_id = $1 and answer is not null",
        project.0
    )
    .fetch_one(&mut *snapshot)
    .await?;
    Ok(Answers {
        deploys: counts.deploys,
        others: counts.others,
    })
}
