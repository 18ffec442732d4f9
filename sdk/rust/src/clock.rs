//! The one place that asks the system for the time. Durations come from the monotonic clock, where they are needed.

use std::time::SystemTime;

#[expect(clippy::disallowed_methods, reason = "this is where it is asked for")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}
