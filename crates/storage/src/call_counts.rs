//! Counting the model calls of runs that were written before their runs had a count of them. A job, a few runs at a time.

use domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Result;
use crate::counts::lock_counts;
use crate::jobs::{JobChunk, Progress};

/// The kind of the job. A migration asks for it.
pub const KIND: &str = "count_calls";
/// Runs that one chunk holds while their steps are counted: few enough that a batch that adds to one hardly notices.
const CHUNK_RUNS: i64 = 200;
/// How far back a run that has just received something may be filed.
const FILED_BEFORE_MICROS: i64 = 14 * 24 * 3_600_000_000;

/// Where the next chunk begins: after this run.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor {
    partition_at: Timestamp,
    run_id: String,
}

/// Counts the calls of the next runs, of all or of those that received something since `received_from`, and commits the
/// chunk. A count that is right already is left alone.
pub async fn count_chunk(
    mut chunk: JobChunk,
    received_from: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    let project = chunk.job.project_id.0;
    // One that can't be read is as good as none: counting again changes nothing.
    let cursor: Option<Cursor> = chunk
        .cursor
        .clone()
        .and_then(|cursor| serde_json::from_value(cursor).ok());
    let filed_from = received_from.map(|at| at.plus_micros(-FILED_BEFORE_MICROS));
    // As whoever changes runs does, so that nobody waits for another in a ring.
    lock_counts(&mut chunk.tx, &[project]).await?;
    // Held first and counted then: a batch adds to a run and to its steps in one transaction, so what is counted in a
    // later statement is all of what these runs have.
    let runs = sqlx::query!(
        "select partition_at, run_id from runs
         where project_id = $1 and step_count > 0
           and ($2::timestamptz is null or (partition_at, run_id) > ($2::timestamptz, $3::text))
           and partition_at >= coalesce($4::timestamptz, '-infinity')
           and last_received_at >= coalesce($5::timestamptz, '-infinity')
         order by partition_at, run_id limit $6 for update",
        project,
        cursor
            .as_ref()
            .map(|cursor| cursor.partition_at.to_offset_date_time()),
        cursor.as_ref().map(|cursor| cursor.run_id.as_str()),
        filed_from.map(Timestamp::to_offset_date_time),
        received_from.map(Timestamp::to_offset_date_time),
        CHUNK_RUNS
    )
    .fetch_all(&mut *chunk.tx)
    .await?;
    let (filed, ids): (Vec<_>, Vec<_>) = runs.into_iter().map(|run| (run.partition_at, run.run_id)).unzip();
    sqlx::query!(
        "update runs r set call_count = c.calls
         from (
           select k.partition_at, k.run_id, count(s.run_id)::integer as calls
           from unnest($2::timestamptz[], $3::text[]) k (partition_at, run_id)
           left join steps s on s.project_id = $1 and s.run_id = k.run_id and s.partition_at = k.partition_at
             and s.kind in ('llm', 'embedding')
           group by k.partition_at, k.run_id
         ) c
         where r.project_id = $1 and r.run_id = c.run_id and r.partition_at = c.partition_at
           and r.call_count <> c.calls",
        project,
        &filed,
        &ids
    )
    .execute(&mut *chunk.tx)
    .await?;
    let counted = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    let last = filed.last().zip(ids.last()).filter(|_| counted == CHUNK_RUNS);
    let progress = Progress {
        next: last.map(|(partition_at, run_id)| {
            json!(Cursor {
                partition_at: Timestamp::from_offset_date_time(*partition_at),
                run_id: run_id.clone(),
            })
        }),
        done: chunk.job.progress_done.saturating_add(counted),
        total: None,
        result: json!({}),
    };
    chunk.commit(&progress, now).await
}
