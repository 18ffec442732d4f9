//! `GET /api/alerts`, `POST /api/alerts/{id}/resend`, `GET/PUT /api/settings/alerts`: what was told, and what is to be.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use domain::alert::{Alert, AlertCursor, AlertSettings, AlertState, Channel, Trigger};
use domain::{NanoUsd, ProjectId, Role, Scope};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::alerts::AlertPage;
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use uuid::Uuid;

use super::query::{Bounded, InPath, Params, ProjectParam};
use crate::alerts::settings_of;
use crate::auth::Caller;
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, NotFound, ReadErrors};
use crate::ingest;
use crate::state::AppState;

/// Every key and environment named is a few kilobytes.
const MAX_SETTINGS_BYTES: usize = 64 * 1024;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertParams {
    #[serde(default)]
    #[param(inline)]
    limit: Bounded<50, 500>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only these.
    state: Option<AlertState>,
    /// Only those of this channel.
    kind: Option<Channel>,
    /// Only those of this trigger.
    trigger: Option<Trigger>,
    /// Slug of the project, for signed-in people; a key knows its own.
    project: Option<String>,
}

/// Newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertList {
    items: Vec<Alert>,
    /// The parameter `cursor` of the next page; null on the last one.
    next_cursor: Option<String>,
}

/// What was told to which channel, newest first: the delivery log
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(get, path = "/api/alerts", operation_id = "alerts", params(AlertParams),
    responses((status = 200, description = "The alerts", body = inline(AlertList)), ReadErrors))]
pub(crate) async fn list(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(params): Params<AlertParams>,
) -> HttpResult<Json<AlertList>> {
    let caller = admin(&state, &headers, params.project.as_deref()).await?;
    let cursor: Option<AlertCursor> = params
        .cursor
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|_invalid| HttpError::invalid("cursor", "cursor must be a next_cursor of this list"))?;
    let Bounded(limit) = params.limit;
    let page = AlertPage {
        state: params.state,
        channel: params.kind,
        trigger: params.trigger,
        cursor,
        limit,
    };
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    let items = storage::alerts::page(&mut snapshot, caller.project_id, &page).await?;
    let is_full = u32::try_from(items.len()).is_ok_and(|rows| rows >= limit);
    let next_cursor = items.last().filter(|_| is_full).map(|last| {
        AlertCursor {
            created_at: last.created_at,
            id: last.id,
        }
        .to_string()
    });
    Ok(Json(AlertList { items, next_cursor }))
}

/// Deliver an alert once more, under the same id
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(post, path = "/api/alerts/{id}/resend", operation_id = "resend_alert",
    params(("id" = String, Path, description = "Of the alert"), ProjectParam),
    responses((status = 202, description = "It waits to be delivered"), NotFound, ReadErrors))]
pub(crate) async fn resend(
    State(state): State<AppState>,
    headers: HeaderMap,
    InPath(id): InPath<String>,
    Params(ProjectParam { project }): Params<ProjectParam>,
) -> HttpResult<StatusCode> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let id: Uuid = id.parse().map_err(|_malformed| HttpError::not_found("alert"))?;
    send_again(&state, caller.project_id, id, &caller.key_label).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Puts an alert back among those that wait.
pub(crate) async fn send_again(
    state: &AppState,
    project: ProjectId,
    id: Uuid,
    actor: &str,
) -> storage::Result<()> {
    storage::alerts::resend(&state.db, project, id, actor, clock::now()).await?;
    state.alerts.wake.notify_one();
    Ok(())
}

/// The settings, and the budget of the project.
#[derive(Debug, Serialize)]
pub(crate) struct AlertSettingsAnswer {
    #[serde(flatten)]
    settings: AlertSettings,
    budget_usd: Option<String>,
}

impl ToSchema for AlertSettingsAnswer {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        AlertSettings::schemas(schemas);
    }
}

/// The settings allow no other field, so that the budget can't be beside them as in the struct.
impl PartialSchema for AlertSettingsAnswer {
    fn schema() -> RefOr<Schema> {
        let mut schema = AlertSettings::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            let budget = ObjectBuilder::new()
                .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
                .description(Some(
                    "What all of the project may cost in a month, in dollars, as a decimal text; null without a budget.",
                ));
            object.properties.insert("budget_usd".to_owned(), budget.into());
        }
        schema
    }
}

