//! Alerts: what is told to people outside of the dashboard, about what, and to whom.

mod content;
mod error_rate;
mod form;
mod preview;
mod quiet;
mod settings;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::Timestamp;
use crate::step::words;

pub use content::{
    AlertContent, AlertedBudget, AlertedCondition, AlertedDeploy, AlertedFinding, AlertedIncident,
    AlertedKeyLimit, AlertedStep, IncidentMoment,
};
pub use error_rate::{ErrorRate, LastSteps};
pub use form::listed;
pub use preview::{PastStep, Preview, preview};
pub use quiet::{QuietDays, QuietHours, TimeOfDay};
pub use settings::{
    AlertLevel, AlertSettings, ByChannel, DIGESTS_S, ErrorRateRule, Routes, SettingsError, Speaks,
};

words!(
    /// Why an alert was made. One more is a line here, its text in [`Trigger::label`] and what makes it.
    Trigger {
        /// A step reached the severity that is alerted about.
        Severity = "severity",
        /// A step failed.
        StepError = "step_error",
        /// Too many of a project's last steps failed.
        ErrorRate = "error_rate",
        /// Something left its baseline.
        IncidentOpened = "incident_opened",
        /// A deploy is named as the cause of an incident.
        IncidentAttributed = "incident_attributed",
        /// An incident is over.
        IncidentClosed = "incident_closed",
        /// A detector found something.
        Finding = "finding",
        /// A month has cost what it may.
        BudgetReached = "budget_reached",
        /// A month is going to cost more than it may.
        BudgetForecast = "budget_forecast",
        /// A key has used much or all of what it may in a month.
        KeyLimit = "key_limit",
        /// A channel stopped; told to the others.
        IntegrationBroken = "integration_broken",
        /// Somebody pressed a button.
        Test = "test",
    }
);

impl Trigger {
    /// How pages call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Severity => "Step severity",
            Self::StepError => "Step error",
            Self::ErrorRate => "Error rate",
            Self::IncidentOpened => "Incident opened",
            Self::IncidentAttributed => "Incident attributed",
            Self::IncidentClosed => "Incident closed",
            Self::Finding => "Detector finding",
            Self::BudgetReached => "Budget reached",
            Self::BudgetForecast => "Budget forecast",
            Self::KeyLimit => "Key limit",
            Self::IntegrationBroken => "Integration broken",
            Self::Test => "Test",
        }
    }

    /// Whether it waits for the end of quiet hours. A channel that stopped is told of at once.
    pub const fn keeps_quiet(self) -> bool {
        match self {
            Self::Severity
            | Self::StepError
            | Self::ErrorRate
            | Self::IncidentOpened
            | Self::IncidentAttributed
            | Self::IncidentClosed
            | Self::Finding
            | Self::BudgetReached
            | Self::BudgetForecast
            | Self::KeyLimit => true,
            Self::IntegrationBroken | Self::Test => false,
        }
    }
}

words!(
    /// Where alerts go.
    Channel {
        /// An incoming webhook of Slack.
        Slack = "slack",
        /// A project of Sentry, or of a server that takes its envelopes.
        Sentry = "sentry",
        /// People, by a server of e-mail.
        Email = "email",
        /// A URL of the project's own, called with a signature.
        Webhook = "webhook",
    }
);

impl Channel {
    /// How pages call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Slack => "Slack",
            Self::Sentry => "Sentry",
            Self::Email => "E-mail",
            Self::Webhook => "Webhook",
        }
    }

    /// Messages that one channel of a project gets within an hour; what is more waits and is said together. Sentry groups
    /// what it gets by itself.
    pub const fn max_messages_per_hour(self) -> u32 {
        match self {
            Self::Slack | Self::Email | Self::Webhook => 30,
            Self::Sentry => 600,
        }
    }
}

words!(
    /// How Sentry gets a run.
    TraceFormatName {
        /// As one transaction, which every server takes that is like Sentry.
        Transaction = "transaction",
        /// As spans of the second version.
        Spans = "spans",
    }
);

words!(
    /// What became of an alert.
    AlertState {
        /// It is to be delivered.
        Waiting = "waiting",
        /// The receiver took it.
        Delivered = "delivered",
        /// The receiver refused it for good.
        Failed = "failed",
        /// It waited for too long, or the channel was removed.
        Dropped = "dropped",
    }
);

/// An alert as the delivery log shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Alert {
    /// The idempotency key of its deliveries.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "uuid"))]
    pub id: Uuid,
    /// Why it was made.
    pub trigger: Trigger,
    /// Where it goes.
    pub channel: Channel,
    /// What it is about: `run_id`, `step_id`, `step` of a step, `incident_id`, `key`, `metric` of an incident, `key`,
    /// `month` of a budget, `key`, `month`, `measure`, `percent` of a key's limit,
    /// `finding_id`, `detector_id`, `run_id` of a finding.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub subject: Value,
    /// One line of what it says.
    pub summary: String,
    /// Of how many occurrences it speaks.
    pub occurrences: i64,
    /// What became of it.
    pub state: AlertState,
    /// How often it was tried.
    pub attempts: i32,
    /// What was answered last; null before the first attempt.
    pub answer: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is tried next; null when it is done.
    pub due_at: Option<Timestamp>,
    /// When it was delivered or given up.
    pub done_at: Option<Timestamp>,
}

/// One attempt to deliver an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertAttempt {
    /// When it ended.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub latency_ms: i32,
    /// What was answered, or why nothing was.
    pub answer: String,
}

/// The end of a page of alerts; the next one begins after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertCursor {
    /// Of the last one.
    pub created_at: Timestamp,
    /// Of the last one.
    pub id: Uuid,
}

impl fmt::Display for AlertCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.created_at.micros(), self.id.simple())
    }
}

/// It is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of the list of alerts")]
pub struct InvalidAlertCursor;

impl FromStr for AlertCursor {
    type Err = InvalidAlertCursor;

    fn from_str(text: &str) -> Result<Self, InvalidAlertCursor> {
        let read = || {
            let (micros, id) = text.split_once('.')?;
            Some(Self {
                created_at: Timestamp::from_micros(micros.parse().ok()?),
                id: Uuid::try_parse(id).ok()?,
            })
        };
        read().ok_or(InvalidAlertCursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_were() {
        let cursor = AlertCursor {
            created_at: Timestamp::from_micros(1_764_000_000_000_001),
            id: Uuid::from_u128(7),
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for wrong in ["", "1", "1.x", "x.00000000000000000000000000000007"] {
            assert_eq!(wrong.parse::<AlertCursor>(), Err(InvalidAlertCursor), "{wrong}");
        }
    }
}
