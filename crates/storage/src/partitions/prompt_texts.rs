//! The texts of prompt templates that are no longer used. A prompt without a system text is its own template, so its
//! text may be a user's words: it is kept as long as prompts are.

use domain::ProjectId;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{BATCH_ROWS, Expired};
use crate::Result;

/// Empties the texts of templates without a call since `texts_before`, and forgets those without one since
/// `sums_before`. In between a template is known by when it was first seen; its next call brings the text back.
///
/// Which templates are in use follows from the sums of days, written in the same transaction as the text of a new one.
/// Both times are the beginning of a day.
pub(super) async fn delete_unused(
    connection: &mut PgConnection,
    project: ProjectId,
    texts_before: OffsetDateTime,
    sums_before: OffsetDateTime,
    done: &mut Expired,
) -> Result<()> {
    loop {
        let emptied = sqlx::query!(
            "with used as materialized (
               select distinct template_fingerprint as fingerprint from rollup_days
               where project_id = $1 and day >= $2 and template_fingerprint is not null)
             update prompt_texts set canonical = '' where project_id = $1 and fingerprint = any (array(
               select t.fingerprint from prompt_texts t where t.project_id = $1 and t.canonical <> ''
                 and not exists (select from used u where u.fingerprint = t.fingerprint)
               limit $3))",
            project.0,
            texts_before,
            BATCH_ROWS
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
        if done.add_and_see_if_last(emptied) {
            break;
        }
    }
    loop {
        let deleted = sqlx::query!(
            "with used as materialized (
               select distinct template_fingerprint as fingerprint from rollup_days
               where project_id = $1 and day >= $2 and template_fingerprint is not null)
             delete from prompt_texts where project_id = $1 and fingerprint = any (array(
               select t.fingerprint from prompt_texts t where t.project_id = $1 and t.canonical = ''
                 and not exists (select from used u where u.fingerprint = t.fingerprint)
               limit $3))",
            project.0,
            sums_before,
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
