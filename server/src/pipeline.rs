//! From decoded steps to committed rows. Handlers submit; workers take what has gathered, write it in one
//! transaction (group commit) and answer everybody in it. Bounded: what doesn't fit is refused at once.

mod batch;
mod cardinality;
mod figures;
mod memory;
mod rollup;
mod run_delta;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::{NewStep, ProjectId, Timestamp};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use batch::process_batch;
pub use cardinality::Cardinality;
pub use figures::Figures;
pub use memory::Memory;
pub use rollup::{histograms_agree, series_id};
pub use run_delta::run_deltas;

use crate::auth::Caller;
use crate::error::{HttpError, HttpResult};
use crate::live::LiveHub;
use crate::metrics::Metrics;

/// Rows after which a batch is full.
const BATCH_STEPS: usize = 1_000;
/// Transactions under way at once. While one waits for the disk the next one gathers and writes.
const WORKERS: usize = 2;
/// Steps from which a batch is worth a transaction beside another one. Fewer wait until that one ends, and for the
/// steps that come until then: single steps over 64 connections went 15 to a transaction before, which costs as much
/// as one of 60.
const WORTH_BATCH_STEPS: usize = 200;

/// Steps of one request on their way in.
#[derive(Debug)]
pub struct Submission {
    project_id: ProjectId,
    key_label: String,
    received_at: Timestamp,
    steps: Vec<NewStep>,
    rejected: Vec<&'static str>,
    bytes: usize,
}

impl Submission {
    /// Steps that were accepted, and the reasons for which others of the same request were not.
    pub fn new(
        caller: &Caller,
        received_at: Timestamp,
        steps: Vec<NewStep>,
        rejected: Vec<&'static str>,
    ) -> Self {
        let bytes = steps.iter().map(size_in_memory).sum();
        Self {
            project_id: caller.project_id,
            key_label: caller.key_label.clone(),
            received_at,
            steps,
            rejected,
            bytes,
        }
    }
}

/// What became of an accepted step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It is a row now.
    Stored,
    /// It was one already.
    Duplicate,
}

/// Why a submission was not written. Nothing of it is in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotWritten {
    /// The database does not answer.
    Unavailable,
    /// The project was deleted while the steps waited.
    Gone,
    /// A defect of ours; logged by the worker.
    Internal,
}

struct Waiting {
    submission: Submission,
    answer: oneshot::Sender<Result<Vec<Received>, NotWritten>>,
}

/// The way from handlers to the database.
#[derive(Clone, Debug)]
pub struct Pipeline {
    queue: mpsc::Sender<Waiting>,
    load: Arc<Load>,
}

/// What is queued, against what may be.
#[derive(Debug)]
struct Load {
    steps: AtomicUsize,
    bytes: AtomicUsize,
    max_steps: usize,
    max_bytes: usize,
    metrics: Arc<Metrics>,
}

impl Load {
    /// Books a submission in, unless something is queued already and it doesn't fit beside that.
    fn admit(&self, steps: usize, bytes: usize) -> bool {
        let queued_steps = self.steps.fetch_add(steps, Ordering::AcqRel);
        let queued_bytes = self.bytes.fetch_add(bytes, Ordering::AcqRel);
        let fits = queued_steps + steps <= self.max_steps && queued_bytes + bytes <= self.max_bytes;
        if fits || queued_steps == 0 {
            self.metrics.queued_steps.set(queued_steps + steps);
            return true;
        }
        self.release(steps, bytes);
        false
    }

    fn release(&self, steps: usize, bytes: usize) {
        let before = self.steps.fetch_sub(steps, Ordering::AcqRel);
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.metrics.queued_steps.set(before.saturating_sub(steps));
    }
}

/// What the pipeline is started with.
#[derive(Clone, Debug)]
pub struct PipelineSettings {
    /// Most steps queued at once.
    pub max_queued_steps: usize,
    /// Most bytes of steps queued at once.
    pub max_queued_bytes: usize,
}

