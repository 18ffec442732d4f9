//! Sends steps in the background: batches, retries, bounds. Nothing in here panics or makes a caller wait.

mod answer;

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::subscriber::{NoSubscriber, with_default};

use self::answer::{Answer, Client};
use crate::warnings::{Warnings, lock};

/// Steps and bytes of one request. The server takes up to 1,000 steps and 64 MiB.
const BATCH_STEPS: usize = 500;
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// A larger step is not sent: the server would refuse it.
const MAX_STEP_BYTES: usize = 24 * 1024 * 1024;
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// While somebody waits in `flush()`.
const HURRIED_BACKOFF: Duration = Duration::from_millis(500);
/// So often a batch is sent at which the server itself fails (500); then it is taken apart, and in the end given up.
const MAX_FAILURES_OF_SERVER: u32 = 3;

/// What became of the steps so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Steps that wait, those being sent included.
    pub queued: u64,
    /// Steps that the server has, also those it had already.
    pub sent: u64,
    /// Steps that the server refused.
    pub rejected: u64,
    /// Steps given up here: the queue was full, or the server was not reached in time.
    pub dropped: u64,
}

/// Where to send, and how much may wait.
pub(crate) struct SenderOptions {
    pub(crate) api_url: String,
    pub(crate) api_key: Option<String>,
    pub(crate) max_queue_steps: usize,
    pub(crate) max_queue_bytes: usize,
    /// How long a step waits for others.
    pub(crate) flush_interval: Duration,
}

pub(crate) struct Sender {
    shared: Arc<Shared>,
}

struct Shared {
    options: SenderOptions,
    warnings: Arc<Warnings>,
    queue: Mutex<Queue>,
    changed: Condvar,
}

struct Queue {
    steps: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Since when the first of them waits.
    oldest_at: Instant,
    batch_steps: usize,
    /// How many callers of `flush()` wait.
    hurry: u32,
    is_closed: bool,
    has_thread: bool,
    /// All that were ever queued, and all of those that wait no more.
    taken: u64,
    done: u64,
    stats: Stats,
}

impl Sender {
    pub(crate) fn new(options: SenderOptions, warnings: Arc<Warnings>) -> Self {
        let queue = Queue {
            steps: VecDeque::new(),
            bytes: 0,
            oldest_at: Instant::now(),
            batch_steps: BATCH_STEPS,
            hurry: 0,
            is_closed: false,
            has_thread: false,
            taken: 0,
            done: 0,
            stats: Stats::default(),
        };
        Self {
            shared: Arc::new(Shared {
                options,
                warnings,
                queue: Mutex::new(queue),
                changed: Condvar::new(),
            }),
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let queue = lock(&self.shared.queue);
        Stats {
            queued: queue.taken - queue.done,
            ..queue.stats
        }
    }

    /// Takes a step as JSON.
    pub(crate) fn enqueue(&self, step: Vec<u8>) {
        let Shared { options, .. } = &*self.shared;
        let mut queue = lock(&self.shared.queue);
        let reason = if queue.is_closed {
            "after the tracer was shut down"
        } else if step.len() > MAX_STEP_BYTES {
            "larger than 24 MiB"
        } else if queue.steps.len() >= options.max_queue_steps
            || queue.bytes.saturating_add(step.len()) > options.max_queue_bytes
        {
            "the queue is full"
        } else {
            if queue.steps.is_empty() {
                queue.oldest_at = Instant::now();
            }
            queue.bytes += step.len();
            queue.taken += 1;
            queue.steps.push_back(step);
            let wakes = queue.steps.len() == 1 || queue.steps.len() == queue.batch_steps;
            if !queue.has_thread {
                queue.has_thread = self.start_thread();
            } else if wakes {
                drop(queue);
                self.shared.changed.notify_all();
            }
            return;
        };
        queue.stats.dropped += 1;
        drop(queue);
        self.shared.say_dropped(1, reason);
    }

    /// Says whether there is one now; otherwise the next step tries again.
    fn start_thread(&self) -> bool {
        let shared = Arc::clone(&self.shared);
        let work = move || {
            // What the client itself says to tracing is not recorded.
            with_default(NoSubscriber::default(), || shared.send_all());
        };
        match thread::Builder::new()
            .name("plumbline-sender".to_owned())
            .spawn(work)
        {
            Ok(_) => true,
            Err(cause) => {
                self.shared.warnings.say_once(
                    "thread",
                    &format!("no thread to send steps from could be started: {cause}"),
                );
                false
            }
        }
    }

    /// Waits until everything that is queued by now is sent. Says whether it is.
    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        let began = Instant::now();
        let mut queue = lock(&self.shared.queue);
        let wanted = queue.taken;
        queue.hurry += 1;
        self.shared.changed.notify_all();
        while queue.done < wanted {
            let left = timeout.saturating_sub(began.elapsed());
            if left.is_zero() {
                break;
            }
            queue = self.shared.wait(queue, left);
        }
        queue.hurry -= 1;
        queue.done >= wanted
    }

