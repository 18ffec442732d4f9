//! What a project's alerts are set to.

use domain::alert::{AlertLevel, AlertSettings, Channel, Trigger};
use domain::{ProjectId, Timestamp};
use serde_json::Value;
use storage::Db;

/// Settings, and the channels that are connected and not switched off.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) settings: AlertSettings,
    pub(super) channels: Vec<Channel>,
    /// From which severity on Sentry is told.
    pub(super) sentry_level: Option<AlertLevel>,
    /// Whether Sentry gets the runs as tracing data.
    pub(super) traces: bool,
}

impl Plan {
    /// As the project is set now.
    pub(super) async fn read(db: &Db, project: ProjectId) -> storage::Result<Self> {
        let kinds: Vec<&str> = Channel::ALL.iter().map(|channel| channel.as_str()).collect();
        Ok(Self::of(
            project,
            storage::alerts::plan(db, project, &kinds).await?,
        ))
    }

    /// When the quiet hours end that an alert has to wait for. Sentry disturbs nobody.
    pub(super) fn quiet_until(
        &self,
        trigger: Trigger,
        channel: Channel,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let end = self.settings.quiet.end(now);
        end.filter(|_| trigger.keeps_quiet() && channel != Channel::Sentry)
    }

    pub(super) fn of(project: ProjectId, stored: storage::alerts::Plan) -> Self {
        let settings = settings_of(project, stored.settings);
        let sentry = stored
            .channels
            .iter()
            .find(|channel| channel.kind == Channel::Sentry.as_str());
        let sentry_level = sentry
            .and_then(|sentry| sentry.options.get("alert_level")?.as_str())
            .and_then(AlertLevel::parse);
        let traces = sentry.is_some_and(|sentry| is_traced(&sentry.options)) && settings.channels.sentry;
        Self {
            traces,
            channels: stored
                .channels
                .iter()
                .filter_map(|channel| Channel::parse(&channel.kind))
                .filter(|channel| settings.channels.has(*channel))
                .collect(),
            sentry_level,
            settings,
        }
    }
}

/// Settings as they are stored; defaults where they can't be read.
pub fn settings_of(project: ProjectId, stored: Value) -> AlertSettings {
    serde_json::from_value(stored).unwrap_or_else(|cause| {
        tracing::error!(project.id = %project, %cause, "alert settings can't be read; the defaults are used");
        AlertSettings::default()
    })
}

/// Whether a project with these options of Sentry wants its runs there.
fn is_traced(options: &Value) -> bool {
    options.get("tracing").and_then(Value::as_bool).unwrap_or(false)
}
