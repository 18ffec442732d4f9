//! `GET /api/live`: which runs change, as it happens.

use std::convert::Infallible;

use axum::extract::{Request, State};
use axum::response::sse::{Event, Sse};
use futures::Stream;

use super::query::{Params, Reader};
use crate::error::{HttpResult, ReadErrors};
use crate::live::{LiveQuery, changes_of};
use crate::read_limits::reader_of;
use crate::state::AppState;

/// Which runs change, as server-sent events
///
/// `hello` when it begins, then `run` with `{"run_id"}` for each run that changed, or `gap` when any may have. It ends
/// after ten minutes, and whenever keys or members change: connect again, with the id of the last event as `since`.
#[utoipa::path(get, path = "/api/live", operation_id = "live", params(LiveQuery, Reader),
    responses((status = 200, description = "The changes", body = String, content_type = "text/event-stream"), ReadErrors))]
pub(crate) async fn events(
    State(state): State<AppState>,
    Reader(caller): Reader,
    Params(query): Params<LiveQuery>,
    request: Request,
) -> HttpResult<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let (reader, _) = reader_of(&state.auth, request).await?;
    changes_of(&state.live, caller.project_id, reader, query)
}
