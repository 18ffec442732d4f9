//! `GET /api/settings/integrations`, `PUT` and `DELETE …/github`, `POST …/github/sync`: what a project is connected to.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use domain::github::{ConnectionState, GithubOptions};
use domain::{ProjectId, Role, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use storage::integrations::{self, GITHUB, Integration};
use utoipa::ToSchema;

use super::channels::{self, ChannelState};
use super::query::{Params, ProjectParam};
use crate::auth::Caller;
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, NotFound, ReadErrors};
use crate::github::connection::{self, Draft, SaveError, options_of};
use crate::github::{TOKEN, WEBHOOK_SECRET};
use crate::ingest;
use crate::state::AppState;

/// Largest body of settings.
const MAX_SETTINGS_BYTES: usize = 64 * 1024;

/// What the project can be connected to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IntegrationList {
    items: Vec<AnyIntegration>,
}

/// A channel of alerts, or where deploys come from.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum AnyIntegration {
    Channel(ChannelState),
    Github(Box<IntegrationAnswer>),
}

/// One connection.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IntegrationAnswer {
    /// `github`.
    #[schema(value_type = String)]
    kind: &'static str,
    state: ConnectionState,
    /// What is set, but for the secrets; null where it is not set up.
    options: Option<GithubOptions>,
    /// The end of the token.
    secret_last4: Option<String>,
    /// The end of the secret of webhooks.
    webhook_secret_last4: Option<String>,
    last_ok_at: Option<Timestamp>,
    /// Why the last attempt failed.
    last_error: Option<String>,
    /// When it is asked next.
    next_at: Option<Timestamp>,
    /// When the last webhook came.
    last_event_at: Option<Timestamp>,
    /// What it was about.
    last_event: Option<String>,
}

impl IntegrationAnswer {
    fn of(stored: Option<Integration>) -> Self {
        let Some(stored) = stored else {
            return Self {
                kind: GITHUB,
                state: ConnectionState::Off,
                options: None,
                secret_last4: None,
                webhook_secret_last4: None,
                last_ok_at: None,
                last_error: None,
                next_at: None,
                last_event_at: None,
                last_event: None,
            };
        };
        let shown = |name: &str| {
            let found = stored.secrets.iter().find(|secret| secret.name == name);
            found.and_then(|secret| secret.shown.clone())
        };
        Self {
            kind: GITHUB,
            state: stored.state(),
            options: Some(options_of(&stored.options)),
            secret_last4: shown(TOKEN),
            webhook_secret_last4: shown(WEBHOOK_SECRET),
            last_ok_at: stored.last_ok_at,
            next_at: stored.paused_at.is_none().then_some(stored.due_at),
            last_event_at: stored.last_event_at,
            last_error: stored.last_error,
            last_event: stored.last_event,
        }
    }
}

/// The settings of the connection to GitHub. What is left out stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GithubSettings {
    /// `owner/name`; has to be said the first time.
    repository: Option<String>,
    /// `https://api.github.com` unless it is said.
    api_url: Option<String>,
    /// Null takes it away, and so does another `api_url` that comes without one.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    token: Option<Option<String>>,
    /// Null takes it away.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>, min_length = 16)]
    webhook_secret: Option<Option<String>>,
    /// Whether GitHub's deployments count.
    deployments: Option<bool>,
    /// Of these environments only; all when empty.
    environments: Option<Vec<String>>,
    /// Files of the workflows whose runs count.
    workflows: Option<Vec<String>>,
    /// Of runs those on this branch only; empty for all.
    branch: Option<String>,
    /// Whether published releases count.
    releases: Option<bool>,
    paused: Option<bool>,
}

/// Tells null from what is left out.
fn said<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl GithubSettings {
    fn draft(self, stored: Option<&Integration>) -> Draft {
        let options = stored.map_or_else(GithubOptions::default, |stored| options_of(&stored.options));
        let secret = |said: Option<Option<String>>| said.map(Option::unwrap_or_default);
        Draft {
            repository: self.repository.unwrap_or(options.repository),
            api_url: self.api_url.unwrap_or(options.api_url),
            deployments: self.deployments.unwrap_or(options.deployments),
            environments: self.environments.unwrap_or(options.environments).join(","),
            workflows: self.workflows.unwrap_or(options.workflows).join(","),
            branch: self.branch.or(options.branch).unwrap_or_default(),
            releases: self.releases.unwrap_or(options.releases),
            is_paused: self
                .paused
                .unwrap_or_else(|| stored.is_some_and(|stored| stored.paused_at.is_some())),
            token: secret(self.token),
            webhook_secret: secret(self.webhook_secret),
        }
    }
}

