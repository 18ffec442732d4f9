//! What a kind of job is: how its work is prepared, and how a chunk of it is done.

use domain::{ProjectId, Timestamp};
use serde::de::DeserializeOwned;
use storage::Db;
use storage::jobs::JobChunk;

/// A kind of work in the background.
pub trait BackgroundJob: Sized + Send + Sync + 'static {
    /// Its name in the database.
    const NAME: &'static str;
    /// Failures in a row after which a job is given up.
    const MAX_ATTEMPTS: i32 = 3;
    /// What exactly is to be done.
    type Arguments: DeserializeOwned + Send;

    /// What all chunks of one job need.
    fn prepare(
        context: &JobContext,
        project: ProjectId,
        arguments: Self::Arguments,
    ) -> impl Future<Output = Result<Self, ChunkError>> + Send;

    /// Does some of the work within the chunk's transaction, and commits it with where the next chunk begins.
    fn run_chunk(
        &self,
        context: &JobContext,
        chunk: JobChunk,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), ChunkError>> + Send;
}

/// What jobs work with.
#[derive(Clone, Debug)]
pub struct JobContext {
    pub db: Db,
}

impl JobContext {
    /// Tells other processes of a chunk that is committed. It is done, whether or not they hear of it.
    pub async fn tell(&self, notification: impl Future<Output = storage::Result<()>>) {
        if let Err(cause) = notification.await {
            tracing::warn!(error = ?cause, "a chunk of a job is done, and other processes could not be notified");
        }
    }
}

/// Why a chunk was not done.
#[derive(Debug, thiserror::Error)]
pub enum ChunkError {
    /// The database refused, or did not answer.
    #[error(transparent)]
    Database(#[from] storage::Error),
    /// What is to be done cannot be read.
    #[error("the arguments can't be read")]
    Arguments(#[source] serde_json::Error),
    /// A defect of the job's.
    #[error("panic: {0}")]
    Panicked(String),
}
