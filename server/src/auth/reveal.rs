//! Secrets that were made a moment ago and may be shown once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a secret that was just made waits to be read.
const SECRET_TTL: Duration = Duration::from_secs(60);

/// Secrets by token, in memory only. Each is read at most once.
#[derive(Default)]
pub struct Reveal(Mutex<BTreeMap<String, StoredSecret>>);

struct StoredSecret {
    secret: String,
    /// `None` waits for its reader as long as the process lives.
    until: Option<Instant>,
}

impl fmt::Debug for Reveal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reveal").finish_non_exhaustive()
    }
}

impl Reveal {
    /// Keeps a secret under a new token; `None` when the system has no randomness to make one.
    pub fn put(&self, secret: String) -> Option<String> {
        let token = super::sign_in::random_token()?;
        self.keep(
            token.clone(),
            secret,
            Some(Instant::now() + SECRET_TTL),
            Instant::now(),
        );
        Some(token)
    }

    /// Keeps a secret under a token that a page knows by itself, until it is read: it is unknown when a new server's
    /// first visitor comes.
    pub fn put_under(&self, token: String, secret: String) {
        self.keep(token, secret, None, Instant::now());
    }

    /// The secret of a token, once.
    pub fn take(&self, token: &str) -> Option<String> {
        self.take_at(token, Instant::now())
    }

    fn keep(&self, token: String, secret: String, until: Option<Instant>, now: Instant) {
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.retain(|_, kept| kept.until.is_none_or(|until| now < until));
        secrets.insert(token, StoredSecret { secret, until });
    }

    fn take_at(&self, token: &str, now: Instant) -> Option<String> {
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = secrets.remove(token)?;
        kept.until.is_none_or(|until| now < until).then_some(kept.secret)
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
        let keep = |until| reveal.keep("a".to_owned(), "secret".to_owned(), until, start);
        keep(Some(later(60)));
        assert_eq!(reveal.take_at("b", later(1)), None);
        assert_eq!(reveal.take_at("a", later(59)).as_deref(), Some("secret"));
        assert_eq!(reveal.take_at("a", later(59)), None);
        keep(Some(later(60)));
        assert_eq!(reveal.take_at("a", later(60)), None);
        keep(None);
        assert_eq!(reveal.take_at("a", later(9_999)).as_deref(), Some("secret"));
        let token = reveal.put("other".to_owned()).unwrap();
        assert_eq!(reveal.take(&token).as_deref(), Some("other"));
    }
}
