//! What goes wrong with recording: said once, never raised.

use std::collections::BTreeSet;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Kinds that are said at most; what differs each time is bounded by it.
const MAX_KINDS: usize = 50;

pub(crate) type Hear = Box<dyn Fn(&str) + Send + Sync>;

pub(crate) struct Warnings {
    said: Mutex<BTreeSet<String>>,
    hear: Hear,
}

impl Warnings {
    /// Without somebody to hear them they go to the standard error.
    pub(crate) fn new(hear: Option<Hear>) -> Self {
        Self {
            said: Mutex::default(),
            hear: hear.unwrap_or_else(|| Box::new(print)),
        }
    }

    /// Says `message` unless something of its kind was said already.
    pub(crate) fn say_once(&self, kind: &str, message: &str) {
        {
            let mut said = lock(&self.said);
            if said.len() >= MAX_KINDS || !said.insert(kind.to_owned()) {
                return;
            }
        }
        // Somebody else's function, and nobody to tell when it panics.
        catch_unwind(AssertUnwindSafe(|| (self.hear)(message))).ok();
    }

    /// Lets a kind be said again: what it was about is over.
    pub(crate) fn forget(&self, kind: &str) {
        lock(&self.said).remove(kind);
    }
}

fn print(message: &str) {
    // A standard error that is closed is no reason to panic.
    writeln!(std::io::stderr().lock(), "plumbline: {message}").ok();
}

/// What a panic elsewhere has left is still the best there is.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
