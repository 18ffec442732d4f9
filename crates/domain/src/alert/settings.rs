//! Which triggers speak, to which channels, and how often.

use serde::{Deserialize, Serialize};

use super::{Channel, QuietHours, Trigger};
use crate::Severity;
use crate::step::words;

/// The digests that can be chosen, in seconds; 0 is none.
pub const DIGESTS_S: [u32; 6] = [0, 60, 300, 600, 1_800, 3_600];
/// The longest cooldown, in seconds.
const MAX_COOLDOWN_S: u32 = 86_400;
/// Most steps that an error rate looks back on.
const MAX_WINDOW: u32 = 500;
/// Most keys, and environments, that alerts can be narrowed to.
const MAX_NAMES: usize = 50;
/// Quiet about one incident after each message that says the same of it: a verdict may go to and fro.
const INCIDENT_QUIET_S: u32 = 3_600;
/// Quiet about one detector after each message: what it finds meanwhile is counted in the next.
const FINDING_QUIET_S: u32 = 600;
/// Longest of those names, in bytes.
const MAX_NAME_BYTES: usize = 256;

words!(
    /// From which severity on something is told.
    AlertLevel {
        /// Only what is critical.
        Critical = "critical",
        /// Warnings too.
        Warning = "warning",
        /// Nothing.
        Off = "off",
    }
);

impl AlertLevel {
    /// Whether a step of this severity is told.
    pub fn has(self, severity: Severity) -> bool {
        match self {
            Self::Critical => severity >= Severity::Critical,
            Self::Warning => severity >= Severity::Warning,
            Self::Off => false,
        }
    }
}

/// When too many of a project's last steps failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ErrorRateRule {
    /// Whether it is looked at.
    pub on: bool,
    /// From this share of failed steps on, 1 to 100.
    pub percent: u32,
    /// Of so many last steps, 1 to 500.
    pub window: u32,
    /// As soon as there are so many, at most the window.
    pub min_steps: u32,
    /// Quiet for so long after it spoke, in seconds, at most a day.
    pub cooldown_s: u32,
}

impl Default for ErrorRateRule {
    fn default() -> Self {
        Self {
            on: true,
            percent: 25,
            window: 20,
            min_steps: 5,
            cooldown_s: 300,
        }
    }
}

/// A switch for each channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the channel of its name")]
pub struct ByChannel {
    pub slack: bool,
    pub sentry: bool,
    pub email: bool,
    pub webhook: bool,
}

impl Default for ByChannel {
    fn default() -> Self {
        Self {
            slack: true,
            sentry: true,
            email: true,
            webhook: true,
        }
    }
}

impl ByChannel {
    /// Whether a channel is switched on.
    pub const fn has(self, channel: Channel) -> bool {
        match channel {
            Channel::Slack => self.slack,
            Channel::Sentry => self.sentry,
            Channel::Email => self.email,
            Channel::Webhook => self.webhook,
        }
    }
}

/// The channels that a trigger speaks to. Sentry has a level of its own, which is set where it is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the channel of its name")]
pub struct Speaks {
    pub slack: bool,
    pub email: bool,
    pub webhook: bool,
}

impl Default for Speaks {
    fn default() -> Self {
        Self {
            slack: true,
            email: true,
            webhook: true,
        }
    }
}

/// Which trigger speaks to which channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the trigger of its name")]
pub struct Routes {
    pub severity: Speaks,
    pub step_error: Speaks,
    pub error_rate: Speaks,
    pub incidents: Speaks,
    pub findings: Speaks,
    pub budgets: Speaks,
    pub key_limits: Speaks,
}

