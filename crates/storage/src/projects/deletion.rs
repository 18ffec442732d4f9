//! Deleting a project. First it is refused to everybody, in one short transaction; then a job deletes its rows in
//! chunks, prompts before all else, and at last the project itself.
//!
//! **Invariant:** what begins after a project is marked writes nothing for it. Batches, and chunks of jobs, hold the
//! project's row `for key share` and refuse one that is marked. Marking waits for none of them: while batches overlap,
//! there would always be another. The job's first chunk takes the row `for update` before it deletes anything, which
//! waits for those that began before the mark, and those come to an end.

use domain::{ProjectId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::AssertSqlSafe;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::jobs::{self, JobChunk, NewJob, Progress};
use crate::{Db, Error, Result, Scope, Tx, live};

pub const KIND: &str = "delete_project";
/// Why a project is not deleted of which nothing may be.
pub const LEGAL_HOLD: &str = "legal_hold";

/// Rows deleted by one transaction.
const CHUNK_ROWS: i64 = 5_000;

/// Marks a project as deleted: from now on nothing is accepted for it and nobody sees it. Its keys end at once, its
/// other jobs are cancelled, and a job deletes what it has. `Error::Conflict` with [`LEGAL_HOLD`] where it is on hold.
pub async fn start(db: &Db, project: ProjectId, actor: &str, now: Timestamp) -> Result<Uuid> {
    let mut tx = db.project(project).await?;
    let at = now.to_offset_date_time();
    let is_held = sqlx::query_scalar!(
        "select held_at is not null as \"is_held!\" from project_settings where project_id = $1 for share",
        project.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    if is_held == Some(true) {
        return Err(Error::Conflict(LEGAL_HOLD));
    }
    // The jobs come first: one at work is waited for while nothing else is held. One that is added in between goes with
    // the project; nobody takes it any more.
    sqlx::query!(
        "update jobs set state = 'cancelled', finished_at = $2
         where project_id = $1 and state in ('waiting', 'running') and kind <> $3",
        project.0,
        at,
        KIND
    )
    .execute(&mut *tx)
    .await?;
    let found = sqlx::query!(
        "update projects set deleted_at = $2 where project_id = $1 and deleted_at is null returning slug, name",
        project.0,
        at
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound)?;
    sqlx::query!("delete from api_keys where project_id = $1", project.0)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("delete from invitations where project_id = $1", project.0)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("delete from share_links where project_id = $1", project.0)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("delete from integration_secrets where project_id = $1", project.0)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("delete from integrations where project_id = $1", project.0)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("delete from model_providers where project_id = $1", project.0)
        .execute(&mut *tx)
        .await?;
    let job = NewJob {
        kind: KIND,
        deduplicated: true,
        arguments: &json!({}),
    };
    let entry = Entry::new(
        actor,
        "project.delete",
        &found.slug,
        json!({ "name": found.name }),
    );
    audit::record_within(&mut tx, project, &entry, now).await?;
    let job_id = jobs::start_within(&mut tx, project, &job, actor, now).await?;
    tx.commit().await?;
    live::notify_access(db).await?;
    live::notify_settings(db, project).await?;
    Ok(job_id)
}

/// What a chunk came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Rows deleted so far, over all chunks.
    pub rows: i64,
    /// Whether the project is gone.
    pub is_last: bool,
}

/// Where the next chunk begins: tables before this one are empty.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Cursor {
    table: String,
    /// The week of the rows that were deleted last; they may not have been all of it.
    week: Option<Timestamp>,
}

/// A table whose rows do not go with the row of their project. The names come from the catalogue.
struct Table {
    name: String,
    /// By which it is partitioned.
    time_column: Option<String>,
}

