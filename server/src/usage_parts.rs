//! Counting what calls used beside the four buckets in hours that older versions wrote. A job that a migration asks for;
//! see [`crate::jobs`].

use domain::{ProjectId, Timestamp};
use serde::Deserialize;
use storage::jobs::JobChunk;
use storage::usage_parts;

use crate::background_job::{BackgroundJob, ChunkError, JobContext};

#[derive(Debug)]
pub(crate) struct PartCounting;

/// It has none.
#[derive(Debug, Deserialize)]
pub(crate) struct Arguments {}

impl BackgroundJob for PartCounting {
    const NAME: &'static str = usage_parts::KIND;
    type Arguments = Arguments;

    async fn prepare(_: &JobContext, _: ProjectId, _: Arguments) -> Result<Self, ChunkError> {
        Ok(Self)
    }

    async fn run_chunk(&self, _: &JobContext, chunk: JobChunk, now: Timestamp) -> Result<(), ChunkError> {
        Ok(usage_parts::count_chunk(chunk, now).await?)
    }
}
