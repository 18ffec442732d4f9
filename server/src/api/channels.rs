//! `PUT` and `DELETE /api/settings/integrations/{kind}`, `POST …/{kind}/test`: the channels of alerts.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use domain::alert::{AlertLevel, Channel, TraceFormatName};
use domain::{ProjectId, Role, Scope, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::Snapshot;
use storage::integrations::{self, Integration};
use utoipa::{IntoParams, ToSchema};

use super::query::{InPath, Params, ProjectParam};
use crate::alerts::send::{Tested, test as send_test};
use crate::alerts::{ChannelDraft, SaveError, SecretText, save_channel, shown_secret};
use crate::auth::Caller;
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, NotFound, ReadErrors};
use crate::ingest;
use crate::state::AppState;

/// Days that counts of traces look back on.
const TRACE_DAYS: i64 = 30;
const MAX_BODY_BYTES: usize = 16 * 1024;

/// How a connection is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChannelState {
    kind: Channel,
    /// `ok`, `failing`, `paused` or `off`, which is not connected.
    #[schema(value_type = String)]
    state: &'static str,
    /// Of the address, the DSN's public key, the password of the server of e-mail, the signing secret.
    secret_last4: Option<String>,
    /// What is set, but for the secrets.
    #[schema(value_type = Object)]
    options: Value,
    last_ok_at: Option<Timestamp>,
    /// What was answered last, where that was no success.
    last_error: Option<String>,
    /// Alerts that wait to be delivered.
    waiting: i64,
    /// Sentry: what became of runs in the last 30 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = TraceAnswer)]
    traces: Option<TraceAnswer>,
}

/// Runs that were to be sent as tracing data.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TraceAnswer {
    /// By what became of them: `sent`, `rate_limited`, `refused`, `unreachable`; `steps_cut` are steps.
    #[schema(value_type = Object)]
    outcomes: BTreeMap<String, i64>,
    waiting: i64,
    last_error: Option<String>,
    /// Until when Sentry wants none.
    limited_until: Option<Timestamp>,
}

impl TraceAnswer {
    async fn of(snapshot: &mut Snapshot, project: ProjectId) -> storage::Result<Self> {
        let from = clock::now().plus_micros(-TRACE_DAYS * 24 * 3_600 * 1_000_000);
        let counts = storage::traces::counts(snapshot, project, from).await?;
        Ok(Self {
            outcomes: counts.runs.into_iter().collect(),
            waiting: counts.waiting,
            last_error: counts.last_error,
            limited_until: counts.limited_until,
        })
    }
}

/// How each channel of a project is.
pub(crate) async fn states(
    snapshot: &mut Snapshot,
    project: ProjectId,
) -> storage::Result<Vec<ChannelState>> {
    let waiting = storage::alerts::waiting(snapshot, project).await?;
    let mut states = Vec::new();
    for channel in Channel::ALL {
        let kind = channel.as_str();
        let integration = integrations::get(snapshot, project, kind).await?;
        let waiting = waiting.iter().find(|channel| channel.kind == kind);
        let is_traced = *channel == Channel::Sentry && integration.is_some();
        let mut state = state_of(
            *channel,
            integration,
            waiting.map_or(0, |channel| channel.waiting),
        );
        if is_traced {
            state.traces = Some(TraceAnswer::of(snapshot, project).await?);
        }
        states.push(state);
    }
    Ok(states)
}

fn state_of(kind: Channel, integration: Option<Integration>, waiting: i64) -> ChannelState {
    let Some(integration) = integration else {
        return ChannelState {
            kind,
            state: "off",
            secret_last4: None,
            options: Value::Object(serde_json::Map::new()),
            last_ok_at: None,
            last_error: None,
            waiting,
            traces: None,
        };
    };
    let state = match (&integration.paused_at, &integration.last_error) {
        (Some(_), _) => "paused",
        (None, Some(_)) => "failing",
        (None, None) => "ok",
    };
    ChannelState {
        kind,
        state,
        secret_last4: shown_secret(kind, &integration.secrets),
        options: integration.options,
        last_ok_at: integration.last_ok_at,
        last_error: integration.last_error,
        waiting,
        traces: None,
    }
}

