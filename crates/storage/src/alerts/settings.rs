//! What a project's alerts are set to, and which channels it has.

use domain::{ProjectId, Timestamp};
use serde_json::{Value, json};

use crate::audit::{self, Entry};
use crate::{Db, Error, Result, Snapshot, live};

/// What ingest has to know to write alerts.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The project's settings; an empty object where nothing is set.
    pub settings: Value,
    /// The channels that are connected; paused ones too, whose alerts wait.
    pub channels: Vec<PlannedChannel>,
}

/// A channel that is connected.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedChannel {
    pub kind: String,
    pub options: Value,
}

/// The settings and channels of a project; `kinds` says which integrations are channels.
pub async fn plan(db: &Db, project: ProjectId, kinds: &[&str]) -> Result<Plan> {
    let mut snapshot = db.snapshot(project).await?;
    let kinds: Vec<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    let channels = sqlx::query_as!(
        PlannedChannel,
        "select kind, options from integrations where project_id = $1 and kind = any ($2) order by kind",
        project.0,
        &kinds
    )
    .fetch_all(&mut snapshot)
    .await?;
    Ok(Plan {
        settings: settings(&mut snapshot, project).await?,
        channels,
    })
}

/// The settings of a project; an empty object where nothing is set.
pub async fn settings(snapshot: &mut Snapshot, project: ProjectId) -> Result<Value> {
    let settings = sqlx::query_scalar!(
        "select settings from alert_settings where project_id = $1",
        project.0
    )
    .fetch_optional(snapshot)
    .await?;
    Ok(settings.unwrap_or_else(|| json!({})))
}

/// Replaces the settings, writes down who did it, and tells every process. `NotFound` where the project is gone.
pub async fn save_settings(
    db: &Db,
    project: ProjectId,
    settings: &Value,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    let saved = sqlx::query!(
        "insert into alert_settings (project_id, updated_at, settings)
         select $1, $2, $3 from projects where project_id = $1 and deleted_at is null
         on conflict (project_id) do update set updated_at = excluded.updated_at, settings = excluded.settings",
        project.0,
        now.to_offset_date_time(),
        settings
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if saved == 0 {
        return Err(Error::NotFound);
    }
    let entry = Entry::new(actor, "alert.change", "alerts", settings.clone());
    audit::record_within(&mut tx, project, &entry, now).await?;
    tx.commit().await?;
    live::notify_settings(db, project).await
}
