//! A worker gathers what is queued, writes it in one transaction and answers everybody in it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{BatchWriter, INTERNAL, Queued, Received, Submission, WriteError};
use crate::live::LiveHub;
use crate::supervise::panic_message;

/// Rows after which a batch is full.
const BATCH_STEPS: usize = 1_000;
/// Steps from which a batch is worth a transaction beside another one. Fewer wait until that one ends, and for the
/// steps that come until then: single steps over 64 connections went 15 to a transaction before, which costs as much
/// as one of 60.
const MIN_BATCH_STEPS: usize = 200;
/// How often a batch is tried again at once when another transaction is in the way. A week's partitions are made one
/// table after the other, and a batch may meet each of them.
const MAX_COLLISIONS: u32 = 10;

#[derive(Clone)]
pub(super) struct Worker {
    pub(super) writer: Arc<dyn BatchWriter>,
    pub(super) write_timeout: Duration,
    pub(super) live: LiveHub,
    pub(super) receiver: Arc<Mutex<mpsc::Receiver<Queued>>>,
    /// A worker with a small batch waits for it; one with enough steps writes without it.
    pub(super) permit: Arc<Semaphore>,
    pub(super) shutdown: CancellationToken,
}

/// Why a batch was not written.
#[derive(Debug)]
enum BatchError {
    Storage(storage::Error),
    /// A defect of ours, by the panic's message.
    Panicked(String),
}

impl Worker {
    pub(super) async fn run(self) {
        while let Some((batch, _permit)) = self.gather().await {
            self.write(batch).await;
        }
    }

    /// Waits for one submission and takes all that have gathered behind it, up to a full batch. The time to gather
    /// is the time another worker's transaction takes, so nothing waits for a timer.
    async fn gather(&self) -> Option<(Vec<Queued>, Option<OwnedSemaphorePermit>)> {
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
        let mut permit = None;
        while steps < BATCH_STEPS {
            let next = match receiver.try_recv() {
                Ok(next) => next,
                Err(_) if permit.is_some() || steps >= MIN_BATCH_STEPS => break,
                Err(_) => tokio::select! {
                    biased;
                    got = Arc::clone(&self.permit).acquire_owned() => {
                        permit = Some(got.ok()?);
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
            permit.or_else(|| Arc::clone(&self.permit).try_acquire_owned().ok()),
        ))
    }

    async fn write(&self, batch: Vec<Queued>) {
        let mut waiting = Vec::with_capacity(batch.len());
        let mut submissions = Vec::with_capacity(batch.len());
        for queued in batch {
            waiting.push((queued.answer, queued.booking));
            submissions.push(queued.submission);
        }
        let results = self.write_with_retries(submissions).await;
        for ((answer, booking), result) in waiting.into_iter().zip(results) {
            drop(booking);
            // A client that has gone away no longer wants to know; its steps are stored all the same.
            let _gone = answer.send(result);
        }
    }

    /// One transaction for all. When it fails as a whole, each submission is tried alone, so that one that can't be
    /// written takes nobody else's steps with it.
    async fn write_with_retries(
        &self,
        submissions: Vec<Submission>,
    ) -> Vec<Result<Vec<Received>, WriteError>> {
        let cause = match self.write_once(&submissions).await {
            Ok(received) => return received.into_iter().map(Ok).collect(),
            Err(cause) => cause,
        };
        if cause.is_transient() {
            return vec![Err(cause.report()); submissions.len()];
        }
        let mut results = Vec::with_capacity(submissions.len());
        if let [only] = submissions.as_slice() {
            results.push(Err(self.write_error(only, &cause).await));
            return results;
        }
        tracing::warn!(error = ?cause, submissions = submissions.len(), "a batch failed; writing each alone");
        for submission in &submissions {
            results.push(match self.write_once(std::slice::from_ref(submission)).await {
                Ok(mut received) => Ok(received.pop().unwrap_or_default()),
                Err(cause) => Err(self.write_error(submission, &cause).await),
            });
        }
        results
    }

    /// Why a submission that was tried alone was not written. Where that is a defect of ours, and nobody tries its steps
    /// again, they are rejected in the ledger, which counts every step that was received.
    async fn write_error(&self, submission: &Submission, cause: &BatchError) -> WriteError {
        let why = cause.report();
        if why == WriteError::Internal && submission.ends_with_a_defect() {
            let rejected = [submission.rejected_for(INTERNAL)];
            if let Err(cause) = self.write_once(&rejected).await {
                tracing::warn!(error = ?cause, "steps that were not written are missing in the ledger");
            }
        }
        why
    }

    async fn write_once(&self, submissions: &[Submission]) -> Result<Vec<Vec<Received>>, BatchError> {
        let mut collisions = 0;
        loop {
            // A batch that is given up may be stored or not; a step that is sent again is one step either way.
            let written = AssertUnwindSafe(async {
                timeout(self.write_timeout, self.writer.write(submissions))
                    .await
                    .unwrap_or_else(|_elapsed| Err(storage::Error::no_answer()))
            });
            match written.catch_unwind().await {
                Ok(Ok(written)) => {
                    self.live.publish(written.changed_runs);
                    return Ok(written.received);
                }
                Ok(Err(cause)) if cause.is_collision() && collisions < MAX_COLLISIONS => collisions += 1,
                Ok(Err(cause)) => return Err(BatchError::Storage(cause)),
                Err(panic) => return Err(BatchError::Panicked(panic_message(panic.as_ref()).to_owned())),
            }
        }
    }
}

impl BatchError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Storage(cause) if cause.is_transient())
    }

    /// Logs why a submission was not written, and says it in the words that handlers know.
    fn report(&self) -> WriteError {
        match self {
            Self::Storage(cause @ (storage::Error::Unavailable(_) | storage::Error::TooSlow(_))) => {
                tracing::warn!(error = ?cause, "steps were not written: the database does not answer");
                WriteError::Unavailable
            }
            Self::Storage(cause @ storage::Error::Sealed(_)) => {
                tracing::error!(error = ?cause, "steps were not written: the key of their project's texts can't be used");
                WriteError::Sealed
            }
            Self::Storage(storage::Error::NotFound) => WriteError::Gone,
            Self::Storage(cause @ (storage::Error::Conflict(_) | storage::Error::Internal(_))) => {
                tracing::error!(error = ?cause, "steps were not written");
                WriteError::Internal
            }
            Self::Panicked(message) => {
                tracing::error!(panic = message, "steps were not written");
                WriteError::Internal
            }
        }
    }
}
