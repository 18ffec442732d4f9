//! The data of one end user of the application: which it is, and deleting it.
//!
//! Theirs are the steps that name them, and in a run that names nobody else all steps. Out of a run that others have a
//! part in go the steps that name them, and what was said of the run. Deleting is a job: runs go some thousand steps at a
//! time, with everything that is recorded of them or cites them; what is summed up is counted again from what is left. A
//! receipt stays: who, when, how many rows of what, and a hash of the id.

mod citing;
mod read;

use std::collections::{BTreeMap, BTreeSet};

use domain::{ProjectId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::jobs::{self, JobChunk, NewJob, Progress};
use crate::keys::secret;
use crate::projects::deletion::LEGAL_HOLD;
use crate::removal::{self, Going};
use crate::{Db, Error, Result, Tx};

pub use crate::removal::EncodeHistogram;
pub use read::{Receipt, is_shared, receipts, runs, step_ids};

/// The kind of the job.
pub const KIND: &str = "delete_user_data";

/// Steps that go in one transaction, and the last run's beyond that.
const CHUNK_STEPS: i64 = 5_000;
/// Runs that go in one transaction.
const CHUNK_RUNS: i64 = 400;

/// What stands for a user in receipts: the SHA-256 of the id, in hexadecimal digits.
pub fn user_sha256(user_id: &str) -> String {
    let bytes = secret::sha256(user_id);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Starts to delete what there is of a user; a deletion of theirs that is under way is that one. Returns its job.
/// `NotFound` where there is nothing, or no such project; `Conflict` with [`LEGAL_HOLD`] where it is on hold.
pub async fn start(db: &Db, project: ProjectId, user_id: &str, actor: &str, now: Timestamp) -> Result<Uuid> {
    let mut tx = db.project(project).await?;
    let is_there = sqlx::query_scalar!(
        "select project_id from projects where project_id = $1 and deleted_at is null for key share",
        project.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    if is_there.is_none() {
        return Err(Error::NotFound);
    }
    let hash = user_sha256(user_id);
    let under_way = sqlx::query_scalar!(
        "select j.job_id from user_deletions d join jobs j on j.project_id = d.project_id and j.job_id = d.job_id
         where d.project_id = $1 and d.user_sha256 = $2 and j.state in ('waiting', 'running')
         order by d.requested_at limit 1",
        project.0,
        hash
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(job_id) = under_way {
        return Ok(job_id);
    }
    if is_held(&mut tx, project).await? {
        return Err(Error::Conflict(LEGAL_HOLD));
    }
    if next_runs(&mut tx, project, user_id).await?.is_empty() {
        // Nor does a deletion that was cancelled need the id any more.
        forget_id(&mut tx, project, &hash).await?;
        tx.commit().await?;
        return Err(Error::NotFound);
    }
    let entry = Entry::new(actor, "user.delete", &hash, json!({}));
    audit::record_within(&mut tx, project, &entry, now).await?;
    let job = NewJob {
        kind: KIND,
        deduplicated: false,
        arguments: &json!({ "user_sha256": hash }),
    };
    let job_id = jobs::start_within(&mut tx, project, &job, actor, now).await?;
    sqlx::query!(
        "insert into user_deletions (project_id, job_id, requested_at, requested_by, user_sha256, user_id)
         values ($1, $2, $3, $4, $5, $6)",
        project.0,
        job_id,
        now.to_offset_date_time(),
        actor,
        hash,
        user_id
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(job_id)
}

/// Whether nothing of the project may be deleted; it stays so until the end of the transaction.
async fn is_held(tx: &mut Tx, project: ProjectId) -> Result<bool> {
    let held = sqlx::query_scalar!(
        "select held_at is not null as \"is_held!\" from project_settings where project_id = $1 for share",
        project.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(held == Some(true))
}

/// What a chunk came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Steps deleted so far, over all chunks.
    pub steps: i64,
    /// Whether nothing is left.
    pub is_last: bool,
}

/// Where the next chunk begins: with what is left.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Cursor {
    /// What the steps that are gone had named: dimension and value.
    named: BTreeSet<(String, String)>,
}

/// Deletes the next runs or steps and commits that. On a project that was put on hold meanwhile nothing is deleted, and
/// the job is cancelled.
pub async fn delete_chunk(
    mut chunk: JobChunk,
    histogram: EncodeHistogram<'_>,
    now: Timestamp,
) -> Result<Deleted> {
    let project = chunk.job.project_id;
    let steps_before = chunk.job.progress_done;
    if is_held(&mut chunk.tx, project).await? {
        cancel_for_hold(chunk, now).await?;
        return Ok(Deleted {
            steps: steps_before,
            is_last: false,
        });
    }
    let receipt = sqlx::query!(
        "select user_id, user_sha256, requested_by, rows as \"rows: Json<BTreeMap<String, i64>>\"
         from user_deletions where project_id = $1 and job_id = $2 for update",
        project.0,
        chunk.job.job_id
    )
    .fetch_one(&mut *chunk.tx)
    .await?;
    // Another deletion of theirs may have done it all.
    let is_forgotten = receipt.user_id.is_none();
    let user = receipt.user_id.unwrap_or_default();
    let mut rows = receipt.rows.0;
    let total = match chunk.job.progress_total {
        Some(total) => total,
        None => count_steps(&mut chunk.tx, project, &user).await?,
    };
    let mut cursor = chunk
        .cursor
        .as_ref()
        .and_then(|cursor| Cursor::deserialize(cursor).ok())
        .unwrap_or_default();
    let run_ids = if is_forgotten {
        Vec::new()
    } else {
        next_runs(&mut chunk.tx, project, &user).await?
    };
    let is_last = run_ids.is_empty();
    // What cites them first: looking for it takes long, and nobody is to wait for the counts meanwhile.
    let mut own_runs = Vec::new();
    let mut all_going = what_goes(&mut chunk.tx, project, &user, run_ids).await?;
    for going in &all_going {
        citing::delete(&mut chunk.tx, going, &user, &mut rows, &mut own_runs).await?;
    }
    // Day by day: what is counted again for them are whole days, and weeks may lie between two of them.
    let days = sqlx::query_scalar!(
        "select array_agg(run_id) as \"run_ids!\" from run_keys where project_id = $1 and run_id = any ($2)
         group by date_trunc('day', partition_at, 'UTC') order by date_trunc('day', partition_at, 'UTC')",
        project.0,
        &own_runs
    )
    .fetch_all(&mut *chunk.tx)
    .await?;
    for of_day in days {
        all_going.extend(what_goes(&mut chunk.tx, project, &user, of_day).await?);
    }
    for going in all_going {
        let gone = removal::remove(&mut chunk.tx, &going, histogram, now).await?;
        for (table, more) in gone.rows {
            *rows.entry(table).or_default() += more;
        }
        cursor.named.extend(gone.named);
    }
    if is_last {
        removal::see_first(&mut chunk.tx, project, &cursor.named).await?;
        forget_id(&mut chunk.tx, project, &receipt.user_sha256).await?;
        let details = json!({ "job_id": chunk.job.job_id, "rows": rows });
        let entry = Entry::new(
            &receipt.requested_by,
            "user.deleted",
            &receipt.user_sha256,
            details,
        );
        audit::record_within(&mut chunk.tx, project, &entry, now).await?;
    }
    sqlx::query!(
        "update user_deletions set rows = $3, finished_at = case when $4 then $5::timestamptz end
         where project_id = $1 and job_id = $2",
        project.0,
        chunk.job.job_id,
        json!(rows),
        is_last,
        now.to_offset_date_time()
    )
    .execute(&mut *chunk.tx)
    .await?;
    let steps = rows.get("steps").copied().unwrap_or(0);
    let progress = Progress {
        next: (!is_last).then(|| json!(cursor)),
        done: steps,
        total: Some(total.max(steps)),
        result: json!({ "user_sha256": receipt.user_sha256, "rows": rows }),
    };
    chunk.commit(&progress, now).await?;
    Ok(Deleted { steps, is_last })
}

async fn cancel_for_hold(mut chunk: JobChunk, now: Timestamp) -> Result<()> {
    sqlx::query!(
        "update jobs set state = 'cancelled', finished_at = $3,
           error = 'The project was put on legal hold: nothing more of it is deleted'
         where project_id = $1 and job_id = $2",
        chunk.job.project_id.0,
        chunk.job.job_id,
        now.to_offset_date_time()
    )
    .execute(&mut *chunk.tx)
    .await?;
    Ok(chunk.tx.commit().await?)
}

/// No receipt says it any more, nor one of a deletion that was cancelled before.
async fn forget_id(tx: &mut Tx, project: ProjectId, user_sha256: &str) -> Result<()> {
    sqlx::query!(
        "update user_deletions set user_id = null where project_id = $1 and user_sha256 = $2",
        project.0,
        user_sha256
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn count_steps(tx: &mut Tx, project: ProjectId, user: &str) -> Result<i64> {
    let count = sqlx::query_scalar!(
        "select count(*) as \"steps!\" from steps where project_id = $1 and user_id = $2",
        project.0,
        user
    );
    Ok(count.fetch_one(&mut **tx).await?)
}

/// The earliest runs that name the user, of one day and as many as go in one transaction: what is counted again for them
/// are whole days.
async fn next_runs(tx: &mut Tx, project: ProjectId, user: &str) -> Result<Vec<String>> {
    let run_ids = sqlx::query_scalar!(
        "with theirs as (
           select t.run_id, min(t.partition_at) as at
           from (
             select run_id, partition_at from steps where project_id = $1 and user_id = $2
             union all
             select run_id, partition_at from runs where project_id = $1 and user_id = $2
           ) t
           group by t.run_id
         ), sized as (
           select t.run_id, t.at, coalesce(
             sum(coalesce((select sum(r.step_count) from runs r where r.project_id = $1 and r.run_id = t.run_id), 0))
               over (order by t.at, t.run_id rows between unbounded preceding and 1 preceding), 0) as steps_before
           from theirs t where t.at < (select min(at) from theirs) + interval '1 day'
         )
         select run_id as \"run_id!\" from sized where steps_before < $3::bigint order by at, run_id limit $4",
        project.0,
        user,
        CHUNK_STEPS,
        CHUNK_RUNS
    );
    Ok(run_ids.fetch_all(&mut **tx).await?)
}

/// What goes of these runs: those that name nobody else, and the user's steps out of the others. As a batch does it,
/// whoever adds to these runs meanwhile waits, or is waited for.
async fn what_goes(tx: &mut Tx, project: ProjectId, user: &str, run_ids: Vec<String>) -> Result<Vec<Going>> {
    sqlx::query!(
        "select run_id from run_keys where project_id = $1 and run_id = any ($2) order by run_id for update",
        project.0,
        &run_ids
    )
    .fetch_all(&mut **tx)
    .await?;
    let filed = sqlx::query!(
        "select min(t.at) as \"from\", max(t.at) as \"to\"
         from (
           select partition_at as at from runs where project_id = $1 and run_id = any ($2)
           union all
           select partition_at from steps where project_id = $1 and user_id = $3 and run_id = any ($2)
         ) t",
        project.0,
        &run_ids,
        user
    )
    .fetch_one(&mut **tx)
    .await?;
    let (Some(from), Some(to)) = (filed.from, filed.to) else {
        return Ok(Vec::new());
    };
    let shared = shared_runs(tx, project, user, &run_ids, (from, to)).await?;
    let (shared, alone): (Vec<String>, Vec<String>) =
        run_ids.into_iter().partition(|run_id| shared.contains(run_id));
    let of = |run_ids: Vec<String>, of_user: Option<String>| Going {
        project,
        run_ids,
        from,
        to,
        of_user,
    };
    let both = [of(alone, None), of(shared, Some(user.to_owned()))];
    Ok(both
        .into_iter()
        .filter(|going| !going.run_ids.is_empty())
        .collect())
}

/// Those of the runs that name others too.
async fn shared_runs(
    tx: &mut Tx,
    project: ProjectId,
    user: &str,
    run_ids: &[String],
    (from, to): (OffsetDateTime, OffsetDateTime),
) -> Result<BTreeSet<String>> {
    let shared = sqlx::query_scalar!(
        "select distinct run_id from steps
         where project_id = $1 and run_id = any ($2) and partition_at >= $3 and partition_at <= $4 and user_id <> $5",
        project.0,
        run_ids,
        from,
        to,
        user
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(shared.into_iter().collect())
}
