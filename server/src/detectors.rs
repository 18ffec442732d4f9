//! Judging finished runs. A batch queues its runs ([`Detectors`]), one row in its transaction and only for projects with a
//! detector that is on; some process takes them when they are quiet ([`run`]), reads each once, and asks every detector
//! that has not judged it yet ([`look_at`]).
//!
//! **Invariants:** one version of a detector judges a run once, whichever process does it. A finding is committed with
//! what is told of it. A quote of a finding stands in the run.

mod judge;
mod model;
mod task;

use std::fmt;
use std::sync::Arc;

use storage::Db;
use tokio::sync::{Notify, Semaphore};

use crate::models::Models;

pub use crate::enabled_detectors::Detectors;
pub use judge::look_at;
pub use model::{Judged, ask};
pub use task::{judge_due, run};

/// Runs that the process reads at once to judge them: each is read over a connection that pages need too. Nobody holds one
/// while a model is asked.
static READING: Semaphore = Semaphore::const_new(4);

/// What judging takes. Cheap to clone.
#[derive(Clone)]
pub struct Judge {
    pub db: Db,
    pub models: Models,
    /// Notified when there may be an alert to deliver.
    pub alerts_wake: Arc<Notify>,
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge").finish_non_exhaustive()
    }
}
