//! `GET/PUT /api/settings/spans`: which spans are kept.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::{Role, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::query::{Params, ProjectParam};
use crate::auth::Caller;
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, ReadErrors};
use crate::ingest;
use crate::state::AppState;

const MAX_SETTINGS_BYTES: usize = 4 * 1024;

/// Which spans of OpenTelemetry are kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SpanSettings {
    /// Whether spans are kept of traces without a call of a model, such as those of a web server. Either way they are
    /// counted.
    keep_plain: bool,
}

/// What is changed; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SpanChange {
    keep_plain: Option<bool>,
}

/// Which spans of OpenTelemetry are kept
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(get, path = "/api/settings/spans", operation_id = "span_settings", params(ProjectParam),
    responses((status = 200, description = "The settings", body = SpanSettings), ReadErrors))]
pub(crate) async fn settings(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
) -> HttpResult<Json<SpanSettings>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let keep_plain = storage::spans::keeps_plain(&state.db, caller.project_id).await?;
    Ok(Json(SpanSettings { keep_plain }))
}

/// Change which spans of OpenTelemetry are kept from now on
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(put, path = "/api/settings/spans", operation_id = "save_span_settings", params(ProjectParam),
    request_body = SpanChange,
    responses((status = 200, description = "The settings now", body = SpanSettings), BodyErrors))]
pub(crate) async fn save_settings(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    body: Body,
) -> HttpResult<Json<SpanSettings>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let body = ingest::read_json(&headers, body, MAX_SETTINGS_BYTES, &state.body_budget).await?;
    let change: SpanChange = serde_json::from_slice(&body).map_err(|_other| {
        HttpError::invalid(
            "keep_plain",
            "The body must be {\"keep_plain\": true} or {\"keep_plain\": false}",
        )
    })?;
    let Some(keep_plain) = change.keep_plain else {
        let keep_plain = storage::spans::keeps_plain(&state.db, caller.project_id).await?;
        return Ok(Json(SpanSettings { keep_plain }));
    };
    let actor = &caller.key_label;
    storage::spans::save_keeps_plain(&state.db, caller.project_id, keep_plain, actor, clock::now()).await?;
    Ok(Json(SpanSettings { keep_plain }))
}

async fn admin(state: &AppState, headers: &HeaderMap, slug: Option<&str>) -> HttpResult<Caller> {
    state
        .auth
        .api_caller(headers, slug, Scope::Admin, Role::Admin)
        .await
}
