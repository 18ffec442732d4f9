//! Secrets that were made a moment ago and may be shown once, to people of the project they are for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::ProjectId;

/// How long a secret that was just made waits to be read.
const SECRET_TTL: Duration = Duration::from_secs(60);

/// Secrets by token, in memory only. Each is read at most once.
#[derive(Default)]
pub struct Reveal(Mutex<BTreeMap<String, StoredSecret>>);

struct StoredSecret {
    project: ProjectId,
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
    /// Keeps a secret of a project under a new token; `None` when the system has no randomness to make one.
    pub fn put(&self, project: ProjectId, secret: String) -> Option<String> {
        let token = super::token::random_token()?;
        let now = Instant::now();
        let stored = StoredSecret {
            project,
            secret,
            until: Some(now + SECRET_TTL),
        };
        self.keep(token.clone(), stored, now);
        Some(token)
    }

    /// Keeps a secret under a token that a page knows by itself, until it is read: it is unknown when a new server's
    /// first visitor comes.
    pub fn put_under(&self, token: String, project: ProjectId, secret: String) {
        let stored = StoredSecret {
            project,
            secret,
            until: None,
        };
        self.keep(token, stored, Instant::now());
    }

    /// The secret of a token, once. For those of another project there is none.
    pub fn take(&self, project: ProjectId, token: &str) -> Option<String> {
        self.take_at(project, token, Instant::now())
    }

    fn keep(&self, token: String, stored: StoredSecret, now: Instant) {
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.retain(|_, kept| kept.until.is_none_or(|until| now < until));
        secrets.insert(token, stored);
    }

    fn take_at(&self, project: ProjectId, token: &str, now: Instant) -> Option<String> {
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if secrets.get(token)?.project != project {
            return None;
        }
        let kept = secrets.remove(token)?;
        kept.until.is_none_or(|until| now < until).then_some(kept.secret)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const MINE: ProjectId = ProjectId(Uuid::nil());
    const OTHER: ProjectId = ProjectId(Uuid::max());

    #[test]
    fn a_secret_is_read_once_and_soon_and_by_its_project() {
        let reveal = Reveal::default();
        let start = Instant::now();
        let later = |seconds: u64| start + Duration::from_secs(seconds);
        let keep = |until| {
            let stored = StoredSecret {
                project: MINE,
                secret: "secret".to_owned(),
                until,
            };
            reveal.keep("a".to_owned(), stored, start);
        };
        let take = |project, token: &str, at| reveal.take_at(project, token, at);
        keep(Some(later(60)));
        assert_eq!(take(MINE, "b", later(1)), None);
        assert_eq!(take(OTHER, "a", later(1)), None);
        assert_eq!(take(MINE, "a", later(59)).as_deref(), Some("secret"));
        assert_eq!(take(MINE, "a", later(59)), None);
        keep(Some(later(60)));
        assert_eq!(take(MINE, "a", later(60)), None);
        keep(None);
        assert_eq!(take(MINE, "a", later(9_999)).as_deref(), Some("secret"));
        let token = reveal.put(MINE, "other".to_owned()).unwrap();
        assert_eq!(reveal.take(MINE, &token).as_deref(), Some("other"));
    }
}
