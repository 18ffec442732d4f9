//! Background tasks that outlive their own defects. One that panics, or ends though the server goes on, is logged,
//! counted and started again after a pause that doubles from failure to failure. `/readyz` names it until it runs
//! again, and for as long as it keeps failing.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// A task that has run for so long has recovered: its next failure is a first one.
const STABLE_AFTER: Duration = Duration::from_secs(60);
/// With so many failures, none of which it recovered from, a task keeps failing.
const REPEATED_FAILURES: u32 = 3;

/// Starts the server's background tasks and knows how they are. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Supervisor {
    tasks: TaskTracker,
    shutdown: CancellationToken,
    states: Arc<Mutex<BTreeMap<&'static str, TaskState>>>,
}

#[derive(Debug, Default)]
struct TaskState {
    interrupt: Arc<Notify>,
    is_down: bool,
    failures: u64,
    /// Failures since it was last stable.
    consecutive_failures: u32,
    /// Since when it runs, or ran until it failed.
    started_at: Option<Instant>,
}

/// What `/metrics` shows of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskFailures {
    pub name: &'static str,
    /// How often it failed since the start.
    pub failures: u64,
}

impl Supervisor {
    /// Supervises in `tasks`. After `shutdown` no task is started again.
    pub fn new(tasks: TaskTracker, shutdown: CancellationToken) -> Self {
        Self {
            tasks,
            shutdown,
            states: Arc::default(),
        }
    }

    /// Runs what `make_future` makes, again and again until `shutdown`. The future is to end after it by itself, when
    /// its work is done; until then an end is a failure.
    pub fn supervise<F>(&self, name: &'static str, mut make_future: impl FnMut() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let interrupt = Arc::clone(&self.lock().entry(name).or_default().interrupt);
        self.note_start(name);
        let supervisor = self.clone();
        self.tasks.spawn(async move {
            loop {
                let run = AssertUnwindSafe(async { make_future().await }).catch_unwind();
                let cause = tokio::select! {
                    ended = run => match ended {
                        Ok(()) => "it ended".to_owned(),
                        Err(panic) => format!("panic: {}", panic_message(panic.as_ref())),
                    },
                    () = interrupt.notified() => "interrupted".to_owned(),
                };
                if supervisor.shutdown.is_cancelled() {
                    if cause != "it ended" {
                        tracing::error!(
                            task = name,
                            cause,
                            "a background task failed while the server stops"
                        );
                    }
                    return;
                }
                let backoff = supervisor.note_failure(name);
                tracing::error!(
                    task = name,
                    cause,
                    backoff_ms = backoff.as_millis(),
                    "a background task failed; it is started again"
                );
                // When the server stops meanwhile, the task runs once more and finishes its work.
                tokio::select! {
                    () = sleep(backoff) => {}
                    () = supervisor.shutdown.cancelled() => {}
                }
                supervisor.note_start(name);
            }
        });
    }

