//! Issues that were opened on GitHub for incidents.

use domain::{ProjectId, Timestamp};
use uuid::Uuid;

use crate::{Db, Result, Snapshot, Tx};

/// How long opening one may take; then whoever began is thought to be dead.
const MAX_OPENING_MICROS: i64 = 60_000_000;

/// An issue that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    pub url: String,
    pub opened_at: Timestamp,
    /// An e-mail, a key's label, `watcher`.
    pub opened_by: String,
}

/// The issue of an incident that was opened last.
pub async fn of(snapshot: &mut Snapshot, project: ProjectId, incident: Uuid) -> Result<Option<Issue>> {
    let row = sqlx::query!(
        "select url as \"url!\", opened_at as \"opened_at!\", opened_by as \"opened_by!\" from incident_issues
         where project_id = $1 and incident_id = $2 and url is not null and opened_at is not null and opened_by is not null",
        project.0,
        incident
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    Ok(row.map(|row| Issue {
        url: row.url,
        opened_at: Timestamp::from_offset_date_time(row.opened_at),
        opened_by: row.opened_by,
    }))
}

/// Whether the caller is to open the first issue of an incident. False where there is one, or somebody is at it.
pub async fn claim(db: &Db, project: ProjectId, incident: Uuid, now: Timestamp) -> Result<bool> {
    let mut tx = db.project(project).await?;
    let claimed = sqlx::query!(
        "insert into incident_issues as i (project_id, incident_id, opening_at) values ($1, $2, $3)
         on conflict (project_id, incident_id) do update set opening_at = excluded.opening_at
         where i.url is null and i.opening_at < $4",
        project.0,
        incident,
        now.to_offset_date_time(),
        now.plus_micros(-MAX_OPENING_MICROS).to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(claimed.rows_affected() > 0)
}

/// Gives a claim up: none was opened.
pub async fn release(db: &Db, project: ProjectId, incident: Uuid) -> Result<()> {
    let mut tx = db.project(project).await?;
    sqlx::query!(
        "delete from incident_issues where project_id = $1 and incident_id = $2 and url is null",
        project.0,
        incident
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// Writes down that one was opened.
pub(crate) async fn record_within(
    tx: &mut Tx,
    project: ProjectId,
    incident: Uuid,
    (url, actor): (&str, &str),
    now: Timestamp,
) -> Result<()> {
    sqlx::query!(
        "insert into incident_issues (project_id, incident_id, opening_at, opened_at, opened_by, url)
         values ($1, $2, $3, $3, $4, $5)
         on conflict (project_id, incident_id) do update
         set opened_at = excluded.opened_at, opened_by = excluded.opened_by, url = excluded.url",
        project.0,
        incident,
        now.to_offset_date_time(),
        actor,
        url
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
