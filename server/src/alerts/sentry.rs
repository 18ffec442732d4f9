//! Sentry: one event in an envelope, grouped by step and code, and what the answers mean.

mod dsn;
pub(super) mod trace;

use axum::http::{HeaderMap, StatusCode};
use domain::alert::{
    AlertContent, AlertedBudget, AlertedIncident, AlertedKeyLimit, AlertedStep, IncidentMoment,
};
use domain::{NanoUsd, ProjectId, Severity, Timestamp};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::facts::incident_title;
use super::message::{Message, Sending, repeated};
use super::reply::{Reply, Verdict, retry_after_s, said};
use super::triggers::named;

pub(super) use dsn::{BadDsn, Dsn};

/// The category of events, in rate limits.
pub(super) const EVENTS: &str = "error";
/// How this client calls itself.
const CLIENT: &str = concat!("plumbline/", env!("CARGO_PKG_VERSION"));
/// Characters of a tag's value.
const MAX_TAG_CHARS: usize = 200;
/// Characters of an environment, and of a release.
const MAX_ENVIRONMENT_CHARS: usize = 64;
const MAX_RELEASE_CHARS: usize = 200;
/// How long a rate limit holds that says nothing of it.
const DEFAULT_LIMIT_S: i64 = 60;

/// The header that says who sends.
pub(super) fn auth_header(dsn: &Dsn) -> String {
    format!(
        "Sentry sentry_version=7, sentry_client={CLIENT}, sentry_key={}",
        dsn.public_key()
    )
}

/// The envelope of one event. `environment` is that of steps that say none.
pub(super) fn envelope(
    sending: &Sending,
    project: ProjectId,
    environment: Option<&str>,
    message: &Message,
) -> Vec<u8> {
    let event_id = message.id.simple().to_string();
    let mut event = event(sending, project, message, &event_id);
    if event.get("environment").is_none()
        && let Some(environment) = sanitised(environment, MAX_ENVIRONMENT_CHARS)
    {
        event["environment"] = Value::from(environment);
    }
    let event = event.to_string();
    let head = json!({
        "event_id": event_id,
        "sent_at": sending.now,
        "sdk": { "name": "plumbline", "version": env!("CARGO_PKG_VERSION") },
    });
    let item = json!({ "type": "event", "length": event.len() });
    format!("{head}\n{item}\n{event}\n").into_bytes()
}

