//! Reading two runs beside each other.

use domain::{NanoUsd, RunSummary, Severity, StepKind, StepStatus};
use engine::alignment::StepChange;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde::{Deserialize, Serialize};

use crate::api::prompts::DiffLine;
use crate::error::ApiError;

/// What is to be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ComparisonWish {
    /// The first run; without one the last good run of the second one's name.
    pub(crate) first: Option<String>,
    pub(crate) second: String,
    /// The step whose texts are compared, of either run; without one the step at which the runs part.
    pub(crate) step: Option<String>,
    /// Its input instead of its output.
    pub(crate) of_input: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Comparison {
    Runs(Box<ComparedRuns>),
    /// There is nothing to compare this run with: none of its name was good before it.
    NoGoodRun(Box<RunSummary>),
}

/// Two runs and their steps, each once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ComparedRuns {
    pub(crate) first: RunSummary,
    pub(crate) second: RunSummary,
    /// In the order of a tree.
    pub(crate) rows: Vec<ComparedStep>,
    /// Not all steps were compared.
    pub(crate) is_cut: bool,
    /// Answers were compared word for word.
    pub(crate) compares_answers: bool,
    /// The row whose texts are compared.
    pub(crate) selected: Option<usize>,
    /// Its texts line by line; empty where they are equal, or one is missing.
    pub(crate) lines: Vec<DiffLine>,
    /// Whether either side has such a text.
    pub(crate) has_texts: (bool, bool),
}

/// A step of one run or of both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ComparedStep {
    pub(crate) name: String,
    pub(crate) kind: StepKind,
    pub(crate) depth: usize,
    pub(crate) first: Option<StepOfOne>,
    pub(crate) second: Option<StepOfOne>,
    pub(crate) changes: Vec<StepChange>,
}

/// What one run says of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StepOfOne {
    pub(crate) step_id: String,
    /// Since its run began, in milliseconds.
    pub(crate) start_ms: f64,
    /// How long it took, or has been running.
    pub(crate) length_ms: f64,
    pub(crate) cost: Option<NanoUsd>,
    pub(crate) status: StepStatus,
    pub(crate) severity: Severity,
    /// The first line of its error.
    pub(crate) error: Option<String>,
}

/// Two runs beside each other.
#[server(prefix = "/ui", endpoint = "runs/compare", input = Json)]
pub(crate) async fn read_comparison(slug: String, wish: ComparisonWish) -> Result<Comparison, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let now = crate::context::use_page_request().now;
    server::compare(&mut snapshot, project, wish, now).await
}

#[cfg(feature = "ssr")]
mod server;
