//! Jobs: work that takes longer than a request, done chunk by chunk in the background by whichever process is free.
//!
//! A new kind is a file with its [`BackgroundJob`] and a line in [`KINDS`]. What a chunk writes is committed together
//! with where the next one begins, so that a chunk is done once or not at all, whoever dies.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use domain::{ProjectId, Timestamp};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::Deserialize as _;
use storage::Db;
use storage::jobs::{self, ChunkFailure, Job, JobChunk};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use crate::background_job::{BackgroundJob, ChunkError, JobContext};

use crate::call_counts::CallCounting;
use crate::clock;
use crate::delete_project::ProjectDeletion;
use crate::delete_user_data::UserDataDeletion;
use crate::demo::Seeding;
use crate::demo::removal::DemoRemoval;
use crate::metrics::Labelled;
use crate::reprice::Repricing;
use crate::supervise::panic_message;
use crate::usage_parts::PartCounting;

/// Every kind of job that this binary runs; others wait for one that does.
const KINDS: &[Kind] = &[
    Kind::of::<Repricing>(),
    Kind::of::<ProjectDeletion>(),
    Kind::of::<Seeding>(),
    Kind::of::<DemoRemoval>(),
    Kind::of::<CallCounting>(),
    Kind::of::<UserDataDeletion>(),
    Kind::of::<PartCounting>(),
];

/// How often it is looked whether a job is due, should no notification have come.
const POLL_INTERVAL: Duration = Duration::from_secs(30);
/// How long after a failure the same chunk is tried again, in microseconds; twice as long after each further one.
const RETRY_AFTER_MICROS: i64 = 5_000_000;
const MAX_RETRY_AFTER_MICROS: i64 = 300_000_000;
/// Collisions with other transactions before one counts as a failure.
const MAX_COLLISIONS: u32 = 10;

/// An entry of the registry.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    name: &'static str,
    max_attempts: i32,
    prepare: Prepare,
}

type Prepare = for<'a> fn(&'a JobContext, &'a Job) -> BoxFuture<'a, Result<Box<dyn PreparedJob>, ChunkError>>;

impl Kind {
    /// The entry of a job.
    pub const fn of<J: BackgroundJob>() -> Self {
        Self {
            name: J::NAME,
            max_attempts: J::MAX_ATTEMPTS,
            prepare: prepare::<J>,
        }
    }
}

fn prepare<'a, J: BackgroundJob>(
    context: &'a JobContext,
    job: &'a Job,
) -> BoxFuture<'a, Result<Box<dyn PreparedJob>, ChunkError>> {
    Box::pin(async move {
        let arguments = J::Arguments::deserialize(&job.arguments).map_err(ChunkError::Arguments)?;
        let prepared = J::prepare(context, job.project_id, arguments).await?;
        Ok(Box::new(prepared) as Box<dyn PreparedJob>)
    })
}

/// A [`BackgroundJob`] whose type is not known.
trait PreparedJob: Send + Sync {
    fn run<'a>(
        &'a self,
        context: &'a JobContext,
        chunk: JobChunk,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), ChunkError>>;
}

impl<J: BackgroundJob> PreparedJob for J {
    fn run<'a>(
        &'a self,
        context: &'a JobContext,
        chunk: JobChunk,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), ChunkError>> {
        Box::pin(self.run_chunk(context, chunk, now))
    }
}

/// Works at jobs until `shutdown`, after which the chunk that is under way is still finished. `wake` is notified when
/// there may be a job; `failures` counts chunks that failed.
pub async fn run(db: Db, failures: Labelled, wake: Arc<Notify>, shutdown: CancellationToken) {
    let mut worker = Worker::new(db).counting(failures);
    loop {
        let pause = loop {
            match worker.work(None).await {
                Ok(Worked::Chunk) if !shutdown.is_cancelled() => {}
                Ok(_) => break worker.until_due().await,
                Err(cause) => {
                    tracing::warn!(error = ?cause, "jobs are not looked at: the database does not answer");
                    break POLL_INTERVAL;
                }
            }
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = wake.notified() => {}
            () = sleep(pause) => {}
        }
    }
}

/// What became of a look at the jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worked {
    /// One chunk was done, or failed and is noted so.
    Chunk,
    /// There was nothing to do, or another process works at it.
    Nothing,
}

/// Does chunks of jobs, and keeps between them what all chunks of one job need.
pub struct Worker {
    context: JobContext,
    kinds: &'static [Kind],
    names: Vec<&'static str>,
    failures: Labelled,
    prepared: HashMap<Uuid, Box<dyn PreparedJob>>,
}

impl Worker {
    /// Runs every kind of this binary. Nothing is read before there is work.
    pub fn new(db: Db) -> Self {
        Self::of_kinds(db, KINDS)
    }

    /// Runs these kinds.
    pub fn of_kinds(db: Db, kinds: &'static [Kind]) -> Self {
        Self {
            context: JobContext { db },
            kinds,
            names: kinds.iter().map(|kind| kind.name).collect(),
            failures: Labelled::default(),
            prepared: HashMap::new(),
        }
    }

