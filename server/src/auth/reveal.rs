//! Secrets that were made a moment ago and may be shown once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a secret waits to be read.
const KEPT: Duration = Duration::from_secs(60);

/// Secrets by token, in memory only. Each is read at most once.
#[derive(Default)]
pub struct Reveal(Mutex<BTreeMap<String, (Instant, String)>>);

impl fmt::Debug for Reveal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reveal").finish_non_exhaustive()
    }
}

impl Reveal {
    /// Keeps a secret under a new token; `None` when the system has no randomness to make one.
    pub fn put(&self, secret: String) -> Option<String> {
        let token = super::visitor::random_token()?;
        self.put_under(token.clone(), secret);
        Some(token)
    }

    /// Keeps a secret under a token that a page knows by itself.
    pub fn put_under(&self, token: String, secret: String) {
        self.put_at(token, secret, Instant::now());
    }

    /// The secret of a token, once.
    pub fn take(&self, token: &str) -> Option<String> {
        self.take_at(token, Instant::now())
    }

    fn put_at(&self, token: String, secret: String, now: Instant) {
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.retain(|_, (put, _)| now.duration_since(*put) < KEPT);
        secrets.insert(token, (now, secret));
    }

    fn take_at(&self, token: &str, now: Instant) -> Option<String> {
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (put, secret) = secrets.remove(token)?;
        (now.duration_since(put) < KEPT).then_some(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_once_and_soon() {
        let reveal = Reveal::default();
        let start = Instant::now();
        let later = |seconds: u64| start + Duration::from_secs(seconds);
        reveal.put_at("a".to_owned(), "secret".to_owned(), start);
        assert_eq!(reveal.take_at("b", later(1)), None);
        assert_eq!(reveal.take_at("a", later(59)).as_deref(), Some("secret"));
        assert_eq!(reveal.take_at("a", later(59)), None);
        reveal.put_at("a".to_owned(), "secret".to_owned(), start);
        assert_eq!(reveal.take_at("a", later(60)), None);
        let token = reveal.put("other".to_owned()).unwrap();
        assert_eq!(reveal.take(&token).as_deref(), Some("other"));
    }
}