fn event(sending: &Sending, project: ProjectId, message: &Message, event_id: &str) -> Value {
    let url = sending.url(&message.content);
    let mut tags = Map::new();
    let mut tag = |name: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
            let value = domain::text::first_line(value, MAX_TAG_CHARS - 1);
            tags.insert(name.to_owned(), Value::from(value));
        }
    };
    tag("plumbline.project", Some(&sending.slug));
    tag("plumbline.trigger", Some(message.trigger.as_str()));
    let mut event = json!({
        "event_id": event_id,
        "timestamp": seconds(message.created_at),
        "platform": "other",
        "logger": "plumbline",
        "extra": { "plumbline_url": url, "occurrences": message.occurrences },
    });
    match &message.content {
        AlertContent::Step(step) | AlertContent::ErrorRate { step, .. } => {
            let condition = step.conditions.first();
            let code = condition.map(|condition| condition.code.to_string());
            tag("step", Some(named(&step.name)));
            tag("code", code.as_deref());
            tag("condition", condition.map(|condition| condition.name.as_str()));
            tag("key", Some(&step.key));
            tag("model", step.model.as_deref());
            tag("provider", step.provider.as_deref());
            tag("run", Some(&step.run_id));
            tag("severity", Some(step.severity.as_str()));
            event["level"] = Value::from(level(step.severity));
            event["transaction"] = Value::from(named(&step.name));
            event["fingerprint"] = json!([
                "plumbline",
                sending.slug,
                step.name,
                code.as_deref().unwrap_or(message.trigger.as_str())
            ]);
            let text = condition.map_or_else(
                || message.summary.clone(),
                |condition| format!("{}: {}", named(&step.name), condition.message),
            );
            event["logentry"] = json!({ "formatted": text });
            event["timestamp"] = seconds(step.started_at);
            event["contexts"] = contexts(project, step, message);
            if let Some(environment) = sanitised(step.environment.as_deref(), MAX_ENVIRONMENT_CHARS) {
                event["environment"] = Value::from(environment);
            }
            if let Some(release) = sanitised(step.release.as_deref(), MAX_RELEASE_CHARS) {
                event["release"] = Value::from(release);
            }
        }
        AlertContent::Incident(incident) => {
            tag("key", incident.key.as_deref());
            tag("step", incident.step.as_deref());
            tag("metric", Some(&incident.metric));
            tag(
                "deploy",
                incident.deploy.as_ref().map(|deploy| deploy.name.as_str()),
            );
            of_incident(&mut event, sending, incident);
        }
        AlertContent::Finding(finding) => {
            tag("detector", Some(&finding.detector));
            event["level"] = Value::from("warning");
            event["logentry"] = json!({ "formatted": message.summary });
            event["fingerprint"] = json!(["plumbline", sending.slug, "finding", finding.detector]);
            event["contexts"] = json!({
                "plumbline": { "run_id": finding.run_id, "finding": finding.finding_id, "quote": finding.quote },
            });
        }
        AlertContent::Budget(budget) => {
            tag("key", budget.key.as_deref());
            of_budget(&mut event, sending, message, budget);
        }
        AlertContent::KeyLimit(limit) => {
            tag("key", Some(&limit.key));
            of_key_limit(&mut event, sending, message, limit);
        }
        AlertContent::IntegrationBroken { .. } => {
            event["level"] = Value::from("warning");
            event["logentry"] = json!({ "formatted": message.summary });
            event["fingerprint"] = json!(["plumbline", sending.slug, message.trigger.as_str()]);
        }
        AlertContent::Test { .. } => {
            event["level"] = Value::from("info");
            event["logentry"] = json!({ "formatted": "Plumbline test: alerts of this project arrive here" });
            event["fingerprint"] = json!(["plumbline", sending.slug, "test"]);
        }
    }
    event["tags"] = Value::Object(tags);
    event
}

/// Everything that happens to an incident is one issue.
fn of_incident(event: &mut Value, sending: &Sending, incident: &AlertedIncident) {
    let is_over = matches!(
        incident.moment,
        IncidentMoment::Closed | IncidentMoment::Withdrawn
    );
    event["level"] = Value::from(if is_over { "info" } else { "error" });
    event["logentry"] =
        json!({ "formatted": format!("{}: {}", incident_title(incident), incident.sentence) });
    event["fingerprint"] = json!(["plumbline", sending.slug, "incident", incident.incident_id]);
    event["contexts"] = json!({
        "plumbline": {
            "incident": incident.name,
            "probability": incident.probability,
            "deploy": incident.deploy.as_ref().map(|deploy| format!("{} {}", deploy.name, deploy.title)),
            "evidence": incident.evidence,
            "usd_a_day": incident.nano_usd_a_day.map(NanoUsd::to_decimal),
            "since": incident.onset_at,
            "until": incident.ended_at,
        },
    });
}

/// A budget is one issue in each month.
fn of_budget(event: &mut Value, sending: &Sending, message: &Message, budget: &AlertedBudget) {
    event["level"] = Value::from(if budget.is_used_up { "error" } else { "warning" });
    event["logentry"] = json!({ "formatted": message.summary });
    event["fingerprint"] = json!([
        "plumbline",
        sending.slug,
        "budget",
        budget.key.as_deref().unwrap_or("all keys"),
        budget.month_from
    ]);
    event["contexts"] = json!({
        "plumbline": {
            "monthly_usd": budget.monthly.to_decimal(),
            "spent_usd": budget.spent.to_decimal(),
            "expected_usd": budget.expected.map(NanoUsd::to_decimal),
        },
    });
}

