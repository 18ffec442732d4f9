//! The one task that reads calls and takes care that their steps are kept.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::backlog::Backlog;
use super::record::{Record, Sent, submissions};
use crate::blocking::run_blocking_if_large;
use crate::metrics::Metrics;
use crate::pipeline::Pipeline;
use crate::proxy::exchange::Exchange;
use crate::redaction::{Redaction, hide};

/// Most calls that are read and written together: a part of what the pipeline's queue holds, so that `/ingest` always
/// finds room beside them.
const BATCH_CALLS: usize = 500;
/// Bytes of texts with which a batch is full all the same: calls are unpacked only when they are read, and each of them
/// is in memory several times over while it is written.
const BATCH_BYTES: usize = 32 * 1024 * 1024;
/// How long calls gather: no request waits for them, and few large batches leave more of the machine to calls.
const BATCH_WINDOW: Duration = Duration::from_millis(50);
/// How long a batch may take to be written before it goes to the spool. It may then be written all the same, so what
/// became of it is asked before anything of the spool is written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);
/// When a write that never ended is forgotten. Its steps are written again then; those that are in the database after all
/// change nothing.
const LATE_WRITE_TIMEOUT: Duration = Duration::from_secs(120);
/// How often the database is asked whether it answers again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How often the queue behind a batch that is being written is checked.
const QUEUE_CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// Why a call is lost that was tried alone.
const REFUSED: &str = "the database refuses it";
/// How often losses are logged.
const LOSS_LOG_INTERVAL: Duration = Duration::from_secs(60);

pub(super) struct Writer {
    db: storage::Db,
    pipeline: Pipeline,
    metrics: Arc<Metrics>,
    backlog: Backlog,
    redaction: Redaction,
    queue: mpsc::Receiver<Box<Exchange>>,
    /// Calls taken from the queue for which there was no room in the last batch.
    unread: VecDeque<Box<Exchange>>,
    /// Calls that were taken and are neither written, spooled nor counted as lost.
    in_hand: usize,
    overflow: Arc<AtomicUsize>,
    /// A write that timed out and still runs, and when it began. Its steps are in the spool too.
    late: Option<(Instant, Writing)>,
    /// Steps that are in the database, or were refused for good, and are still in the spool. They are not sent again: while
    /// the database is slow that would be twice the work, and a refusal would be counted twice.
    settled: HashSet<String>,
    /// When to ask the database again; none while it answers.
    unavailable_until: Option<Instant>,
    last_loss_log: Option<Instant>,
    unlogged_losses: usize,
}

/// A write under way; it ends with what became of each submission.
type Writing = BoxFuture<'static, Vec<Written>>;

/// What became of a submission.
struct Written {
    step_ids: Vec<String>,
    result: Result<(), NotStored>,
}

/// Why steps were not written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NotStored {
    /// The database is away or slow: later.
    Later,
    /// The project's texts are to be sealed and its key can't be used: later, and no other project waits for it.
    Sealed,
    /// Never: their project is gone, or they cannot be written. A defect is logged by the pipeline.
    Refused,
}