    /// The tasks that are down or keep failing.
    pub fn failing(&self) -> Vec<&'static str> {
        let states = self.lock();
        let failing = states.iter().filter(|(_, state)| state.is_failing());
        failing.map(|(name, _)| *name).collect()
    }

    /// How often each task failed.
    pub fn failures(&self) -> Vec<TaskFailures> {
        let states = self.lock();
        let failures = states.iter().map(|(name, state)| TaskFailures {
            name,
            failures: state.failures,
        });
        failures.collect()
    }

    /// Ends a task where it is, as a defect in it would. False when there is none by that name.
    pub fn interrupt(&self, name: &str) -> bool {
        let interrupt = self.lock().get(name).map(|state| Arc::clone(&state.interrupt));
        interrupt.inspect(|interrupt| interrupt.notify_one()).is_some()
    }

    /// How long to wait before the task is started again.
    fn note_failure(&self, name: &'static str) -> Duration {
        let mut states = self.lock();
        let state = states.entry(name).or_default();
        if state.is_stable() {
            state.consecutive_failures = 0;
        }
        state.is_down = true;
        state.failures += 1;
        state.consecutive_failures = state.consecutive_failures.saturating_add(1);
        let doublings = state.consecutive_failures.saturating_sub(1).min(16);
        FIRST_BACKOFF.saturating_mul(1 << doublings).min(MAX_BACKOFF)
    }

    fn note_start(&self, name: &'static str) {
        let mut states = self.lock();
        let state = states.entry(name).or_default();
        state.is_down = false;
        state.started_at = Some(Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, TaskState>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TaskState {
    fn is_stable(&self) -> bool {
        self.started_at.is_some_and(|at| at.elapsed() >= STABLE_AFTER)
    }

    fn is_failing(&self) -> bool {
        self.is_down || (self.consecutive_failures >= REPEATED_FAILURES && !self.is_stable())
    }
}

/// What a panic says.
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    match panic.downcast_ref::<String>() {
        Some(text) => text,
        None => panic.downcast_ref::<&str>().copied().unwrap_or("no message"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A task that panics so often, and then runs until the server stops.
    fn failing_task(supervisor: &Supervisor, panics: u32) -> Arc<AtomicU32> {
        let runs = Arc::<AtomicU32>::default();
        let counted = Arc::clone(&runs);
        let shutdown = supervisor.shutdown.clone();
        supervisor.supervise("poller", move || {
            let run = counted.fetch_add(1, Ordering::Relaxed);
            let shutdown = shutdown.clone();
            async move {
                assert!(run >= panics, "run {run} panics");
                shutdown.cancelled().await;
            }
        });
        runs
    }

    fn supervisor() -> Supervisor {
        Supervisor::new(TaskTracker::new(), CancellationToken::new())
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_named_until_it_runs_again() {
        let supervisor = supervisor();
        let runs = failing_task(&supervisor, 1);
        sleep(FIRST_BACKOFF / 2).await;
        assert_eq!(supervisor.failing(), ["poller"]);
        sleep(FIRST_BACKOFF).await;
        assert_eq!(supervisor.failing(), [""; 0]);
        assert_eq!(runs.load(Ordering::Relaxed), 2);
        let failures = TaskFailures {
            name: "poller",
            failures: 1,
        };
        assert_eq!(supervisor.failures(), [failures]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_keeps_failing_is_named_until_it_is_stable() {
        let supervisor = supervisor();
        let runs = failing_task(&supervisor, 4);
        // 0.5 + 1 + 2 + 4 seconds of backoff.
        sleep(Duration::from_secs(8)).await;
        assert_eq!(runs.load(Ordering::Relaxed), 5, "it runs");
        assert_eq!(supervisor.failing(), ["poller"], "and nobody knows for how long");
        sleep(STABLE_AFTER).await;
        assert_eq!(supervisor.failing(), [""; 0]);
        assert!(supervisor.interrupt("poller"));
        sleep(FIRST_BACKOFF + Duration::from_millis(1)).await;
        assert_eq!(runs.load(Ordering::Relaxed), 6, "the backoff began anew");
        assert_eq!(supervisor.failing(), [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_pause_before_a_start_is_no_part_of_a_run() {
        let supervisor = supervisor();
        supervisor.supervise("poller", || async {
            sleep(STABLE_AFTER * 3 / 4).await;
            panic!("not for as long as it takes to be stable");
        });
        // Until the backoff has grown to half a minute, and several times after that.
        for _ in 0..20 {
            sleep(STABLE_AFTER).await;
        }
        let mut seen = 0;
        for _ in 0..100 {
            sleep(Duration::from_secs(1)).await;
            seen += supervisor.failing().len();
        }
        assert_eq!(seen, 100, "it keeps failing, and is named all the time");
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_is_a_failure_until_the_server_stops() {
        let supervisor = supervisor();
        let runs = Arc::<AtomicU32>::default();
        let counted = Arc::clone(&runs);
        supervisor.supervise("poller", move || {
            counted.fetch_add(1, Ordering::Relaxed);
            async {}
        });
        sleep(FIRST_BACKOFF / 2).await;
        assert_eq!(supervisor.failing(), ["poller"]);
        supervisor.shutdown.cancel();
        supervisor.tasks.close();
        supervisor.tasks.wait().await;
        assert_eq!(runs.load(Ordering::Relaxed), 2, "once more, to finish its work");
    }

    #[test]
    fn a_panic_says_what_it_was() {
        let check = |panic: Box<dyn Any + Send>, expected: &str| {
            assert_eq!(panic_message(panic.as_ref()), expected);
        };
        check(Box::new("text"), "text");
        check(Box::new("owned".to_owned()), "owned");
        check(Box::new(7), "no message");
    }
}