/// The settings of a channel. What is left out stays as it is; each field is of the channels it names.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChannelSettings {
    /// Slack: the address of an incoming webhook.
    webhook_url: Option<String>,
    /// Sentry: as it is shown under Client Keys.
    dsn: Option<String>,
    /// Sentry: from which severity on a step's conditions are events.
    alert_level: Option<AlertLevel>,
    /// Sentry: the environment of steps that say none.
    environment: Option<String>,
    /// Sentry: whether each finished run is sent as tracing data; `true` where it is connected first.
    tracing: Option<bool>,
    /// Sentry: how.
    format: Option<TraceFormatName>,
    /// E-mail: the server, `smtps://user:password@host:465` or `smtp://user:password@host:587`; the latter is encrypted by
    /// STARTTLS.
    smtp_url: Option<String>,
    /// E-mail: who sends, such as `Plumbline <alerts@acme.dev>`.
    from: Option<String>,
    /// E-mail: who gets them, 1 to 20 addresses.
    to: Option<Vec<String>>,
    /// Webhook: where alerts are posted to.
    url: Option<String>,
    /// Webhook: `true` makes a new signing secret; the one before signs too for 24 hours.
    rotate_secret: Option<bool>,
    /// Each: alerts wait while it is.
    paused: Option<bool>,
}

impl ChannelSettings {
    fn draft(self, channel: Channel) -> HttpResult<ChannelDraft> {
        let foreign = [
            ("webhook_url", self.webhook_url.is_some(), Channel::Slack),
            ("dsn", self.dsn.is_some(), Channel::Sentry),
            ("alert_level", self.alert_level.is_some(), Channel::Sentry),
            ("environment", self.environment.is_some(), Channel::Sentry),
            ("tracing", self.tracing.is_some(), Channel::Sentry),
            ("format", self.format.is_some(), Channel::Sentry),
            ("smtp_url", self.smtp_url.is_some(), Channel::Email),
            ("from", self.from.is_some(), Channel::Email),
            ("to", self.to.is_some(), Channel::Email),
            ("url", self.url.is_some(), Channel::Webhook),
            ("rotate_secret", self.rotate_secret.is_some(), Channel::Webhook),
        ];
        let foreign = foreign.iter().find(|(_, is_said, of)| *is_said && *of != channel);
        if let Some((field, ..)) = foreign {
            let message = format!("{field} is no setting of {}", channel.label());
            return Err(HttpError::invalid(*field, message));
        }
        Ok(match channel {
            Channel::Slack => ChannelDraft::Slack {
                webhook_url: self.webhook_url.map(SecretText),
                is_paused: self.paused,
            },
            Channel::Sentry => ChannelDraft::Sentry {
                dsn: self.dsn.map(SecretText),
                alert_level: self.alert_level,
                environment: self.environment,
                tracing: self.tracing,
                format: self.format,
                is_paused: self.paused,
            },
            Channel::Email => ChannelDraft::Email {
                smtp_url: self.smtp_url.map(SecretText),
                from: self.from,
                to: self.to,
                is_paused: self.paused,
            },
            Channel::Webhook => ChannelDraft::Webhook {
                url: self.url.map(SecretText),
                rotate_secret: self.rotate_secret.unwrap_or(false),
                is_paused: self.paused,
            },
        })
    }
}

/// The connection now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Saved {
    #[serde(flatten)]
    integration: ChannelState,
    /// Of a webhook, where one was made: it is shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    signing_secret: Option<String>,
}

/// Connect a channel of alerts, or change the connection
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project. Secrets are stored encrypted and never
/// answered, but for a signing secret that was just made.
#[utoipa::path(put, path = "/api/settings/integrations/{kind}", operation_id = "save_integration",
    params(KindInPath, ProjectParam), request_body = inline(ChannelSettings),
    responses((status = 200, description = "The connection now", body = inline(Saved)), NotFound, BodyErrors))]
pub(crate) async fn save(
    State(state): State<AppState>,
    headers: HeaderMap,
    InPath(KindInPath { kind }): InPath<KindInPath>,
    Params(ProjectParam { project }): Params<ProjectParam>,
    body: Body,
) -> HttpResult<Json<Saved>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let channel = channel(&kind)?;
    let settings: ChannelSettings = read(&state, &headers, body).await?;
    let draft = settings.draft(channel)?;
    let signing_secret = connect(&state, caller.project_id, &draft, &caller.key_label).await?;
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    let integration = integrations::get(&mut snapshot, caller.project_id, channel.as_str()).await?;
    let waiting = storage::alerts::waiting(&mut snapshot, caller.project_id).await?;
    let waiting = waiting.iter().find(|waiting| waiting.kind == channel.as_str());
    Ok(Json(Saved {
        integration: state_of(channel, integration, waiting.map_or(0, |waiting| waiting.waiting)),
        signing_secret,
    }))
}

