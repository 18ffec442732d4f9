//! Live updates: which runs changed. Batches publish, every server process receives it through the database,
//! and each open page gets what concerns it as server-sent events. A page then reads again; nothing else travels.

mod changes;
mod position;
mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::ProjectId;
use storage::live::ChangeEvent;
use tokio::sync::{Mutex, broadcast, mpsc};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::metrics::Metrics;
use crate::supervise::Supervisor;
use changes::Changes;
use stream::OpenStreams;

pub use changes::Numbered;
pub use position::LivePosition;
pub use stream::{LiveQuery, among_open, changes_of, events};

/// How long changes are coalesced before they are sent: one message instead of one per batch.
const COALESCE_INTERVAL: Duration = Duration::from_millis(100);
/// How often it is retried to notify other processes that they missed a change.
const NOTIFY_RETRY: Duration = Duration::from_secs(1);
type ChangedRuns = BTreeMap<ProjectId, BTreeSet<String>>;

/// Where batches publish and pages subscribe.
#[derive(Clone, Debug)]
pub struct LiveHub {
    /// What its own notifications say of who stored the runs.
    origin: Uuid,
    changed: mpsc::Sender<ChangedRuns>,
    changes: Changes,
    missed: Arc<AtomicBool>,
    shutdown: CancellationToken,
    streams: Arc<OpenStreams>,
    metrics: Arc<Metrics>,
}

impl LiveHub {
    /// Starts the task that notifies the database.
    pub fn start(
        db: storage::Db,
        metrics: Arc<Metrics>,
        supervisor: &Supervisor,
        shutdown: &CancellationToken,
    ) -> Self {
        let (changed, receiver) = mpsc::channel(1_024);
        let changes = Changes::new();
        let origin = Uuid::now_v7();
        let notifier = Notifier {
            db,
            origin,
            changes: changes.clone(),
            receiver: Arc::new(Mutex::new(receiver)),
            missed: Arc::default(),
            shutdown: shutdown.clone(),
        };
        let missed = Arc::clone(&notifier.missed);
        supervisor.supervise("notifier", move || notifier.clone().run());
        Self {
            origin,
            changed,
            changes,
            missed,
            shutdown: shutdown.clone(),
            streams: Arc::default(),
            metrics,
        }
    }

    /// Which process this is, for those that listen.
    pub(crate) fn origin(&self) -> Uuid {
        self.origin
    }

    /// The database told of a change, and what it concerns was invalidated.
    pub(crate) fn hear(&self, change: ChangeEvent) {
        self.changes.send(change);
    }

    /// The events from now on, each sent after the caches were invalidated.
    pub fn subscribe(&self) -> broadcast::Receiver<Numbered> {
        self.changes.subscribe()
    }

    /// After which change a page is rendered that is rendered from now on.
    pub fn position(&self) -> LivePosition {
        self.changes.position()
    }

    /// Says that runs changed. Never waits: when the notifier can't keep up, pages read everything again.
    pub fn publish(&self, changed: ChangedRuns) {
        if !changed.is_empty() && self.changed.try_send(changed).is_err() {
            note_missed(&self.missed, &self.changes);
        }
    }
}

/// A change could not be sent: the pages of this process read again at once, those of all others as soon as the
/// database takes notifications.
fn note_missed(missed: &AtomicBool, changes: &Changes) {
    tracing::debug!("changes were not notified; pages read everything again");
    missed.store(true, Ordering::Release);
    changes.send(ChangeEvent::Gap);
}

/// Tells every process which runs changed.
#[derive(Clone)]
struct Notifier {
    db: storage::Db,
    origin: Uuid,
    changes: Changes,
    receiver: Arc<Mutex<mpsc::Receiver<ChangedRuns>>>,
    /// Some change was not sent.
    missed: Arc<AtomicBool>,
    shutdown: CancellationToken,
}

impl Notifier {
    async fn run(self) {
        let mut receiver = self.receiver.lock().await;
        let mut retry = tokio::time::interval(NOTIFY_RETRY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                // Before the changes, which under steady traffic are always ready.
                _ = retry.tick() => {
                    // What is missed from here on counts again.
                    if self.missed.swap(false, Ordering::AcqRel) && storage::live::notify_gap(&self.db).await.is_err() {
                        self.missed.store(true, Ordering::Release);
                    }
                }
                changed = receiver.recv() => {
                    let Some(mut gathered) = changed else { return };
                    // Counts as missed until it is sent, whatever becomes of this task.
                    let unsent = Unsent::new(&self);
                    tokio::time::sleep(COALESCE_INTERVAL).await;
                    while let Ok(more) = receiver.try_recv() {
                        for (project, run_ids) in more {
                            gathered.entry(project).or_default().extend(run_ids);
                        }
                    }
                    if self.notify(&gathered).await.is_ok() {
                        unsent.done();
                    }
                }
                // After the changes: those that are queued are still sent.
                () = self.shutdown.cancelled() => return,
            }
        }
    }

    async fn notify(&self, gathered: &ChangedRuns) -> storage::Result<()> {
        for (project, run_ids) in gathered {
            let run_ids: Vec<&str> = run_ids.iter().map(String::as_str).collect();
            storage::live::notify_runs(&self.db, self.origin, *project, &run_ids).await?;
        }
        Ok(())
    }
}

/// Changes that are being sent. Dropped before that, they count as missed.
struct Unsent<'a>(Option<&'a Notifier>);

impl<'a> Unsent<'a> {
    fn new(notifier: &'a Notifier) -> Self {
        Self(Some(notifier))
    }

    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        if let Some(notifier) = self.0 {
            note_missed(&notifier.missed, &notifier.changes);
        }
    }
}
