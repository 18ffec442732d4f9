//! How long to wait before a channel is tried again.

const SECOND_MICROS: i64 = 1_000_000;
/// After the first failure; twice as long after each further one.
const FIRST_S: i64 = 2;
const MAX_S: i64 = 15 * 60;
/// The longest that a receiver may ask for.
pub(super) const MAX_ASKED_S: i64 = 3_600;

/// How long, in microseconds, after so many failures in a row. `jitter`, 0 to 1,000, spreads those that failed together
/// over a quarter of it. What the receiver asked for is waited for at least.
pub(super) fn wait_micros(failures: u32, asked_s: Option<i64>, jitter: u32) -> i64 {
    let doubled = (FIRST_S << failures.min(16)).min(MAX_S) * SECOND_MICROS;
    let spread = doubled / 4 * i64::from(jitter.min(1_000)) / 1_000;
    let asked = asked_s.unwrap_or(0).clamp(0, MAX_ASKED_S) * SECOND_MICROS;
    (doubled + spread).max(asked + i64::from(jitter.min(1_000)) * 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_obey_the_receiver() {
        let check = |failures: u32, asked_s: Option<i64>, jitter: u32, seconds: f64| {
            let waited = wait_micros(failures, asked_s, jitter);
            assert!(
                (waited as f64 / 1e6 - seconds).abs() < 0.2,
                "{failures} {asked_s:?}: {waited}"
            );
        };
        check(0, None, 0, 2.0);
        check(0, None, 1_000, 2.5);
        check(1, None, 0, 4.0);
        check(7, None, 0, 256.0);
        check(u32::MAX, None, 0, 900.0);
        check(0, Some(30), 0, 30.0);
        check(0, Some(30), 1_000, 30.1);
        check(4, Some(30), 0, 32.0);
        check(0, Some(1_000_000), 0, 3_600.0);
        check(0, Some(-1), 0, 2.0);
    }
}
