//! `POST` and `GET /api/incidents/{id}/investigation`: a model looks into an incident.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use domain::{Role, Scope, WorkState};
use serde::Serialize;
use storage::inquiries;
use utoipa::ToSchema;
use uuid::Uuid;

use super::query::{InPath, Params, ProjectParam, Reader};
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, NotFound, ReadErrors};
use crate::inquiries::answer::InquiryAnswer;
use crate::inquiries::refusal;
use crate::inquiries::stream::{self, Asker};
use crate::read_limits::{reader_of, wants_events};
use crate::state::AppState;

/// What was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Accepted {
    id: String,
    state: WorkState,
}

fn parse_id(text: &str) -> HttpResult<Uuid> {
    text.parse().map_err(|_no_uuid| HttpError::not_found("incident"))
}

/// Let a model investigate an incident
///
/// One that is under way goes on. Needs a key with the scope `admin`, or a signed-in member of the project.
#[utoipa::path(post, path = "/api/incidents/{id}/investigation", operation_id = "investigate_incident",
    params(("id" = String, Path), ProjectParam),
    responses((status = 202, description = "It is worked at", body = inline(Accepted)), NotFound, BodyErrors))]
pub(crate) async fn start(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    InPath(id): InPath<String>,
) -> HttpResult<(StatusCode, Json<Accepted>)> {
    let caller = state
        .auth
        .api_caller(&headers, project.as_deref(), Scope::Admin, Role::Member)
        .await?;
    let incident = parse_id(&id)?;
    let project = caller.project_id;
    let id = inquiries::investigate(&state.db, project, incident, &caller.key_label, clock::now())
        .await
        .map_err(refusal)?;
    state.inquiries_wake.notify_one();
    let mut snapshot = state.db.snapshot(project).await?;
    let state = inquiries::get(&mut snapshot, project, id).await?.state;
    let id = id.to_string();
    Ok((StatusCode::ACCEPTED, Json(Accepted { id, state })))
}

/// The latest investigation of an incident
///
/// With `Accept: text/event-stream` as server-sent events from its beginning on: `tool`, `text`, `verdict`, `error`, and
/// `done`.
#[utoipa::path(get, path = "/api/incidents/{id}/investigation", operation_id = "investigation",
    params(("id" = String, Path), Reader),
    responses((status = 200, description = "The investigation", content(
        (inline(InquiryAnswer) = "application/json"), (String = "text/event-stream"))), NotFound, ReadErrors))]
pub(crate) async fn get(
    State(state): State<AppState>,
    Reader(caller): Reader,
    Params(ProjectParam { project: slug }): Params<ProjectParam>,
    InPath(id): InPath<String>,
    headers: HeaderMap,
    request: Request,
) -> HttpResult<Response> {
    let incident = parse_id(&id)?;
    let project = caller.project_id;
    let mut snapshot = state.db.snapshot(project).await?;
    let inquiry = inquiries::latest_of_incident(&mut snapshot, project, incident)
        .await?
        .ok_or_else(|| HttpError::not_found("investigation; POST here begins one"))?;
    if wants_events(&headers) {
        drop(snapshot);
        let after = last_event_id(&headers);
        let (reader, _) = reader_of(&state.auth, request).await?;
        let asker = Asker::new(
            &state.auth,
            &headers,
            slug.as_deref(),
            (Scope::Read, Role::Viewer),
        );
        return Ok(stream::events(
            (&state.db, &state.live),
            (reader, asker),
            project,
            (inquiry.id, after),
        )?
        .into_response());
    }
    let events = inquiries::shown_events(&mut snapshot, project, inquiry.id, 0).await?;
    Ok(Json(InquiryAnswer::of(&inquiry, &events)).into_response())
}

/// Where a reader that was cut off goes on.
fn last_event_id(headers: &HeaderMap) -> i32 {
    headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok())
        .unwrap_or(0)
}
