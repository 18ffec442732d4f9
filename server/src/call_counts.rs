//! Counting the model calls of runs that older versions wrote. A job that a migration asks for; see [`crate::jobs`].

use domain::{ProjectId, Timestamp};
use serde::Deserialize;
use storage::call_counts;
use storage::jobs::JobChunk;

use crate::background_job::{BackgroundJob, ChunkError, JobContext};

#[derive(Debug)]
pub(crate) struct CallCounting {
    arguments: Arguments,
}

/// Which runs.
#[derive(Debug, Deserialize)]
pub(crate) struct Arguments {
    /// Only those that received something since; all without it.
    received_from: Option<Timestamp>,
}

impl BackgroundJob for CallCounting {
    const NAME: &'static str = call_counts::KIND;
    type Arguments = Arguments;

    async fn prepare(_: &JobContext, _: ProjectId, arguments: Arguments) -> Result<Self, ChunkError> {
        Ok(Self { arguments })
    }

    async fn run_chunk(&self, _: &JobContext, chunk: JobChunk, now: Timestamp) -> Result<(), ChunkError> {
        Ok(call_counts::count_chunk(chunk, self.arguments.received_from, now).await?)
    }
}
