//! Which prompt templates the database has already, and which prompts are free text.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use domain::{ProjectId, Timestamp};

/// New templates that one step may have in an hour. Beyond it its prompts are taken for free text, which would make
/// a template, and a series in the hourly sums, of each single one.
const TEMPLATES_PER_HOUR: usize = 200;
/// Templates and step names that are remembered, over all projects. Forgetting one costs an insert that changes
/// nothing.
const REMEMBERED: usize = 100_000;

/// What is known of templates. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct PromptTexts(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// For a day: a text that is not used for long is deleted.
    stored: HashSet<(ProjectId, [u8; 32])>,
    stored_day: Timestamp,
    steps: HashMap<(ProjectId, String), Hour>,
}

#[derive(Debug, Default)]
struct Hour {
    began_at: Timestamp,
    templates: HashSet<[u8; 32]>,
}

impl PromptTexts {
    /// Whether a prompt's template is to count as one: not for a step that has had too many within the hour.
    pub fn admit(&self, project: ProjectId, step_name: &str, template: [u8; 32], at: Timestamp) -> bool {
        let mut seen = self.lock();
        if seen.steps.len() >= REMEMBERED {
            seen.steps.clear();
        }
        let hour = seen.steps.entry((project, step_name.to_owned())).or_default();
        if hour.began_at != at.hour() {
            *hour = Hour {
                began_at: at.hour(),
                templates: HashSet::new(),
            };
        }
        if hour.templates.len() >= TEMPLATES_PER_HOUR && !hour.templates.contains(&template) {
            return false;
        }
        hour.templates.insert(template);
        true
    }

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
        if seen.stored.len() >= REMEMBERED {
            seen.stored.clear();
        }
        seen.stored.extend(templates);
    }

    /// Forgets everything.
    pub fn forget_all(&self) {
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

    #[test]
    fn free_text_makes_no_more_templates_than_an_hour_may_have() {
        let texts = PromptTexts::default();
        let project: ProjectId = "01890000-0000-7000-8000-000000000001".parse().unwrap();
        let template = |n: usize| std::array::from_fn(|at| n.to_le_bytes().get(at).copied().unwrap_or(0));
        let now = Timestamp::from_micros(3_600_000_000);
        for n in 0..TEMPLATES_PER_HOUR {
            assert!(texts.admit(project, "chat", template(n), now));
        }
        assert!(!texts.admit(project, "chat", template(TEMPLATES_PER_HOUR), now));
        assert!(
            texts.admit(project, "chat", template(0), now),
            "a known one stays one"
        );
        assert!(texts.admit(project, "classify", template(TEMPLATES_PER_HOUR), now));
        let later = now.plus_micros(3_600_000_000);
        assert!(texts.admit(project, "chat", template(TEMPLATES_PER_HOUR), later));
    }
}