impl Writer {
    pub(super) fn new(
        db: storage::Db,
        pipeline: Pipeline,
        metrics: Arc<Metrics>,
        backlog: Backlog,
        redaction: Redaction,
        queue: mpsc::Receiver<Box<Exchange>>,
        overflow: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            db,
            pipeline,
            metrics,
            backlog,
            redaction,
            queue,
            unread: VecDeque::new(),
            in_hand: 0,
            overflow,
            late: None,
            settled: HashSet::new(),
            unavailable_until: None,
            last_loss_log: None,
            unlogged_losses: 0,
        }
    }

    /// Runs until the recorder is dropped; what is under way when it is dropped was waited for by `finish`.
    pub(super) async fn run(&mut self) {
        let in_hand = std::mem::take(&mut self.in_hand);
        if in_hand > 0 {
            self.record_loss(in_hand, "the recorder failed while it had them");
        }
        loop {
            let waits = self.backlog.len() > 0;
            let again = self.unavailable_until.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                first = self.next_call() => {
                    let Some(first) = first else { return };
                    let overflown = self.overflow.swap(0, Ordering::Relaxed);
                    if overflown > 0 {
                        self.report_lost(overflown, "more calls ended at once than can be read");
                    }
                    let records = self.read(first).await;
                    self.in_hand = records.len();
                    self.persist(records).await;
                    self.in_hand = 0;
                }
                () = sleep_until(again), if waits => self.drain().await,
            }
        }
    }

    async fn next_call(&mut self) -> Option<Box<Exchange>> {
        match self.unread.pop_front() {
            Some(call) => Some(call),
            None => self.queue.recv().await,
        }
    }

    /// Reads the calls that have gathered, on a thread of its own: a long answer takes milliseconds.
    async fn read(&mut self, first: Box<Exchange>) -> Vec<Record> {
        if self.unread.is_empty() && self.queue.len() < BATCH_CALLS {
            sleep(BATCH_WINDOW).await;
        }
        let mut calls = VecDeque::from([first]);
        calls.append(&mut self.unread);
        while calls.len() < BATCH_CALLS {
            let Ok(next) = self.queue.try_recv() else { break };
            calls.push_back(next);
        }
        let count = calls.len();
        self.in_hand = count;
        let read = spawn_blocking(move || read_batch(calls, BATCH_BYTES)).await;
        self.in_hand = 0;
        match read {
            Ok((records, unread)) => {
                self.unread = unread;
                records
            }
            Err(panicked) => {
                tracing::error!(%panicked, "calls could not be read");
                self.record_loss(count, "they could not be read");
                Vec::new()
            }
        }
    }

    /// Into the database, or behind what waits for it.
    async fn persist(&mut self, records: Vec<Record>) {
        if records.is_empty() {
            return;
        }
        if self.unavailable_until.is_none() && self.backlog.len() == 0 {
            match self.store(&records).await {
                Ok(()) => return,
                Err(NotStored::Refused) => return self.store_each(records).await,
                Err(NotStored::Later | NotStored::Sealed) => self.note_unavailable(),
            }
        }
        self.spool(records).await;
        // Under load there is always a call to read, so what waits is drained in between.
        if self.unavailable_until.is_none_or(|until| until <= Instant::now()) {
            self.drain().await;
        }
    }

    /// Writes one batch of what waits.
    async fn drain(&mut self) {
        if self.unavailable_until.is_some()
            && !matches!(timeout(RETRY_INTERVAL, self.db.version()).await, Ok(Ok(_)))
        {
            self.note_unavailable();
            return;
        }
        if !self.settle_late_write().await {
            self.note_unavailable();
            return;
        }
        if self.unavailable_until.take().is_some() {
            tracing::info!(
                steps = self.backlog.len(),
                "the database answers again; writing what waits in the spool"
            );
        }
        if self.backlog.len() == 0 {
            return;
        }
        let (mut records, Some(end)) = self.backlog.oldest(BATCH_CALLS).await else {
            self.note_unavailable();
            return;
        };
        let step_ids: Vec<String> = records.iter().map(|record| record.step.step_id.clone()).collect();
        records.retain(|record| !self.settled.contains(&record.step.step_id));
        let mut sealed = Vec::new();
        match self.store(&records).await {
            Ok(()) => {}
            Err(NotStored::Later) => return self.note_unavailable(),
            Err(NotStored::Sealed) => sealed = records,
            Err(NotStored::Refused) if records.len() == 1 => self.record_loss(1, REFUSED),
            Err(NotStored::Refused) => {
                for record in records {
                    match self.store_one(&record).await {
                        Ok(()) => {}
                        Err(NotStored::Sealed) => sealed.push(record),
                        Err(_) => return self.note_unavailable(),
                    }
                }
            }
        }
        sealed.retain(|record| !self.settled.contains(&record.step.step_id));
        let is_stuck = !sealed.is_empty() && sealed.len() == step_ids.len();
        // Behind all others, hidden as it is; one that is stored meanwhile is a duplicate then.
        if !sealed.is_empty()
            && let Some((lost, why)) = self.backlog.append(sealed).await
        {
            self.record_loss(lost, &why);
        }
        self.backlog.acknowledge(end).await;
        for step_id in &step_ids {
            self.settled.remove(step_id);
        }
        if is_stuck {
            self.note_unavailable();
        }
    }

    /// Writes one that was refused together with others.
    async fn store_one(&mut self, record: &Record) -> Result<(), NotStored> {
        if self.settled.contains(&record.step.step_id) {
            return Ok(());
        }
        match self.store(std::slice::from_ref(record)).await {
            Ok(()) => {}
            Err(NotStored::Refused) => self.record_loss(1, REFUSED),
            Err(later) => return Err(later),
        }
        self.settled.insert(record.step.step_id.clone());
        Ok(())
    }

    /// One that cannot be written takes no other with it.
    async fn store_each(&mut self, records: Vec<Record>) {
        if records.len() == 1 {
            return self.record_loss(1, REFUSED);
        }
        let mut later = Vec::new();
        for record in records {
            if !later.is_empty() || self.store_one(&record).await.is_err() {
                later.push(record);
            } else {
                self.settled.remove(&record.step.step_id);
            }
        }
        if !later.is_empty() {
            self.note_unavailable();
            self.spool(later).await;
        }
    }

    /// Writes records and waits for the commit; not for long, and not when too much waits behind them.
    async fn store(&mut self, records: &[Record]) -> Result<(), NotStored> {
        let mut writing = self.write(records);
        let Some(written) = self.wait_for_write(&mut writing).await else {
            self.late = Some((Instant::now(), writing));
            return Err(NotStored::Later);
        };
        let is = |why| written.iter().any(|written| written.result == Err(why));
        let all = [NotStored::Later, NotStored::Refused, NotStored::Sealed];
        let Some(why) = all.into_iter().find(|why| is(*why)) else {
            return Ok(());
        };
        self.note_settled(written);
        Err(why)
    }

    fn write(&self, records: &[Record]) -> Writing {
        let submitted = submissions(records).into_iter().map(|sent| {
            let Sent { step_ids, submission } = sent;
            let pipeline = self.pipeline.clone();
            async move {
                let result = match pipeline.submit(submission).await {
                    Ok(_) => Ok(()),
                    Err(error) if error.code == "encryption_key" => Err(NotStored::Sealed),
                    Err(error) if error.status == StatusCode::SERVICE_UNAVAILABLE => Err(NotStored::Later),
                    Err(_) => Err(NotStored::Refused),
                };
                Written { step_ids, result }
            }
        });
        join_all(submitted).boxed()
    }

    async fn wait_for_write(&mut self, writing: &mut Writing) -> Option<Vec<Written>> {
        let too_much_waits = async {
            while self.queue.len() < self.queue.max_capacity() / 2 {
                sleep(QUEUE_CHECK_INTERVAL).await;
            }
        };
        tokio::select! {
            written = timeout(WRITE_TIMEOUT, writing) => written.ok(),
            () = too_much_waits => None,
        }
    }

    /// Waits for the write that timed out; false while it still runs.
    async fn settle_late_write(&mut self) -> bool {
        let Some((begun, mut writing)) = self.late.take() else {
            return true;
        };
        match self.wait_for_write(&mut writing).await {
            Some(written) => {
                if let [only] = written.as_slice()
                    && let [step_id] = only.step_ids.as_slice()
                    && only.result == Err(NotStored::Refused)
                {
                    // It was alone: that is the last word.
                    self.settled.insert(step_id.clone());
                    self.record_loss(1, REFUSED);
                }
                self.note_settled(written);
            }
            None if begun.elapsed() < LATE_WRITE_TIMEOUT => {
                self.late = Some((begun, writing));
                return false;
            }
            None => {}
        }
        true
    }

    /// Notes which steps are in the database, though they are or will be in the spool.
    fn note_settled(&mut self, written: Vec<Written>) {
        let stored = written.into_iter().filter(|written| written.result.is_ok());
        self.settled.extend(stored.flat_map(|written| written.step_ids));
    }

    async fn spool(&mut self, mut records: Vec<Record>) {
        records.retain(|record| !self.settled.remove(&record.step.step_id));
        self.hide(&mut records);
        if let Some((lost, why)) = self.backlog.append(records).await {
            self.record_loss(lost, &why);
        }
    }

    /// Hides what the projects of the records hide. The database can't be asked now; a project's redaction was asked for
    /// when the call began, and where it did not come, its texts stay out of the spool.
    fn hide(&self, records: &mut [Record]) {
        let mut withheld = 0;
        for record in records {
            let Some(redactor) = self.redaction.known(record.project_id) else {
                self.redaction.withhold(record.project_id, &mut record.step);
                withheld += 1;
                continue;
            };
            run_blocking_if_large(record.bytes(), || {
                record.hidden.add(&hide(&redactor, &mut record.step));
            });
        }
        if withheld > 0 {
            tracing::warn!(
                calls = withheld,
                "calls are spooled without texts: what their projects hide is not known"
            );
        }
    }

    fn note_unavailable(&mut self) {
        if self.unavailable_until.is_none() {
            tracing::warn!("the database is away or slow; calls through the proxy are kept in the spool");
        }
        self.unavailable_until = Some(Instant::now() + RETRY_INTERVAL);
    }

    /// Calls whose steps are lost. Logged once a minute, counted always.
    fn record_loss(&mut self, calls: usize, why: &str) {
        self.metrics.lost_calls.inc_by(calls as u64);
        self.report_lost(calls, why);
    }

    /// Logs calls that are counted already.
    fn report_lost(&mut self, calls: usize, why: &str) {
        self.unlogged_losses += calls;
        if self
            .last_loss_log
            .is_none_or(|at| at.elapsed() > LOSS_LOG_INTERVAL)
        {
            tracing::error!(
                calls = self.unlogged_losses,
                why,
                "calls through the proxy were not recorded"
            );
            self.last_loss_log = Some(Instant::now());
            self.unlogged_losses = 0;
        }
    }
}

/// Reads calls until there are so many bytes of texts; the others are left as they are.
fn read_batch(
    mut calls: VecDeque<Box<Exchange>>,
    max_bytes: usize,
) -> (Vec<Record>, VecDeque<Box<Exchange>>) {
    let (mut records, mut bytes) = (Vec::new(), 0);
    while bytes < max_bytes
        && let Some(call) = calls.pop_front()
    {
        let record = Record::of(*call);
        bytes += record.bytes();
        records.push(record);
    }
    (records, calls)
}

#[cfg(test)]
mod tests;
