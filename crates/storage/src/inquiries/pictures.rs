//! Pictures that are asked about: kept only for as long as they wait for a model.

use domain::ProjectId;
use uuid::Uuid;

use crate::{Result, Tx};

/// Deletes the picture of an inquiry that is over, read or not.
pub(super) async fn forget(tx: &mut Tx, project: ProjectId, inquiry: Uuid) -> Result<()> {
    sqlx::query!(
        "update chat_bills set picture = null where project_id = $1 and inquiry_id = $2 and picture is not null",
        project.0,
        inquiry
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
