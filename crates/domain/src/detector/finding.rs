//! What a detector found in a run.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::Template;
use crate::step::words;
use crate::{NanoUsd, Timestamp, Verdict};

words!(
    /// In which text of a step something stands.
    FoundIn {
        /// What it was given.
        Input = "input",
        /// What came back.
        Output = "output",
        /// Its error.
        Error = "error",
    }
);

words!(
    /// What people said of findings, as lists are narrowed by it.
    FindingMark {
        /// Nothing yet.
        Unmarked = "unmarked",
        /// It is real.
        Real = "real",
        /// It is noise.
        Noise = "noise",
    }
);

/// A step that shows what was found, with the words where there are some: they occur in its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The step.
    pub step_id: String,
    /// Its name.
    pub step: String,
    /// Which of its texts; `None` where the step itself is the evidence.
    pub text: Option<FoundIn>,
    /// The words as they stand there.
    pub quote: Option<String>,
    /// Where the words begin in that text, in bytes.
    pub from_byte: Option<u32>,
    /// Where they end.
    pub to_byte: Option<u32>,
}

/// A finding with the detector that made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Its identity.
    pub id: Uuid,
    /// Who found it.
    pub detector_id: Uuid,
    /// What the detector is called.
    pub detector: String,
    /// What the detector looks for.
    pub template: Template,
    /// The version that found it.
    pub version: i32,
    /// In which run.
    pub run_id: String,
    /// The run's name; blank where the run is gone.
    pub run_name: String,
    /// One sentence.
    pub summary: String,
    /// What else there is to say, in the form that the detector asks for.
    pub data: Value,
    /// What shows it.
    pub evidence: Vec<Evidence>,
    /// Quotes of the model that do not occur in the run; they were dropped.
    pub dropped_quotes: i32,
    /// The model that judged.
    pub model: Option<String>,
    /// What judging cost; `None` of rules, and where it is unknown.
    pub cost_nano_usd: Option<NanoUsd>,
    /// The run of ours in which the judgement is recorded.
    pub judged_in: Option<String>,
    /// What people said of it.
    pub feedback: Option<Verdict>,
    /// When it was found.
    pub created_at: Timestamp,
}
