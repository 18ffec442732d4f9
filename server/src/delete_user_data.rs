//! Deleting what there is of one end user of the application. A job; see [`crate::jobs`].

use domain::{ProjectId, Timestamp};
use serde::Deserialize;
use storage::jobs::JobChunk;
use storage::user_data;

use crate::background_job::{BackgroundJob, ChunkError, JobContext};
use crate::pipeline::histogram_of;

#[derive(Debug)]
pub(crate) struct UserDataDeletion;

/// Whose it is says the receipt: what jobs say of themselves is shown and kept.
#[derive(Debug, Deserialize)]
pub(crate) struct HashOfUser {}

impl BackgroundJob for UserDataDeletion {
    const NAME: &'static str = user_data::KIND;
    type Arguments = HashOfUser;

    async fn prepare(_: &JobContext, _: ProjectId, _: HashOfUser) -> Result<Self, ChunkError> {
        Ok(Self)
    }

    async fn run_chunk(
        &self,
        context: &JobContext,
        chunk: JobChunk,
        now: Timestamp,
    ) -> Result<(), ChunkError> {
        let project = chunk.job.project_id;
        let deleted = user_data::delete_chunk(chunk, &histogram_of, now).await?;
        if deleted.is_last {
            tracing::info!(project.id = %project, steps = deleted.steps, "the data of a user is gone");
            // Open pages read again; histories of scores learn without these runs.
            context.tell(storage::live::notify_gap(&context.db)).await;
            context
                .tell(storage::live::notify_settings(&context.db, project))
                .await;
        }
        Ok(())
    }
}
