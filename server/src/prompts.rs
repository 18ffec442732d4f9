//! Which prompt templates the database has already.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use domain::{ProjectId, Timestamp};

/// Templates that are cached, over all projects. Evicting one costs an insert that changes nothing.
const MAX_CACHED: usize = 100_000;

/// What is known of templates. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct PromptTexts(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// For a day: a text that is not used for long is deleted.
    stored: HashSet<(ProjectId, [u8; 32])>,
    stored_day: Timestamp,
}

impl PromptTexts {
    /// Whether a template's text is stored for certain, at `now`.
    pub fn is_stored(&self, project: ProjectId, template: [u8; 32], now: Timestamp) -> bool {
        let mut seen = self.lock();
        if seen.stored_day != now.day() {
            seen.stored_day = now.day();
            seen.stored.clear();
        }
        seen.stored.contains(&(project, template))
    }

    /// Says that texts are stored now.
    pub fn stored(&self, templates: impl IntoIterator<Item = (ProjectId, [u8; 32])>) {
        let mut seen = self.lock();
        if seen.stored.len() >= MAX_CACHED {
            seen.stored.clear();
        }
        seen.stored.extend(templates);
    }

    /// Forgets everything.
    pub fn invalidate_all(&self) {
        *self.lock() = Seen::default();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_text_is_asked_for_again_on_another_day() {
        let texts = PromptTexts::default();
        let project: ProjectId = "01890000-0000-7000-8000-000000000001".parse().unwrap();
        let now = Timestamp::from_micros(40 * 86_400_000_000);
        assert!(!texts.is_stored(project, [7; 32], now));
        texts.stored([(project, [7; 32])]);
        assert!(texts.is_stored(project, [7; 32], now.plus_micros(3_600_000_000)));
        assert!(!texts.is_stored(project, [7; 32], now.plus_micros(86_400_000_000)));
    }
}
