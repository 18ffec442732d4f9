//! Where a step's output went, and where its input came from.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// At most so many steps before one, and after it, are looked through.
pub(crate) const BESIDE: usize = 20;

/// A text that one step gave and another was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FlowLink {
    /// The other step.
    pub(crate) step_id: String,
    /// How much of it came back, in percent; 100 is word for word.
    pub(crate) percent: u8,
    /// Only a value of its JSON came back.
    pub(crate) is_part: bool,
    /// How many bytes came back, and of how many.
    pub(crate) bytes: u64,
    pub(crate) of_bytes: u64,
    /// The beginning of what came back.
    pub(crate) excerpt: String,
}

/// What a step's texts have in common with those of the steps beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StepFlow {
    /// Earlier steps whose output is in its input.
    pub(crate) from: Vec<FlowLink>,
    /// Later steps whose input has its output.
    pub(crate) to: Vec<FlowLink>,
}

/// Compares a step with some before it and some after it.
#[server(prefix = "/ui", endpoint = "steps/flow", input = Json)]
pub(crate) async fn read_flow(
    slug: String,
    run_id: String,
    step_id: String,
    earlier: Vec<String>,
    later: Vec<String>,
) -> Result<StepFlow, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let own = storage::steps::payload(&mut snapshot, project, &run_id, &step_id).await?;
    let mut flow = StepFlow::default();
    if let Some(input) = own
        .input
        .as_deref()
        .filter(|input| input.len() >= engine::flow::LEAST_BYTES)
    {
        for id in earlier.into_iter().take(BESIDE) {
            let Some(output) = text_of(&mut snapshot, project, &run_id, &id, |texts| texts.output).await?
            else {
                continue;
            };
            flow.from.extend(link(id, &output, input));
        }
    }
    if let Some(output) = own
        .output
        .as_deref()
        .filter(|output| output.len() >= engine::flow::LEAST_BYTES)
    {
        for id in later.into_iter().take(BESIDE) {
            let Some(input) = text_of(&mut snapshot, project, &run_id, &id, |texts| texts.input).await?
            else {
                continue;
            };
            flow.to.extend(link(id, output, &input));
        }
    }
    Ok(flow)
}

#[cfg(feature = "ssr")]
async fn text_of(
    snapshot: &mut storage::Snapshot,
    project: domain::ProjectId,
    run_id: &str,
    step_id: &str,
    which: fn(domain::StepPayload) -> Option<String>,
) -> Result<Option<String>, ApiError> {
    match storage::steps::payload(snapshot, project, run_id, step_id).await {
        Ok(texts) => Ok(which(texts)),
        // The page may know steps that retention has removed since.
        Err(storage::Error::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(feature = "ssr")]
fn link(step_id: String, output: &str, input: &str) -> Option<FlowLink> {
    use engine::flow::Match;

    let found = engine::flow::reappears(output, input)?;
    let (percent, is_part) = match found.how {
        Match::Exact => (100, false),
        Match::Value => (100, true),
        Match::Near(percent) => (percent, false),
    };
    Some(FlowLink {
        step_id,
        percent,
        is_part,
        bytes: found.bytes as u64,
        of_bytes: found.of_bytes as u64,
        excerpt: found.excerpt,
    })
}
