//! A run as detectors see it: everything of its steps but their texts, which are read only where they are wanted.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{NanoUsd, RunSummary, StepKind, StepStatus, Timestamp};

/// A step without its texts.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedStep {
    /// Its identity within the run.
    pub step_id: String,
    /// The step that contains it.
    pub parent_step_id: Option<String>,
    /// Its name; may be blank.
    pub name: String,
    /// What it does.
    pub kind: StepKind,
    /// How it ended.
    pub status: StepStatus,
    /// Name of the tool, for tool steps.
    pub tool_name: Option<String>,
    /// The beginning of its error.
    pub error: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; `None` while it runs.
    pub ended_at: Option<Timestamp>,
    /// The same for the same input; `None` without one.
    pub input_hash: Option<String>,
    /// Size of its input and output, in bytes.
    pub text_bytes: (i64, i64),
    /// Its cost.
    pub cost_nano_usd: Option<NanoUsd>,
    /// Sum of its conditions' points.
    pub score: Option<i32>,
}

impl JudgedStep {
    /// What it is called: a tool by the tool's name.
    pub fn called(&self) -> &str {
        match self.tool_name.as_deref() {
            Some(tool) if !tool.trim().is_empty() => tool,
            _ => &self.name,
        }
    }
}

/// The texts of a step, perhaps cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepTexts {
    /// Its identity within the run.
    pub step_id: String,
    /// Its name.
    pub step: String,
    /// What it was given.
    pub input: Option<String>,
    /// What came back.
    pub output: Option<String>,
    /// Its error.
    pub error: Option<String>,
}

/// A finished run that is to be judged.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedRun {
    /// Its sums.
    pub summary: RunSummary,
    /// Its steps by start.
    pub steps: Vec<JudgedStep>,
    /// What its steps carry under the keys that conditions ask for.
    pub metadata: BTreeMap<String, Vec<Value>>,
    /// It is a run of Plumbline's own.
    pub is_own: bool,
}
