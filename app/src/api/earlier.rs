//! Reading what a step did before: its earlier calls, and the last good one beside this one.

use domain::{NanoUsd, Timestamp};
use engine::usual_range::UsualRange;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde::{Deserialize, Serialize};

use crate::api::prompts::DiffLine;
use crate::error::ApiError;

/// Which text of two calls is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ComparedText {
    Output,
    Input,
}

/// What is known of a step's name up to one of its calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EarlierCalls {
    /// The oldest first; the last one is the call itself.
    pub(crate) calls: Vec<EarlierCall>,
    /// Where latencies in milliseconds, output tokens and costs in nano-dollars of the clean calls before usually lie;
    /// `None` while there are too few of them.
    pub(crate) latency_band: Option<UsualRange>,
    pub(crate) output_band: Option<UsualRange>,
    pub(crate) cost_band: Option<UsualRange>,
    /// The last call before it that was good.
    pub(crate) good: Option<GoodCall>,
    /// The two calls' texts, where they were asked for and there is a good one.
    pub(crate) texts: Option<ComparedTexts>,
}

/// A call as it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EarlierCall {
    /// In milliseconds.
    pub(crate) latency_ms: Option<f64>,
    pub(crate) output_tokens: Option<i64>,
    pub(crate) cost: Option<NanoUsd>,
    /// It failed, or something critical was found.
    pub(crate) is_bad: bool,
}

/// The call that another one is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GoodCall {
    pub(crate) run_id: String,
    pub(crate) step_id: String,
    pub(crate) started_at: Timestamp,
}

/// One text of the good call beside that of this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ComparedTexts {
    pub(crate) which: ComparedText,
    /// Empty where both are equal, or neither has one.
    pub(crate) lines: Vec<DiffLine>,
    /// Whether the good call, and this one, have such a text.
    pub(crate) has_texts: (bool, bool),
    /// How many values differ and how many are the same, where both are JSON.
    pub(crate) values: Option<(usize, usize)>,
    /// Only the beginning of at least one of them was compared, or of what differs is shown.
    pub(crate) is_cut: bool,
}

/// What a step of a run did before. `compared` is the text to compare with that of the last good call; without one the
/// output of a call that is not good itself.
#[server(prefix = "/ui", endpoint = "steps/earlier", input = Json)]
pub(crate) async fn read_earlier_calls(
    slug: String,
    run_id: String,
    step_id: String,
    compared: Option<ComparedText>,
) -> Result<EarlierCalls, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    server::earlier_calls(&mut snapshot, project, &run_id, &step_id, compared).await
}

#[cfg(feature = "ssr")]
mod server;
