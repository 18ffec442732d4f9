//! The one place that asks what time it is. Everything below the handlers takes `now` as an argument.

use domain::Timestamp;

/// Now, in microseconds UTC.
pub fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the edge that asks")]
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // A clock before 1970 is wrong anyway; the epoch is as good as any other answer.
    let micros = since_epoch.map_or(0, |duration| {
        i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
    });
    Timestamp::from_micros(micros)
}
