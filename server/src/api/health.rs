//! `GET /healthz`, `/readyz`, `/metrics`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{ErrorBody, HttpError, HttpResult, ReadErrors};
use crate::state::AppState;

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`.
    status: &'static str,
    /// The server's own.
    version: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Always `ok`.
    status: &'static str,
    /// Postgres' version.
    database: String,
}

/// The process answers
#[utoipa::path(get, path = "/healthz", operation_id = "healthz", security(),
    responses((status = 200, description = "It does", body = inline(Health))))]
pub(crate) async fn healthz() -> Json<Health> {
    Json(Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// The database answers and every background task runs
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", security(),
    responses(
        (status = 200, description = "It does", body = inline(Readiness)),
        (status = 503, description = "It does not", body = ErrorBody),
    ))]
pub(crate) async fn readyz(State(state): State<AppState>) -> HttpResult<Json<Readiness>> {
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
    Ok(Json(Readiness {
        status: "ok",
        database,
    }))
}

/// Figures for Prometheus
///
/// They name no project and no key. A server with accounts wants a key with the scope `read`, or `metrics_without_key`.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics",
    responses((status = 200, description = "OpenMetrics text, version 1.0.0", body = String,
        content_type = "application/openmetrics-text"), ReadErrors))]
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
