//! Runs that are made up: which they are, and taking exactly them away again.
//!
//! Some hundred runs at a time go with all that was recorded of them. What is summed up from steps is not subtracted but
//! counted again from the steps that are left, for the hours, days and names that the runs had a part in: so it ends as
//! if they had never been there.

mod sums;

use std::collections::BTreeSet;

use domain::{ProjectId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::AssertSqlSafe;
use time::OffsetDateTime;

use crate::counts::{COUNT_RUNS, COUNTED, lock_counts};
use crate::jobs::{JobChunk, Progress};
use crate::{Db, Result, Snapshot, Tx};

pub use sums::EncodeHistogram;

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

/// The steps of the runs that go.
struct Going {
    project: ProjectId,
    run_ids: Vec<String>,
    /// Where they are filed.
    from: OffsetDateTime,
    to: OffsetDateTime,
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
        lock_counts(&mut chunk.tx, &[project.0]).await?;
        let going = Going {
            project,
            run_ids: run_ids.clone(),
            from,
            to,
        };
        let had = sums::had_by(&mut chunk.tx, &going).await?;
        delete(&mut chunk.tx, &going).await?;
        sums::count_again(&mut chunk.tx, project, &had, histogram, now).await?;
        cursor.named.extend(had.named);
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
        sums::see_first(&mut chunk.tx, project, &cursor.named).await?;
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

/// Everything that is recorded of the runs, and the accounts of their steps' receipt.
async fn delete(tx: &mut Tx, going: &Going) -> Result<()> {
    sqlx::query!(
        "with gone as (
           select date_trunc('minute', received_at, 'UTC') as minute, key_label, count(*) as steps
           from steps
           where project_id = $1 and run_id = any ($2) and partition_at >= $3 and partition_at <= $4
           group by 1, 2
         )
         update ledger l set steps = l.steps - g.steps from gone g
         where l.project_id = $1 and l.minute = g.minute and l.key_label = g.key_label and l.outcome = 'stored'",
        going.project.0,
        &going.run_ids,
        going.from,
        going.to
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "delete from ledger where project_id = $1 and outcome = 'stored' and steps <= 0",
        going.project.0
    )
    .execute(&mut **tx)
    .await?;
    let statement = format!(
        "with removed as (
           delete from runs r
           where r.project_id = $1 and r.run_id = any ($2) and r.partition_at >= $3 and r.partition_at <= $4
           returning {COUNTED}
         ), added as (
           select r.* from removed r where false
         ) {COUNT_RUNS}"
    );
    run(tx, going, statement).await?;
    for table in ["step_payloads", "step_events", "step_conditions", "steps"] {
        run(
            tx,
            going,
            format!(
                "delete from {table}
                 where project_id = $1 and run_id = any ($2) and partition_at >= $3 and partition_at <= $4"
            ),
        )
        .await?;
    }
    for table in [
        "condition_feedback",
        "share_links",
        "analyses",
        "findings",
        "judgements",
        "judgement_queue",
        "run_keys",
    ] {
        sqlx::query(AssertSqlSafe(format!(
            "delete from {table} where project_id = $1 and run_id = any ($2)"
        )))
        .bind(going.project.0)
        .bind(&going.run_ids)
        .execute(&mut **tx)
        .await?;
    }
    // Hours that are left with nothing.
    sqlx::query!(
        "delete from run_counts
         where project_id = $1 and hour >= date_trunc('hour', $2::timestamptz, 'UTC') and hour <= $3
           and (steps, ok_clean, ok_warning, ok_critical, error_clean, error_warning, error_critical, running_clean,
             running_warning, running_critical) = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
        going.project.0,
        going.from,
        going.to
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn run(tx: &mut Tx, going: &Going, statement: String) -> Result<()> {
    sqlx::query(AssertSqlSafe(statement))
        .bind(going.project.0)
        .bind(&going.run_ids)
        .bind(going.from)
        .bind(going.to)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
