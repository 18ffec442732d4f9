//! Reading what happens to incidents by itself. A plain form changes it, which works without WASM.

use domain::{Timestamp, WatchAction, WatchSeverity, WorkState};
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// The most of what it did.
#[cfg(feature = "ssr")]
const MAX_ACTS: u32 = 50;
/// Minutes between two looks where nothing is set.
#[cfg(feature = "ssr")]
const DEFAULT_INTERVAL_MIN: i32 = 60;

/// How the watcher is set, and what it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WatcherView {
    pub(crate) is_on: bool,
    pub(crate) interval_min: i32,
    /// What is done by severity, the hardest first.
    pub(crate) actions: Vec<(WatchSeverity, WatchAction)>,
    /// When it was set last, and by whom.
    pub(crate) changed: Option<(Timestamp, String)>,
    /// When it looks next; `None` while it is off.
    pub(crate) due_at: Option<Timestamp>,
    /// Whether a model is chosen that investigates.
    pub(crate) has_model: bool,
    /// Whether a repository is connected that issues can be opened in.
    pub(crate) has_repository: bool,
    /// The latest first.
    pub(crate) acts: Vec<WatcherAct>,
}

/// An incident that it acted on, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WatcherAct {
    pub(crate) incident_id: String,
    /// What left its baseline, in a sentence; `None` where the incident was taken back.
    pub(crate) incident: Option<String>,
    pub(crate) at: Timestamp,
    pub(crate) severity: WatchSeverity,
    pub(crate) action: WatchAction,
    pub(crate) issue_url: Option<String>,
    /// Why there is no issue.
    pub(crate) failure: Option<String>,
    pub(crate) investigation: Option<WorkState>,
}

/// How the project's watcher is set, and what it did last.
#[server(prefix = "/ui", endpoint = "watcher/view", input = GetUrl)]
pub(crate) async fn read_watcher(slug: String) -> Result<WatcherView, ApiError> {
    use engine::incidents::{Incident, words};
    use storage::integrations::{self, GITHUB};
    use storage::watcher;

    use crate::context::{authorise, database};

    let project = authorise(&slug, domain::Role::Viewer)?.id;
    let db = database()?;
    let model = storage::models::choice(&db, project, domain::Feature::Investigation).await?;
    let mut snapshot = db.snapshot(project).await?;
    let github = integrations::get(&mut snapshot, project, GITHUB).await?;
    let status = watcher::status(&mut snapshot, project).await?;
    let acts = watcher::latest(&mut snapshot, project, MAX_ACTS).await?;
    let set = status.as_ref().map(|status| &status.watcher);
    let is_on = set.is_some_and(|set| set.is_on);
    let action = |severity: WatchSeverity| {
        let word = set.and_then(|set| set.actions[severity.as_str()].as_str());
        word.and_then(WatchAction::parse).unwrap_or(WatchAction::Log)
    };
    Ok(WatcherView {
        is_on,
        interval_min: set.map_or(DEFAULT_INTERVAL_MIN, |set| set.interval_min),
        actions: WatchSeverity::ALL
            .iter()
            .map(|severity| (*severity, action(*severity)))
            .collect(),
        due_at: status.as_ref().filter(|_| is_on).map(|status| status.due_at),
        has_model: model.is_some(),
        has_repository: github.is_some(),
        acts: acts
            .into_iter()
            .map(|act| WatcherAct {
                incident_id: act.incident_id.to_string(),
                // One that can't be read is of another version.
                incident: act
                    .judgement
                    .and_then(|judgement| Incident::deserialize(&judgement).ok())
                    .map(|incident| words::headline(&incident)),
                at: act.at,
                severity: act.severity,
                action: act.action,
                issue_url: act.issue_url,
                failure: act.failure,
                investigation: act.investigation,
            })
            .collect(),
        changed: status.map(|status| (status.changed_at, status.changed_by)),
    })
}
