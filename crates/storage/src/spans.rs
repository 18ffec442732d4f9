//! What a project keeps of spans that belong to no call of a model.

use std::collections::HashSet;

use domain::{ProjectId, Timestamp};
use serde_json::json;

use crate::audit::{self, Entry};
use crate::{Db, Result};

/// Whether they are kept, which they are by default.
pub async fn keeps_plain(db: &Db, project: ProjectId) -> Result<bool> {
    let mut snapshot = db.snapshot(project).await?;
    let keeps = sqlx::query_scalar!(
        "select keep_plain_spans from project_settings where project_id = $1",
        project.0
    )
    .fetch_optional(&mut snapshot)
    .await?;
    Ok(keeps.unwrap_or(true))
}

/// Says from now on whether they are kept.
pub async fn save_keeps_plain(
    db: &Db,
    project: ProjectId,
    keeps: bool,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    sqlx::query!(
        "insert into project_settings (project_id, keep_plain_spans, updated_at) values ($1, $2, $3)
         on conflict (project_id) do update set keep_plain_spans = excluded.keep_plain_spans, updated_at = excluded.updated_at",
        project.0,
        keeps,
        now.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    let entry = Entry::new(
        actor,
        "spans.settings",
        "plain spans",
        json!({ "keep_plain": keeps }),
    );
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}

/// Which of these runs have a step already.
pub async fn known_runs(db: &Db, project: ProjectId, run_ids: &[String]) -> Result<HashSet<String>> {
    let mut snapshot = db.snapshot(project).await?;
    let known = sqlx::query_scalar!(
        "select run_id from run_keys where project_id = $1 and run_id = any($2)",
        project.0,
        run_ids
    )
    .fetch_all(&mut snapshot)
    .await?;
    Ok(known.into_iter().collect())
}
