//! Detectors: what judges finished runs, by a rule or by a model, and what they find.

mod condition;
mod draft;
mod finding;
mod form;
mod prompts;
mod run;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::step::words;
use crate::{ModelChoice, NanoUsd, Timestamp};

pub use condition::{Amount, ConditionField, ConditionOp, DetectorCondition, MetadataKey};
pub use draft::{DetectorDraft, DraftError, MAX_CONDITIONS, MAX_PROMPT_BYTES};
pub use finding::{Evidence, Finding, FindingMark, FoundIn};
pub use run::{JudgedRun, JudgedStep, StepTexts};

words!(
    /// What a detector begins as.
    Template {
        /// A model: the run failed, whatever its status says.
        Failure = "failure",
        /// A model: something is claimed that nothing in the run supports.
        Hallucination = "hallucination",
        /// A model: two things in the run contradict each other, or a conclusion does not follow.
        Logic = "logic",
        /// A model: what was asked for is not done.
        TaskCompletion = "task_completion",
        /// A model: the output does harm or gives away what it must not.
        Safety = "safety",
        /// A model: the run turned to something else than what it was begun for.
        IntentDrift = "intent_drift",
        /// A model: whatever the prompt says.
        Blank = "blank",
        /// A rule: a step of a name is missing.
        RequiredStep = "required_step",
        /// A rule: a tool was called three times or more with the same input.
        RepeatedTool = "repeated_tool",
        /// A rule: a step failed, nothing retried it, and the run succeeded all the same.
        SwallowedError = "swallowed_error",
        /// A rule: the run's last output breaks a JSON schema.
        Schema = "schema",
    }
);

impl Template {
    /// Whether it needs no model.
    pub const fn is_rule(self) -> bool {
        matches!(
            self,
            Self::RequiredStep | Self::RepeatedTool | Self::SwallowedError | Self::Schema
        )
    }

    /// How pages call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Hallucination => "hallucination",
            Self::Logic => "logic",
            Self::TaskCompletion => "task completion",
            Self::Safety => "safety",
            Self::IntentDrift => "intent drift",
            Self::Blank => "own prompt",
            Self::RequiredStep => "rule: step missing",
            Self::RepeatedTool => "rule: tool repeated",
            Self::SwallowedError => "rule: error swallowed",
            Self::Schema => "rule: schema",
        }
    }

    /// What it asks a model; blank for rules, and where the prompt is to be written.
    pub const fn prompt(self) -> &'static str {
        prompts::of(self)
    }
}

words!(
    /// What became of a run under one version of a detector.
    JudgementState {
        /// It is being judged.
        Judging = "judging",
        /// Nothing was found.
        Clear = "clear",
        /// Something was found.
        Found = "found",
        /// The model did not answer, or twice not in the form it has to.
        Failed = "failed",
        /// The detector's cap of the day was reached, so it was not judged.
        Capped = "capped",
        /// The project's budget for models was used up, or no model is set, so it was not judged.
        Refused = "refused",
    }
);

/// How many of the runs that match are judged, in millionths: 250,000 is 25 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SampleRate(u32);

impl SampleRate {
    /// Every run.
    pub const ALL: Self = Self(1_000_000);

    /// From millionths; `None` above a million.
    pub const fn from_millionths(millionths: u32) -> Option<Self> {
        if millionths <= 1_000_000 {
            Some(Self(millionths))
        } else {
            None
        }
    }

    /// From percent, to four decimals; `None` outside of 0 to 100.
    pub fn from_percent(percent: f64) -> Option<Self> {
        (0.0..=100.0)
            .contains(&percent)
            .then(|| Self((percent * 10_000.0).round() as u32))
    }

    /// In millionths.
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// In percent.
    pub fn percent(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

impl Default for SampleRate {
    fn default() -> Self {
        Self::ALL
    }
}

/// What a detector judges by. A change of it makes another version, by which runs are judged anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// What it looks for.
    pub template: Template,
    /// What a model is asked; blank for rules.
    #[serde(default)]
    pub prompt: String,
    /// For the rule `schema` what the run's last output has to be; for models what `data` of the answer has to be.
    #[serde(default)]
    pub schema: Option<Value>,
    /// The name of the step that must not be missing, for the rule `required_step`.
    #[serde(default)]
    pub required_step: Option<String>,
    /// Which runs it judges: those for which all hold.
    #[serde(default)]
    pub conditions: Vec<DetectorCondition>,
    /// The model that judges, where it is not the one that the project's detectors use.
    #[serde(default)]
    pub model: Option<ModelChoice>,
}

/// A detector as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detector {
    /// Its identity.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// Whether it judges.
    pub enabled: bool,
    /// Counts changes of the definition, from 1.
    pub version: i32,
    /// When the version began.
    pub version_since: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it judges by.
    pub definition: Definition,
    /// How many of the matching runs it judges.
    pub sample: SampleRate,
    /// What a day of it may cost; `None` for no cap.
    pub daily_cap: Option<NanoUsd>,
}