/// Who is told of what
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(get, path = "/api/settings/alerts", operation_id = "alert_settings", params(ProjectParam),
    responses((status = 200, description = "The settings", body = AlertSettingsAnswer), ReadErrors))]
pub(crate) async fn settings(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
) -> HttpResult<Json<AlertSettingsAnswer>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    Ok(Json(answer(&state, caller.project_id).await?))
}

async fn answer(state: &AppState, project: ProjectId) -> storage::Result<AlertSettingsAnswer> {
    let mut snapshot = state.db.snapshot(project).await?;
    let stored = storage::alerts::settings(&mut snapshot, project).await?;
    let budgets = storage::budgets::list(&mut snapshot, project).await?;
    let whole = budgets.iter().find(|budget| budget.key.is_none());
    Ok(AlertSettingsAnswer {
        settings: settings_of(project, stored),
        budget_usd: whole.map(|budget| budget.monthly.to_decimal()),
    })
}

/// Change who is told of what; what is left out stays as it is, at every depth
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(put, path = "/api/settings/alerts", operation_id = "save_alert_settings", params(ProjectParam),
    request_body = AlertSettingsAnswer,
    responses((status = 200, description = "The settings now", body = AlertSettingsAnswer), BodyErrors))]
pub(crate) async fn save_settings(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    body: Body,
) -> HttpResult<Json<AlertSettingsAnswer>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let body = ingest::read_json(&headers, body, MAX_SETTINGS_BYTES, &state.body_budget).await?;
    let mut change: Value = serde_json::from_slice(&body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| HttpError::invalid("body", "The body must be a JSON object"))?;
    let budget = change
        .as_object_mut()
        .and_then(|change| change.remove("budget_usd"));
    let budget = budget.map(budget_of).transpose()?;
    let now = settings_of(caller.project_id, stored(&state, caller.project_id).await?);
    let mut merged = serde_json::to_value(&now).map_err(HttpError::internal)?;
    merge(&mut merged, change);
    let settings: AlertSettings = serde_path_to_error::deserialize(merged).map_err(|error| {
        let field = error.path().to_string();
        let problem = error.into_inner().to_string();
        HttpError::invalid(field.clone(), format!("{field}: {problem}"))
    })?;
    replace(&state, caller.project_id, &settings, &caller.key_label).await?;
    if let Some(monthly) = budget {
        let set = storage::budgets::set(
            &state.db,
            caller.project_id,
            None,
            monthly,
            &caller.key_label,
            clock::now(),
        );
        match set.await {
            // There was none to take away.
            Ok(()) | Err(storage::Error::NotFound) => {}
            Err(cause) => return Err(cause.into()),
        }
    }
    Ok(Json(answer(&state, caller.project_id).await?))
}

/// The budget that a text of dollars is; null takes it away.
fn budget_of(value: Value) -> HttpResult<Option<NanoUsd>> {
    let amount = match &value {
        Value::Null => return Ok(None),
        Value::String(text) => NanoUsd::parse_decimal(text.trim()),
        _ => None,
    };
    amount.filter(|amount| amount.0 > 0).map(Some).ok_or_else(|| {
        HttpError::invalid(
            "budget_usd",
            "budget_usd must be dollars as a decimal text above 0, such as \"250\", or null",
        )
    })
}

/// Stores settings and makes every process tell by them from now on.
pub(crate) async fn replace(
    state: &AppState,
    project: ProjectId,
    settings: &AlertSettings,
    actor: &str,
) -> HttpResult<()> {
    settings
        .check()
        .map_err(|error| HttpError::invalid(error.field, format!("{} {}", error.field, error.must)))?;
    let stored = serde_json::to_value(settings).map_err(HttpError::internal)?;
    storage::alerts::save_settings(&state.db, project, &stored, actor, clock::now()).await?;
    state.alerts.invalidate(project);
    Ok(())
}

async fn stored(state: &AppState, project: ProjectId) -> storage::Result<Value> {
    storage::alerts::settings(&mut state.db.snapshot(project).await?, project).await
}

/// Objects are changed member by member, everything else as a whole.
fn merge(base: &mut Value, change: Value) {
    match (base, change) {
        (Value::Object(base), Value::Object(change)) => {
            for (name, value) in change {
                merge(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, change) => *base = change,
    }
}

async fn admin(state: &AppState, headers: &HeaderMap, slug: Option<&str>) -> HttpResult<Caller> {
    state
        .auth
        .api_caller(headers, slug, Scope::Admin, Role::Admin)
        .await
}
