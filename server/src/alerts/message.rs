//! What every channel's message has: what is told, as what it is stored, and where its links lead.

use domain::Timestamp;
use domain::alert::{AlertContent, Trigger};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use uuid::Uuid;

/// An alert on its way to a channel.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// The idempotency key.
    pub(super) id: Uuid,
    pub(super) trigger: Trigger,
    pub(super) created_at: Timestamp,
    pub(super) last_at: Timestamp,
    pub(super) occurrences: i64,
    pub(super) summary: String,
    pub(super) subject: Value,
    pub(super) content: AlertContent,
}

/// Whose messages they are, and where their links begin.
#[derive(Clone, Debug)]
pub(super) struct Sending {
    /// The project's word in addresses.
    pub(super) slug: String,
    /// The project's name.
    pub(super) project: String,
    /// What the dashboard is called from outside, without a slash at its end.
    pub(super) public_url: String,
    pub(super) now: Timestamp,
}

impl Sending {
    /// The page that shows what an alert is about, with the step opened.
    pub(super) fn url(&self, content: &AlertContent) -> String {
        let project = format!("{}/p/{}", self.public_url, self.slug);
        match content {
            AlertContent::Step(step) | AlertContent::ErrorRate { step, .. } => {
                format!(
                    "{project}/runs/{}?step={}",
                    encoded(&step.run_id),
                    encoded(&step.step_id)
                )
            }
            AlertContent::Incident(incident) => format!("{project}/incidents/{}", incident.incident_id),
            AlertContent::Finding(finding) => format!("{project}/findings/{}", finding.finding_id),
            AlertContent::Budget(_) => format!("{project}/settings/budgets"),
            AlertContent::KeyLimit(_) => format!("{project}/settings/keys"),
            AlertContent::IntegrationBroken { .. } | AlertContent::Test { .. } => {
                format!("{project}/settings/integrations")
            }
        }
    }

    /// The page of a deploy.
    pub(super) fn deploy_url(&self, deploy_id: &str) -> String {
        format!(
            "{}/p/{}/deploys/{}",
            self.public_url,
            self.slug,
            encoded(deploy_id)
        )
    }

    /// The page with all alerts.
    pub(super) fn log_url(&self) -> String {
        format!("{}/p/{}/settings/alerts", self.public_url, self.slug)
    }
}

pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// `3 times from 09:12:27 to 09:13:02 UTC`; `None` for a single occurrence.
pub(super) fn repeated(message: &Message) -> Option<String> {
    let clock = |at: Timestamp| {
        let text = at.to_string();
        text.get(11..19).unwrap_or_default().to_owned()
    };
    (message.occurrences > 1).then(|| {
        let (times, from, to) = (
            message.occurrences,
            clock(message.created_at),
            clock(message.last_at),
        );
        if from == to {
            format!("{times} times at {from} UTC")
        } else {
            format!("{times} times from {from} to {to} UTC")
        }
    })
}