/// A project's settings of alerts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AlertSettings {
    /// Whether failed steps are told that the severity does not tell of already.
    pub step_error: bool,
    /// When too many of the last steps failed.
    pub error_rate: ErrorRateRule,
    /// From which severity on a step is told.
    pub severity: AlertLevel,
    /// Quiet about the same step for so long, in seconds, at most a day; 0 is not at all.
    pub severity_cooldown_s: u32,
    /// Whether it is told that an incident was opened, attributed to a deploy, or closed.
    pub incidents: bool,
    /// Whether it is told what detectors find.
    pub findings: bool,
    /// Whether it is told that a month's budget is used up, or is going to be.
    pub budgets: bool,
    /// Whether it is told that a key has used 80 % or all of a month's limit.
    pub key_limits: bool,
    /// Quiet for at least so long after each message: 0, 60, 300, 600, 1800 or 3600 seconds. What comes meanwhile is one
    /// message.
    pub digest_s: u32,
    /// Whole channels, switched off without losing their settings.
    pub channels: ByChannel,
    /// Which trigger speaks to which of them.
    pub routes: Routes,
    /// Only steps of these keys; all, where it is empty.
    pub only_keys: Vec<String>,
    /// Only steps of these environments; all, where it is empty.
    pub only_environments: Vec<String>,
    /// When nobody is to be disturbed.
    pub quiet: QuietHours,
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self {
            step_error: true,
            error_rate: ErrorRateRule::default(),
            severity: AlertLevel::Critical,
            severity_cooldown_s: 60,
            incidents: true,
            findings: true,
            budgets: true,
            key_limits: true,
            digest_s: 0,
            channels: ByChannel::default(),
            routes: Routes::default(),
            only_keys: Vec::new(),
            only_environments: Vec::new(),
            quiet: QuietHours::default(),
        }
    }
}

/// A value that a setting can't have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// Which, as `error_rate.percent`.
    pub field: &'static str,
    /// What it has to be.
    pub must: String,
}

impl AlertSettings {
    /// What of it can't be.
    pub fn check(&self) -> Result<(), SettingsError> {
        let rate = &self.error_rate;
        within("error_rate.percent", rate.percent, 1, 100)?;
        within("error_rate.window", rate.window, 1, MAX_WINDOW)?;
        within("error_rate.min_steps", rate.min_steps, 1, rate.window)?;
        within("error_rate.cooldown_s", rate.cooldown_s, 0, MAX_COOLDOWN_S)?;
        within("severity_cooldown_s", self.severity_cooldown_s, 0, MAX_COOLDOWN_S)?;
        if !DIGESTS_S.contains(&self.digest_s) {
            let must = format!("must be one of {DIGESTS_S:?}");
            return Err(SettingsError {
                field: "digest_s",
                must,
            });
        }
        names("only_keys", &self.only_keys)?;
        names("only_environments", &self.only_environments)
    }

    /// Whether steps of a key and an environment are told of at all.
    pub fn concerns(&self, key: &str, environment: Option<&str>) -> bool {
        let has = |names: &[String], name: &str| names.is_empty() || names.iter().any(|own| own == name);
        has(&self.only_keys, key) && has(&self.only_environments, environment.unwrap_or_default())
    }

    /// Whether incidents of a key are told of; those of all keys at once always are.
    pub fn concerns_key(&self, key: Option<&str>) -> bool {
        key.is_none_or(|key| self.only_keys.is_empty() || self.only_keys.iter().any(|own| own == key))
    }

    /// Whether a trigger speaks to a channel.
    pub fn speaks(&self, trigger: Trigger, channel: Channel) -> bool {
        let to = match trigger {
            Trigger::Severity => self.routes.severity,
            Trigger::StepError => self.routes.step_error,
            Trigger::ErrorRate => self.routes.error_rate,
            Trigger::IncidentOpened | Trigger::IncidentAttributed | Trigger::IncidentClosed => {
                self.routes.incidents
            }
            Trigger::Finding => self.routes.findings,
            Trigger::BudgetReached | Trigger::BudgetForecast => self.routes.budgets,
            Trigger::KeyLimit => self.routes.key_limits,
            Trigger::IntegrationBroken | Trigger::Test => Speaks::default(),
        };
        let is_routed = match channel {
            Channel::Slack => to.slack,
            Channel::Email => to.email,
            Channel::Webhook => to.webhook,
            // Steps go there by its own level.
            Channel::Sentry => !matches!(trigger, Trigger::StepError | Trigger::ErrorRate),
        };
        is_routed && self.channels.has(channel)
    }

