//! When values were first named that nobody names any more: releases, above all, of which each deploy brings one.

use domain::ProjectId;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{BATCH_ROWS, Expired};
use crate::Result;

/// Forgets the models, steps and releases without a call since `before`, the beginning of a day. One that is named again
/// is new.
pub(super) async fn delete_unused(
    connection: &mut PgConnection,
    project: ProjectId,
    before: OffsetDateTime,
    done: &mut Expired,
) -> Result<()> {
    loop {
        let deleted = sqlx::query!(
            "with used as materialized (
               select 'step' as dimension, step_name as value from rollup_days where project_id = $1 and day >= $2
               union select 'model', model from rollup_days where project_id = $1 and day >= $2
               union select 'release', value from run_counts
               where project_id = $1 and dimension = 'release' and hour >= $2
               union select 'release', release from release_hours where project_id = $1 and hour >= $2)
             delete from first_seen where ctid = any (array(
               select f.ctid from first_seen f where f.project_id = $1 and f.at < $2 and not exists (
                 select from used u where u.dimension = f.dimension and u.value = f.value)
               limit $3))",
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
