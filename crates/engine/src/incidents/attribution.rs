//! What caused an incident: one of the deploys around its onset, or one of six things that are no deploy.
//!
//! A conditional choice: each candidate has a utility, the sum of what is known of it times fitted weights, and the
//! probabilities are the soft maximum of all of them. Nothing here knows of the rubric's points.

mod case;
mod choose;
mod closer;
mod contrast;
mod features;
mod responsible;
mod rollout;
mod sentences;
mod switches;
mod weights;

use domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::rubric::Points;
pub(super) use case::Case;
pub(super) use choose::attribute;
pub use choose::{Choice, NAMED, NO_DEPLOY, probabilities};
pub use weights::{FEATURES, Feature, Features, Weights};

/// A cause that is no deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NullCause {
    /// More runs.
    Traffic,
    /// Tokens cost something else.
    Price,
    /// The provider's model changed behind its name.
    ProviderDrift,
    /// Other users, or other questions.
    UserMix,
    /// Something was switched without a deploy.
    Configuration,
    /// None of these.
    Unknown,
}

impl NullCause {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Traffic,
        Self::Price,
        Self::ProviderDrift,
        Self::UserMix,
        Self::Configuration,
        Self::Unknown,
    ];

    /// As a sentence says it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Traffic => "more traffic",
            Self::Price => "a change of price",
            Self::ProviderDrift => "a change at the provider",
            Self::UserMix => "other users or other questions",
            Self::Configuration => "a change of configuration without a deploy",
            Self::Unknown => "a cause that the data does not show",
        }
    }
}

/// What an incident's page says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// One deploy is named.
    Deploy,
    /// One of two.
    Probably,
    /// It was no deploy.
    NoDeploy,
    /// Nothing stands out.
    Unclear,
    /// There is too little to say.
    Learning,
}

/// The answer to "what caused it?".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Which kind of answer it is.
    pub kind: VerdictKind,
    /// The deploy it names.
    pub deploy_id: Option<String>,
    /// The release it names that has no deploy record.
    pub release: Option<String>,
    /// What it was, if no deploy.
    pub null_cause: Option<NullCause>,
    /// How likely that is right.
    pub probability: f64,
    /// In words.
    pub sentence: String,
    /// Which weights said so.
    pub weights_version: String,
}

/// Something that speaks for or against a candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it is.
    pub kind: Feature,
    /// In words, with the values.
    pub description: String,
    /// The value before, where there is one.
    pub before: Option<f64>,
    /// The value after.
    pub after: Option<f64>,
    /// Calls that the values rest on, before and after.
    pub samples: (i64, i64),
    /// How many times more likely it makes the candidate; below 1 it speaks against.
    pub factor: f64,
}

/// A candidate and what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    /// The deploy's id; of a release without a record `None`.
    pub deploy_id: Option<String>,
    /// The release, where there is no record.
    pub release: Option<String>,
    /// Its sha; empty for a release without a record.
    pub sha: String,
    /// Number of the pull request.
    pub pr_number: Option<i64>,
    /// What it brings.
    pub title: String,
    /// When its rollout began, and when it was complete.
    pub rolled_out: (Timestamp, Timestamp),
    /// The rubric's points; `None` where its window does not contain the deploy.
    pub points: Option<Points>,
    /// How likely it is the cause.
    pub probability: f64,
    /// Why it is not.
    pub cleared_because: Option<String>,
    /// What speaks for and against it.
    pub evidence: Vec<Evidence>,
    /// The numbers behind it.
    pub features: Features,
}

/// A cause that is no deploy, and what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NullOption {
    /// Which.
    pub cause: NullCause,
    /// How likely it is.
    pub probability: f64,
    /// The numbers behind it.
    pub features: Features,
}

impl Attribution {
    /// The rubric's points as a share; 0 where its window does not contain the deploy.
    pub fn confidence(&self) -> f64 {
        self.points.as_ref().map_or(0.0, Points::confidence)
    }
}