/// Deletes the next rows and commits that; after the last of them the project, and the job with it.
pub async fn delete_chunk(mut chunk: JobChunk, now: Timestamp) -> Result<Deleted> {
    let project = chunk.job.project_id;
    let cursor = chunk
        .cursor
        .as_ref()
        .and_then(|cursor| Cursor::deserialize(cursor).ok());
    if cursor.is_none() {
        wait_for_writers(&mut chunk.tx, project).await?;
    }
    let tables = tables(&mut chunk.tx).await?;
    let total = match chunk.job.progress_total {
        Some(total) => total,
        None => estimate(&mut chunk.tx, project, &tables).await?,
    };
    let begin = cursor
        .as_ref()
        .and_then(|cursor| tables.iter().position(|table| table.name == cursor.table))
        .unwrap_or(0);
    let mut week = cursor.and_then(|cursor| cursor.week);
    for table in &tables[begin..] {
        let deleted = loop {
            let deleted = match &table.time_column {
                Some(column) => {
                    delete_in_week(&mut chunk.tx, project, &table.name, column, &mut week).await?
                }
                None => delete_some(&mut chunk.tx, project, &table.name).await?,
            };
            // Retention deletes too: rows that it took meanwhile are found and not deleted. Only a table in which nothing
            // is found is empty.
            if deleted > 0 || !has_rows(&mut chunk.tx, project, &table.name).await? {
                break deleted;
            }
        };
        if deleted > 0 {
            let rows = chunk.job.progress_done + i64::try_from(deleted).unwrap_or(0);
            let next = json!(Cursor {
                table: table.name.clone(),
                week
            });
            let progress = Progress {
                next: Some(next),
                done: rows,
                total: Some(total.max(rows)),
                result: json!({ "table": table.name }),
            };
            chunk.commit(&progress, now).await?;
            return Ok(Deleted { rows, is_last: false });
        }
        week = None;
    }
    let rows = chunk.job.progress_done;
    // Everything else refers to the project and goes with it.
    sqlx::query!("delete from projects where project_id = $1", project.0)
        .execute(&mut *chunk.tx)
        .await?;
    chunk.tx.commit().await?;
    Ok(Deleted { rows, is_last: true })
}

