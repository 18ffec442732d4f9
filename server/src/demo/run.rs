//! A run that is to be made up, and what was in force when it ran.

use domain::Timestamp;

use super::random::Random;
use super::recording::Recording;

/// What the desk's programs were like on a day.
#[derive(Clone, Copy, Debug)]
pub(super) struct Era {
    pub(super) release: &'static str,
    /// Summaries are written by the larger model.
    pub(super) summaries_by_sonnet: bool,
    /// Another release follows within hours. Chance decides nothing meanwhile: one refused or dearer call of a dozen
    /// would look like the release's doing.
    pub(super) is_short: bool,
    /// By how much `enrich-context` has become slower since the first day: 1.0 is not at all.
    pub(super) slower: f64,
}

/// A run that is to be made up.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) began: Timestamp,
    pub(super) era: Era,
}

impl Run {
    /// A recording with what every step of a run says.
    pub(super) fn recording(&self, key_label: &'static str, random: &mut Random) -> Recording {
        let mut recording = Recording::new(self.id.clone(), key_label, self.began);
        let shared = recording.shared();
        let stages = ["production", "production", "production", "production", "staging"];
        shared.environment = Some(random.pick(&stages).to_owned());
        shared.release = Some(self.era.release.to_owned());
        recording
    }
}