impl Pipeline {
    /// Starts the workers. They end, with everything queued written, after `shutdown` and the last sender is gone.
    pub fn start(
        db: storage::Db,
        memory: Memory,
        live: LiveHub,
        metrics: Arc<Metrics>,
        settings: &PipelineSettings,
        tasks: &TaskTracker,
        shutdown: &CancellationToken,
    ) -> Self {
        let (queue, receiver) = mpsc::channel(settings.max_queued_steps.max(1));
        let receiver = Arc::new(Mutex::new(receiver));
        let turn = Arc::new(Semaphore::new(1));
        let load = Arc::new(Load {
            steps: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            max_steps: settings.max_queued_steps,
            max_bytes: settings.max_queued_bytes,
            metrics: Arc::clone(&metrics),
        });
        for _ in 0..WORKERS {
            let worker = Worker {
                db: db.clone(),
                memory: memory.clone(),
                live: live.clone(),
                metrics: Arc::clone(&metrics),
                receiver: Arc::clone(&receiver),
                turn: Arc::clone(&turn),
                load: Arc::clone(&load),
                shutdown: shutdown.clone(),
            };
            tasks.spawn(worker.run());
        }
        Self { queue, load }
    }

    /// Writes the steps and answers after the commit, one answer per step in their order. 503 when the queue is
    /// full or the database is away: then nothing was written.
    pub async fn submit(&self, submission: Submission) -> HttpResult<Vec<Received>> {
        if submission.steps.is_empty() && submission.rejected.is_empty() {
            return Ok(Vec::new());
        }
        let (steps, bytes) = (submission.steps.len().max(1), submission.bytes);
        let busy =
            || HttpError::overloaded("More steps arrive than the database can take; try again in a moment");
        if !self.load.admit(steps, bytes) {
            return Err(busy());
        }
        let (answer, answered) = oneshot::channel();
        if self.queue.try_send(Waiting { submission, answer }).is_err() {
            self.load.release(steps, bytes);
            return Err(busy());
        }
        match answered.await {
            Ok(Ok(received)) => Ok(received),
            Ok(Err(NotWritten::Unavailable)) => Err(HttpError::overloaded(
                "The database does not answer; try again in a moment",
            )),
            Ok(Err(NotWritten::Gone)) => Err(HttpError::unauthorized(
                "The project of this key was deleted; create a key in another one",
            )),
            Ok(Err(NotWritten::Internal)) => Err(HttpError::internal(anyhow::anyhow!(
                "the batch was not written; see the worker's log line"
            ))),
            Err(_worker_gone) => Err(HttpError::overloaded(
                "The server is shutting down; try again in a moment",
            )),
        }
    }

    /// Puts refusals on the books. The client is told of the refusal whether or not this succeeds.
    pub async fn account_rejections(
        &self,
        caller: &Caller,
        received_at: Timestamp,
        reasons: Vec<&'static str>,
    ) {
        let submission = Submission::new(caller, received_at, Vec::new(), reasons);
        if let Err(cause) = self.submit(submission).await {
            tracing::warn!(code = cause.code, "a refused step could not be put on the books");
        }
    }
}

struct Worker {
    db: storage::Db,
    memory: Memory,
    live: LiveHub,
    metrics: Arc<Metrics>,
    receiver: Arc<Mutex<mpsc::Receiver<Waiting>>>,
    /// Whoever has it writes; who has enough writes without it.
    turn: Arc<Semaphore>,
    load: Arc<Load>,
    shutdown: CancellationToken,
}

impl Worker {
    async fn run(self) {
        while let Some((batch, _turn)) = self.gather().await {
            self.write(batch).await;
        }
    }

