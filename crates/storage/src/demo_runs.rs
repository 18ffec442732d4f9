//! Runs that are made up: which they are, and taking exactly them away again.
//!
//! Some hundred runs at a time go with all that was recorded of them; [`crate::removal`] has the how.

use std::collections::BTreeSet;

use domain::{ProjectId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::jobs::{JobChunk, Progress};
use crate::removal::{self, Going};
use crate::{Db, Result, Snapshot, Tx};

pub use crate::removal::EncodeHistogram;

/// Runs that go in one transaction.
const CHUNK_RUNS: i64 = 400;

/// Notes, before they are sent, which runs are made up. One that the project has already is its own, whatever it is
/// called.
pub async fn remember(db: &Db, project: ProjectId, run_ids: &[&str]) -> Result<()> {
    let mut tx = db.project(project).await?;
    sqlx::query!(
        "insert into demo_runs (project_id, run_id)
         select $1, d.run_id from unnest($2::text[]) as d (run_id)
         where not exists (select from run_keys k where k.project_id = $1 and k.run_id = d.run_id)
         on conflict do nothing",
        project.0,
        run_ids as _
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// Whether the project has any.
pub async fn any(snapshot: &mut Snapshot, project: ProjectId) -> Result<bool> {
    let found = sqlx::query_scalar!(
        "select exists (select from demo_runs where project_id = $1) as \"any!\"",
        project.0
    );
    Ok(found.fetch_one(&mut *snapshot).await?)
}

/// What a chunk came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Runs taken away so far, over all chunks.
    pub runs: i64,
    /// Whether none is left.
    pub is_last: bool,
}

/// Where the next chunk begins.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Cursor {
    /// What the runs that are gone had named: dimension and value.
    named: BTreeSet<(String, String)>,
}

/// Takes the next runs away and commits that; after the last of them the deploys named `deploy_ids`.
pub async fn remove_chunk(
    mut chunk: JobChunk,
    deploy_ids: &[&str],
    histogram: EncodeHistogram<'_>,
    now: Timestamp,
) -> Result<Removed> {
    let project = chunk.job.project_id;
    let total = match chunk.job.progress_total {
        Some(total) => total,
        None => count(&mut chunk.tx, project).await?,
    };
    let cursor = chunk.cursor.as_ref();
    let mut cursor = cursor
        .and_then(|cursor| Cursor::deserialize(cursor).ok())
        .unwrap_or_default();
    // As a batch does it: whoever adds to these runs meanwhile waits, or is waited for.
    let run_ids = sqlx::query_scalar!(
        "select run_id from demo_runs where project_id = $1 order by run_id limit $2",
        project.0,
        CHUNK_RUNS
    )
    .fetch_all(&mut *chunk.tx)
    .await?;
    let filed = sqlx::query!(
        "with held as (
           select run_id from run_keys where project_id = $1 and run_id = any ($2) order by run_id for update
         )
         select min(r.partition_at) as \"from\", max(r.partition_at) as \"to\"
         from runs r join held h on h.run_id = r.run_id where r.project_id = $1",
        project.0,
        &run_ids
    )
    .fetch_one(&mut *chunk.tx)
    .await?;
    let removed = i64::try_from(run_ids.len()).unwrap_or(0);
    if let (Some(from), Some(to)) = (filed.from, filed.to) {
        let going = Going {
            project,
            run_ids: run_ids.clone(),
            from,
            to,
            of_user: None,
        };
        let gone = removal::remove(&mut chunk.tx, &going, histogram, now).await?;
        cursor.named.extend(gone.named);
    }
    sqlx::query!(
        "delete from demo_runs where project_id = $1 and run_id = any ($2)",
        project.0,
        &run_ids
    )
    .execute(&mut *chunk.tx)
    .await?;
    let is_last = removed < CHUNK_RUNS;
    if is_last {
        removal::see_first(&mut chunk.tx, project, &cursor.named).await?;
        sqlx::query!(
            "delete from deploys where project_id = $1 and deploy_id = any ($2)",
            project.0,
            deploy_ids as _
        )
        .execute(&mut *chunk.tx)
        .await?;
    }
    let runs = chunk.job.progress_done + removed;
    let progress = Progress {
        next: (!is_last).then(|| json!(cursor)),
        done: runs,
        total: Some(total.max(runs)),
        result: json!({ "runs": runs }),
    };
    chunk.commit(&progress, now).await?;
    Ok(Removed { runs, is_last })
}

async fn count(tx: &mut Tx, project: ProjectId) -> Result<i64> {
    let count = sqlx::query_scalar!(
        "select count(*) as \"runs!\" from demo_runs where project_id = $1",
        project.0
    );
    Ok(count.fetch_one(&mut **tx).await?)
}
