//! Rate limit of sign-in attempts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use domain::Timestamp;

/// Failures that are forgiven.
const MAX_FAILURES: usize = 10;
const WINDOW_SECONDS: i64 = 300;
/// Names and addresses that are tracked; the oldest go first when there are more.
const MAX_TRACKED: usize = 20_000;

/// Failed attempts of the last five minutes, by e-mail and by peer address.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<BTreeMap<String, VecDeque<Timestamp>>>);

impl Attempts {
    /// Counts an attempt for each of `who` as a failure, before anything is compared, so that attempts sent at the
    /// same time count as well. The error is the number of seconds to wait.
    pub(super) fn begin(&self, who: &[String], now: Timestamp) -> Result<(), u32> {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = now.plus_micros(-WINDOW_SECONDS * 1_000_000);
        if failures.len() > MAX_TRACKED {
            failures.retain(|_, times| times.back().is_some_and(|last| *last > oldest));
        }
        let mut wait_seconds = 0;
        for name in who {
            let Some(times) = failures.get_mut(name) else {
                continue;
            };
            while times.front().is_some_and(|first| *first <= oldest) {
                times.pop_front();
            }
            if let Some(first) = times.front().filter(|_| times.len() >= MAX_FAILURES) {
                let wait_ms = first.ms_since(oldest).max(0.0);
                wait_seconds = wait_seconds.max((wait_ms / 1_000.0).ceil() as u32).max(1);
            }
        }
        if wait_seconds > 0 {
            return Err(wait_seconds);
        }
        for name in who {
            failures.entry(name.clone()).or_default().push_back(now);
        }
        Ok(())
    }

    /// Takes back one attempt, which was none of a stranger's. Others' failures stay counted.
    pub(super) fn succeeded(&self, who: &[String]) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in who {
            if let Some(times) = failures.get_mut(name) {
                times.pop_back();
                if times.is_empty() {
                    failures.remove(name);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn the_eleventh_failure_within_five_minutes_waits() {
        let attempts = Attempts::default();
        let mara = ["mara@acme.dev".to_owned(), "10.0.0.1".to_owned()];
        for second in 0..10 {
            assert_eq!(attempts.begin(&mara, at(second)), Ok(()));
        }
        assert_eq!(attempts.begin(&mara, at(10)), Err(290));
        let same_mail = ["mara@acme.dev".to_owned(), "10.0.0.2".to_owned()];
        assert_eq!(attempts.begin(&same_mail, at(10)), Err(290));
        let same_address = ["noor@acme.dev".to_owned(), "10.0.0.1".to_owned()];
        assert_eq!(attempts.begin(&same_address, at(299)), Err(1));
        let neither = ["noor@acme.dev".to_owned(), "10.0.0.2".to_owned()];
        assert_eq!(attempts.begin(&neither, at(10)), Ok(()));
        assert_eq!(attempts.begin(&mara, at(300)), Ok(()));
        assert_eq!(attempts.begin(&mara, at(300)), Err(1));
    }

    #[test]
    fn success_is_not_counted_and_resets_only_itself() {
        let attempts = Attempts::default();
        let who = ["mara@acme.dev".to_owned()];
        for _ in 0..100 {
            assert_eq!(attempts.begin(&who, at(0)), Ok(()));
            attempts.succeeded(&who);
        }
        for _ in 0..10 {
            assert_eq!(attempts.begin(&who, at(0)), Ok(()));
        }
        assert_eq!(attempts.begin(&who, at(0)), Err(300));
    }

    #[test]
    fn unknown_names_do_not_fill_the_table() {
        let attempts = Attempts::default();
        for n in 0..=MAX_TRACKED {
            assert_eq!(attempts.begin(&[n.to_string()], at(0)), Ok(()));
        }
        assert_eq!(attempts.begin(&["last".to_owned()], at(1_000)), Ok(()));
        assert_eq!(attempts.0.lock().unwrap().len(), 1);
    }
}
