//! `GET/PUT /api/settings/watcher`: what happens to incidents by itself.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::{Role, Scope};
use serde::{Deserialize, Serialize};
use serde_json::json;
use storage::watcher::{self, Watcher};
use utoipa::ToSchema;

use super::query::{Params, ProjectParam};
use crate::auth::Caller;
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, ReadErrors};
use crate::ingest;
use crate::state::AppState;
use crate::watcher::Actions;

const MAX_BODY_BYTES: usize = 4 * 1024;
/// Minutes between two looks.
const DEFAULT_INTERVAL_MIN: i32 = 60;
const INTERVALS_MIN: std::ops::RangeInclusive<i32> = 5..=1_440;

/// Whether open incidents are looked into by themselves, how often, and what is done by severity.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WatcherSettings {
    on: bool,
    /// Minutes between two looks, 5 to 1440.
    #[serde(default = "default_interval")]
    interval_min: i32,
    #[serde(default)]
    actions: Actions,
}

/// Minutes that there may be between two looks.
pub(crate) fn is_interval(minutes: &i32) -> bool {
    INTERVALS_MIN.contains(minutes)
}

const fn default_interval() -> i32 {
    DEFAULT_INTERVAL_MIN
}

async fn admin(state: &AppState, headers: &HeaderMap, slug: Option<&str>) -> HttpResult<Caller> {
    state
        .auth
        .api_caller(headers, slug, Scope::Admin, Role::Admin)
        .await
}

/// What happens to incidents by itself
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(get, path = "/api/settings/watcher", operation_id = "watcher_settings", params(ProjectParam),
    responses((status = 200, description = "The settings", body = WatcherSettings), ReadErrors))]
pub(crate) async fn settings(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
) -> HttpResult<Json<WatcherSettings>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    let stored = watcher::settings(&mut snapshot, caller.project_id).await?;
    Ok(Json(match stored {
        Some(stored) => WatcherSettings {
            on: stored.is_on,
            interval_min: stored.interval_min,
            actions: Actions::stored(&stored.actions),
        },
        None => WatcherSettings {
            on: false,
            interval_min: DEFAULT_INTERVAL_MIN,
            actions: Actions::default(),
        },
    }))
}

/// Change what happens to incidents by itself
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(put, path = "/api/settings/watcher", operation_id = "save_watcher_settings", params(ProjectParam),
    request_body = WatcherSettings,
    responses((status = 200, description = "The settings now", body = WatcherSettings), BodyErrors))]
pub(crate) async fn save_settings(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    body: Body,
) -> HttpResult<Json<WatcherSettings>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let body = ingest::read_json(&headers, body, MAX_BODY_BYTES, &state.body_budget).await?;
    let wanted: WatcherSettings = serde_json::from_slice(&body).map_err(|_other_shape| {
        let message = "The body must be {\"on\", \"interval_min\", \"actions\": {\"critical\", \"high\", \"low\"}}; an action \
                       is log or issue";
        HttpError::invalid("body", message)
    })?;
    if !is_interval(&wanted.interval_min) {
        let message = "interval_min must be an integer from 5 to 1440";
        return Err(HttpError::invalid("interval_min", message));
    }
    let stored = Watcher {
        is_on: wanted.on,
        interval_min: wanted.interval_min,
        actions: json!(wanted.actions),
    };
    watcher::save(
        &state.db,
        caller.project_id,
        &stored,
        &caller.key_label,
        clock::now(),
    )
    .await?;
    Ok(Json(wanted))
}
