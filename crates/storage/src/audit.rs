//! Who changed what in a project. Goes with the project when it is deleted.

use domain::{ProjectId, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use crate::{Db, Result, Tx};

/// The most entries `list` returns.
const MAX_ENTRIES: u32 = 500;

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

/// Writes one change down in the transaction that makes it.
pub(crate) async fn record_within(
    tx: &mut Tx,
    project: ProjectId,
    entry: &Entry,
    at: Timestamp,
) -> Result<()> {
    sqlx::query!(
        "insert into audit_log (project_id, id, at, actor, action, subject, details) values ($1, $2, $3, $4, $5, $6, $7)",
        project.0,
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

/// The latest changes of a project, newest first; at most 500.
pub async fn list(db: &Db, project: ProjectId, limit: u32) -> Result<Vec<(Timestamp, Entry)>> {
    let mut tx = db.project(project).await?;
    let rows = sqlx::query!(
        "select at, actor, action, subject, details from audit_log
         where project_id = $1 order by at desc, id desc limit $2",
        project.0,
        i64::from(limit.min(MAX_ENTRIES))
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let at = Timestamp::from_offset_date_time(row.at);
            let entry = Entry {
                actor: row.actor,
                action: row.action,
                subject: row.subject,
                details: row.details,
            };
            (at, entry)
        })
        .collect())
}
