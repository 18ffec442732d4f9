//! Slack's incoming webhooks: Block Kit within its limits, and what their answers mean.

use axum::http::StatusCode;
use domain::Severity;
use domain::alert::{
    AlertContent, AlertedBudget, AlertedFinding, AlertedIncident, AlertedKeyLimit, AlertedStep,
    IncidentMoment,
};
use serde_json::{Value, json};

use super::facts::{
    a_day, budget_title, day, incident_title, key_limit_effect, key_limit_title, minute, percent,
};
use super::message::{Message, Sending, repeated};
use super::reply::{Reply, Verdict, retry_after_s, said};
use super::triggers::named;

/// Characters of a header.
const MAX_HEADER_CHARS: usize = 150;
/// Characters of a section's text, and of one of its fields.
const MAX_TEXT_CHARS: usize = 3_000;
const MAX_FIELD_CHARS: usize = 2_000;
/// Fields of a section.
const MAX_FIELDS: usize = 10;
/// Characters of the text that notifications show.
const MAX_FALLBACK_CHARS: usize = 1_000;

/// The body of a call: one alert, or several as a list.
pub(super) fn body(sending: &Sending, messages: &[Message]) -> Value {
    let (fallback, blocks) = match messages {
        [one] => single(sending, one),
        several => digest(sending, several),
    };
    json!({
        "text": cut(&escaped(&fallback), MAX_FALLBACK_CHARS),
        "blocks": blocks,
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

fn single(sending: &Sending, message: &Message) -> (String, Vec<Value>) {
    let url = sending.url(&message.content);
    let mut blocks = Vec::new();
    let title = title(&message.content);
    blocks.push(header(&title));
    match &message.content {
        AlertContent::Step(step) => of_step(&mut blocks, sending, step),
        AlertContent::ErrorRate {
            failed,
            of,
            limit_percent,
            step,
        } => {
            let text = format!(
                "{failed} of the last {of} steps failed; told from {limit_percent} % on. The last one:"
            );
            blocks.push(section(&text));
            of_step(&mut blocks, sending, step);
        }
        AlertContent::Incident(incident) => of_incident(&mut blocks, sending, incident),
        AlertContent::Finding(finding) => of_finding(&mut blocks, sending, finding),
        AlertContent::Budget(budget) => of_budget(&mut blocks, sending, budget),
        AlertContent::KeyLimit(limit) => of_key_limit(&mut blocks, sending, limit),
        AlertContent::IntegrationBroken { channel, answer } => {
            let text = format!(
                "{} answered: {}\nNothing is sent there until it is mended in the settings.",
                channel.label(),
                escaped(answer)
            );
            blocks.push(section(&text));
        }
        AlertContent::Test { by } => {
            let text = format!(
                "Alerts of {} arrive here. {} sent this test.",
                escaped(&sending.project),
                escaped(by)
            );
            blocks.push(section(&text));
        }
    }
    let label = match &message.content {
        AlertContent::Step(_) | AlertContent::ErrorRate { .. } => "Open the step",
        AlertContent::Incident(_) => "Open the incident",
        AlertContent::Finding(_) => "Open the finding",
        AlertContent::Budget(_) => "Open the budgets",
        AlertContent::KeyLimit(_) => "Open the keys",
        AlertContent::IntegrationBroken { .. } | AlertContent::Test { .. } => "Open the settings",
    };
    // A button would show a warning without an app that answers it.
    blocks.push(section(&format!("<{}|{label}>", escaped(&url))));
    if let Some(repeated) = repeated(message) {
        blocks.push(context(&repeated));
    }
    (format!("{title} ({}) {url}", sending.project), blocks)
}

fn of_step(blocks: &mut Vec<Value>, sending: &Sending, step: &AlertedStep) {
    let score = step.score.map(|score| match step.threshold {
        Some(threshold) => format!("{score} points, critical from {threshold}"),
        None => format!("{score} points"),
    });
    let fields = [
        ("Project", Some(sending.project.clone())),
        ("Step", Some(named(&step.name).to_owned())),
        ("Run", Some(step.run_id.clone())),
        ("Key", Some(step.key.clone())),
        ("Model", step.model.clone()),
        ("Score", score),
        ("Environment", step.environment.clone()),
        ("Release", step.release.clone()),
        ("Latency", step.latency_ms.map(domain::text::duration)),
    ];
    blocks.push(fact_section(fields));
    let mut lines: Vec<String> = step
        .conditions
        .iter()
        .map(|condition| {
            format!(
                "• *{}* {} +{}: {}",
                condition.code,
                escaped(&condition.name),
                condition.points,
                escaped(&condition.message)
            )
        })
        .collect();
    if step.more_conditions > 0 {
        lines.push(format!("and {} more", step.more_conditions));
    }
    if !lines.is_empty() {
        blocks.push(section(&lines.join("\n")));
    }
    // Slack refuses a message with an empty text in it.
    if let Some(error) = step.error.as_ref().filter(|error| !error.trim().is_empty()) {
        blocks.push(plain_section(error));
    }
}

/// The verdict first, then the figures, the deploy and what speaks for it.
fn of_incident(blocks: &mut Vec<Value>, sending: &Sending, incident: &AlertedIncident) {
    blocks.push(section(&escaped(&incident.sentence)));
    let is_over = matches!(
        incident.moment,
        IncidentMoment::Closed | IncidentMoment::Withdrawn
    );
    let fields = [
        ("Project", Some(sending.project.clone())),
        ("What", Some(incident.name.clone())),
        ("Probability", (!is_over).then(|| percent(incident.probability))),
        ("Costs more", incident.nano_usd_a_day.map(a_day)),
        ("Since", Some(minute(incident.onset_at))),
        ("Until", incident.ended_at.map(minute)),
    ];
    blocks.push(fact_section(fields));
    if let Some(deploy) = &incident.deploy {
        let name = escaped(&deploy.name).replace('|', "¦");
        let linked = match &deploy.deploy_id {
            Some(id) => format!("<{}|{name}>", escaped(&sending.deploy_url(id))),
            None => name,
        };
        blocks.push(section(
            format!("*Deploy* {linked} {}", escaped(&deploy.title)).trim_end(),
        ));
    }
    if let Some(evidence) = incident.evidence.as_ref().filter(|text| !text.trim().is_empty()) {
        blocks.push(section(&format!("*Evidence* {}", escaped(evidence))));
    }
}

fn of_finding(blocks: &mut Vec<Value>, sending: &Sending, finding: &AlertedFinding) {
    blocks.push(section(&escaped(&finding.summary)));
    let fields = [
        ("Project", Some(sending.project.clone())),
        (
            "Detector",
            Some(format!("{} ({})", finding.detector, finding.template)),
        ),
        ("Run", Some(format!("{} {}", finding.run_name, finding.run_id))),
        (
            "Step",
            finding.quote.as_ref().map(|(step, _)| named(step).to_owned()),
        ),
    ];
    blocks.push(fact_section(fields));
    if let Some((_, quote)) = finding
        .quote
        .as_ref()
        .filter(|(_, quote)| !quote.trim().is_empty())
    {
        blocks.push(plain_section(quote));
    }
}

fn of_budget(blocks: &mut Vec<Value>, sending: &Sending, budget: &AlertedBudget) {
    let key = budget.key.clone().unwrap_or_else(|| "all keys".to_owned());
    let fields = [
        ("Project", Some(sending.project.clone())),
        ("Key", Some(key)),
        ("Budget of the month", Some(budget.monthly.to_short())),
        ("Spent", Some(budget.spent.to_short())),
        (
            "Expected in the end",
            budget.expected.map(domain::NanoUsd::to_short),
        ),
        (
            "Used up on",
            budget.used_up_on.filter(|_| !budget.is_used_up).map(day),
        ),
    ];
    blocks.push(fact_section(fields));
}

fn of_key_limit(blocks: &mut Vec<Value>, sending: &Sending, limit: &AlertedKeyLimit) {
    let fields = [
        ("Project", Some(sending.project.clone())),
        ("Key", Some(limit.key.clone())),
        ("Limit of the month", Some(limit.measure.said(limit.limit))),
        ("Used", Some(limit.measure.said(limit.used))),
    ];
    blocks.push(fact_section(fields));
    blocks.push(section(&key_limit_effect(limit)));
}

/// A section of names and values, without those that are not known.
fn fact_section<const N: usize>(facts: [(&str, Option<String>); N]) -> Value {
    let fields: Vec<Value> = facts
        .into_iter()
        .filter_map(|(label, value)| Some((label, value?)))
        .take(MAX_FIELDS)
        .map(|(label, value)| {
            json!({
                "type": "mrkdwn",
                "text": cut(&format!("*{label}*\n{}", escaped(&value)), MAX_FIELD_CHARS),
                "verbatim": true,
            })
        })
        .collect();
    json!({ "type": "section", "fields": fields })
}

/// Several alerts in one message, a line for each.
fn digest(sending: &Sending, messages: &[Message]) -> (String, Vec<Value>) {
    let title = format!("{} alerts of {}", messages.len(), sending.project);
    let mut blocks = vec![header(&title)];
    let mut text = String::new();
    let mut untold = 0;
    for message in messages {
        let times = if message.occurrences > 1 {
            format!(" ×{}", message.occurrences)
        } else {
            String::new()
        };
        let line = format!(
            "• <{}|{}>{times}\n",
            escaped(&sending.url(&message.content)),
            escaped(&message.summary).replace('|', "¦")
        );
        // Whole lines only: a link that is cut is none.
        if line.chars().count() + text.chars().count() > MAX_TEXT_CHARS {
            untold += 1;
        } else {
            text.push_str(&line);
        }
    }
    blocks.push(section(text.trim_end()));
    if untold > 0 {
        blocks.push(context(&format!("and {untold} more")));
    }
    blocks.push(section(&format!("<{}|All alerts>", escaped(&sending.log_url()))));
    (title, blocks)
}

fn title(content: &AlertContent) -> String {
    match content {
        AlertContent::Step(step) => {
            let what = match step.severity {
                Severity::Critical => "Critical",
                Severity::Warning => "Warning",
                Severity::Ok => "Failed",
            };
            let name = if step.name.trim().is_empty() {
                "step without a name"
            } else {
                &step.name
            };
            format!("{what}: {name}")
        }
        AlertContent::ErrorRate { failed, of, .. } => {
            format!("Error rate {} %", failed * 100 / (*of).max(1))
        }
        AlertContent::Incident(incident) => incident_title(incident),
        AlertContent::Finding(finding) => format!("Found: {}", finding.detector),
        AlertContent::Budget(budget) => budget_title(budget).to_owned(),
        AlertContent::KeyLimit(limit) => key_limit_title(limit),
        AlertContent::IntegrationBroken { channel, .. } => format!("{} stopped", channel.label()),
        AlertContent::Test { .. } => "Plumbline test".to_owned(),
    }
}

fn header(text: &str) -> Value {
    json!({ "type": "header", "text": { "type": "plain_text", "text": cut(text, MAX_HEADER_CHARS), "emoji": false } })
}

/// A text in Slack's markup, in which what is not ours has been escaped.
fn section(text: &str) -> Value {
    json!({
        "type": "section",
        "text": { "type": "mrkdwn", "text": cut(text, MAX_TEXT_CHARS), "verbatim": true },
    })
}

fn plain_section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "plain_text", "text": cut(text, MAX_TEXT_CHARS), "emoji": false } })
}

fn context(text: &str) -> Value {
    json!({
        "type": "context",
        "elements": [{ "type": "mrkdwn", "text": cut(text, MAX_FIELD_CHARS), "verbatim": true }],
    })
}

/// Slack's three characters. Without them a text is no link, no mention and no channel.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// At most so many characters; never a part of an entity.
fn cut(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max_chars - 1).collect();
    let kept = match kept.rfind('&') {
        Some(at) if kept.len() - at < 6 && !kept[at..].contains(';') => &kept[..at],
        _ => &kept,
    };
    format!("{kept}…")
}

/// What Slack's answer means.
pub(super) fn verdict(status: StatusCode, retry_after: Option<&str>, body: &[u8]) -> Reply {
    let verdict = match status.as_u16() {
        200..=299 => Verdict::Taken,
        401 | 403 | 404 | 410 => Verdict::Stopped,
        408 | 429 | 500..=599 => Verdict::TryAgain {
            after_s: retry_after_s(retry_after),
        },
        // Most likely a message of ours that it does not like, or no webhook at all.
        _ => Verdict::Refused,
    };
    Reply::new(verdict, said(status, body))
}

#[cfg(test)]
#[path = "slack/tests.rs"]
mod tests;
