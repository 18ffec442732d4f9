//! How long a connection may take to send the head of a request. hyper knows one limit for a head that comes slowly and
//! for a connection that is kept open between requests; those need different ones.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use hyper_util::rt::TokioTimer;

/// How long the first head of a connection may take.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long after an answer the next request may take to be there: longer than load balancers keep a connection open,
/// because one that is closed while they send a request on it is an error for somebody.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// The timer of one connection. hyper asks it once for each head.
#[derive(Debug, Default)]
pub(super) struct HeadTimer {
    timer: TokioTimer,
    is_kept_alive: AtomicBool,
}

impl HeadTimer {
    fn deadline(&self, of_first_head: Instant) -> Instant {
        if self.is_kept_alive.swap(true, Ordering::Relaxed) {
            of_first_head + (IDLE_TIMEOUT - HEAD_TIMEOUT)
        } else {
            of_first_head
        }
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.timer.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.timer.sleep_until(self.deadline(deadline))
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, deadline: Instant) {
        self.timer.reset(sleep, self.deadline(deadline));
    }

    fn now(&self) -> Instant {
        self.timer.now()
    }
}
