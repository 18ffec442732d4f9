//! How much one person may ask, and how much a project may have waiting: each question costs, and is kept.

use domain::{ProjectId, Timestamp};

use crate::{Error, Result, Tx};

/// What one person, or one key, may begin in a project within an hour: chats, questions, investigations and fixes together.
pub const MOST_AN_HOUR: i64 = 100;
/// Questions and investigations of a project that nobody has answered yet.
pub const MOST_WAITING: i64 = 200;
/// Chats of a project.
pub const MOST_CHATS: i64 = 1_000;
/// The conflict upon which nothing is begun because of [`MOST_AN_HOUR`].
pub const TOO_MANY_AN_HOUR: &str = "the most questions of one person in an hour";
/// The conflict upon which nothing is begun because of [`MOST_WAITING`].
pub const TOO_MANY_WAITING: &str = "the most questions that may wait";
/// The conflict upon which nothing is begun because of [`MOST_CHATS`].
pub const TOO_MANY_CHATS: &str = "the most chats of a project";

const HOUR_MICROS: i64 = 3_600 * 1_000_000;

/// `Conflict` where `actor` has begun as much as they may. Those who ask in one project ask one after the other, until the
/// transaction ends.
pub(crate) async fn may_begin(tx: &mut Tx, project: ProjectId, actor: &str, now: Timestamp) -> Result<()> {
    let is_there = sqlx::query_scalar!(
        "select project_id from projects where project_id = $1 and deleted_at is null for no key update",
        project.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    if is_there.is_none() {
        return Err(Error::NotFound);
    }
    // Nobody takes rows of the log away: who deletes a chat has asked all the same.
    let begun = sqlx::query_scalar!(
        "select count(*) as \"count!\" from audit_log
         where project_id = $1 and at > $2 and at <= $3 and actor = $4
           and action in ('chat.create', 'chat.ask', 'incident.investigate', 'incident.fix_draft')",
        project.0,
        now.plus_micros(-HOUR_MICROS).to_offset_date_time(),
        now.to_offset_date_time(),
        actor
    )
    .fetch_one(&mut **tx)
    .await?;
    if begun >= MOST_AN_HOUR {
        return Err(Error::Conflict(TOO_MANY_AN_HOUR));
    }
    Ok(())
}

/// `Conflict` where as much of the project waits as may.
pub(crate) async fn may_wait(tx: &mut Tx, project: ProjectId) -> Result<()> {
    let waiting = sqlx::query_scalar!(
        "select count(*) as \"count!\" from inquiries where project_id = $1 and state in ('queued', 'running')",
        project.0
    )
    .fetch_one(&mut **tx)
    .await?;
    if waiting >= MOST_WAITING {
        return Err(Error::Conflict(TOO_MANY_WAITING));
    }
    Ok(())
}

/// `Conflict` where the project has as many chats as it may have.
pub(crate) async fn may_have_another_chat(tx: &mut Tx, project: ProjectId) -> Result<()> {
    let chats = sqlx::query_scalar!(
        "select count(*) as \"count!\" from chats where project_id = $1",
        project.0
    )
    .fetch_one(&mut **tx)
    .await?;
    if chats >= MOST_CHATS {
        return Err(Error::Conflict(TOO_MANY_CHATS));
    }
    Ok(())
}