/// Waits for what began to write for the project before it was marked.
async fn wait_for_writers(tx: &mut Tx, project: ProjectId) -> Result<()> {
    sqlx::query!(
        "select project_id from projects where project_id = $1 for update",
        project.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(())
}

/// The tables to empty: all that say whose a row is and do not refer to the project's row, but for the audit log, which
/// outlives it. Prompts go first.
async fn tables(tx: &mut Tx) -> Result<Vec<Table>> {
    let tables = sqlx::query_as!(
        Table,
        "select c.relname::text as \"name!\", p.time_column as \"time_column?\"
         from pg_class c
         join pg_attribute a on a.attrelid = c.oid and a.attname = 'project_id' and not a.attisdropped
         left join partitioned_tables p on p.table_name = c.relname
         where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p')
           and not c.relispartition and c.oid not in ('projects'::regclass, 'audit_log'::regclass)
           and not exists (
             select from pg_constraint f
             where f.conrelid = c.oid and f.contype = 'f' and f.confrelid = 'projects'::regclass)
         order by c.relname <> 'step_payloads', c.relname <> 'prompt_texts', c.relname"
    );
    Ok(tables.fetch_all(&mut **tx).await?)
}

/// Deletes rows of one week, the one that was begun or any other, so that one partition is read.
async fn delete_in_week(
    tx: &mut Tx,
    project: ProjectId,
    table: &str,
    column: &str,
    week: &mut Option<Timestamp>,
) -> Result<u64> {
    // Row addresses are unique within a partition, and a week lies in one. The last week of the year 9999 ends where only
    // Postgres still counts.
    let within = format!(
        "project_id = $1 and {column} >= $2::timestamptz and {column} < $2::timestamptz + interval '168 hours'"
    );
    let delete = format!(
        "delete from \"{table}\" where {within} and ctid = any (array(
           select ctid from \"{table}\" where {within} limit $3))"
    );
    let find =
        format!("select date_trunc('week', {column}, 'UTC') from \"{table}\" where project_id = $1 limit 1");
    if let Some(begun) = *week {
        let begins = begun.to_offset_date_time();
        let deleted = delete_week(tx, &delete, project, begins).await?;
        if deleted > 0 {
            return Ok(deleted);
        }
    }
    let next: Option<OffsetDateTime> = sqlx::query_scalar(AssertSqlSafe(find))
        .bind(project.0)
        .fetch_optional(&mut **tx)
        .await?;
    *week = next.map(Timestamp::from_offset_date_time);
    match next {
        Some(begins) => delete_week(tx, &delete, project, begins).await,
        None => Ok(0),
    }
}

async fn delete_week(tx: &mut Tx, delete: &str, project: ProjectId, begins: OffsetDateTime) -> Result<u64> {
    let deleted = sqlx::query(AssertSqlSafe(delete.to_owned()))
        .bind(project.0)
        .bind(begins)
        .bind(CHUNK_ROWS)
        .execute(&mut **tx)
        .await?;
    Ok(deleted.rows_affected())
}

/// About how many rows there are to delete, as the planner believes: counting them takes as long as reading them all.
async fn estimate(tx: &mut Tx, project: ProjectId, tables: &[Table]) -> Result<i64> {
    let mut rows = 0.0;
    for table in tables {
        let explain = format!(
            "explain (format json) select from \"{}\" where project_id = '{}'",
            table.name, project.0
        );
        let plan: serde_json::Value = sqlx::query_scalar(AssertSqlSafe(explain))
            .fetch_one(&mut **tx)
            .await?;
        rows += plan[0]["Plan"]["Plan Rows"].as_f64().unwrap_or(0.0);
    }
    Ok(rows as i64)
}

async fn has_rows(tx: &mut Tx, project: ProjectId, table: &str) -> Result<bool> {
    let find = format!("select exists (select from \"{table}\" where project_id = $1)");
    Ok(sqlx::query_scalar(AssertSqlSafe(find))
        .bind(project.0)
        .fetch_one(&mut **tx)
        .await?)
}

async fn delete_some(tx: &mut Tx, project: ProjectId, table: &str) -> Result<u64> {
    let delete = format!(
        "delete from \"{table}\" where ctid = any (array(
           select ctid from \"{table}\" where project_id = $1 limit $2))"
    );
    let deleted = sqlx::query(AssertSqlSafe(delete))
        .bind(project.0)
        .bind(CHUNK_ROWS)
        .execute(&mut **tx)
        .await?;
    Ok(deleted.rows_affected())
}

/// A project that is being deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    pub name: String,
    /// Its word in addresses; another project may have it by now.
    pub slug: String,
    /// Since when.
    pub deleted_at: Timestamp,
    pub job_id: Uuid,
    /// When its first rows were deleted.
    pub started_at: Option<Timestamp>,
    /// Rows deleted so far.
    pub rows: i64,
    /// About how many there were, once that was estimated.
    pub total_rows: Option<i64>,
    /// Why the last chunk failed, if it did; it is tried again.
    pub error: Option<String>,
}

/// The projects that are being deleted, the oldest deletion first; those of one person, or all.
pub async fn under_way(db: &Db, of: Option<UserId>) -> Result<Vec<Deletion>> {
    let mut tx = db.begin(Scope::All).await?;
    let rows = sqlx::query!(
        "select p.name, p.slug, p.deleted_at as \"deleted_at!\", j.job_id, j.started_at, j.progress_done,
           j.progress_total, j.error
         from projects p join jobs j on j.project_id = p.project_id and j.kind = 'delete_project'
         where p.deleted_at is not null and ($1::uuid is null or exists (
           select from memberships m where m.project_id = p.project_id and m.user_id = $1))
         order by p.deleted_at, p.project_id",
        of.map(|user| user.0)
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Deletion {
            name: row.name,
            slug: row.slug,
            deleted_at: Timestamp::from_offset_date_time(row.deleted_at),
            job_id: row.job_id,
            started_at: row.started_at.map(Timestamp::from_offset_date_time),
            rows: row.progress_done,
            total_rows: row.progress_total,
            error: row.error,
        })
        .collect())
}
