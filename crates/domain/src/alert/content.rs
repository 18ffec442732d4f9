//! What an alert says, as it is stored: enough to write every channel's message without reading anything again.

use serde::{Deserialize, Serialize};

use uuid::Uuid;

use super::Channel;
use crate::key_limit::Measure;
use crate::step::words;
use crate::{NanoUsd, Severity, StepKind, Timestamp};

/// What an alert says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum AlertContent {
    /// One step, the first of those that the alert speaks for.
    Step(Box<AlertedStep>),
    /// The share of failed steps among the last ones.
    ErrorRate {
        /// So many of them failed.
        failed: u32,
        /// So many were looked at.
        of: u32,
        /// From what share on it is told, in percent.
        limit_percent: u32,
        /// The last one that failed.
        step: Box<AlertedStep>,
    },
    /// Something that left its baseline.
    Incident(Box<AlertedIncident>),
    /// What a detector found.
    Finding(Box<AlertedFinding>),
    /// What a month may cost.
    Budget(AlertedBudget),
    /// What a key may use in a month.
    KeyLimit(AlertedKeyLimit),
    /// A channel that stopped.
    IntegrationBroken {
        /// Which.
        channel: Channel,
        /// What was answered.
        answer: String,
    },
    /// Nothing but that it arrives.
    Test {
        /// Who pressed the button.
        by: String,
    },
}

/// A step as messages show it. Its texts are cut where it is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertedStep {
    /// The run it belongs to.
    pub run_id: String,
    /// Its identity within the run.
    pub step_id: String,
    /// Its name; may be blank.
    pub name: String,
    /// What it does.
    pub kind: StepKind,
    /// The name of the key that sent it.
    pub key: String,
    /// The model that answered.
    pub model: Option<String>,
    /// Who served the model.
    pub provider: Option<String>,
    /// Where it ran.
    pub environment: Option<String>,
    /// What it ran, usually a commit.
    pub release: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// Sum of its conditions' points; `None` when it was not scored.
    pub score: Option<i32>,
    /// From how many points it is critical.
    pub threshold: Option<i32>,
    /// The beginning of its error text.
    pub error: Option<String>,
    /// Duration in milliseconds.
    pub latency_ms: Option<f64>,
    /// When it began.
    pub started_at: Timestamp,
    /// The heaviest of its conditions, heaviest first.
    pub conditions: Vec<AlertedCondition>,
    /// How many more it has.
    pub more_conditions: u32,
}

/// A condition as messages show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertedCondition {
    /// The rule's number.
    pub code: u16,
    /// The rule's name.
    pub name: String,
    /// What it adds to the score.
    pub points: i32,
    /// One sentence that says what is wrong.
    pub message: String,
}

words!(
    /// What happened to an incident.
    IncidentMoment {
        /// It was noticed, or came back.
        Opened = "opened",
        /// A deploy is named as its cause.
        Attributed = "attributed",
        /// It is over.
        Closed = "closed",
        /// By what came later it never was one.
        Withdrawn = "withdrawn",
    }
);

/// An incident as messages show it, as it was judged when the alert was made. Its texts are cut where it is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertedIncident {
    /// Its identity.
    pub incident_id: Uuid,
    /// What happened to it.
    pub moment: IncidentMoment,
    /// What it is about: `prod-frontend, cost`.
    pub name: String,
    /// The key; `None` where one model moved on all keys at once.
    pub key: Option<String>,
    /// The step, where only that moved.
    pub step: Option<String>,
    /// The word of the API.
    pub metric: String,
    /// The verdict, with the figures.
    pub sentence: String,
    /// How likely the verdict is right, 0 to 1.
    pub probability: f64,
    /// The deploy that the verdict names.
    pub deploy: Option<AlertedDeploy>,
    /// What speaks most for that deploy.
    pub evidence: Option<String>,
    /// What it costs more in a day, at the rate of its first day; `None` of what is no money.
    pub nano_usd_a_day: Option<NanoUsd>,
    /// When it began.
    pub onset_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
}

/// The deploy that an incident is blamed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertedDeploy {
    /// Its identity; `None` of a release without a record.
    pub deploy_id: Option<String>,
    /// What it is called: `PR 2`, the beginning of its sha, or its release.
    pub name: String,
    /// What it brings; may be blank.
    pub title: String,
}

/// A finding as messages show it. Its texts are cut where it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertedFinding {
    /// Its identity.
    pub finding_id: Uuid,
    /// What the detector is called.
    pub detector: String,
    /// What the detector looks for.
    pub template: String,
    /// In which run.
    pub run_id: String,
    /// The run's name.
    pub run_name: String,
    /// One sentence.
    pub summary: String,
    /// The first of the words that show it, and the step they stand in.
    pub quote: Option<(String, String)>,
}

/// The limit of a key as messages show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertedKeyLimit {
    /// The key's label.
    pub key: String,
    /// What is limited.
    pub measure: Measure,
    /// How much: requests, tokens, or nano-dollars.
    pub limit: i64,
    /// What is used of it.
    pub used: i64,
    /// The share that was reached, in percent; from 100 on requests are refused.
    pub percent: u32,
    /// When the month began.
    pub month_from: Timestamp,
    /// When there is room again.
    pub month_to: Timestamp,
}

/// A budget as messages show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertedBudget {
    /// The key's label; `None` for all of the project.
    pub key: Option<String>,
    /// What a month may cost.
    pub monthly: NanoUsd,
    /// What it has cost until now.
    pub spent: NanoUsd,
    /// Whether that is all of it.
    pub is_used_up: bool,
    /// What it is expected to cost in the end; `None` when there is too little history.
    pub expected: Option<NanoUsd>,
    /// The day on which it is expected to be used up.
    pub used_up_on: Option<Timestamp>,
    /// When the month began.
    pub month_from: Timestamp,
}