/// Stores a channel and makes this process use it at once. Returns a signing secret that was made.
pub(crate) async fn connect(
    state: &AppState,
    project: ProjectId,
    draft: &ChannelDraft,
    actor: &str,
) -> HttpResult<Option<String>> {
    let saved = save_channel(&state.db, &state.secrets, &state.outbound, project, draft, actor).await;
    state.alerts.invalidate(project);
    state.alerts.wake.notify_one();
    saved.map_err(|error| match error {
        SaveError::Wrong(wrong) => HttpError {
            code: wrong.code,
            ..HttpError::invalid(wrong.field, wrong.message)
        },
        SaveError::Randomness(cause) => HttpError::internal(cause),
        SaveError::Database(cause) => cause.into(),
    })
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct KindInPath {
    /// `slack`, `sentry`, `email` or `webhook`.
    kind: String,
}

/// What a test was answered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TestAnswer {
    /// Whether the receiver took it.
    delivered: bool,
    /// The receiver's own words, or why there are none.
    answer: String,
    latency_ms: i32,
}

/// Send a real message now, and say what was answered
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(post, path = "/api/settings/integrations/{kind}/test", operation_id = "test_integration",
    params(KindInPath, ProjectParam),
    responses((status = 200, description = "What was answered", body = inline(TestAnswer)), NotFound, ReadErrors))]
pub(crate) async fn test(
    State(state): State<AppState>,
    headers: HeaderMap,
    InPath(KindInPath { kind }): InPath<KindInPath>,
    Params(ProjectParam { project }): Params<ProjectParam>,
) -> HttpResult<Json<TestAnswer>> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    let channel = channel(&kind)?;
    let tested = try_channel(&state, caller.project_id, channel, &caller.key_label).await?;
    Ok(Json(TestAnswer {
        delivered: tested.is_delivered,
        answer: tested.answer,
        latency_ms: tested.latency_ms,
    }))
}

/// Sends a test over a channel that is connected.
pub(crate) async fn try_channel(
    state: &AppState,
    project: ProjectId,
    channel: Channel,
    by: &str,
) -> HttpResult<Tested> {
    let mut snapshot = state.db.snapshot(project).await?;
    let integration = integrations::get(&mut snapshot, project, channel.as_str()).await?;
    drop(snapshot);
    let integration = integration.ok_or_else(|| HttpError::not_found("integration; connect it first"))?;
    let project = storage::projects::get(&state.db, project).await?;
    let tested = send_test(&state.sender(), &project, channel, &integration.options, by).await?;
    state.alerts.wake.notify_one();
    Ok(tested)
}

/// Disconnect; the secrets are deleted, and what waits is dropped
///
/// Needs a key with the scope `admin`, or a signed-in admin of the project.
#[utoipa::path(delete, path = "/api/settings/integrations/{kind}", operation_id = "remove_integration",
    params(KindInPath, ProjectParam),
    responses((status = 204, description = "It is gone"), NotFound, ReadErrors))]
pub(crate) async fn remove(
    State(state): State<AppState>,
    headers: HeaderMap,
    InPath(KindInPath { kind }): InPath<KindInPath>,
    Params(ProjectParam { project }): Params<ProjectParam>,
) -> HttpResult<StatusCode> {
    let caller = admin(&state, &headers, project.as_deref()).await?;
    disconnect(&state, caller.project_id, channel(&kind)?, &caller.key_label).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a channel with its secrets.
pub(crate) async fn disconnect(
    state: &AppState,
    project: ProjectId,
    channel: Channel,
    actor: &str,
) -> storage::Result<()> {
    integrations::remove(&state.db, project, channel.as_str(), actor, clock::now()).await?;
    state.alerts.invalidate(project);
    storage::live::notify_settings(&state.db, project).await
}

fn channel(kind: &str) -> HttpResult<Channel> {
    Channel::parse(kind).ok_or_else(|| HttpError::not_found("integration"))
}

async fn read<T: DeserializeOwned>(state: &AppState, headers: &HeaderMap, body: Body) -> HttpResult<T> {
    let body = ingest::read_json(headers, body, MAX_BODY_BYTES, &state.body_budget).await?;
    let mut reader = serde_json::Deserializer::from_slice(&body);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = error.path().to_string();
        // What serde says may quote the value, which may be a secret.
        let message = if error.inner().is_data() {
            format!("{field} is no field of this body, or of another type")
        } else {
            "The body is no JSON".to_owned()
        };
        HttpError::invalid(field, message)
    })
}

async fn admin(state: &AppState, headers: &HeaderMap, slug: Option<&str>) -> HttpResult<Caller> {
    state
        .auth
        .api_caller(headers, slug, Scope::Admin, Role::Admin)
        .await
}
