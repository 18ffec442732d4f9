//! `POST /mcp`: the Model Context Protocol over HTTP, without sessions: each message is answered by itself.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tokio::time::timeout;

use super::query::Reader;
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult};
use crate::ingest;
use crate::mcp::{PROTOCOL_VERSIONS, answer_text};
use crate::state::AppState;

/// The largest message: arguments of look-ups are short.
const MAX_MESSAGE_BYTES: usize = 256 * 1024;
/// How long a message is worked at: it holds a turn of all readers, also while GitHub asks for patience.
const MAX_TIME: Duration = Duration::from_secs(45);

/// Look-ups for models, by the Model Context Protocol
///
/// A JSON-RPC message, or several: `initialize`, `ping`, `tools/list`, `tools/call`. Needs what reading needs.
#[utoipa::path(post, path = "/mcp", operation_id = "mcp", params(Reader), request_body = Value,
    responses((status = 200, description = "The answer", body = Value),
        (status = 202, description = "There was nothing to answer"), BodyErrors))]
pub(crate) async fn message(
    State(state): State<AppState>,
    Reader(caller): Reader,
    headers: HeaderMap,
    body: Body,
) -> HttpResult<Response> {
    let version = headers.get("mcp-protocol-version");
    let is_spoken = version.is_none_or(|version| {
        PROTOCOL_VERSIONS
            .iter()
            .any(|known| version.as_bytes() == known.as_bytes())
    });
    if !is_spoken {
        let message = format!(
            "The versions that are spoken are {}",
            PROTOCOL_VERSIONS.join(", ")
        );
        return Err(HttpError::invalid("mcp-protocol-version", message));
    }
    let body = ingest::read_json(&headers, body, MAX_MESSAGE_BYTES, &state.body_budget).await?;
    let toolbox = state.toolbox();
    let working = answer_text(&toolbox, caller.project_id, &body, clock::now());
    let answered = timeout(MAX_TIME, working).await.map_err(|_elapsed| {
        HttpError::overloaded("The look-ups took too long; ask for fewer at a time, or try again later")
    })?;
    Ok(match answered {
        Some(answer) => Json(answer).into_response(),
        None => StatusCode::ACCEPTED.into_response(),
    })
}
