//! Chats about a project. Each of their questions is an inquiry.

use domain::{ProjectId, Timestamp};
use serde_json::json;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::inquiries::{self, may_begin, may_have_another_chat, may_wait};
use crate::{Db, Error, Result, Snapshot, Tx};

/// The most questions of one chat.
pub const MAX_QUESTIONS: u32 = 200;

/// A chat as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    pub id: Uuid,
    pub created_at: Timestamp,
    /// When something was asked last.
    pub updated_at: Timestamp,
    pub created_by: String,
    /// The path of the page that it was begun on, without the project: `incidents/…`.
    pub page: String,
    /// The beginning of its first question; empty before that.
    pub title: String,
}

/// Begins a chat on a page. `Conflict` with `inquiries::TOO_MANY_AN_HOUR`, `inquiries::TOO_MANY_CHATS`
/// or `inquiries::TOO_MANY_WAITING`.
pub async fn create(db: &Db, project: ProjectId, page: &str, actor: &str, now: Timestamp) -> Result<Uuid> {
    let id = Uuid::now_v7();
    let mut tx = db.project(project).await?;
    may_begin(&mut tx, project, actor, now).await?;
    may_have_another_chat(&mut tx, project).await?;
    // A question follows; without it the chat would stay empty.
    may_wait(&mut tx, project).await?;
    sqlx::query!(
        "insert into chats (project_id, chat_id, created_at, updated_at, created_by, page)
         values ($1, $2, $3, $3, $4, $5)",
        project.0,
        id,
        now.to_offset_date_time(),
        actor,
        page
    )
    .execute(&mut *tx)
    .await?;
    let entry = Entry::new(actor, "chat.create", &id.to_string(), json!({}));
    audit::record_within(&mut tx, project, &entry, now).await?;
    tx.commit().await?;
    Ok(id)
}

/// Asks in a chat. `title` is what it is called if this is its first question. `NotFound` when there is no such chat, or it
/// has as many questions as it may have; `Conflict` with `inquiries::TOO_MANY_AN_HOUR` or `inquiries::TOO_MANY_WAITING`.
pub async fn ask(
    db: &Db,
    project: ProjectId,
    chat: Uuid,
    (question, title): (&str, &str),
    actor: &str,
    now: Timestamp,
) -> Result<Uuid> {
    let mut tx = db.project(project).await?;
    let id = ask_within(&mut tx, project, chat, (question, title), actor, now).await?;
    tx.commit().await?;
    Ok(id)
}

/// As [`ask`], within a transaction.
pub(crate) async fn ask_within(
    tx: &mut Tx,
    project: ProjectId,
    chat: Uuid,
    (question, title): (&str, &str),
    actor: &str,
    now: Timestamp,
) -> Result<Uuid> {
    may_begin(tx, project, actor, now).await?;
    let changed = sqlx::query!(
        "update chats set updated_at = $3, title = case when title = '' then $4 else title end
         where project_id = $1 and chat_id = $2
           and (select count(*) from inquiries i where i.project_id = $1 and i.chat_id = $2) < $5",
        project.0,
        chat,
        now.to_offset_date_time(),
        title,
        i64::from(MAX_QUESTIONS)
    )
    .execute(&mut **tx)
    .await?;
    if changed.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    let id = inquiries::ask_within(tx, project, (chat, question), actor, now).await?;
    // What was asked is deleted by age, and the log is not.
    let entry = Entry::new(actor, "chat.ask", &chat.to_string(), json!({ "inquiry_id": id }));
    audit::record_within(tx, project, &entry, now).await?;
    Ok(id)
}

/// The chats of a project, the latest first, at most `limit`.
pub async fn list(snapshot: &mut Snapshot, project: ProjectId, limit: u32) -> Result<Vec<Chat>> {
    let rows = sqlx::query!(
        "select chat_id, created_at, updated_at, created_by, page, title from chats
         where project_id = $1 order by updated_at desc, chat_id desc limit $2",
        project.0,
        i64::from(limit)
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Chat {
            id: row.chat_id,
            created_at: Timestamp::from_offset_date_time(row.created_at),
            updated_at: Timestamp::from_offset_date_time(row.updated_at),
            created_by: row.created_by,
            page: row.page,
            title: row.title,
        })
        .collect())
}

/// One chat. `NotFound` when there is none.
pub async fn get(snapshot: &mut Snapshot, project: ProjectId, chat: Uuid) -> Result<Chat> {
    let row = sqlx::query!(
        "select chat_id, created_at, updated_at, created_by, page, title from chats
         where project_id = $1 and chat_id = $2",
        project.0,
        chat
    )
    .fetch_optional(&mut *snapshot)
    .await?
    .ok_or(Error::NotFound)?;
    Ok(Chat {
        id: row.chat_id,
        created_at: Timestamp::from_offset_date_time(row.created_at),
        updated_at: Timestamp::from_offset_date_time(row.updated_at),
        created_by: row.created_by,
        page: row.page,
        title: row.title,
    })
}

/// Deletes a chat with its questions and answers. `NotFound` when there is none.
pub async fn delete(db: &Db, project: ProjectId, chat: Uuid, actor: &str, now: Timestamp) -> Result<()> {
    let mut tx = db.project(project).await?;
    let deleted = sqlx::query!(
        "delete from chats where project_id = $1 and chat_id = $2",
        project.0,
        chat
    )
    .execute(&mut *tx)
    .await?;
    if deleted.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    let entry = Entry::new(actor, "chat.delete", &chat.to_string(), json!({}));
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}
