//! Pictures of providers' bills in chats, and what was read of them. Each is of one inquiry, and goes with its chat.

use domain::bill::{BillLine, ComparedLine};
use domain::{ProjectId, Timestamp};
use serde::Deserialize as _;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::inquiries::Taken;
use crate::{Db, Error, Result, Snapshot, Tx, chats};

/// Pictures of a project that wait for a model. Each is up to some megabytes.
pub const MOST_PICTURES: i64 = 10;
/// The conflict upon which none is taken because of [`MOST_PICTURES`].
pub const TOO_MANY_PICTURES: &str = "the most pictures that may wait";

/// A picture as it was sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// Such as `image/png`.
    pub media_type: String,
    pub bytes: Vec<u8>,
}

/// It may show what is nobody's business.
impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}, {} bytes)", self.media_type, self.bytes.len())
    }
}

/// A bill that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    pub inquiry_id: Uuid,
    /// In the order of their days.
    pub lines: Vec<BillLine>,
    /// What the names of the models that it is of begin with, with commas between.
    pub models: String,
    pub compared: Option<Comparison>,
}

/// What the ledger had beside a bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    pub at: Timestamp,
    pub by: String,
    pub lines: Vec<ComparedLine>,
}

/// How far the reading of a bill is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It waits for a model.
    Waits(Picture),
    Done,
    /// The picture is gone, and nothing was read.
    Gone,
}

/// Puts a picture of a bill into a chat, as [`chats::ask`] asks a question. `Conflict` also with [`TOO_MANY_PICTURES`].
pub async fn ask(
    db: &Db,
    project: ProjectId,
    chat: Uuid,
    (question, title): (&str, &str),
    picture: &Picture,
    actor: &str,
    now: Timestamp,
) -> Result<Uuid> {
    let mut tx = db.project(project).await?;
    let id = chats::ask_within(&mut tx, project, chat, (question, title), actor, now).await?;
    may_wait(&mut tx, project).await?;
    sqlx::query!(
        "insert into chat_bills (project_id, inquiry_id, picture, media_type) values ($1, $2, $3, $4)",
        project.0,
        id,
        picture.bytes.as_slice(),
        picture.media_type
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(id)
}

/// Those who ask in one project ask one after the other, see `inquiries::bounds`.
async fn may_wait(tx: &mut Tx, project: ProjectId) -> Result<()> {
    let waiting = sqlx::query_scalar!(
        "select count(*) as \"count!\" from chat_bills b
         join inquiries i on i.project_id = b.project_id and i.inquiry_id = b.inquiry_id
         where b.project_id = $1 and b.picture is not null and i.state in ('queued', 'running')",
        project.0
    )
    .fetch_one(&mut **tx)
    .await?;
    if waiting >= MOST_PICTURES {
        return Err(Error::Conflict(TOO_MANY_PICTURES));
    }
    Ok(())
}

/// How far the reading of an inquiry's bill is; `None` where it has none.
pub async fn reading(snapshot: &mut Snapshot, project: ProjectId, inquiry: Uuid) -> Result<Option<Reading>> {
    let row = sqlx::query!(
        "select picture, media_type, lines is not null as \"is_read!\" from chat_bills
         where project_id = $1 and inquiry_id = $2",
        project.0,
        inquiry
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    Ok(row.map(|row| match row.picture {
        _ if row.is_read => Reading::Done,
        Some(bytes) => Reading::Waits(Picture {
            media_type: row.media_type,
            bytes,
        }),
        None => Reading::Gone,
    }))
}

/// Writes down what a model read, and deletes the picture. False where the lease is lost, and nothing is written.
pub async fn read(db: &Db, taken: &Taken, lines: &[BillLine], models: &str) -> Result<bool> {
    let mut tx = db.project(taken.project_id).await?;
    let written = sqlx::query!(
        "update chat_bills b set lines = $4, models = $5, picture = null
         from inquiries i
         where b.project_id = $1 and b.inquiry_id = $2 and i.project_id = $1 and i.inquiry_id = $2 and i.lease = $3",
        taken.project_id.0,
        taken.inquiry.id,
        taken.lease,
        json!(lines),
        models
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(written.rows_affected() > 0)
}

/// The bills of these inquiries that were read.
pub async fn of(snapshot: &mut Snapshot, project: ProjectId, inquiries: &[Uuid]) -> Result<Vec<Bill>> {
    let rows = sqlx::query_as!(
        Row,
        "select inquiry_id, lines as \"lines!\", models, compared, compared_at, compared_by from chat_bills
         where project_id = $1 and inquiry_id = any ($2) and lines is not null",
        project.0,
        inquiries
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows.into_iter().filter_map(Row::bill).collect())
}

struct Row {
    inquiry_id: Uuid,
    lines: Value,
    models: String,
    compared: Option<Value>,
    compared_at: Option<OffsetDateTime>,
    compared_by: Option<String>,
}

impl Row {
    /// None where another version wrote it in other words.
    fn bill(self) -> Option<Bill> {
        let compared = self
            .compared
            .as_ref()
            .and_then(|lines| Vec::<ComparedLine>::deserialize(lines).ok());
        Some(Bill {
            inquiry_id: self.inquiry_id,
            lines: Vec::deserialize(&self.lines).ok()?,
            models: self.models,
            compared: match (compared, self.compared_at) {
                (Some(lines), Some(at)) => Some(Comparison {
                    at: Timestamp::from_offset_date_time(at),
                    by: self.compared_by.unwrap_or_default(),
                    lines,
                }),
                _ => None,
            },
        })
    }
}

/// Writes down what people made of a bill and what the ledger has beside it, and the audit log. `NotFound` where no such
/// bill was read.
pub async fn compare(
    db: &Db,
    project: ProjectId,
    inquiry: Uuid,
    (models, compared): (&str, &[ComparedLine]),
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let lines: Vec<BillLine> = compared.iter().map(|line| line.billed).collect();
    let mut tx = db.project(project).await?;
    let changed = sqlx::query!(
        "update chat_bills set lines = $3, models = $4, compared = $5, compared_at = $6, compared_by = $7
         where project_id = $1 and inquiry_id = $2 and lines is not null",
        project.0,
        inquiry,
        json!(lines),
        models,
        json!(compared),
        now.to_offset_date_time(),
        actor
    )
    .execute(&mut *tx)
    .await?;
    if changed.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    let entry = Entry::new(
        actor,
        "chat.compare_bill",
        &inquiry.to_string(),
        json!({ "days": lines.len() }),
    );
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}
