//! From decoded steps to committed rows. Handlers submit; workers take what has gathered, write it in one
//! transaction (group commit) and answer each submission in it. Bounded: what doesn't fit is refused at once.

mod batch;
mod cardinality;
mod condition_days;
mod counted_usage;
mod first_seen;
mod load;
mod project_caches;
mod redact;
mod release;
mod rollup;
mod run_delta;
mod seal;
mod series;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use domain::run::QUIET_MICROS;
use domain::{NewStep, ProjectId, Timestamp};
use engine::redaction::Hidden;
use futures::future::BoxFuture;
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

pub use batch::{Written, process_batch};
pub use cardinality::Cardinality;
pub use project_caches::ProjectCaches;
pub use rollup::{histogram_of, histograms_agree};
pub use run_delta::run_deltas;
pub use series::series_id;

pub use crate::derived_step::DerivedStep;

use crate::auth::Caller;
use crate::error::{HttpError, HttpResult, SEALED};
use crate::live::LiveHub;
use crate::metrics::Metrics;
use crate::supervise::Supervisor;
use load::{Booking, Load};
use worker::Worker;

/// Transactions under way at once. While one waits for the disk the next one gathers and writes.
const WORKERS: [&str; 2] = ["ingest_worker_1", "ingest_worker_2"];
/// Why a step is rejected that a defect of ours keeps out of the database.
const INTERNAL: &str = "internal";

/// Steps of one request on their way in.
#[derive(Clone, Debug)]
pub struct Submission {
    project_id: ProjectId,
    key_label: String,
    received_at: Timestamp,
    steps: Vec<NewStep>,
    rejected: Vec<&'static str>,
    /// What was hidden in each step; shorter than they are where nothing was.
    hidden: Vec<Hidden>,
    bytes: usize,
    delivery: Delivery,
    /// Whether its steps may repeat what others of their run used.
    repeats_usage: bool,
    /// Whether more of its runs may come.
    may_grow: bool,
}