    /// Gives up what still waits, and takes no more. `patience` is how long it was waited for.
    pub(crate) fn close(&self, patience: Duration) {
        let mut queue = lock(&self.shared.queue);
        queue.is_closed = true;
        let lost = queue.steps.len();
        queue.steps.clear();
        queue.bytes = 0;
        queue.done = queue.taken;
        queue.stats.dropped += lost as u64;
        drop(queue);
        self.shared.changed.notify_all();
        if lost > 0 {
            self.shared
                .say_dropped(lost, &format!("not sent within {:.1} s", patience.as_secs_f64()));
        }
    }
}

impl Shared {
    fn wait<'a>(&self, queue: MutexGuard<'a, Queue>, timeout: Duration) -> MutexGuard<'a, Queue> {
        let waited = self.changed.wait_timeout(queue, timeout);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn say_dropped(&self, steps: usize, reason: &str) {
        let what = if steps == 1 {
            "a step was".to_owned()
        } else {
            format!("{steps} steps were")
        };
        self.warnings.say_once(
            &format!("dropped: {reason}"),
            &format!("{what} dropped: {reason}; more are counted, see stats()"),
        );
    }

    // What follows runs in the background.

    fn send_all(&self) {
        let client = Client::new(&self.options);
        let mut attempt = 0;
        while let Some(batch) = self.next_batch() {
            let answer = client.post(&batch);
            if let Answer::Again {
                reason,
                after,
                is_failure_of_server,
            } = &answer
            {
                let is_hopeless = *is_failure_of_server && attempt + 1 >= MAX_FAILURES_OF_SERVER;
                if !is_hopeless {
                    self.warnings
                        .say_once("unreachable", &format!("{reason}; steps wait and are sent again"));
                    self.pause(backoff(attempt), *after);
                    attempt += 1;
                    continue;
                }
            }
            attempt = 0;
            if batch.len() > 1 && answer.may_be_of_one() {
                // Smaller parts fit, and of them only the one with the culprit fails.
                lock(&self.queue).batch_steps = batch.len().div_ceil(2);
                continue;
            }
            self.warnings.forget("unreachable");
            self.count(&batch, answer);
        }
    }

    /// The oldest steps, which stay queued until the server has answered. `None` at the end.
    fn next_batch(&self) -> Option<Vec<Vec<u8>>> {
        let mut queue = lock(&self.queue);
        loop {
            if queue.steps.is_empty() {
                if queue.is_closed {
                    return None;
                }
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let waits = self
                .options
                .flush_interval
                .saturating_sub(queue.oldest_at.elapsed());
            if queue.hurry > 0 || queue.steps.len() >= queue.batch_steps || waits.is_zero() {
                break;
            }
            queue = self.wait(queue, waits);
        }
        let mut size = 0;
        let mut batch = Vec::new();
        for step in queue.steps.iter().take(queue.batch_steps) {
            size += step.len();
            if !batch.is_empty() && size > BATCH_BYTES {
                break;
            }
            batch.push(step.clone());
        }
        Some(batch)
    }

    /// Before another attempt. Somebody who begins to wait for us ends it, and while they do it is short.
    fn pause(&self, backoff: Duration, at_least: Duration) {
        let began = Instant::now();
        let mut queue = lock(&self.queue);
        let hurry = queue.hurry;
        let backoff = if hurry > 0 {
            backoff.min(HURRIED_BACKOFF)
        } else {
            backoff
        };
        let pause = backoff.max(at_least);
        while !queue.is_closed && queue.hurry <= hurry {
            let left = pause.saturating_sub(began.elapsed());
            if left.is_zero() {
                return;
            }
            queue = self.wait(queue, left);
        }
    }

    fn count(&self, batch: &[Vec<u8>], answer: Answer) {
        let steps = batch.len() as u64;
        let (rejected, refusal) = match answer {
            Answer::Taken { rejected } => {
                for message in &rejected {
                    self.warnings.say_once(
                        &format!("rejected: {message}"),
                        &format!("the server refused a step: {message}"),
                    );
                }
                (rejected.len() as u64, None)
            }
            Answer::Refused { reason, .. } | Answer::Again { reason, .. } => (steps, Some(reason)),
        };
        // Said before whoever waits for these steps goes on: then it is known why they are not there.
        if let Some(reason) = refusal {
            self.warnings
                .say_once(&reason, &format!("{steps} steps were refused: {reason}"));
        }
        let mut queue = lock(&self.queue);
        queue.batch_steps = BATCH_STEPS;
        // Closing may have given it up meanwhile.
        if !queue.is_closed {
            for step in batch {
                queue.steps.pop_front();
                queue.bytes -= step.len();
            }
            queue.done += steps;
            queue.stats.sent += steps.saturating_sub(rejected);
            queue.stats.rejected += rejected;
            queue.oldest_at = Instant::now();
        }
        drop(queue);
        self.changed.notify_all();
    }
}

/// Doubles with each attempt, and is anything between half of that and all of it, so that clients do not come together.
fn backoff(attempt: u32) -> Duration {
    let whole = FIRST_BACKOFF
        .saturating_mul(1 << attempt.min(16))
        .min(MAX_BACKOFF);
    whole.mul_f64(0.5 + answer::random() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound() {
        for (attempt, whole_ms) in [(0, 250), (1, 500), (3, 2_000), (7, 30_000), (u32::MAX, 30_000)] {
            let pause = backoff(attempt).as_millis();
            assert!(
                (whole_ms / 2..=whole_ms).contains(&pause),
                "{attempt}: {pause} ms"
            );
        }
    }
}
