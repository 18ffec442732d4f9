//! Investigations, chats and proposed fixes hold what was read of runs and files, so they are kept as long as runs are.

use domain::ProjectId;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{BATCH_ROWS, Expired};
use crate::Result;

/// Deletes what was asked before `before` with all that was looked up for it, chats in which nothing was asked since, and
/// fixes that were proposed before.
pub(super) async fn delete_old(
    connection: &mut PgConnection,
    project: ProjectId,
    before: OffsetDateTime,
    done: &mut Expired,
) -> Result<()> {
    loop {
        let deleted = sqlx::query!(
            "delete from inquiries where ctid = any (array(
               select ctid from inquiries where project_id = $1 and asked_at < $2 limit $3))",
            project.0,
            before,
            BATCH_ROWS
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
        if done.add_and_see_if_last(deleted) {
            break;
        }
    }
    loop {
        let deleted = sqlx::query!(
            "delete from incident_fixes where ctid = any (array(
               select ctid from incident_fixes where project_id = $1 and asked_at < $2 limit $3))",
            project.0,
            before,
            BATCH_ROWS
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
        if done.add_and_see_if_last(deleted) {
            break;
        }
    }
    loop {
        let deleted = sqlx::query!(
            "delete from chats where ctid = any (array(
               select ctid from chats where project_id = $1 and updated_at < $2 limit $3))",
            project.0,
            before,
            BATCH_ROWS
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
        if done.add_and_see_if_last(deleted) {
            return Ok(());
        }
    }
}
