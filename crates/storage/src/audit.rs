//! Who did what. A row outlives its project; only retention deletes it, which the server's role may not.

use domain::audit::{AuditCursor, AuditFilter, AuditRow};
use domain::{ProjectId, Timestamp};
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use uuid::Uuid;

use crate::{Db, Result, Scope, Snapshot, Tx};

/// The most rows one `page` has.
pub const MAX_ROWS: u32 = 10_000;
/// Rows that one [`page`] looks through for words, a quarter of a second's work.
pub const SEARCHED_ROWS: i64 = 100_000;
/// Rows deleted by one statement.
const DELETE_ROWS: i64 = 5_000;

/// What the command line is called as an [`Entry::actor`].
pub const COMMAND_LINE: &str = "command line";

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Who: an e-mail, a key's label, [`COMMAND_LINE`], or `local` on a loopback without accounts.
    pub actor: String,
    /// What was done, such as `key.revoke`.
    pub action: String,
    /// To what: an id, an e-mail, a label.
    pub subject: String,
    /// What else there is to say; an object.
    pub details: Value,
}

impl Entry {
    /// As said, with copies of the texts.
    pub fn new(actor: &str, action: &str, subject: &str, details: Value) -> Self {
        Self {
            actor: actor.to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            details,
        }
    }
}

/// Writes down what is done in a project, in the transaction that does it.
pub(crate) async fn record_within(
    tx: &mut Tx,
    project: ProjectId,
    entry: &Entry,
    at: Timestamp,
) -> Result<()> {
    insert(tx, Some(project), entry, at).await
}

/// Writes down what concerns the server and no project. The transaction has to have [`Scope::All`].
pub(crate) async fn record_of_server_within(tx: &mut Tx, entry: &Entry, at: Timestamp) -> Result<()> {
    insert(tx, None, entry, at).await
}

