//! Reading whom alerts go to, what they are set to, and what was told. Plain forms change it, which work without WASM.

use std::collections::BTreeMap;

use domain::Timestamp;
use domain::alert::{
    Alert, AlertAttempt, AlertContent, AlertLevel, AlertSettings, AlertState, Channel, Preview,
    TraceFormatName,
};
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// Alerts of a page.
#[cfg(feature = "ssr")]
const PAGE_ALERTS: u32 = 50;
/// Days that the preview looks back on, and the most steps that it looks at.
#[cfg(feature = "ssr")]
const PREVIEW_DAYS: i64 = 7;
#[cfg(feature = "ssr")]
const PREVIEW_STEPS: u32 = 20_000;
/// Days that the counts look back on: as long as the log is kept.
pub(crate) const LOG_DAYS: i64 = 30;

/// How a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ChannelCondition {
    /// Not connected.
    Off,
    Ok,
    Paused,
    /// The last message was not taken; it is tried again.
    Failing,
    /// The receiver takes nothing any more.
    Stopped,
}

/// One channel of a project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChannelView {
    pub(crate) channel: Channel,
    pub(crate) condition: ChannelCondition,
    /// Where it leads, without what is secret.
    pub(crate) target: String,
    /// The last characters of its secret.
    pub(crate) secret: Option<String>,
    /// Sentry's level.
    pub(crate) level: AlertLevel,
    /// Sentry's environment of steps that say none.
    pub(crate) environment: String,
    /// Whether Sentry gets runs as tracing data, and how.
    pub(crate) tracing: bool,
    pub(crate) format: TraceFormatName,
    /// What became of runs that Sentry was to get, in words.
    pub(crate) traces: Option<String>,
    /// Who sends e-mails.
    pub(crate) from: String,
    /// Who gets them.
    pub(crate) to: Vec<String>,
    pub(crate) paused_at: Option<Timestamp>,
    pub(crate) last_error: Option<String>,
    pub(crate) last_attempt_at: Option<Timestamp>,
    /// The last answer of all, with when it came and how long it took.
    pub(crate) last_answer: Option<AlertAttempt>,
    /// Alerts that wait.
    pub(crate) waiting: i64,
}

/// The channels of a project, connected or not; for admins, as in the API.
#[server(prefix = "/ui", endpoint = "alerts/channels", input = GetUrl)]
pub(crate) async fn read_channels(slug: String) -> Result<Vec<ChannelView>, ApiError> {
    use crate::context::{authorise, database};

    let project = authorise(&slug, domain::Role::Admin)?.id;
    let mut snapshot = database()?.snapshot(project).await?;
    server::channels(&mut snapshot, project).await
}

/// A page of the delivery log, and what stands above it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AlertsView {
    /// What is saved, or what was typed to be previewed.
    pub(crate) settings: AlertSettings,
    /// The channels that are connected.
    pub(crate) connected: Vec<Channel>,
    pub(crate) alerts: Vec<Alert>,
    /// Of those that were tried more than once, by id.
    pub(crate) attempts: BTreeMap<String, Vec<AlertAttempt>>,
    /// Where the next page begins, if there is one.
    pub(crate) next: Option<String>,
    /// In the days that the log is kept.
    pub(crate) waiting: i64,
    pub(crate) delivered: i64,
    pub(crate) failed: i64,
    pub(crate) dropped: i64,
    /// What the settings would have done lately.
    pub(crate) past: PastView,
    /// The last alert about a step, to show what messages say.
    pub(crate) example: Option<(AlertContent, Timestamp)>,
}

/// How often the rules would have spoken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PastView {
    /// By what is saved.
    pub(crate) preview: Preview,
    /// By what was typed and is not saved.
    pub(crate) drafted: Option<Preview>,
    pub(crate) incidents: i64,
    /// `in 7 days`, or less where there are too many steps.
    pub(crate) since: String,
}

