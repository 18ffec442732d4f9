//! The spool as the recorder uses it: off the threads that serve calls, and never a reason to stop.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use spool::{Limits, Position, Spool};
use tokio::task::spawn_blocking;

use super::record::Record;
use crate::metrics::Metrics;

/// At most so much of the spool is read at once.
const BATCH_BYTES: usize = 32 * 1024 * 1024;

/// Steps that wait on disk for the database.
#[derive(Clone, Debug)]
pub struct Backlog {
    /// None where the folder cannot be used: then what cannot be written is lost.
    spool: Option<Arc<Mutex<Spool>>>,
    metrics: Arc<Metrics>,
}

impl Backlog {
    /// Opens the spool in `folder` with at most `max_bytes`. A folder that cannot be used is said once, and is no
    /// reason not to start.
    pub async fn open(folder: &Path, max_bytes: u64, metrics: Arc<Metrics>) -> Self {
        let limits = Limits {
            max_bytes,
            ..Limits::default()
        };
        let at = folder.to_owned();
        let opened = spawn_blocking(move || Spool::open(&at, limits)).await;
        let spool = match opened {
            Ok(Ok(spool)) => Some(Arc::new(Mutex::new(spool))),
            Ok(Err(cause)) => {
                tracing::error!(
                    folder = %folder.display(),
                    cause = format!("{:#}", anyhow::Error::new(cause)),
                    "no spool: calls through the proxy that end while the database is away will not be recorded"
                );
                None
            }
            Err(panicked) => {
                tracing::error!(%panicked, "no spool");
                None
            }
        };
        let backlog = Self { spool, metrics };
        backlog.show();
        backlog
    }

    /// How many records wait.
    pub(super) fn len(&self) -> u64 {
        self.spool.as_ref().map_or(0, |spool| {
            let spool = spool.lock().unwrap_or_else(PoisonError::into_inner);
            spool.stats().waiting_records
        })
    }

    /// Keeps records behind those that wait; what cannot be kept is lost, and counted. Returns how many were lost, and
    /// why.
    pub(super) async fn append(&self, mut records: Vec<Record>) -> Option<(usize, String)> {
        let count = records.len();
        let Some(spool) = self.spool.clone() else {
            return Some((count, "there is no spool".to_owned()));
        };
        let appended = spawn_blocking(move || {
            let bytes: Vec<Vec<u8>> = records.iter_mut().map(Record::fit_bytes).collect();
            let mut spool = spool.lock().unwrap_or_else(PoisonError::into_inner);
            let all = spool.append(&bytes);
            if all.is_ok() || bytes.len() == 1 {
                return all.err().map(|cause| (bytes.len(), described(cause)));
            }
            // Some may still fit.
            let failed: Vec<_> = bytes
                .iter()
                .filter_map(|record| spool.append(std::slice::from_ref(record)).err())
                .collect();
            let lost = failed.len();
            failed.into_iter().next().map(|cause| (lost, described(cause)))
        })
        .await;
        self.show();
        appended.unwrap_or_else(|panicked| Some((count, panicked.to_string())))
    }

    /// The oldest records, and what to acknowledge once they are stored. Empty where nothing can be read.
    pub(super) async fn oldest(&self, max_records: usize) -> (Vec<Record>, Option<Position>) {
        let Some(spool) = self.spool.clone() else {
            return (Vec::new(), None);
        };
        let read = spawn_blocking(move || {
            let mut spool = spool.lock().unwrap_or_else(PoisonError::into_inner);
            spool.next_batch(max_records, BATCH_BYTES)
        })
        .await;
        self.show();
        match read {
            Ok(Ok(batch)) => {
                let records: Vec<Record> = batch
                    .records
                    .iter()
                    .filter_map(|bytes| Record::from_bytes(bytes))
                    .collect();
                let unreadable = batch.records.len() - records.len();
                if unreadable > 0 {
                    tracing::error!(
                        unreadable,
                        "records in the spool have an unknown format; they are skipped"
                    );
                    self.metrics.lost_calls.inc_by(unreadable as u64);
                }
                (records, Some(batch.end))
            }
            Ok(Err(cause)) => {
                tracing::error!(%cause, "the spool cannot be read; tried again");
                (Vec::new(), None)
            }
            Err(panicked) => {
                tracing::error!(%panicked, "the spool cannot be read");
                (Vec::new(), None)
            }
        }
    }

    /// Forgets everything before `end`.
    pub(super) async fn acknowledge(&self, end: Position) {
        let Some(spool) = self.spool.clone() else { return };
        let acknowledged = spawn_blocking(move || {
            let mut spool = spool.lock().unwrap_or_else(PoisonError::into_inner);
            spool.acknowledge(end)
        })
        .await;
        if !matches!(acknowledged, Ok(Ok(()))) {
            // They come again, and are duplicates then.
            tracing::warn!("the spool's position could not be written; tried again");
        }
        self.show();
    }

    fn show(&self) {
        let Some(spool) = &self.spool else { return };
        let stats = spool.lock().unwrap_or_else(PoisonError::into_inner).stats();
        self.metrics.spooled_calls.set(stats.waiting_records);
        self.metrics.spooled_bytes.set(stats.bytes);
        self.metrics.damaged_records.set(stats.damaged_records);
    }
}

fn described(cause: spool::AppendError) -> String {
    format!("{:#}", anyhow::Error::new(cause))
}