    /// How long a trigger is quiet about one thing after it spoke, in seconds. Sentry groups by itself.
    pub fn quiet_s(&self, trigger: Trigger, channel: Channel) -> u32 {
        let cooldown_s = match trigger {
            Trigger::Severity | Trigger::StepError => self.severity_cooldown_s,
            Trigger::ErrorRate => self.error_rate.cooldown_s,
            Trigger::IncidentOpened | Trigger::IncidentAttributed | Trigger::IncidentClosed => {
                INCIDENT_QUIET_S
            }
            Trigger::Finding => FINDING_QUIET_S,
            // Once in a month.
            Trigger::BudgetReached | Trigger::BudgetForecast | Trigger::KeyLimit => 0,
            Trigger::IntegrationBroken | Trigger::Test => 0,
        };
        match channel {
            Channel::Sentry => 0,
            Channel::Slack | Channel::Email | Channel::Webhook => cooldown_s.max(self.digest_s),
        }
    }
}

fn within(field: &'static str, value: u32, least: u32, most: u32) -> Result<(), SettingsError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let must = format!("must be from {least} to {most}");
    Err(SettingsError { field, must })
}

fn names(field: &'static str, names: &[String]) -> Result<(), SettingsError> {
    let is_name = |name: &String| !name.trim().is_empty() && name.len() <= MAX_NAME_BYTES;
    if names.len() <= MAX_NAMES && names.iter().all(is_name) {
        return Ok(());
    }
    let must = format!("must be at most {MAX_NAMES} names, none of them blank");
    Err(SettingsError { field, must })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_the_default() {
        let read: AlertSettings = serde_json::from_str(r#"{"error_rate":{"percent":50}}"#).unwrap();
        let mut expected = AlertSettings::default();
        expected.error_rate.percent = 50;
        assert_eq!(read, expected);
        assert_eq!(expected.check(), Ok(()));
        assert!(serde_json::from_str::<AlertSettings>(r#"{"routes":{"severty":{}}}"#).is_err());
    }

    #[test]
    fn what_cannot_be_is_named() {
        let check = |field: &str, change: fn(&mut AlertSettings)| {
            let mut settings = AlertSettings::default();
            change(&mut settings);
            assert_eq!(settings.check().map_err(|error| error.field), Err(field));
        };
        check("error_rate.percent", |s| s.error_rate.percent = 0);
        check("error_rate.percent", |s| s.error_rate.percent = 101);
        check("error_rate.window", |s| s.error_rate.window = 501);
        check("error_rate.min_steps", |s| s.error_rate.min_steps = 21);
        check("error_rate.cooldown_s", |s| s.error_rate.cooldown_s = 86_401);
        check("severity_cooldown_s", |s| s.severity_cooldown_s = 86_401);
        check("digest_s", |s| s.digest_s = 61);
        check("only_keys", |s| s.only_keys = vec![" ".to_owned()]);
        check("only_environments", |s| {
            s.only_environments = vec!["e".to_owned(); 51]
        });
    }

    #[test]
    fn a_trigger_speaks_to_the_channels_it_is_routed_to() {
        let mut settings = AlertSettings::default();
        settings.routes.severity.slack = false;
        settings.channels.webhook = false;
        assert!(!settings.speaks(Trigger::Severity, Channel::Slack));
        assert!(settings.speaks(Trigger::StepError, Channel::Slack));
        assert!(!settings.speaks(Trigger::StepError, Channel::Webhook));
        assert!(settings.speaks(Trigger::Severity, Channel::Sentry));
        assert!(!settings.speaks(Trigger::ErrorRate, Channel::Sentry));
        settings.only_environments = vec!["production".to_owned()];
        assert!(settings.concerns("k", Some("production")));
        assert!(!settings.concerns("k", None));
    }

    #[test]
    fn a_digest_is_quiet_for_longer_than_a_cooldown() {
        let mut settings = AlertSettings::default();
        assert_eq!(settings.quiet_s(Trigger::Severity, Channel::Slack), 60);
        settings.digest_s = 600;
        assert_eq!(settings.quiet_s(Trigger::Severity, Channel::Slack), 600);
        assert_eq!(settings.quiet_s(Trigger::ErrorRate, Channel::Webhook), 600);
        assert_eq!(settings.quiet_s(Trigger::Severity, Channel::Sentry), 0);
    }
}
