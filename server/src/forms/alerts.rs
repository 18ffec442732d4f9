//! Whom alerts go to and what they are set to: channels connected, tried, paused and removed, rules saved, alerts sent
//! again.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::alert::{AlertLevel, AlertSettings, Channel, TraceFormatName, listed};
use domain::{Project, Role};
use uuid::Uuid;

use super::{Failed, Fields, lead};
use crate::alerts::{ChannelDraft, SecretText};
use crate::api::alerts::{replace, send_again};
use crate::api::channels::{connect, disconnect, try_channel};
use crate::auth::Visitor;
use crate::error::{HttpError, HttpResult};
use crate::state::AppState;

fn channels_page(project: &Project) -> String {
    format!("/p/{}/settings/integrations", project.slug)
}

fn alerts_page(project: &Project) -> String {
    format!("/p/{}/settings/alerts", project.slug)
}

fn channel(kind: &str) -> HttpResult<Channel> {
    Channel::parse(kind).ok_or_else(|| HttpError::not_found("integration"))
}

/// `POST /p/{slug}/settings/integrations/{kind}`: connects a channel, or changes it. A secret that is left empty stays.
pub(super) async fn save_channel(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, kind)): Path<(String, String)>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = channels_page(project);
    let channel = channel(&kind)?;
    let secret =
        |name: &str| Some(SecretText(fields.text(name).to_owned())).filter(|text| !text.0.is_empty());
    let draft = match channel {
        Channel::Slack => ChannelDraft::Slack {
            webhook_url: secret("webhook_url"),
            is_paused: None,
        },
        Channel::Sentry => ChannelDraft::Sentry {
            dsn: secret("dsn"),
            alert_level: AlertLevel::parse(fields.text("alert_level")),
            environment: Some(fields.text("environment").to_owned()),
            tracing: Some(!fields.text("tracing").is_empty()),
            format: TraceFormatName::parse(fields.text("format")),
            is_paused: None,
        },
        Channel::Email => ChannelDraft::Email {
            smtp_url: secret("smtp_url"),
            from: Some(fields.text("from").to_owned()),
            to: Some(listed(fields.text("to"))),
            is_paused: None,
        },
        Channel::Webhook => ChannelDraft::Webhook {
            url: secret("url"),
            rotate_secret: !fields.text("rotate_secret").is_empty(),
            is_paused: None,
        },
    };
    let done = match connect(&state, project.id, &draft, &visitor.name_in_log()).await {
        Ok(None) => Ok(format!("{page}?done=channel_saved")),
        Ok(Some(secret)) => {
            let token = state.auth.reveal.put(project.id, secret);
            let no_randomness =
                || Failed::Refused(HttpError::internal(anyhow::anyhow!("no randomness for a token")));
            token
                .map(|token| format!("{page}?done=channel_saved&signing={token}"))
                .ok_or_else(no_randomness)
        }
        Err(refused) => Err(match refused.code {
            "private_target" => Failed::Field("private_target"),
            "invalid_field" if refused.field.as_deref() == Some("dsn") => Failed::Field("dsn"),
            "invalid_field" if channel == Channel::Email => Failed::Field(match refused.field.as_deref() {
                Some("from") => "email_from",
                Some("to") => "email_to",
                _ => "smtp_url",
            }),
            "invalid_field" => Failed::Field("channel_url"),
            _ => Failed::Refused(refused),
        }),
    };
    lead(&page, done)
}

/// `POST /p/{slug}/settings/integrations/{kind}/test`: sends a message now. The page shows what was answered.
pub(super) async fn test(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, kind)): Path<(String, String)>,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = channels_page(project);
    let tested = try_channel(&state, project.id, channel(&kind)?, &visitor.name_in_log()).await?;
    lead(
        &page,
        if tested.is_delivered {
            Ok(format!("{page}?done=test_taken"))
        } else {
            Err(Failed::Field("test_refused"))
        },
    )
}

/// `POST /p/{slug}/settings/integrations/{kind}/pause` {paused?}
pub(super) async fn pause(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, kind)): Path<(String, String)>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let is_paused = !fields.text("paused").is_empty();
    let draft = ChannelDraft::pause(channel(&kind)?, is_paused);
    connect(&state, project.id, &draft, &visitor.name_in_log()).await?;
    let done = if is_paused {
        "channel_paused"
    } else {
        "channel_resumed"
    };
    Ok(Redirect::to(&format!("{}?done={done}", channels_page(project))))
}

/// `POST /p/{slug}/settings/integrations/{kind}/remove`
pub(super) async fn remove(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, kind)): Path<(String, String)>,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    disconnect(&state, project.id, channel(&kind)?, &visitor.name_in_log()).await?;
    Ok(Redirect::to(&format!(
        "{}?done=channel_removed",
        channels_page(project)
    )))
}

/// `POST /p/{slug}/settings/alerts`: all of the settings.
pub(super) async fn save(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = alerts_page(project);
    let done = match AlertSettings::from_form(|name| fields.text(name).to_owned()) {
        None => Err(Failed::Field("alert_settings")),
        Some(settings) => match replace(&state, project.id, &settings, &visitor.name_in_log()).await {
            Ok(()) => Ok(format!("{page}?done=saved")),
            Err(refused) if refused.code == "invalid_field" => Err(Failed::Field("alert_settings")),
            Err(refused) => Err(Failed::Refused(refused)),
        },
    };
    lead(&page, done)
}

/// `POST /p/{slug}/settings/alerts/{id}/resend`
pub(super) async fn resend(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let id: Uuid = id.parse().map_err(|_malformed| HttpError::not_found("alert"))?;
    send_again(&state, project.id, id, &visitor.name_in_log()).await?;
    Ok(Redirect::to(&format!("{}?done=resent#log", alerts_page(project))))
}
