//! `POST` and `GET /api/runs/{id}/analysis`: why a run went wrong, by rules or by a model.

use app::read_run_source;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use domain::{Feature, ProjectId, Role, Scope, WorkState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::query::{InPath, Params, ProjectParam, Reader};
use crate::analyses::answer::AnalysisAnswer;
use crate::blocking::run_blocking_if_large;
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, NotFound, ReadErrors};
use crate::ingest;
use crate::state::AppState;

const MAX_BODY_BYTES: usize = 4 * 1024;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct RunInPath {
    /// The run's id.
    run_id: String,
}

/// Who writes an analysis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// Rules alone, at once, without any key.
    #[default]
    Rules,
    /// The model that is chosen for analyses.
    Model,
}

/// Who is to write it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AnalysisBody {
    #[schema(inline)]
    mode: Mode,
}

/// Where it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnalysisStarted {
    state: WorkState,
}

/// Ask for an analysis of a run
///
/// `rules` is done at once: `GET` has it. `model` is queued. Needs a key with the scope `admin`, or a signed-in member of
/// the project: a model costs money.
#[utoipa::path(post, path = "/api/runs/{run_id}/analysis", operation_id = "start_analysis",
    params(RunInPath, ProjectParam), request_body = inline(AnalysisBody),
    responses((status = 202, description = "It is under way; GET says how far", body = inline(AnalysisStarted)), NotFound, BodyErrors))]
pub(crate) async fn start(
    State(state): State<AppState>,
    headers: HeaderMap,
    InPath(RunInPath { run_id }): InPath<RunInPath>,
    Params(ProjectParam { project }): Params<ProjectParam>,
    body: Body,
) -> HttpResult<(StatusCode, Json<AnalysisStarted>)> {
    let caller = state
        .auth
        .api_caller(&headers, project.as_deref(), Scope::Admin, Role::Member)
        .await?;
    let body = ingest::read_json(&headers, body, MAX_BODY_BYTES, &state.body_budget).await?;
    let AnalysisBody { mode } = serde_json::from_slice(&body)
        .map_err(|_unreadable| HttpError::invalid("mode", "mode must be rules or model"))?;
    let state_now = match mode {
        Mode::Rules => {
            let mut snapshot = state.db.snapshot(caller.project_id).await?;
            storage::runs::get(&mut snapshot, caller.project_id, &run_id).await?;
            WorkState::Done
        }
        Mode::Model => {
            ask(&state, caller.project_id, &run_id, &caller.key_label).await?;
            WorkState::Queued
        }
    };
    Ok((StatusCode::ACCEPTED, Json(AnalysisStarted { state: state_now })))
}

/// Queues an analysis by the project's model. 409 where none is chosen.
pub(crate) async fn ask(state: &AppState, project: ProjectId, run_id: &str, actor: &str) -> HttpResult<()> {
    let chosen = storage::models::choice(&state.db, project, Feature::Analysis).await?;
    if chosen.is_none() {
        let message = "No model is chosen for analyses; choose one in Settings, Model providers";
        return Err(HttpError::new(StatusCode::CONFLICT, "no_model", message));
    }
    storage::analyses::start(&state.db, project, run_id, actor, clock::now()).await?;
    state.analyses_wake.notify_one();
    Ok(())
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AnalysisParams {
    /// `rules` or `model`; without it the model's where there is one.
    mode: Option<String>,
}

/// Why a run went wrong, and what to change
#[utoipa::path(get, path = "/api/runs/{run_id}/analysis", operation_id = "analysis",
    params(RunInPath, AnalysisParams, Reader),
    responses((status = 200, description = "The analysis", body = inline(AnalysisAnswer)), NotFound, ReadErrors))]
pub(crate) async fn get(
    State(state): State<AppState>,
    Reader(caller): Reader,
    InPath(RunInPath { run_id }): InPath<RunInPath>,
    Params(AnalysisParams { mode }): Params<AnalysisParams>,
) -> HttpResult<Json<AnalysisAnswer>> {
    let wants_model = match mode.as_deref() {
        None => None,
        Some("rules") => Some(false),
        Some("model") => Some(true),
        Some(_) => return Err(HttpError::invalid("mode", "mode must be rules or model")),
    };
    let project = caller.project_id;
    let mut snapshot = state.db.snapshot(project).await?;
    if wants_model != Some(false) {
        let stored = storage::analyses::latest(&mut snapshot, project, &run_id).await?;
        match (stored, wants_model) {
            (Some(stored), _) => return Ok(Json(AnalysisAnswer::by_model(stored))),
            (None, Some(true)) => return Err(HttpError::not_found("analysis; ask for one first")),
            (None, _) => {}
        }
    }
    let run = read_run_source(&mut snapshot, project, &run_id).await?;
    drop(snapshot);
    let (report, _) = run_blocking_if_large(run.text_bytes(), || run.by_rules());
    Ok(Json(AnalysisAnswer::by_rules(report, clock::now())))
}
