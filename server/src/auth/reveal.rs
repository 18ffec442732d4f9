//! Secrets that were made a moment ago and may be shown once, to people of the project they are for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::ProjectId;

/// How long a secret that was just made waits to be read.
const SECRET_TTL: Duration = Duration::from_secs(60);

/// Secrets by project and token, in memory only. Each is read at most once, by somebody who may see that project's.
#[derive(Default)]
pub struct Reveal {
    made: Mutex<BTreeMap<(ProjectId, String), MadeSecret>>,
    /// Of keys that were made together with their project, until a form of its page asks for them.
    first: Mutex<BTreeMap<ProjectId, String>>,
}

struct MadeSecret {
    secret: String,
    until: Instant,
}

impl fmt::Debug for Reveal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reveal").finish_non_exhaustive()
    }
}

impl Reveal {
    /// Keeps a project's secret under a new token; `None` when the system has no randomness to make one.
    pub fn put(&self, project: ProjectId, secret: String) -> Option<String> {
        let token = super::token::random_token()?;
        let now = Instant::now();
        self.keep(project, token.clone(), secret, now + SECRET_TTL, now);
        Some(token)
    }

    /// The secret of a token, once.
    pub fn take(&self, project: ProjectId, token: &str) -> Option<String> {
        self.take_at(project, token, Instant::now())
    }

    /// Keeps the secret of a project's first key until it is asked for: it is unknown when a new server's first visitor
    /// comes.
    pub fn put_first(&self, project: ProjectId, secret: String) {
        self.first().insert(project, secret);
    }

    /// Whether a project's first key waits to be shown.
    pub fn has_first(&self, project: ProjectId) -> bool {
        self.first().contains_key(&project)
    }

    /// The secret of a project's first key, once.
    pub fn take_first(&self, project: ProjectId) -> Option<String> {
        self.first().remove(&project)
    }

    fn first(&self) -> MutexGuard<'_, BTreeMap<ProjectId, String>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, project: ProjectId, token: String, secret: String, until: Instant, now: Instant) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.retain(|_, kept| now < kept.until);
        made.insert((project, token), MadeSecret { secret, until });
    }

    fn take_at(&self, project: ProjectId, token: &str, now: Instant) -> Option<String> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = made.remove(&(project, token.to_owned()))?;
        (now < kept.until).then_some(kept.secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: ProjectId = ProjectId(uuid::Uuid::from_u128(1));
    const OTHER: ProjectId = ProjectId(uuid::Uuid::from_u128(2));

    #[test]
    fn a_secret_is_read_once_and_soon_and_in_its_project() {
        let reveal = Reveal::default();
        let start = Instant::now();
        let later = |seconds: u64| start + Duration::from_secs(seconds);
        let keep = || reveal.keep(PROJECT, "a".to_owned(), "secret".to_owned(), later(60), start);
        keep();
        assert_eq!(reveal.take_at(PROJECT, "b", later(1)), None);
        assert_eq!(reveal.take_at(OTHER, "a", later(1)), None);
        assert_eq!(reveal.take_at(PROJECT, "a", later(59)).as_deref(), Some("secret"));
        assert_eq!(reveal.take_at(PROJECT, "a", later(59)), None);
        keep();
        assert_eq!(reveal.take_at(PROJECT, "a", later(60)), None);
        let token = reveal.put(PROJECT, "other".to_owned()).unwrap();
        assert_eq!(reveal.take(PROJECT, &token).as_deref(), Some("other"));
    }

    #[test]
    fn a_first_key_waits_until_it_is_asked_for() {
        let reveal = Reveal::default();
        reveal.put_first(PROJECT, "secret".to_owned());
        assert!(reveal.has_first(PROJECT) && !reveal.has_first(OTHER));
        assert_eq!(reveal.take_first(PROJECT).as_deref(), Some("secret"));
        assert!(!reveal.has_first(PROJECT));
    }
}
