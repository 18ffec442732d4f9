//! `GET /api/incidents`, `/api/incidents/{id}`, `POST /api/incidents/{id}/state`, `GET /api/attribution`: what left its
//! baseline, and what caused it.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::deploy::{Deploy, parse_sha};
use domain::incident::MAX_NOTE_CHARS;
use domain::{IncidentChange, IncidentStatus, Role, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use storage::deploys::{self, DeployFilter};
use storage::incidents::{self, IncidentFilter, StoredIncident};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::query::{Bounded, InPath, Params, ProjectParam, Reader};
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, NotFound, ReadErrors};
use crate::incidents::answer::{AttributionAnswer, IncidentAnswer, IncidentDetails};
use crate::ingest;
use crate::state::AppState;

const DAY_MICROS: i64 = 86_400_000_000;
/// The most incidents of one answer.
const MAX_INCIDENTS: u32 = 500;
/// Largest body of a change.
const MAX_CHANGE_BYTES: usize = 64 * 1024;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct IncidentParams {
    /// Those that went on in so many days before now.
    #[serde(default)]
    #[param(inline)]
    days: Bounded<30, 3650>,
    status: Option<IncidentStatus>,
    /// `up` where it is not given; decreases open no incidents, so `down` answers none.
    #[serde(default)]
    direction: Direction,
    /// Label of the key.
    key: Option<String>,
}

/// Which way a metric went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Direction {
    #[default]
    Up,
    Down,
    All,
}

/// Incidents, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IncidentList {
    items: Vec<IncidentAnswer>,
    /// Always null: `days` bounds the list.
    next_cursor: Option<String>,
    /// Hours before this were not judged, because the project has too many; null where all of five weeks were.
    left_out_before: Option<Timestamp>,
}

/// What left its baseline, the latest first
#[utoipa::path(get, path = "/api/incidents", operation_id = "incidents", params(IncidentParams, Reader),
    responses((status = 200, description = "The incidents", body = inline(IncidentList)), ReadErrors))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Reader(caller): Reader,
    Params(params): Params<IncidentParams>,
) -> HttpResult<Json<IncidentList>> {
    let Bounded(days) = params.days;
    let filter = IncidentFilter {
        since: Some(clock::now().plus_micros(-DAY_MICROS * i64::from(days))),
        status: params.status,
        key: params.key,
        ..IncidentFilter::default()
    };
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    let left_out_before = incidents::left_out_before(&mut snapshot, caller.project_id).await?;
    let stored = if params.direction == Direction::Down {
        Vec::new()
    } else {
        incidents::list(&mut snapshot, caller.project_id, &filter, MAX_INCIDENTS).await?
    };
    Ok(Json(IncidentList {
        items: stored.iter().filter_map(IncidentAnswer::of).collect(),
        next_cursor: None,
        left_out_before,
    }))
}

/// One incident with everything that is known of its cause
#[utoipa::path(get, path = "/api/incidents/{id}", operation_id = "incident", params(("id" = String, Path), Reader),
    responses((status = 200, description = "The incident", body = inline(IncidentDetails)), NotFound, ReadErrors))]
pub(crate) async fn get(
    State(state): State<AppState>,
    Reader(caller): Reader,
    InPath(id): InPath<String>,
) -> HttpResult<Json<IncidentDetails>> {
    details(&state, caller.project_id, parse_id(&id)?).await.map(Json)
}

async fn details(state: &AppState, project: domain::ProjectId, id: Uuid) -> HttpResult<IncidentDetails> {
    let mut snapshot = state.db.snapshot(project).await?;
    let stored = incidents::get(&mut snapshot, project, id).await?;
    let events = incidents::events(&mut snapshot, project, id).await?;
    IncidentDetails::of(&stored, events)
        .ok_or_else(|| HttpError::internal(anyhow::anyhow!("the judgement of incident {id} can't be read")))
}

fn parse_id(text: &str) -> HttpResult<Uuid> {
    text.parse().map_err(|_no_uuid| HttpError::not_found("incident"))
}

/// What is to be done with an incident. At least one; all of them or nothing.
#[derive(ToSchema)]
#[schema(as = IncidentChange)]
#[expect(dead_code, reason = "only described; `changes_from_json` reads it")]
struct ChangeBody {
    /// `open` takes closing or accepting back.
    status: Option<IncidentStatus>,
    /// Somebody looks after it.
    acknowledge: Option<bool>,
    #[schema(max_length = 2_000)]
    note: Option<String>,
    /// The deploy that caused it.
    confirm_deploy_id: Option<String>,
    /// It was not what the verdict says.
    refuse: Option<bool>,
}

