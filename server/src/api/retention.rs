//! `GET/PUT /api/settings/retention`: how long a project keeps what, and whether nothing of it may be deleted.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::{ProjectId, Role, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use storage::retention::{KeptDays, MAX_DAYS};
use utoipa::ToSchema;

use super::query::{Params, ProjectParam};
use crate::auth::Caller;
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, ReadErrors};
use crate::ingest;
use crate::state::AppState;

const MAX_BODY_BYTES: usize = 4 * 1024;

/// How long a project keeps what.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RetentionSettings {
    /// Runs, steps, events, conditions, the ledger; days.
    runs_days: i32,
    /// Prompts and outputs; days, no more than of runs.
    payloads_days: i32,
    /// Sums of hours and days, of which charts and costs are made; days, no fewer than of runs.
    sums_days: i32,
    /// Since when nothing may be deleted, whatever its age.
    held_at: Option<Timestamp>,
}

/// All of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetentionChange {
    #[schema(minimum = 1, maximum = 3650)]
    runs_days: i32,
    #[schema(minimum = 1, maximum = 3650)]
    payloads_days: i32,
    /// As long as runs where it is left out.
    #[schema(minimum = 1, maximum = 3650)]
    sums_days: Option<i32>,
    #[serde(default)]
    legal_hold: bool,
}

/// Whether these can be kept.
pub(crate) fn are_days(kept: &KeptDays) -> bool {
    let is_possible = |days: i32| (1..=MAX_DAYS).contains(&days);
    [kept.runs, kept.payloads, kept.sums].into_iter().all(is_possible)
        && kept.payloads <= kept.runs
        && kept.runs <= kept.sums
}

/// How long the project keeps what
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(get, path = "/api/settings/retention", operation_id = "retention_settings", params(ProjectParam),
    responses((status = 200, description = "The settings", body = RetentionSettings), ReadErrors))]
pub(crate) async fn settings(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
) -> HttpResult<Json<RetentionSettings>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    Ok(Json(read(&state, caller.project_id).await?))
}

/// Change how long the project keeps what, and whether it is on legal hold
///
/// What is older is deleted within the hour, and can't be brought back. Needs a key with the scope `admin`, or a signed-in
/// admin of the project.
#[utoipa::path(put, path = "/api/settings/retention", operation_id = "save_retention_settings", params(ProjectParam),
    request_body = RetentionChange,
    responses((status = 200, description = "The settings now", body = RetentionSettings), BodyErrors))]
pub(crate) async fn save_settings(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    body: Body,
) -> HttpResult<Json<RetentionSettings>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let body = ingest::read_json(&headers, body, MAX_BODY_BYTES, &state.body_budget).await?;
    let sent: RetentionChange = serde_json::from_slice(&body)
        .map_err(|cause| HttpError::invalid("body", format!("The settings can't be read: {cause}")))?;
    let kept = KeptDays {
        runs: sent.runs_days,
        payloads: sent.payloads_days,
        sums: sent.sums_days.unwrap_or(sent.runs_days),
    };
    if !are_days(&kept) {
        let message = "runs_days, payloads_days and sums_days are 1 to 3650; payloads_days no more than runs_days, \
                       sums_days no less";
        return Err(HttpError::invalid("payloads_days", message));
    }
    let (project, actor) = (caller.project_id, &caller.key_label);
    storage::retention::set(&state.db, project, kept, sent.legal_hold, actor, clock::now()).await?;
    Ok(Json(read(&state, project).await?))
}

async fn read(state: &AppState, project: ProjectId) -> HttpResult<RetentionSettings> {
    let mut snapshot = state.db.snapshot(project).await?;
    let found = storage::retention::get(&mut snapshot, project).await?;
    Ok(RetentionSettings {
        runs_days: found.kept.runs,
        payloads_days: found.kept.payloads,
        sums_days: found.kept.sums,
        held_at: found.held_at,
    })
}

async fn admin(state: &AppState, headers: &HeaderMap, slug: Option<&str>) -> HttpResult<Caller> {
    state
        .auth
        .api_caller(headers, slug, Scope::Admin, Role::Admin)
        .await
}