async fn insert(tx: &mut Tx, project: Option<ProjectId>, entry: &Entry, at: Timestamp) -> Result<()> {
    sqlx::query!(
        "insert into audit_log (project_id, project_slug, id, at, actor, action, subject, details)
         values ($1, (select slug from projects where project_id = $1), $2, $3, $4, $5, $6, $7)",
        project.map(|project| project.0),
        Uuid::now_v7(),
        at.to_offset_date_time(),
        entry.actor,
        entry.action,
        entry.subject,
        entry.details
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes down what changes no row, such as a key that was shown.
pub async fn record(db: &Db, project: ProjectId, entry: &Entry, at: Timestamp) -> Result<()> {
    let mut tx = db.project(project).await?;
    record_within(&mut tx, project, entry, at).await?;
    Ok(tx.commit().await?)
}

/// Writes down what changes no row and concerns no project, such as sign-ins that failed.
pub async fn record_of_server(db: &Db, entries: &[Entry], at: Timestamp) -> Result<()> {
    let mut tx = db.begin(Scope::All).await?;
    for entry in entries {
        record_of_server_within(&mut tx, entry, at).await?;
    }
    Ok(tx.commit().await?)
}

/// Rows of the log, newest first, and where those that follow begin.
#[derive(Debug)]
pub struct Page {
    pub rows: Vec<AuditRow>,
    /// Where to go on, if there may be more: after the last row, or after the last one that was looked at.
    pub next: Option<AuditCursor>,
    /// [`SEARCHED_ROWS`] were looked at, and `rows` is what of them fits; earlier ones may fit as well.
    pub searched_in_part: bool,
}

/// The rows after `cursor`: those of `project`, or of the server and all projects, also deleted ones, for which the
/// snapshot has to be one of everything. At most [`MAX_ROWS`], out of at most [`SEARCHED_ROWS`] where the filter is one
/// that no index answers: a log of years is searched page by page instead of until the time limit.
pub async fn page(
    snapshot: &mut Snapshot,
    project: Option<ProjectId>,
    filter: &AuditFilter,
    cursor: Option<AuditCursor>,
    limit: u32,
) -> Result<Page> {
    let limit = limit.min(MAX_ROWS);
    let (who, what) = (filter.who.trim().to_lowercase(), filter.what.trim());
    let span = Span {
        from: filter.from.unwrap_or(Timestamp::from_micros(i64::MIN)),
        to: filter.to.unwrap_or(Timestamp::from_micros(i64::MAX)),
        after: cursor.unwrap_or(AuditCursor {
            at: Timestamp::from_micros(i64::MAX),
            id: Uuid::max(),
        }),
    };
    let is_search = !(who.is_empty() && what.is_empty());
    let last_looked_at = if is_search {
        last_looked_at(snapshot, project, &span).await?
    } else {
        None
    };
    let mut rows = rows(snapshot, project, &span, last_looked_at, &who, what, limit + 1).await?;
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let last = rows.last().filter(|_| has_more).map(|last| AuditCursor {
        at: last.at,
        id: last.id,
    });
    Ok(Page {
        next: last.or(last_looked_at),
        searched_in_part: !has_more && last_looked_at.is_some(),
        rows,
    })
}

/// What part of the log a page is of.
struct Span {
    from: Timestamp,
    to: Timestamp,
    after: AuditCursor,
}

/// The last of the rows that one search looks at; none where these are all.
async fn last_looked_at(
    snapshot: &mut Snapshot,
    project: Option<ProjectId>,
    span: &Span,
) -> Result<Option<AuditCursor>> {
    let (from, to) = (span.from.to_offset_date_time(), span.to.to_offset_date_time());
    let (at, id) = (span.after.at.to_offset_date_time(), span.after.id);
    let last = match project {
        Some(project) => {
            let row = sqlx::query!(
                "select at, id from audit_log
                 where project_id = $1 and at >= $2 and at < $3 and (at, id) < ($4, $5)
                 order by at desc, id desc offset $6 limit 1",
                project.0,
                from,
                to,
                at,
                id,
                SEARCHED_ROWS - 1
            )
            .fetch_optional(snapshot)
            .await?;
            row.map(|row| (row.at, row.id))
        }
        None => {
            let row = sqlx::query!(
                "select at, id from audit_log
                 where at >= $1 and at < $2 and (at, id) < ($3, $4)
                 order by at desc, id desc offset $5 limit 1",
                from,
                to,
                at,
                id,
                SEARCHED_ROWS - 1
            )
            .fetch_optional(snapshot)
            .await?;
            row.map(|row| (row.at, row.id))
        }
    };
    Ok(last.map(|(at, id)| AuditCursor {
        at: Timestamp::from_offset_date_time(at),
        id,
    }))
}

async fn rows(
    snapshot: &mut Snapshot,
    project: Option<ProjectId>,
    span: &Span,
    last_looked_at: Option<AuditCursor>,
    who: &str,
    what: &str,
    limit: u32,
) -> Result<Vec<AuditRow>> {
    let first = last_looked_at.unwrap_or(AuditCursor {
        at: span.from,
        id: Uuid::nil(),
    });
    // Two statements, so that each has the index that it needs whatever plan is kept.
    let rows = match project {
        Some(project) => {
            sqlx::query_as!(
                Row,
                "select id, at, project_slug, actor, action, subject, details from audit_log
                 where project_id = $1 and (at, id) >= ($2, $3) and at < $4 and (at, id) < ($5, $6)
                   and ($7 = '' or strpos(lower(actor), $7) > 0 or strpos(lower(subject), $7) > 0)
                   and ($8 = '' or action = $8 or starts_with(action, $8 || '.'))
                 order by at desc, id desc limit $9",
                project.0,
                first.at.to_offset_date_time(),
                first.id,
                span.to.to_offset_date_time(),
                span.after.at.to_offset_date_time(),
                span.after.id,
                who,
                what,
                i64::from(limit)
            )
            .fetch_all(snapshot)
            .await?
        }
        None => {
            sqlx::query_as!(
                Row,
                "select id, at, project_slug, actor, action, subject, details from audit_log
                 where (at, id) >= ($1, $2) and at < $3 and (at, id) < ($4, $5)
                   and ($6 = '' or strpos(lower(actor), $6) > 0 or strpos(lower(subject), $6) > 0)
                   and ($7 = '' or action = $7 or starts_with(action, $7 || '.'))
                 order by at desc, id desc limit $8",
                first.at.to_offset_date_time(),
                first.id,
                span.to.to_offset_date_time(),
                span.after.at.to_offset_date_time(),
                span.after.id,
                who,
                what,
                i64::from(limit)
            )
            .fetch_all(snapshot)
            .await?
        }
    };
    Ok(rows.into_iter().map(AuditRow::from).collect())
}

struct Row {
    id: Uuid,
    at: time::OffsetDateTime,
    project_slug: Option<String>,
    actor: String,
    action: String,
    subject: String,
    details: Value,
}

impl From<Row> for AuditRow {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            at: Timestamp::from_offset_date_time(row.at),
            project: row.project_slug,
            actor: row.actor,
            action: row.action,
            subject: row.subject,
            details: row.details,
        }
    }
}

/// Deletes the rows from before `before`, as the owner of the schema, but for those of projects on legal hold; returns how
/// many.
pub async fn delete_before(options: &PgConnectOptions, before: Timestamp) -> Result<u64> {
    let mut connection: PgConnection = options.clone().connect().await?;
    sqlx::query!("select set_config('plumbline.scope', 'all', false)")
        .fetch_one(&mut connection)
        .await?;
    let mut deleted = 0;
    loop {
        let done = sqlx::query!(
            "delete from audit_log where id = any (array(
               select a.id from audit_log a where a.at < $1 and not exists (
                 select from project_settings s where s.project_id = a.project_id and s.held_at is not null)
               order by a.at limit $2))",
            before.to_offset_date_time(),
            DELETE_ROWS
        )
        .execute(&mut connection)
        .await?;
        deleted += done.rows_affected();
        if done.rows_affected() < DELETE_ROWS.unsigned_abs() {
            return Ok(deleted);
        }
    }
}