    /// Counts chunks that failed here, by the kind of the job.
    pub fn counting(self, failures: Labelled) -> Self {
        Self { failures, ..self }
    }

    /// Does one chunk of the job that has waited longest; `only` names another.
    pub async fn work(&mut self, only: Option<(ProjectId, Uuid)>) -> storage::Result<Worked> {
        let mut collisions = 0;
        loop {
            let now = clock::now();
            let Some(chunk) = jobs::take(&self.context.db, &self.names, only, now).await? else {
                // Those that are done, or that others work at.
                self.prepared.clear();
                return Ok(Worked::Nothing);
            };
            let Some(kind) = self.kinds.iter().find(|kind| kind.name == chunk.job.kind) else {
                return Ok(Worked::Nothing);
            };
            let of = ChunkOf {
                kind: *kind,
                project: chunk.job.project_id,
                job_id: chunk.job.job_id,
                failures: chunk.failures,
            };
            let done = AssertUnwindSafe(self.run_chunk(&of.kind, chunk, now))
                .catch_unwind()
                .await;
            let done = done
                .unwrap_or_else(|panic| Err(ChunkError::Panicked(panic_message(panic.as_ref()).to_owned())));
            match done {
                Ok(()) => return Ok(Worked::Chunk),
                Err(ChunkError::Database(cause)) if cause.is_collision() && collisions < MAX_COLLISIONS => {
                    collisions += 1;
                }
                Err(cause) => {
                    self.note_failure(&of, &cause, now).await?;
                    return Ok(Worked::Chunk);
                }
            }
        }
    }

    async fn run_chunk(&mut self, kind: &Kind, chunk: JobChunk, now: Timestamp) -> Result<(), ChunkError> {
        let job_id = chunk.job.job_id;
        // Kept only when the chunk is done: what a failure leaves may be no good.
        let prepared = match self.prepared.remove(&job_id) {
            Some(prepared) => prepared,
            None => (kind.prepare)(&self.context, &chunk.job).await?,
        };
        prepared.run(&self.context, chunk, now).await?;
        self.prepared.insert(job_id, prepared);
        Ok(())
    }

    /// How long to wait for a job that is not due yet, or for one that nobody told of.
    async fn until_due(&self) -> Duration {
        let now = clock::now();
        match jobs::next_due(&self.context.db, &self.names).await {
            // What is due and was not taken is under way elsewhere.
            Ok(Some(due)) if due > now => {
                let micros = u64::try_from(due.micros() - now.micros()).unwrap_or(0);
                Duration::from_micros(micros).min(POLL_INTERVAL)
            }
            _ => POLL_INTERVAL,
        }
    }

    /// The chunk is tried again later, by whoever is free then, and other jobs go first.
    async fn note_failure(&self, of: &ChunkOf, cause: &ChunkError, now: Timestamp) -> storage::Result<()> {
        let kind = of.kind.name;
        self.failures.get_or_create(&[("kind", kind)]).inc();
        let attempts = of.kind.max_attempts;
        let (error, max_attempts) = match cause {
            ChunkError::Database(cause) if cause.is_transient() => (
                "The database could not do a chunk of the work: it does not answer, took too long or lacks room; \
                 it is tried again",
                None,
            ),
            ChunkError::Database(_) => (
                "The database refused a chunk of the work; the server's log has the details",
                Some(attempts),
            ),
            ChunkError::Panicked(_) => (
                "A piece of the work failed; the server's log has the details",
                Some(attempts),
            ),
            ChunkError::Arguments(_) => ("The job's arguments can't be read; start it again", Some(1)),
        };
        let wait_micros = retry_after_micros(of.failures);
        let (project, job_id, retry_after_s) = (of.project, of.job_id, wait_micros / 1_000_000);
        if max_attempts.is_none() {
            tracing::warn!(project.id = %project, job.id = %job_id, kind, retry_after_s, error = ?cause, "a chunk of a job has to wait");
        } else {
            tracing::error!(project.id = %project, job.id = %job_id, kind, retry_after_s, error = ?cause, "a chunk of a job failed");
        }
        let failure = ChunkFailure {
            error,
            again_at: now.plus_micros(wait_micros),
            max_attempts,
        };
        if jobs::chunk_failed(&self.context.db, project, job_id, &failure, now).await? {
            tracing::error!(project.id = %project, job.id = %job_id, kind, "a job was given up");
        }
        Ok(())
    }
}

/// Which job a chunk is of, and how often it failed before.
struct ChunkOf {
    kind: Kind,
    project: ProjectId,
    job_id: Uuid,
    failures: u32,
}

fn retry_after_micros(failures: u32) -> i64 {
    let doubled = RETRY_AFTER_MICROS.saturating_mul(1 << failures.min(16));
    doubled.min(MAX_RETRY_AFTER_MICROS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_that_keeps_failing_is_tried_less_and_less_often() {
        let check = |failures: u32, seconds: i64| {
            assert_eq!(retry_after_micros(failures), seconds * 1_000_000, "{failures}");
        };
        check(0, 5);
        check(1, 10);
        check(5, 160);
        check(6, 300);
        check(u32::MAX, 300);
    }
}
