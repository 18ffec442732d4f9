//! Taking demo data away again: exactly the runs and deploys that were made up. A job; see [`crate::jobs`].

use domain::{ProjectId, Timestamp};
use serde::Deserialize;
use serde_json::json;
use storage::Db;
use storage::demo_runs;
use storage::jobs::{self, JobChunk, NewJob};
use uuid::Uuid;

use super::days::DEPLOY_IDS;
use crate::background_job::{BackgroundJob, ChunkError, JobContext};
use crate::pipeline::histogram_of;

/// The kind of the job.
pub(crate) const KIND: &str = "demo_removal";

#[derive(Debug)]
pub(crate) struct DemoRemoval;

/// The project says everything.
#[derive(Debug, Deserialize)]
pub(crate) struct NoArguments {}

/// Starts to take the demo data of a project away. `Conflict` when that is under way already.
pub(crate) async fn start(db: &Db, project: ProjectId, actor: &str, now: Timestamp) -> storage::Result<Uuid> {
    let new = NewJob {
        kind: KIND,
        deduplicated: true,
        arguments: &json!({}),
    };
    jobs::start(db, project, &new, actor, now).await
}

impl BackgroundJob for DemoRemoval {
    const NAME: &'static str = KIND;
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
        let removed = demo_runs::remove_chunk(chunk, &DEPLOY_IDS, &histogram_of, now).await?;
        if removed.is_last {
            tracing::info!(project.id = %project, runs = removed.runs, "demo data is gone");
            // Open pages read again; histories of scores learn without these runs.
            context.tell(storage::live::notify_gap(&context.db)).await;
            context
                .tell(storage::live::notify_settings(&context.db, project))
                .await;
        }
        Ok(())
    }
}
