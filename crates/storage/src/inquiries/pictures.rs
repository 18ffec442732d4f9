//! Pictures that are asked about: kept only for as long as they wait for a model.

use domain::ProjectId;
use uuid::Uuid;

use crate::{Result, Tx};

/// Deletes the pictures of inquiries that are over, read or not: that of `inquiry`, and what a version has left behind that
/// knew of no pictures.
pub(super) async fn forget(tx: &mut Tx, project: ProjectId, inquiry: Uuid) -> Result<()> {
    sqlx::query!(
        "update chat_bills b set picture = null from inquiries i
         where b.project_id = $1 and b.picture is not null and i.project_id = b.project_id and i.inquiry_id = b.inquiry_id
           and (b.inquiry_id = $2 or i.state not in ('queued', 'running'))",
        project.0,
        inquiry
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
