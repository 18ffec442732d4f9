//! A limit on how long a page or a server function may take.
//!
//! A render waits for futures that others have to wake; one that is never woken would hold its visitor for ever. So
//! whatever the cause, the answer ends: with an error that names its log line.

use app::ApiError;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::SERVER_FUNCTIONS;
use crate::error::HttpError;
use crate::plain_page::Audience;
use crate::request_id::RequestId;
use crate::state::AppState;

/// Middleware of pages and server functions: the whole answer within the configured time, or an error.
pub async fn within_deadline(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let deadline = state.config.page_deadline;
    let is_function = request.uri().path().starts_with(SERVER_FUNCTIONS);
    let path = super::share_page::without_token(request.uri().path()).to_owned();
    let audience = Audience::of(request.headers(), request.extensions());
    let request_id = request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.0.clone())
        .unwrap_or_default();
    match tokio::time::timeout(deadline, whole(next.run(request))).await {
        Ok(Ok(response)) => response,
        Ok(Err(cause)) => audience.refuse(HttpError::internal(cause)),
        Err(_elapsed) if is_function => {
            let status = StatusCode::GATEWAY_TIMEOUT;
            tracing::error!(request_id, path, status = status.as_u16(), ?deadline, "server function not ready in time");
            let error = ApiError::TimedOut { request_id };
            (status, [(header::CACHE_CONTROL, "no-store")], Json(error)).into_response()
        }
        Err(_elapsed) => audience.refuse(HttpError {
            cause: Some(anyhow::anyhow!("{path} was not ready within {deadline:?}")),
            ..HttpError::timed_out("The page took too long to build, so the request was cancelled. What was stored is safe. Try again in a moment, or with a shorter time window")
        }),
    }
}

/// The answer with all of its body: the scripts at a page's end wait for data as well.
async fn whole(response: impl Future<Output = Response>) -> Result<Response, axum::Error> {
    let (parts, body) = response.await.into_parts();
    let body = to_bytes(body, usize::MAX).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}
