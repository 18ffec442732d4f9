//! `GET /healthz`, `/readyz`, `/metrics`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::error::{HttpError, HttpResult};
use crate::state::AppState;

/// The process answers.
pub(crate) async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// The process answers, its database does too, and its background tasks run.
pub(crate) async fn readyz(State(state): State<AppState>) -> HttpResult<Json<Value>> {
    let database = state.ingest_db.version().await.map_err(|cause| HttpError {
        cause: Some(cause.into()),
        ..HttpError::overloaded("The database does not answer")
    })?;
    let failing = state.supervisor.failing();
    if !failing.is_empty() {
        let message = format!(
            "These background tasks are down or keep failing: {}; the log says why",
            failing.join(", ")
        );
        return Err(HttpError::overloaded(message));
    }
    Ok(Json(json!({ "status": "ok", "database": database })))
}

/// Figures for Prometheus. They name no project and no key.
pub(crate) async fn metrics(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> HttpResult<impl IntoResponse> {
    state.auth.metrics_reader(&headers).await?;
    let text = state.metrics.render(
        state.db.connections(),
        state.recorder.stats(),
        &state.supervisor.failures(),
    );
    Ok(([(header::CONTENT_TYPE, crate::metrics::CONTENT_TYPE)], text))
}
