//! A project's scoring settings, as JSON that only scoring reads.

use domain::{ProjectId, Timestamp};
use serde_json::Value;

use crate::audit::{self, Entry};
use crate::{Db, Result, Snapshot, Tx, live};

/// A project's scoring settings as JSON; `{}` by default.
pub async fn settings(snapshot: &mut Snapshot, project: ProjectId) -> Result<Value> {
    let settings = sqlx::query_scalar!(
        "select scoring from project_settings where project_id = $1",
        project.0
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    Ok(settings.unwrap_or_else(nothing_set))
}

/// Replaces a project's scoring settings and tells every process.
pub async fn save_settings(
    db: &Db,
    project: ProjectId,
    settings: &Value,
    entry: &Entry,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    write_settings(&mut tx, project, settings, now).await?;
    audit::record_within(&mut tx, project, entry, now).await?;
    tx.commit().await?;
    live::notify_settings(db, project).await
}

/// Changes a project's scoring settings by what they are now: no other transaction can change them meanwhile. `None` from
/// `change` leaves them as they are; otherwise it says what the audit log is to hold. Every process is told. Returns
/// whether they were changed.
pub async fn change_settings(
    db: &Db,
    project: ProjectId,
    now: Timestamp,
    change: impl FnOnce(Value) -> Option<(Value, Vec<Entry>)>,
) -> Result<bool> {
    let mut tx = db.project(project).await?;
    // A row has to be there to be locked.
    sqlx::query!(
        "insert into project_settings (project_id, updated_at) values ($1, $2) on conflict (project_id) do nothing",
        project.0,
        now.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    let settings = sqlx::query_scalar!(
        "select scoring from project_settings where project_id = $1 for update",
        project.0
    )
    .fetch_one(&mut *tx)
    .await?;
    let Some((changed, entries)) = change(settings) else {
        return Ok(false);
    };
    write_settings(&mut tx, project, &changed, now).await?;
    for entry in &entries {
        audit::record_within(&mut tx, project, entry, now).await?;
    }
    tx.commit().await?;
    live::notify_settings(db, project).await?;
    Ok(true)
}

async fn write_settings(tx: &mut Tx, project: ProjectId, settings: &Value, now: Timestamp) -> Result<()> {
    sqlx::query!(
        "insert into project_settings (project_id, scoring, updated_at) values ($1, $2, $3)
         on conflict (project_id) do update set scoring = excluded.scoring, updated_at = excluded.updated_at",
        project.0,
        settings,
        now.to_offset_date_time()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn nothing_set() -> Value {
    Value::Object(Default::default())
}