/// How often the same receipt of a step may come to the pipeline. The ledger counts it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivery {
    /// Once: what becomes of it now is what became of it.
    Once,
    /// Until it is known what became of it: a step that is stored already was counted when it was.
    Repeated {
        /// Whether a defect is the last word on the steps. If not, their sender goes on to try each alone.
        is_final: bool,
    },
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
            hidden: Vec::new(),
            bytes,
            delivery: Delivery::Once,
            repeats_usage: false,
            may_grow: false,
        }
    }

    /// The same of steps some of which may say again what others below them used: instrumentations have agents sum up
    /// their calls, and two of them may watch one call. What is said twice counts once.
    #[must_use]
    pub fn that_may_repeat_usage(self) -> Self {
        Self {
            repeats_usage: true,
            ..self
        }
    }

    /// The same of steps whose sender says of no run that it is whole: it is, once nothing has come of it for a while.
    #[must_use]
    pub fn that_may_grow(self) -> Self {
        Self {
            may_grow: true,
            ..self
        }
    }

    /// Until when more of its runs is waited for.
    fn waits_until(&self) -> Option<Timestamp> {
        self.may_grow.then(|| self.received_at.plus_micros(QUIET_MICROS))
    }

    /// Steps that were received once, and whose sender submits them until it knows what became of them. Unless
    /// `is_final`, those that a defect keeps out come again one by one.
    pub fn repeated(caller: &Caller, received_at: Timestamp, steps: Vec<NewStep>, is_final: bool) -> Self {
        Self {
            delivery: Delivery::Repeated { is_final },
            ..Self::new(caller, received_at, steps, Vec::new())
        }
    }

    /// The same of steps in which something was hidden before they came here.
    #[must_use]
    pub fn with_hidden(self, hidden: Vec<Hidden>) -> Self {
        Self { hidden, ..self }
    }

    /// Whether steps that a defect keeps out are rejected for good.
    fn ends_with_a_defect(&self) -> bool {
        !self.steps.is_empty() && self.delivery != Delivery::Repeated { is_final: false }
    }

    /// The steps that were accepted.
    pub fn steps(&self) -> impl Iterator<Item = &NewStep> {
        self.steps.iter()
    }

    /// The same steps, each of them refused for `reason`.
    fn rejected_for(&self, reason: &'static str) -> Self {
        let own = self.rejected.iter().copied();
        Self {
            project_id: self.project_id,
            key_label: self.key_label.clone(),
            received_at: self.received_at,
            steps: Vec::new(),
            rejected: own.chain(self.steps.iter().map(|_| reason)).collect(),
            hidden: Vec::new(),
            bytes: 0,
            delivery: self.delivery,
            repeats_usage: self.repeats_usage,
            may_grow: self.may_grow,
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
pub enum WriteError {
    /// The database does not answer.
    Unavailable,
    /// The project was deleted while the steps waited.
    Gone,
    /// The project's texts are to be sealed, and its key can't be used here.
    Sealed,
    /// A defect of ours; logged by the worker.
    Internal,
}

/// A submission in the queue.
struct Queued {
    submission: Submission,
    answer: oneshot::Sender<Result<Vec<Received>, WriteError>>,
    booking: Booking,
}

/// Writes batches, each in one transaction: whole or not at all.
pub trait BatchWriter: Send + Sync {
    /// Writes submissions of any projects.
    fn write<'a>(&'a self, submissions: &'a [Submission]) -> BoxFuture<'a, storage::Result<Written>>;
}

/// Writes to the database, by [`process_batch`].
#[derive(Debug)]
pub struct DatabaseWriter {
    pub db: storage::Db,
    /// What is remembered between batches.
    pub caches: ProjectCaches,
    /// Where batches are counted.
    pub metrics: Arc<Metrics>,
}

impl BatchWriter for DatabaseWriter {
    fn write<'a>(&'a self, submissions: &'a [Submission]) -> BoxFuture<'a, storage::Result<Written>> {
        Box::pin(process_batch(&self.db, &self.caches, submissions, &self.metrics))
    }
}

/// The way from handlers to the database.
#[derive(Clone, Debug)]
pub struct Pipeline {
    queue: mpsc::Sender<Queued>,
    load: Arc<Load>,
}

#[derive(Clone, Debug)]
pub struct PipelineSettings {
    /// Most steps queued at once.
    pub max_queued_steps: usize,
    /// Most bytes of steps queued at once.
    pub max_queued_bytes: usize,
    /// How long the database may take for a batch.
    pub write_timeout: Duration,
}

/// How long the database may take for a batch: longer than it waits for any one lock.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

impl Pipeline {
    /// Starts the workers. They end, with everything queued written, after `shutdown` and the last sender is gone.
    pub fn start(
        writer: Arc<dyn BatchWriter>,
        live: LiveHub,
        metrics: Arc<Metrics>,
        settings: &PipelineSettings,
        supervisor: &Supervisor,
        shutdown: &CancellationToken,
    ) -> Self {
        let (queue, receiver) = mpsc::channel(settings.max_queued_steps.max(1));
        let worker = Worker {
            writer,
            write_timeout: settings.write_timeout,
            live,
            receiver: Arc::new(Mutex::new(receiver)),
            permit: Arc::new(Semaphore::new(1)),
            shutdown: shutdown.clone(),
        };
        for name in WORKERS {
            let worker = worker.clone();
            supervisor.supervise(name, move || worker.clone().run());
        }
        Self {
            queue,
            load: Load::new(settings, metrics),
        }
    }

    /// Writes the steps and answers after the commit, one answer per step in their order. 503 when the queue is
    /// full or the database is away: then nothing was written.
    pub async fn submit(&self, submission: Submission) -> HttpResult<Vec<Received>> {
        if submission.steps.is_empty() && submission.rejected.is_empty() {
            return Ok(Vec::new());
        }
        let busy =
            || HttpError::overloaded("More steps arrive than the database can take; try again in a moment");
        let (steps, bytes) = (submission.steps.len().max(1), submission.bytes);
        let booking = self.load.admit(steps, bytes).ok_or_else(busy)?;
        let (answer, answered) = oneshot::channel();
        let queued = Queued {
            submission,
            answer,
            booking,
        };
        self.queue.try_send(queued).map_err(|_full| busy())?;
        match answered.await {
            Ok(Ok(received)) => Ok(received),
            Ok(Err(WriteError::Unavailable)) => Err(HttpError::overloaded(
                "The database does not answer; try again in a moment",
            )),
            Ok(Err(WriteError::Sealed)) => Err(HttpError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "encryption_key",
                SEALED,
            )),
            Ok(Err(WriteError::Gone)) => Err(HttpError::unauthorized(
                "The project of this key was deleted; create a key in another one",
            )),
            Ok(Err(WriteError::Internal)) => Err(HttpError::internal(anyhow::anyhow!(
                "the batch was not written; see the worker's log line"
            ))),
            // It failed outside of any one batch, or the server stops.
            Err(_worker_gone) => Err(HttpError::overloaded(
                "The steps were not written; try again in a moment",
            )),
        }
    }

    /// Records refusals in the ledger. The client gets the refusal whether or not this succeeds.
    pub async fn record_rejections(
        &self,
        caller: &Caller,
        received_at: Timestamp,
        reasons: Vec<&'static str>,
    ) {
        let submission = Submission::new(caller, received_at, Vec::new(), reasons);
        if let Err(cause) = self.submit(submission).await {
            tracing::warn!(
                code = cause.code,
                "a refused step could not be recorded in the ledger"
            );
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
