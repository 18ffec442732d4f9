//! How much is queued, against how much may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::PipelineSettings;
use crate::metrics::Metrics;

/// What is queued, against what may be.
#[derive(Debug)]
pub(super) struct Load {
    steps: AtomicUsize,
    bytes: AtomicUsize,
    max_steps: usize,
    max_bytes: usize,
    metrics: Arc<Metrics>,
}

/// A submission's part of the load, given back when dropped: however its batch ends.
#[derive(Debug)]
pub(super) struct Booking {
    load: Arc<Load>,
    steps: usize,
    bytes: usize,
}

impl Load {
    pub(super) fn new(settings: &PipelineSettings, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            steps: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            max_steps: settings.max_queued_steps,
            max_bytes: settings.max_queued_bytes,
            metrics,
        })
    }

    /// Admits a submission, unless something is queued already and it doesn't fit beside that.
    pub(super) fn admit(self: &Arc<Self>, steps: usize, bytes: usize) -> Option<Booking> {
        let queued_steps = self.steps.fetch_add(steps, Ordering::AcqRel);
        let queued_bytes = self.bytes.fetch_add(bytes, Ordering::AcqRel);
        let booking = Booking {
            load: Arc::clone(self),
            steps,
            bytes,
        };
        let fits = queued_steps + steps <= self.max_steps && queued_bytes + bytes <= self.max_bytes;
        if !fits && queued_steps > 0 {
            return None;
        }
        self.metrics.queued_steps.set((queued_steps + steps) as u64);
        Some(booking)
    }
}

impl Drop for Booking {
    fn drop(&mut self) {
        let before = self.load.steps.fetch_sub(self.steps, Ordering::AcqRel);
        self.load.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        self.load
            .metrics
            .queued_steps
            .set(before.saturating_sub(self.steps) as u64);
    }
}
