//! Reading the fixes that models proposed for incidents. Plain forms ask for one and open it, which works without WASM.

use domain::{NanoUsd, Timestamp};
use serde::{Deserialize, Serialize};

use super::prompts::DiffLine;

/// A proposed fix and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FixView {
    pub(crate) id: String,
    pub(crate) asked_at: Timestamp,
    pub(crate) asked_by: String,
    pub(crate) model: String,
    pub(crate) cost: Option<NanoUsd>,
    /// The branch that the files were read from.
    pub(crate) base_branch: String,
    pub(crate) title: String,
    pub(crate) explanation: String,
    /// Path and lines of each file that it changes.
    pub(crate) files: Vec<(String, Vec<DiffLine>)>,
    /// When it became a pull request, and who wanted that.
    pub(crate) opened: Option<(Timestamp, String)>,
    pub(crate) branch: Option<String>,
    pub(crate) pull_url: Option<String>,
    /// Why opening the pull request failed last.
    pub(crate) failure: Option<String>,
}

/// The latest fix of an incident.
#[cfg(feature = "ssr")]
pub(crate) async fn latest(
    snapshot: &mut storage::Snapshot,
    project: domain::ProjectId,
    incident: uuid::Uuid,
) -> storage::Result<Option<FixView>> {
    use super::prompts::diff::lines_in_turn;

    let Some(fix) = storage::fixes::latest(snapshot, project, incident).await? else {
        return Ok(None);
    };
    let mut files = Vec::new();
    for file in fix.draft.files {
        let lines = lines_in_turn(file.before, file.after).await;
        files.push((file.path, lines));
    }
    Ok(Some(FixView {
        id: fix.id.to_string(),
        asked_at: fix.asked_at,
        asked_by: fix.asked_by,
        model: fix.model,
        cost: fix.cost,
        base_branch: fix.base_branch,
        title: fix.draft.title,
        explanation: fix.draft.explanation,
        files,
        opened: fix.opened_at.map(|at| (at, fix.opened_by.unwrap_or_default())),
        branch: fix.branch,
        pull_url: fix.pull_url,
        failure: fix.failure,
    }))
}
