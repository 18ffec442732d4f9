//! Calls on their way into the database. Recording never fails a call and never makes it wait: what went by is put
//! into a bounded queue, read there, and written by the pipeline that writes everything else. When the database is
//! away or slow, steps go to the spool on disk, and from there, in their order, into the database once it answers.

mod backlog;
mod record;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub use backlog::Backlog;

use super::capture::{Budget, Capture, Reservation};
use super::exchange::Exchange;
use super::unfinished::{PendingCall, Unfinished};
use crate::metrics::{Metrics, RecorderStats};
use crate::pipeline::Pipeline;
use crate::redaction::Redaction;
use crate::supervise::Supervisor;
use writer::Writer;

/// Calls that may wait to be read.
const MAX_QUEUED_CALLS: usize = 16_384;
/// How much the copies of all calls may take, under way and waiting.
const MAX_COPIED_BYTES: usize = 256 * 1024 * 1024;
/// How long what is in memory may take to reach the database or the spool when the server stops.
const FINISH_TIMEOUT: Duration = Duration::from_secs(8);

/// Where calls are recorded. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Recorder {
    queue: mpsc::Sender<Box<Exchange>>,
    budget: Arc<Budget>,
    unfinished: Unfinished,
    /// Calls that found the queue full, until the writer logs them.
    overflow: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
    stopping: CancellationToken,
}

impl Recorder {
    /// Starts the writer. It ends after `shutdown`, with everything in the database or the spool.
    pub fn start(
        db: storage::Db,
        pipeline: Pipeline,
        metrics: Arc<Metrics>,
        backlog: Backlog,
        redaction: Redaction,
        supervisor: &Supervisor,
        shutdown: &CancellationToken,
    ) -> Self {
        let (queue, receiver) = mpsc::channel(MAX_QUEUED_CALLS);
        let recorder = Self {
            queue,
            budget: Budget::new(MAX_COPIED_BYTES),
            unfinished: Unfinished::default(),
            overflow: Arc::default(),
            metrics: Arc::clone(&metrics),
            stopping: shutdown.child_token(),
        };
        let overflow = Arc::clone(&recorder.overflow);
        let writer = Writer::new(db, pipeline, metrics, backlog, redaction, receiver, overflow);
        // What waits outlives a defect: the next run goes on with it.
        let writer = Arc::new(Mutex::new(writer));
        let (ending, shutdown) = (recorder.clone(), shutdown.clone());
        supervisor.supervise("recorder", move || {
            let (writer, ending, shutdown) = (Arc::clone(&writer), ending.clone(), shutdown.clone());
            async move {
                let mut writer = writer.lock().await;
                tokio::select! {
                    () = writer.run() => {}
                    () = async { shutdown.cancelled().await; ending.finish().await } => {}
                }
            }
        });
        recorder
    }

    /// A call begins.
    pub fn pending(&self) -> PendingCall {
        self.unfinished.one_more()
    }

    /// A copy to fill.
    pub fn capture(&self) -> Capture {
        Capture::new(&self.budget)
    }

    /// A part of the memory for copies.
    pub fn held(&self) -> Reservation {
        Reservation::of(&self.budget)
    }

    /// Says that calls under way can wait no longer.
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Records a call. Never waits: what does not fit is lost, and counted whether or not the writer runs.
    pub fn record(&self, exchange: Box<Exchange>) {
        if self.queue.try_send(exchange).is_err() {
            self.metrics.lost_calls.inc();
            self.overflow.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What waits at this moment.
    pub fn stats(&self) -> RecorderStats {
        RecorderStats {
            unfinished_calls: self.unfinished.calls(),
            queued_calls: self.queue.max_capacity() - self.queue.capacity(),
            copied_bytes: self.budget.used(),
        }
    }

    /// Returns when no call is under way and everything is in the database or the spool, or lost.
    pub async fn settled(&self) {
        self.unfinished.none_left().await;
    }

    /// Ends the calls under way and returns when everything is in the database or the spool, or after some seconds.
    pub async fn finish(&self) {
        self.stopping.cancel();
        if timeout(FINISH_TIMEOUT, self.settled()).await.is_err() {
            let calls = self.unfinished.calls();
            tracing::error!(calls, "calls were not recorded before the server stopped");
        }
    }
}