/// What a project's alerts are set to, and what was told; `state` narrows the log, `cursor` says where a page begins, and
/// `draft` is the JSON of settings that are to be previewed, or empty.
#[server(prefix = "/ui", endpoint = "alerts/view", input = GetUrl)]
pub(crate) async fn read_alerts(
    slug: String,
    state: Option<AlertState>,
    cursor: String,
    draft: String,
) -> Result<AlertsView, ApiError> {
    use domain::Role;
    use domain::alert::AlertCursor;
    use storage::alerts::{self, AlertPage};

    use crate::context::{authorise, database, use_page_request};

    const DAY_MICROS: i64 = 86_400_000_000;
    let project = authorise(&slug, Role::Admin)?.id;
    let from = use_page_request().now.plus_micros(-LOG_DAYS * DAY_MICROS);
    let mut snapshot = database()?.snapshot(project).await?;
    let stored = alerts::settings(&mut snapshot, project).await?;
    let page = AlertPage {
        state,
        cursor: cursor.parse().ok(),
        limit: PAGE_ALERTS + 1,
        ..AlertPage::default()
    };
    let mut found = alerts::page(&mut snapshot, project, &page).await?;
    let has_more = found.len() > PAGE_ALERTS as usize;
    found.truncate(PAGE_ALERTS as usize);
    let next = found.last().filter(|_| has_more).map(|last| {
        AlertCursor {
            created_at: last.created_at,
            id: last.id,
        }
        .to_string()
    });
    let retried: Vec<_> = found
        .iter()
        .filter(|alert| alert.attempts > 1)
        .map(|alert| alert.id)
        .collect();
    let mut attempts: BTreeMap<String, Vec<AlertAttempt>> = BTreeMap::new();
    for (id, attempt) in alerts::attempts(&mut snapshot, project, &retried).await? {
        attempts.entry(id.to_string()).or_default().push(attempt);
    }
    let counts = alerts::counts(&mut snapshot, project, from).await?;
    let connected = server::connected(&mut snapshot, project).await?;
    let example = alerts::latest_content(&mut snapshot, project).await?;
    let settings: AlertSettings = serde_json::from_value(stored).unwrap_or_default();
    let draft: Option<AlertSettings> = serde_json::from_str(&draft).ok();
    let past = server::past(&mut snapshot, project, &settings, draft.as_ref()).await?;
    Ok(AlertsView {
        settings: draft.unwrap_or(settings),
        past,
        connected,
        alerts: found,
        attempts,
        next,
        waiting: counts.waiting,
        delivered: counts.delivered,
        failed: counts.failed,
        dropped: counts.dropped,
        example: example.and_then(|(content, at)| Some((serde_json::from_value(content).ok()?, at))),
    })
}

/// The signing secret that was made a moment ago, once: `made` is the token that the form's answer put into the address.
#[server(prefix = "/ui", endpoint = "alerts/secret", input = GetUrl)]
pub(crate) async fn reveal_signing_secret(slug: String, made: String) -> Result<Option<String>, ApiError> {
    use storage::audit::{self, Entry};

    use crate::context::{OneTimeSecrets, authorise, database, use_page_request, use_viewer};

    let project = authorise(&slug, domain::Role::Admin)?.id;
    let Some(secret) = OneTimeSecrets::take(project, &made) else {
        return Ok(None);
    };
    let actor = use_viewer().name_in_log();
    let details = serde_json::json!({ "secret": "signing_secret" });
    let entry = Entry::new(&actor, "integration.reveal", Channel::Webhook.as_str(), details);
    audit::record(&database()?, project, &entry, use_page_request().now).await?;
    Ok(Some(secret))
}

#[cfg(feature = "ssr")]
mod server {
    use domain::ProjectId;
    use domain::alert::{AlertLevel, AlertSettings, Channel, TraceFormatName, preview};
    use serde_json::Value;
    use storage::integrations::{self, Integration};
    use storage::{Snapshot, alerts};

    use super::{ChannelCondition, ChannelView, LOG_DAYS, PREVIEW_DAYS, PREVIEW_STEPS, PastView};
    use crate::context::use_page_request;
    use crate::error::ApiError;

    pub(super) async fn connected(
        snapshot: &mut Snapshot,
        project: ProjectId,
    ) -> Result<Vec<Channel>, ApiError> {
        let waiting = alerts::waiting(snapshot, project).await?;
        Ok(waiting
            .iter()
            .filter_map(|channel| Channel::parse(&channel.kind))
            .collect())
    }

    pub(super) async fn past(
        snapshot: &mut Snapshot,
        project: ProjectId,
        settings: &AlertSettings,
        draft: Option<&AlertSettings>,
    ) -> Result<PastView, ApiError> {
        const DAY_MICROS: i64 = 86_400_000_000;
        let now = use_page_request().now;
        let from = now.plus_micros(-PREVIEW_DAYS * DAY_MICROS);
        let steps = alerts::past_steps(snapshot, project, from, PREVIEW_STEPS).await?;
        let is_cut = u32::try_from(steps.len()).unwrap_or(u32::MAX) >= PREVIEW_STEPS;
        let since = match steps.first().filter(|_| is_cut) {
            Some(first) => {
                let micros = now.micros() - first.at.micros();
                format!(
                    "with the last {PREVIEW_STEPS} steps, in {}",
                    domain::text::duration(micros as f64 / 1_000.0)
                )
            }
            None => format!("in {PREVIEW_DAYS} days"),
        };
        Ok(PastView {
            preview: preview(settings, &steps),
            drafted: draft.map(|draft| preview(draft, &steps)),
            incidents: alerts::incident_news(snapshot, project, from).await?,
            since,
        })
    }

