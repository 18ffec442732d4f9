//! Reading why a run went wrong: by rules, and by a model where one was asked.

#[cfg(feature = "ssr")]
pub(crate) mod source;

use domain::{NanoUsd, Timestamp, WorkState};
use engine::analysis::Report;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// What the run's page says of its analysis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AnalysisView {
    /// By rules, made now.
    pub(crate) rules: Report,
    /// By a model; `None` where none was asked.
    pub(crate) model: Option<ModelAnalysis>,
    /// The model that would be asked; `None` where none is chosen.
    pub(crate) chosen: Option<String>,
    /// What cites may be called: deploys by id.
    pub(crate) deploys: Vec<(String, String)>,
}

/// An analysis that a model was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModelAnalysis {
    pub(crate) state: WorkState,
    pub(crate) model: Option<String>,
    /// What it says, once it is done.
    pub(crate) report: Option<Report>,
    pub(crate) error: Option<String>,
    pub(crate) cost: Option<NanoUsd>,
    pub(crate) created_at: Timestamp,
    pub(crate) finished_at: Option<Timestamp>,
}

/// Why a run went wrong.
#[server(prefix = "/ui", endpoint = "analyses/get", input = GetUrl)]
pub(crate) async fn read_analysis(slug: String, run_id: String) -> Result<AnalysisView, ApiError> {
    use domain::Feature;

    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let run = source::read(&mut snapshot, project, &run_id).await?;
    let stored = storage::analyses::latest(&mut snapshot, project, &run_id).await?;
    let settings = storage::models::settings(&mut snapshot, project).await?;
    drop(snapshot);
    let (rules, _) = run.by_rules();
    Ok(AnalysisView {
        rules,
        model: stored.map(|stored| ModelAnalysis {
            state: stored.state,
            model: stored.model,
            report: stored
                .report
                .and_then(|report| serde_json::from_value(report).ok()),
            error: stored.error,
            cost: stored.cost,
            created_at: stored.created_at,
            finished_at: stored.finished_at,
        }),
        chosen: settings
            .uses
            .into_iter()
            .find(|(feature, _)| *feature == Feature::Analysis)
            .map(|(_, choice)| choice.model),
        deploys: run
            .deploys
            .into_iter()
            .map(|deploy| {
                let name = match (deploy.pr_number, deploy.title) {
                    (Some(number), _) => format!("PR {number}"),
                    (None, Some(title)) => title,
                    (None, None) => deploy.sha,
                };
                (deploy.id, name)
            })
            .collect(),
    })
}