/// What a key may use of one thing is one issue in each month.
fn of_key_limit(event: &mut Value, sending: &Sending, message: &Message, limit: &AlertedKeyLimit) {
    event["level"] = Value::from(if limit.percent >= 100 { "error" } else { "warning" });
    event["logentry"] = json!({ "formatted": message.summary });
    event["fingerprint"] = json!([
        "plumbline",
        sending.slug,
        "key_limit",
        limit.key,
        limit.measure,
        limit.month_from
    ]);
    event["contexts"] = json!({
        "plumbline": {
            "limit": limit.measure.said(limit.limit),
            "used": limit.measure.said(limit.used),
            "percent": limit.percent,
        },
    });
}

/// The trace, with ids that any other record of the run has too, and what the event is about.
fn contexts(project: ProjectId, step: &AlertedStep, message: &Message) -> Value {
    let condition = step.conditions.first();
    json!({
        "trace": {
            "trace_id": id(&[project.0.as_bytes(), step.run_id.as_bytes()], 16),
            "span_id": id(&[project.0.as_bytes(), step.run_id.as_bytes(), &[0], step.step_id.as_bytes()], 8),
        },
        "plumbline": {
            "run_id": step.run_id,
            "step_id": step.step_id,
            "points": condition.map(|condition| condition.points),
            "score": step.score,
            "threshold": step.threshold,
            "latency_ms": step.latency_ms,
            "error": step.error,
            "repeated": repeated(message),
        },
    })
}

/// The first bytes of a hash, in hex.
fn id(parts: &[&[u8]], bytes: usize) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hex::encode(hash.finalize().get(..bytes).unwrap_or_default())
}

fn seconds(at: Timestamp) -> Value {
    Value::from(at.epoch_ms() / 1_000.0)
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "error",
        Severity::Warning => "warning",
        Severity::Ok => "info",
    }
}

/// A name as Sentry takes it: without line breaks and slashes, not too long.
fn sanitised(name: Option<&str>, max_chars: usize) -> Option<String> {
    let name = name
        .map(str::trim)
        .filter(|name| !name.is_empty() && *name != "." && *name != "..")?;
    let kept = name.chars().take(max_chars);
    Some(
        kept.map(|c| {
            if c.is_control() || c == '/' || c == '\\' {
                '-'
            } else {
                c
            }
        })
        .collect(),
    )
}

/// What the answer means.
pub(super) fn verdict(status: StatusCode, headers: &HeaderMap, body: &[u8], category: &str) -> Reply {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let verdict = match status.as_u16() {
        200..=299 => Verdict::Taken,
        401 | 403 | 404 | 410 => Verdict::Stopped,
        429 => Verdict::TryAgain {
            after_s: retry_after_s(text("retry-after"))
                .or(limit_s(headers, category))
                .or(Some(DEFAULT_LIMIT_S)),
        },
        408 | 500..=599 => Verdict::TryAgain {
            after_s: retry_after_s(text("retry-after")),
        },
        _ => Verdict::Refused,
    };
    Reply {
        verdict,
        answer: said(status, body),
        pause_s: limit_s(headers, category),
    }
}

/// For how long nothing of a category may be sent, by `X-Sentry-Rate-Limits`, which may come with any status:
/// `60:transaction;span:key, 2700:error:organization`. No category at all is each of them.
pub(super) fn limit_s(headers: &HeaderMap, category: &str) -> Option<i64> {
    headers
        .get_all("x-sentry-rate-limits")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|limit| {
            let mut parts = limit.trim().split(':');
            let seconds: f64 = parts.next()?.trim().parse().ok()?;
            let categories = parts.next().unwrap_or_default();
            let concerns = categories.is_empty()
                || categories
                    .split(';')
                    .any(|limited| [category, "default"].contains(&limited.trim()));
            (concerns && seconds.is_finite() && seconds > 0.0).then_some(seconds.ceil() as i64)
        })
        .max()
}

#[cfg(test)]
#[path = "sentry/tests.rs"]
mod tests;