    pub(super) async fn channels(
        snapshot: &mut Snapshot,
        project: ProjectId,
    ) -> Result<Vec<ChannelView>, ApiError> {
        let waiting = alerts::waiting(snapshot, project).await?;
        let answers = alerts::last_attempts(snapshot, project).await?;
        let mut views = Vec::new();
        for channel in Channel::ALL.iter().copied() {
            let kind = channel.as_str();
            let stored = integrations::get(snapshot, project, kind).await?;
            let of_channel = waiting.iter().find(|waiting| waiting.kind == kind);
            let mut view = view(channel, stored.as_ref());
            view.waiting = of_channel.map_or(0, |waiting| waiting.waiting);
            if of_channel.is_some_and(|waiting| waiting.is_stopped)
                && view.condition == ChannelCondition::Failing
            {
                view.condition = ChannelCondition::Stopped;
            }
            if channel == Channel::Sentry && stored.is_some() {
                view.traces = Some(traces(snapshot, project).await?);
            }
            view.last_answer = answers
                .iter()
                .find(|(of, _)| of == kind)
                .map(|(_, attempt)| attempt.clone());
            views.push(view);
        }
        Ok(views)
    }

    /// `1,204 runs sent in 30 days; 12 not, by its rate limit; 3 wait`.
    async fn traces(snapshot: &mut Snapshot, project: ProjectId) -> Result<String, ApiError> {
        let from = use_page_request().now.plus_micros(-LOG_DAYS * 86_400_000_000);
        let counts = storage::traces::counts(snapshot, project, from).await?;
        let of = |outcome: &str| {
            let found = counts.runs.iter().find(|(word, _)| word == outcome);
            found.map_or(0, |(_, runs)| *runs)
        };
        let mut words = format!(
            "{} sent in {LOG_DAYS} days",
            domain::text::counted(of("sent"), "run")
        );
        for (outcome, why) in [
            ("rate_limited", "not, by its rate limit"),
            ("refused", "refused"),
            ("unreachable", "given up, as it could not be reached"),
        ] {
            if of(outcome) > 0 {
                words.push_str(&format!("; {} {why}", of(outcome)));
            }
        }
        if of("steps_cut") > 0 {
            words.push_str(&format!(
                "; {} left out of runs that are too large",
                domain::text::counted(of("steps_cut"), "step")
            ));
        }
        if counts.waiting > 0 {
            words.push_str(&format!("; {} waiting", counts.waiting));
        }
        if let Some(error) = counts.last_error {
            words.push_str(&format!("; last: {error}"));
        }
        Ok(words)
    }

    fn addresses(stored: Option<&Integration>) -> Vec<String> {
        let to = stored.and_then(|stored| stored.options.get("to")?.as_array());
        let texts = to.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }

    fn view(channel: Channel, stored: Option<&Integration>) -> ChannelView {
        let option = |name: &str| {
            let value = stored
                .and_then(|stored| stored.options.get(name))
                .and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let condition = match stored {
            None => ChannelCondition::Off,
            Some(stored) if stored.paused_at.is_some() => ChannelCondition::Paused,
            Some(stored) if stored.last_error.is_some() => ChannelCondition::Failing,
            Some(_) => ChannelCondition::Ok,
        };
        let (target, secret_name) = match channel {
            Channel::Slack => (option("host"), "webhook_url"),
            Channel::Sentry => (option("shown"), "dsn"),
            Channel::Email => (option("host"), "smtp_url"),
            Channel::Webhook => (option("host"), "signing_secret"),
        };
        let secret = stored.and_then(|stored| {
            let found = stored.secrets.iter().find(|secret| secret.name == secret_name)?;
            found.shown.clone()
        });
        ChannelView {
            channel,
            condition,
            target,
            secret,
            level: AlertLevel::parse(&option("alert_level")).unwrap_or(AlertLevel::Critical),
            environment: option("environment"),
            tracing: stored.is_none_or(|stored| stored.options.get("tracing") == Some(&Value::Bool(true))),
            format: TraceFormatName::parse(&option("format")).unwrap_or(TraceFormatName::Transaction),
            traces: None,
            from: option("from"),
            to: addresses(stored),
            paused_at: stored.and_then(|stored| stored.paused_at),
            last_error: stored.and_then(|stored| stored.last_error.clone()),
            last_attempt_at: stored.and_then(|stored| stored.last_attempt_at),
            last_answer: None,
            waiting: 0,
        }
    }
}
