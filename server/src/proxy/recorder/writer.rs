//! The one task that reads calls and takes care that their steps are kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::backlog::Backlog;
use super::record::{Record, submissions};
use crate::metrics::Metrics;
use crate::pipeline::Pipeline;
use crate::proxy::call::Exchange;

/// Most calls that are read and written together: a part of what the pipeline's queue holds, so that `/ingest` always
/// finds room beside them.
const BATCH_CALLS: usize = 500;
/// How long calls gather: nobody waits for them, and few large batches leave more of the machine to calls.
const GATHER: Duration = Duration::from_millis(50);
/// How long a batch may take to be written before it goes to the spool. It may then be written all the same, and is
/// a duplicate the second time.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the database is asked whether it answers again.
const RETRY: Duration = Duration::from_secs(1);
/// How often it is looked whether too much waits behind a batch that is being written.
const GLANCE: Duration = Duration::from_millis(50);
/// How often losses are told.
const REMINDER: Duration = Duration::from_secs(60);

pub(super) struct Writer {
    db: storage::Db,
    pipeline: Pipeline,
    metrics: Arc<Metrics>,
    backlog: Backlog,
    queue: mpsc::Receiver<Box<Exchange>>,
    overflow: Arc<AtomicUsize>,
    /// When to ask the database again; none while it answers.
    away_until: Option<Instant>,
    reminded: Option<Instant>,
    lost_since: usize,
}

/// Why steps were not written.
enum NotStored {
    /// The database is away or slow: later.
    Later,
    /// Never: their project is gone, or they cannot be written. A defect is logged by the pipeline.
    Refused,
}

impl Writer {
    pub(super) fn new(
        db: storage::Db,
        pipeline: Pipeline,
        metrics: Arc<Metrics>,
        backlog: Backlog,
        queue: mpsc::Receiver<Box<Exchange>>,
        overflow: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            db,
            pipeline,
            metrics,
            backlog,
            queue,
            overflow,
            away_until: None,
            reminded: None,
            lost_since: 0,
        }
    }

    /// Runs until nobody can record any more; what is under way when it is dropped was waited for by `finish`.
    pub(super) async fn run(mut self) {
        loop {
            let waits = self.backlog.waiting() > 0;
            let again = self.away_until.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                first = self.queue.recv() => {
                    let Some(first) = first else { return };
                    let overflown = self.overflow.swap(0, Ordering::Relaxed);
                    if overflown > 0 {
                        self.lose(overflown, "more calls ended at once than can be read");
                    }
                    let records = self.read(first).await;
                    self.keep(records).await;
                }
                () = sleep_until(again), if waits => self.drain().await,
            }
        }
    }

    /// Reads the calls that have gathered, on a thread of its own: a long answer takes milliseconds.
    async fn read(&mut self, first: Box<Exchange>) -> Vec<Record> {
        if self.queue.len() < BATCH_CALLS {
            sleep(GATHER).await;
        }
        let mut calls = vec![first];
        while calls.len() < BATCH_CALLS {
            let Ok(next) = self.queue.try_recv() else { break };
            calls.push(next);
        }
        let count = calls.len();
        let read = spawn_blocking(move || calls.into_iter().map(|call| Record::of(*call)).collect());
        match read.await {
            Ok(records) => records,
            Err(panicked) => {
                tracing::error!(%panicked, "calls could not be read");
                self.lose(count, "they could not be read");
                Vec::new()
            }
        }
    }

    /// Into the database, or behind what waits for it.
    async fn keep(&mut self, records: Vec<Record>) {
        if records.is_empty() {
            return;
        }
        if self.away_until.is_none() && self.backlog.waiting() == 0 {
            match self.store(&records).await {
                Ok(()) => return,
                Err(NotStored::Refused) => return self.store_each(records).await,
                Err(NotStored::Later) => self.note_away(),
            }
        }
        self.spool(records).await;
        // Under load there is always a call to read, so what waits is drained in between.
        if self.away_until.is_none_or(|until| until <= Instant::now()) {
            self.drain().await;
        }
    }

    /// Writes one batch of what waits.
    async fn drain(&mut self) {
        if self.away_until.is_some() && !matches!(timeout(RETRY, self.db.version()).await, Ok(Ok(_))) {
            self.note_away();
            return;
        }
        if self.away_until.take().is_some() {
            tracing::info!(
                steps = self.backlog.waiting(),
                "the database answers again; writing what waits in the spool"
            );
        }
        let (records, Some(end)) = self.backlog.oldest(BATCH_CALLS).await else {
            self.note_away();
            return;
        };
        match self.store(&records).await {
            Ok(()) => self.backlog.acknowledge(end).await,
            Err(NotStored::Later) => self.note_away(),
            Err(NotStored::Refused) => {
                for record in &records {
                    match self.store(std::slice::from_ref(record)).await {
                        Ok(()) => {}
                        Err(NotStored::Refused) => self.lose(1, "the database refuses it"),
                        // Those before are duplicates the next time.
                        Err(NotStored::Later) => return self.note_away(),
                    }
                }
                self.backlog.acknowledge(end).await;
            }
        }
    }

    /// One that cannot be written takes no other with it.
    async fn store_each(&mut self, records: Vec<Record>) {
        let mut later = Vec::new();
        for record in records {
            if !later.is_empty() {
                later.push(record);
                continue;
            }
            match self.store(std::slice::from_ref(&record)).await {
                Ok(()) => {}
                Err(NotStored::Refused) => self.lose(1, "the database refuses it"),
                Err(NotStored::Later) => later.push(record),
            }
        }
        if !later.is_empty() {
            self.note_away();
            self.spool(later).await;
        }
    }

    /// Writes records and waits for the commit; not for long, and not when too much waits behind them.
    async fn store(&self, records: &[Record]) -> Result<(), NotStored> {
        let written = async {
            let submitted = submissions(records)
                .into_iter()
                .map(|submission| self.pipeline.submit(submission));
            let mut worst = Ok(());
            for result in futures::future::join_all(submitted).await {
                match result {
                    Ok(_) => {}
                    Err(error) if error.status == StatusCode::SERVICE_UNAVAILABLE => {
                        return Err(NotStored::Later);
                    }
                    Err(_) => worst = Err(NotStored::Refused),
                }
            }
            worst
        };
        let too_much_waits = async {
            while self.queue.len() < self.queue.max_capacity() / 2 {
                sleep(GLANCE).await;
            }
        };
        tokio::select! {
            result = timeout(PATIENCE, written) => result.unwrap_or(Err(NotStored::Later)),
            () = too_much_waits => Err(NotStored::Later),
        }
    }

    async fn spool(&mut self, records: Vec<Record>) {
        if let Some((lost, why)) = self.backlog.append(records).await {
            self.lose(lost, &why);
        }
    }

    fn note_away(&mut self) {
        if self.away_until.is_none() {
            tracing::warn!("the database is away or slow; calls through the proxy are kept in the spool");
        }
        self.away_until = Some(Instant::now() + RETRY);
    }

    /// Calls whose steps nobody will see. Told once a minute, counted always.
    fn lose(&mut self, calls: usize, why: &str) {
        self.metrics.lost_calls.add(calls as u64);
        self.lost_since += calls;
        if self.reminded.is_none_or(|at| at.elapsed() > REMINDER) {
            tracing::error!(
                calls = self.lost_since,
                why,
                "calls through the proxy were not recorded"
            );
            self.reminded = Some(Instant::now());
            self.lost_since = 0;
        }
    }
}
