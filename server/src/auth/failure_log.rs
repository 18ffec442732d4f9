//! Sign-ins that failed, in the audit log and in the log file: a row for each, up to 200 an hour, and one row a minute
//! that counts the others, so that guessing does not fill the disk.

use std::mem::take;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::Timestamp;
use domain::account::is_email;
use serde_json::json;
use storage::audit::{self, Entry};

use super::{Auth, Client, SERVER};

/// At most 2.3 million rows a year with those that count, some 500 MB, if somebody guesses all year.
const MAX_ROWS_PER_HOUR: u32 = 200;
const MAX_EMAIL_CHARS: usize = 100;
/// People type passwords into the wrong field.
const NO_EMAIL: &str = "(not an e-mail address)";
/// Who it was is not known when the provider's answer is not believed.
const SOMEBODY: &str = "(somebody from the provider)";

/// How a sign-in failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Address or password was wrong.
    Credentials,
    /// It came too soon after others and was not looked at.
    Delayed { seconds: u32 },
    /// It came from the provider and was refused, for the reason of this word.
    Provider { reason: &'static str },
}

/// What was written in the hour that is running.
#[derive(Debug, Default)]
pub(super) struct FailureLog(Mutex<Written>);

#[derive(Debug, Default)]
struct Written {
    hour: Timestamp,
    rows: u32,
    /// Failures without a row of their own, and the minute in which such were counted last.
    others: u64,
    counted_at: Timestamp,
}

impl FailureLog {
    /// Whether another row may be written.
    fn has_room(&self, now: Timestamp) -> bool {
        let mut written = self.lock();
        if written.hour != now.hour() {
            written.hour = now.hour();
            written.rows = 0;
        }
        let has_room = written.rows < MAX_ROWS_PER_HOUR;
        if has_room {
            written.rows += 1;
        } else {
            written.others += 1;
        }
        has_room
    }

    /// How many failures are to be counted in a row now.
    fn take_others(&self, now: Timestamp, is_last: bool) -> u64 {
        let mut written = self.lock();
        if written.counted_at == now.minute() && !is_last {
            return 0;
        }
        written.counted_at = now.minute();
        take(&mut written.others)
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Auth {
    /// Writes down that a sign-in failed. What was typed is shown shortened, and only if it has the form of an address.
    pub(super) async fn note_failure(&self, failure: Failure, email: &str, client: &Client, now: Timestamp) {
        if !self.inner.failure_log.has_room(now) {
            return;
        }
        let address = client.address_text();
        let email = match failure {
            Failure::Provider { .. } if email.is_empty() => SOMEBODY.to_owned(),
            _ => shown(email),
        };
        tracing::warn!(email, address, ?failure, "a sign-in failed");
        let (action, details) = match failure {
            Failure::Credentials => ("sign_in.fail", json!({ "browser": client.browser })),
            Failure::Delayed { seconds } => (
                "sign_in.delay",
                json!({ "browser": client.browser, "seconds": seconds }),
            ),
            Failure::Provider { reason } => (
                "sign_in.fail",
                json!({ "browser": client.browser, "reason": reason }),
            ),
        };
        let entry = Entry::new(&address, action, &email, details);
        if let Err(cause) = audit::record_of_server(&self.inner.db, &[entry], now).await {
            tracing::error!(error = ?cause, "a failed sign-in is not in the audit log");
        }
    }

    /// Writes how many failures had no row of their own, once a minute and when the server stops.
    pub(super) async fn flush_failures(&self, now: Timestamp, is_last: bool) -> storage::Result<()> {
        let others = self.inner.failure_log.take_others(now, is_last);
        if others == 0 {
            return Ok(());
        }
        tracing::warn!(others, "more sign-ins failed than are listed");
        let entry = Entry::new(SERVER, "sign_in.fail", "(more)", json!({ "count": others }));
        let written = audit::record_of_server(&self.inner.db, &[entry], now).await;
        if written.is_err() {
            self.inner.failure_log.lock().others += others;
        }
        written
    }
}

fn shown(email: &str) -> String {
    if is_email(email) {
        domain::text::first_line(email, MAX_EMAIL_CHARS)
    } else {
        NO_EMAIL.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hundred_rows_an_hour_and_the_rest_is_counted_by_the_minute() {
        let log = FailureLog::default();
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let rows = |now| (0..300).filter(|_| log.has_room(now)).count();
        assert_eq!(rows(at(3_600)), 200);
        assert_eq!(log.take_others(at(3_600), false), 100);
        assert_eq!(rows(at(3_610)), 0);
        assert_eq!(
            log.take_others(at(3_610), false),
            0,
            "counted in this minute already"
        );
        assert_eq!(log.take_others(at(3_660), false), 300);
        assert_eq!(rows(at(3_660)), 0);
        assert_eq!(log.take_others(at(3_660), true), 300);
        assert_eq!(rows(at(7_200)), 200);
    }

    #[test]
    fn only_addresses_are_shown() {
        assert_eq!(shown("mara@acme.dev"), "mara@acme.dev");
        assert_eq!(shown("correct horse battery"), NO_EMAIL);
        assert_eq!(shown("a\nb@acme.dev"), NO_EMAIL);
        assert!(shown(&format!("{}@acme.dev", "x".repeat(240))).chars().count() <= 101);
    }
}