    /// Waits for one submission and takes all that have gathered behind it, up to a full batch. The time to gather
    /// is the time another worker's transaction takes, so nobody waits for a clock.
    async fn gather(&self) -> Option<(Vec<Waiting>, Option<OwnedSemaphorePermit>)> {
        let mut receiver = self.receiver.lock().await;
        let first = tokio::select! {
            biased;
            first = receiver.recv() => first?,
            () = self.shutdown.cancelled() => {
                receiver.close();
                receiver.recv().await?
            }
        };
        let mut steps = first.submission.steps.len();
        let mut batch = vec![first];
        let mut turn = None;
        while steps < BATCH_STEPS {
            let next = match receiver.try_recv() {
                Ok(next) => next,
                Err(_) if turn.is_some() || steps >= WORTH_BATCH_STEPS => break,
                Err(_) => tokio::select! {
                    biased;
                    got = Arc::clone(&self.turn).acquire_owned() => {
                        turn = Some(got.ok()?);
                        continue;
                    }
                    Some(next) = receiver.recv() => next,
                },
            };
            steps += next.submission.steps.len();
            batch.push(next);
        }
        Some((
            batch,
            turn.or_else(|| Arc::clone(&self.turn).try_acquire_owned().ok()),
        ))
    }

    async fn write(&self, batch: Vec<Waiting>) {
        let (submissions, answers): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|waiting| (waiting.submission, waiting.answer))
            .unzip();
        let booked: Vec<_> = submissions
            .iter()
            .map(|s| (s.steps.len().max(1), s.bytes))
            .collect();
        let results = self.write_with_retries(submissions).await;
        for ((answer, result), (steps, bytes)) in answers.into_iter().zip(results).zip(booked) {
            self.load.release(steps, bytes);
            // A client that has gone away no longer wants to know; its steps are stored all the same.
            let _gone = answer.send(result);
        }
    }

    /// One transaction for all. When the database refuses it as a whole, each submission is tried alone, so that one
    /// that can't be written takes nobody else's steps with it.
    async fn write_with_retries(
        &self,
        submissions: Vec<Submission>,
    ) -> Vec<Result<Vec<Received>, NotWritten>> {
        match self.write_once(&submissions).await {
            Ok(received) => received.into_iter().map(Ok).collect(),
            Err(cause) if cause.is_transient() || submissions.len() == 1 => {
                let why = not_written(&cause);
                submissions.iter().map(|_| Err(why.clone())).collect()
            }
            Err(cause) => {
                tracing::warn!(error = ?cause, submissions = submissions.len(), "a batch was refused; writing each alone");
                let mut results = Vec::with_capacity(submissions.len());
                for submission in submissions {
                    let alone = self.write_once(std::slice::from_ref(&submission)).await;
                    results.push(match alone {
                        Ok(mut received) => Ok(received.pop().unwrap_or_default()),
                        Err(cause) => Err(not_written(&cause)),
                    });
                }
                results
            }
        }
    }

    async fn write_once(&self, submissions: &[Submission]) -> storage::Result<Vec<Vec<Received>>> {
        // A week's partitions are made one table after the other, and a batch may meet each of them.
        const COLLISIONS: u32 = 10;
        let mut retries = 0;
        loop {
            match process_batch(&self.db, &self.memory, submissions, &self.metrics).await {
                Err(cause) if cause.is_collision() && retries < COLLISIONS => retries += 1,
                Err(cause) => return Err(cause),
                Ok(written) => {
                    self.live.publish(written.changed_runs);
                    return Ok(written.received);
                }
            }
        }
    }
}

/// Logs why a submission was not written, and says it in the words that handlers know.
fn not_written(cause: &storage::Error) -> NotWritten {
    match cause {
        storage::Error::Unavailable(_) => {
            tracing::warn!(error = ?cause, "steps were not written: the database does not answer");
            NotWritten::Unavailable
        }
        storage::Error::NotFound => NotWritten::Gone,
        storage::Error::Conflict(_) | storage::Error::Internal(_) => {
            tracing::error!(error = ?cause, "steps were not written");
            NotWritten::Internal
        }
    }
}

/// Roughly what a step holds in memory, in bytes.
fn size_in_memory(step: &NewStep) -> usize {
    let texts = [&step.input, &step.output, &step.error, &step.prompt_template];
    let bodies: usize = texts
        .iter()
        .filter_map(|text| text.as_ref().map(String::len))
        .sum();
    // Parsed JSON takes several times its text; attributes and events are small or rare.
    1_024 + bodies + 256 * (step.attributes.len() + step.events.len())
}
