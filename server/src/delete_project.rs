//! Deleting what a project has, after it was refused to everybody. A job; see [`crate::jobs`].

use domain::{ProjectId, Timestamp};
use serde::Deserialize;
use storage::jobs::JobChunk;
use storage::projects::deletion;

use crate::background_job::{BackgroundJob, ChunkError, JobContext};

#[derive(Debug)]
pub struct ProjectDeletion;

/// The project says everything.
#[derive(Debug, Deserialize)]
pub struct NoArguments {}

impl BackgroundJob for ProjectDeletion {
    const NAME: &'static str = deletion::KIND;
    /// Nobody could start it again, so it is never given up.
    const MAX_ATTEMPTS: i32 = i32::MAX;
    type Arguments = NoArguments;

    async fn prepare(_: &JobContext, _: ProjectId, _: NoArguments) -> Result<Self, ChunkError> {
        Ok(Self)
    }

    async fn run_chunk(
        &self,
        context: &JobContext,
        chunk: JobChunk,
        now: Timestamp,
    ) -> Result<(), ChunkError> {
        let project = chunk.job.project_id;
        let deleted = deletion::delete_chunk(chunk, now).await?;
        if deleted.is_last {
            tracing::info!(project.id = %project, rows = deleted.rows, "a deleted project is gone");
            context.tell(storage::live::notify_access(&context.db)).await;
        }
        Ok(())
    }
}
