//! `GET/PUT /api/settings/redaction`: what a project hides before anything is stored, and how much that was.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::{ProjectId, Role, Scope, Timestamp};
use engine::redaction::{Kind, OwnPattern, Settings, Treatment};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::query::{Params, ProjectParam};
use crate::auth::Caller;
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, ReadErrors};
use crate::ingest;
use crate::state::AppState;

const MAX_SETTINGS_BYTES: usize = 16 * 1024;
/// Days that the counts go back.
const DAYS: i64 = 30;
const DAY_MICROS: i64 = 86_400_000_000;

/// What is hidden; what is left out is off.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RedactionSettings {
    kinds: KnownKinds,
    /// Patterns of the project's own, at most 10.
    #[schema(max_items = 10)]
    own: Vec<OwnPattern>,
}

/// What is done with what is known without a pattern.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct KnownKinds {
    key: Treatment,
    email: Treatment,
    card: Treatment,
    iban: Treatment,
    phone: Treatment,
}

/// The settings, and what they did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RedactionAnswer {
    kinds: KnownKinds,
    own: Vec<OwnPattern>,
    /// Of the last 30 days, the newest first.
    days: Vec<RedactedDay>,
}

/// What was hidden of one kind in one day.
#[derive(Debug, Serialize, ToSchema)]
struct RedactedDay {
    /// Its beginning, in UTC.
    day: Timestamp,
    /// `key`, `email`, `card`, `iban`, `phone`, or the name of a pattern.
    kind: String,
    values: i64,
    /// Steps that had one.
    steps: i64,
}

impl From<&Settings> for KnownKinds {
    fn from(settings: &Settings) -> Self {
        Self {
            key: settings.of(Kind::Key),
            email: settings.of(Kind::Email),
            card: settings.of(Kind::Card),
            iban: settings.of(Kind::Iban),
            phone: settings.of(Kind::Phone),
        }
    }
}

impl From<RedactionSettings> for Settings {
    fn from(sent: RedactionSettings) -> Self {
        let kinds = [
            (Kind::Key, sent.kinds.key),
            (Kind::Email, sent.kinds.email),
            (Kind::Card, sent.kinds.card),
            (Kind::Iban, sent.kinds.iban),
            (Kind::Phone, sent.kinds.phone),
        ];
        Self {
            kinds: kinds
                .into_iter()
                .filter(|(_, treatment)| *treatment != Treatment::Off)
                .collect(),
            own: sent.own,
        }
    }
}

/// What the project hides before anything is stored, and how much that was
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(get, path = "/api/settings/redaction", operation_id = "redaction_settings", params(ProjectParam),
    responses((status = 200, description = "The settings and counts", body = RedactionAnswer), ReadErrors))]
pub(crate) async fn settings(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
) -> HttpResult<Json<RedactionAnswer>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    Ok(Json(answer(&state, caller.project_id).await?))
}

/// Replace what the project hides; what is left out is off
///
/// It holds for what comes in from now on. Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(put, path = "/api/settings/redaction", operation_id = "save_redaction_settings", params(ProjectParam),
    request_body = RedactionSettings,
    responses((status = 200, description = "The settings now", body = RedactionAnswer), BodyErrors))]
pub(crate) async fn save_settings(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    body: Body,
) -> HttpResult<Json<RedactionAnswer>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let body = ingest::read_json(&headers, body, MAX_SETTINGS_BYTES, &state.body_budget).await?;
    let sent: RedactionSettings = serde_json::from_slice(&body)
        .map_err(|cause| HttpError::invalid("body", format!("The settings can't be read: {cause}")))?;
    let settings = Settings::from(sent);
    settings
        .check()
        .map_err(|problem| HttpError::invalid("own", problem.to_string()))?;
    replace(&state, caller.project_id, &caller.key_label, &settings).await?;
    Ok(Json(answer(&state, caller.project_id).await?))
}

/// Stores settings, writes down who set them, and has this process use them at once.
pub(crate) async fn replace(
    state: &AppState,
    project: ProjectId,
    actor: &str,
    settings: &Settings,
) -> HttpResult<()> {
    let stored = serde_json::to_value(settings).map_err(HttpError::internal)?;
    storage::redaction::save_settings(&state.db, project, &stored, actor, clock::now()).await?;
    state.redaction.invalidate(project);
    Ok(())
}

async fn answer(state: &AppState, project: ProjectId) -> HttpResult<RedactionAnswer> {
    let from = clock::now().plus_micros(-DAYS * DAY_MICROS).day();
    let mut snapshot = state.db.snapshot(project).await?;
    let stored = storage::redaction::settings(&mut snapshot, project).await?;
    let days = storage::redaction::days(&mut snapshot, project, from).await?;
    let settings = Settings::stored(stored).unwrap_or_default();
    Ok(RedactionAnswer {
        kinds: KnownKinds::from(&settings),
        own: settings.own,
        days: days
            .into_iter()
            .map(|day| RedactedDay {
                day: day.day,
                kind: day.kind,
                values: day.hidden,
                steps: day.steps,
            })
            .collect(),
    })
}

async fn admin(state: &AppState, headers: &HeaderMap, slug: Option<&str>) -> HttpResult<Caller> {
    state
        .auth
        .api_caller(headers, slug, Scope::Admin, Role::Admin)
        .await
}
