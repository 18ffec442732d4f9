//! Calls that are neither in the database nor in the spool nor lost, counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// How many there are. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Unfinished(Arc<Count>);

#[derive(Debug, Default)]
struct Count {
    calls: AtomicUsize,
    changed: Notify,
}

/// One of the unfinished, until dropped.
#[derive(Debug)]
pub struct PendingCall(Unfinished);

impl Unfinished {
    /// One more.
    pub fn one_more(&self) -> PendingCall {
        self.0.calls.fetch_add(1, Ordering::AcqRel);
        PendingCall(self.clone())
    }

    /// How many there are at this moment.
    pub fn calls(&self) -> usize {
        self.0.calls.load(Ordering::Acquire)
    }

    /// Returns when there is none.
    pub async fn none_left(&self) {
        loop {
            let changed = self.0.changed.notified();
            if self.calls() == 0 {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        let count = &self.0.0;
        count.calls.fetch_sub(1, Ordering::AcqRel);
        count.changed.notify_waiters();
    }
}