async fn admin(state: &AppState, headers: &HeaderMap, project: Option<&str>) -> HttpResult<Caller> {
    state
        .auth
        .api_caller(headers, project, Scope::Admin, Role::Admin)
        .await
}

async fn stored(state: &AppState, project: ProjectId) -> HttpResult<Option<Integration>> {
    let mut snapshot = state.db.snapshot(project).await?;
    Ok(integrations::get(&mut snapshot, project, GITHUB).await?)
}

/// What the project is connected to, and how that goes
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(get, path = "/api/settings/integrations", operation_id = "integrations", params(ProjectParam),
    responses((status = 200, description = "The connections", body = inline(IntegrationList)), ReadErrors))]
pub(crate) async fn list(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
) -> HttpResult<Json<IntegrationList>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let github = IntegrationAnswer::of(stored(&state, caller.project_id).await?);
    let channels = channels::states(
        &mut state.db.snapshot(caller.project_id).await?,
        caller.project_id,
    )
    .await?;
    let channels = channels.into_iter().map(AnyIntegration::Channel);
    Ok(Json(IntegrationList {
        items: channels
            .chain([AnyIntegration::Github(Box::new(github))])
            .collect(),
    }))
}

/// Connect the project to GitHub, or change that
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project. Secrets are stored encrypted and never
/// answered.
#[utoipa::path(put, path = "/api/settings/integrations/github", operation_id = "save_github", params(ProjectParam),
    request_body = inline(GithubSettings),
    responses((status = 200, description = "The connection now", body = IntegrationAnswer), BodyErrors))]
pub(crate) async fn save_github(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    body: Body,
) -> HttpResult<Json<IntegrationAnswer>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let body = ingest::read_json(&headers, body, MAX_SETTINGS_BYTES, &state.body_budget).await?;
    let deserializer = &mut serde_json::Deserializer::from_slice(&body);
    let settings: GithubSettings = serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let field = error.path().to_string();
        // Of values nothing is quoted: one of them is a secret.
        let message = match error.into_inner().classify() {
            serde_json::error::Category::Data => "is unknown, or has a value of the wrong type",
            _ => "can't be read: the body must be a JSON object",
        };
        HttpError::invalid(field.clone(), format!("{field} {message}"))
    })?;
    let draft = settings.draft(stored(&state, caller.project_id).await?.as_ref());
    let saved = connection::save(
        &state.db,
        &state.secrets,
        &state.outbound,
        caller.project_id,
        &draft,
        &caller.key_label,
    );
    saved.await.map_err(|cause| match cause {
        SaveError::Wrong(wrong) => HttpError::invalid(wrong.field, wrong.message),
        SaveError::Database(cause) => cause.into(),
        SaveError::Randomness(cause) => HttpError::internal(cause),
    })?;
    state.github_wake.notify_one();
    Ok(Json(IntegrationAnswer::of(
        stored(&state, caller.project_id).await?,
    )))
}

/// Ask GitHub now
///
/// Answered before that is done: `last_ok_at` and `last_error` tell what came of it. Needs a key with the scope `admin`,
/// or a signed-in admin of the project.
#[utoipa::path(post, path = "/api/settings/integrations/github/sync", operation_id = "sync_github",
    params(ProjectParam),
    responses((status = 200, description = "The connection", body = IntegrationAnswer), NotFound, ReadErrors))]
pub(crate) async fn sync_github(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
) -> HttpResult<Json<IntegrationAnswer>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let project = caller.project_id;
    integrations::ask_now(&state.db, project, GITHUB, &caller.key_label, clock::now()).await?;
    state.github_wake.notify_one();
    Ok(Json(IntegrationAnswer::of(stored(&state, project).await?)))
}

/// Remove the connection to GitHub with its secrets
///
/// Deploys that came by it stay. Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(delete, path = "/api/settings/integrations/github", operation_id = "remove_github",
    params(ProjectParam),
    responses((status = 204, description = "It is removed"), NotFound, ReadErrors))]
pub(crate) async fn remove_github(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
) -> HttpResult<StatusCode> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    integrations::remove(
        &state.db,
        caller.project_id,
        GITHUB,
        &caller.key_label,
        clock::now(),
    )
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