/// Acknowledge, annotate, close or accept an incident, or say what caused it
///
/// Needs a key with the scope `deploy`, or a signed-in member of the project.
#[utoipa::path(post, path = "/api/incidents/{id}/state", operation_id = "change_incident",
    params(("id" = String, Path), ProjectParam), request_body = inline(ChangeBody),
    responses((status = 200, description = "The incident as it is now", body = inline(IncidentDetails)), NotFound, BodyErrors))]
pub(crate) async fn change(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    InPath(id): InPath<String>,
    body: Body,
) -> HttpResult<Json<IncidentDetails>> {
    let caller = state
        .auth
        .api_caller(&headers, project.as_deref(), Scope::Deploy, Role::Member)
        .await?;
    let id = parse_id(&id)?;
    let body = ingest::read_json(&headers, body, MAX_CHANGE_BYTES, &state.body_budget).await?;
    let body: Map<String, Value> = serde_json::from_slice(&body)
        .map_err(|_not_an_object| HttpError::invalid("body", "The body must be a JSON object"))?;
    let changes = changes_from_json(&body)?;
    let project = caller.project_id;
    incidents::change(&state.db, project, id, &changes, &caller.key_label, clock::now()).await?;
    storage::live::notify_incidents(&state.db, project).await?;
    details(&state, project, id).await.map(Json)
}

fn changes_from_json(body: &Map<String, Value>) -> HttpResult<Vec<IncidentChange>> {
    let mut changes = Vec::new();
    if flag(body, "acknowledge")? {
        changes.push(IncidentChange::Acknowledge);
    }
    if let Some(word) = text(body, "status")? {
        let status = IncidentStatus::parse(&word)
            .ok_or_else(|| HttpError::invalid("status", "status must be one of open, closed, accepted"))?;
        changes.push(IncidentChange::Settle(status));
    }
    match (text(body, "confirm_deploy_id")?, flag(body, "refuse")?) {
        (Some(_), true) => {
            let message = "Either confirm_deploy_id or refuse, not both";
            return Err(HttpError::invalid("refuse", message));
        }
        (Some(deploy), false) => changes.push(IncidentChange::Confirm(deploy)),
        (None, true) => changes.push(IncidentChange::Refuse),
        (None, false) => {}
    }
    if let Some(note) = text(body, "note")? {
        changes.push(IncidentChange::Note(note));
    }
    if changes.is_empty() {
        let message = "Send at least one of acknowledge, status, note, confirm_deploy_id, refuse";
        return Err(HttpError::invalid("body", message));
    }
    Ok(changes)
}

fn flag(body: &Map<String, Value>, name: &'static str) -> HttpResult<bool> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(_) => Err(HttpError::invalid(name, format!("{name} must be true or false"))),
    }
}

fn text(body: &Map<String, Value>, name: &'static str) -> HttpResult<Option<String>> {
    let text = match body.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.trim(),
        Some(_) => return Err(HttpError::invalid(name, format!("{name} must be a string"))),
    };
    if text.chars().count() > MAX_NOTE_CHARS || text.contains('\0') {
        let message = format!("{name} must be at most {MAX_NOTE_CHARS} characters, none of them NUL");
        return Err(HttpError::invalid(name, message));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AttributionParams {
    /// Of the commit, short (at least 7 digits) or full, in any case.
    sha: String,
    /// How far back deploys and incidents are looked for.
    #[serde(default)]
    #[param(inline)]
    days: Bounded<90, 3650>,
}

/// Which deploy a commit is, and what it caused
///
/// A sha that no deploy has is answered too: `matched` is false.
#[utoipa::path(get, path = "/api/attribution", operation_id = "attribution", params(AttributionParams, Reader),
    responses((status = 200, description = "The deploy and the incident it is blamed for", body = inline(AttributionAnswer)), ReadErrors))]
pub(crate) async fn attribution(
    State(state): State<AppState>,
    Reader(caller): Reader,
    Params(params): Params<AttributionParams>,
) -> HttpResult<Json<AttributionAnswer>> {
    let asked = params.sha;
    let Bounded(days) = params.days;
    let Some(sha) = parse_sha(&asked) else {
        return Ok(Json(AttributionAnswer::unknown(
            asked,
            "This is no sha: 7 to 64 hexadecimal digits",
        )));
    };
    let since = clock::now().plus_micros(-DAY_MICROS * i64::from(days));
    let project = caller.project_id;
    let mut snapshot = state.db.snapshot(project).await?;
    let filter = DeployFilter {
        from: Some(since),
        sha: Some(sha.clone()),
        ..DeployFilter::default()
    };
    let found = deploys::list(&mut snapshot, project, &filter, None, 1)
        .await?
        .items;
    let deploy: Option<Deploy> = found.into_iter().next();
    let blamed: Vec<StoredIncident> =
        incidents::with_candidate(&mut snapshot, project, &sha, since, MAX_INCIDENTS).await?;
    Ok(Json(AttributionAnswer::of(asked, deploy, &blamed)))
}
