//! How often rules would have spoken, by steps that came.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AlertSettings, Channel, LastSteps, Trigger};
use crate::{Severity, Timestamp};

/// A step that came, as far as rules look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastStep {
    /// When it was received.
    pub at: Timestamp,
    /// Its name.
    pub name: String,
    /// The name of the key that sent it.
    pub key: String,
    /// Where it ran.
    pub environment: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it failed, or carries an error text.
    pub has_failed: bool,
}

/// How many messages each rule would have sent to a channel that people read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// By the severity of steps.
    pub severity: u32,
    /// By failed steps whose severity is not told.
    pub step_error: u32,
    /// By too many failures.
    pub error_rate: u32,
}

/// What the rules would have done with these steps, in the order in which they came: what comes while a rule is quiet
/// is one message at the end of the quiet, as it really is.
pub fn preview(settings: &AlertSettings, steps: &[PastStep]) -> Preview {
    let mut found = Preview::default();
    let mut last = LastSteps::default();
    let mut quiet: BTreeMap<(Trigger, &str), Quiet> = BTreeMap::new();
    let mut tell = |trigger: Trigger, group, at: Timestamp| {
        let lasts_s = settings.quiet_s(trigger, Channel::Slack);
        let quiet = quiet.entry((trigger, group)).or_default();
        quiet.occurs(at, i64::from(lasts_s) * 1_000_000)
    };
    for step in steps {
        if !settings.concerns(&step.key, step.environment.as_deref()) {
            continue;
        }
        last.push(step.has_failed);
        if settings.severity.has(step.severity) {
            found.severity += tell(Trigger::Severity, step.name.as_str(), step.at);
        } else if step.has_failed && settings.step_error {
            found.step_error += tell(Trigger::StepError, step.name.as_str(), step.at);
        }
        if step.has_failed && last.reaches(&settings.error_rate).is_some() {
            found.error_rate += tell(Trigger::ErrorRate, "", step.at);
        }
    }
    found
}

/// The quiet after a message, and whether something waits for its end.
#[derive(Debug)]
struct Quiet {
    until_micros: i64,
    waits: bool,
}

impl Default for Quiet {
    fn default() -> Self {
        Self {
            until_micros: i64::MIN,
            waits: false,
        }
    }
}

impl Quiet {
    /// How many more messages there are because something happened: the one that waits for the end is counted when it
    /// begins to wait.
    fn occurs(&mut self, at: Timestamp, lasts_micros: i64) -> u32 {
        let at = at.micros();
        if self.waits && at >= self.until_micros {
            self.waits = false;
            self.until_micros += lasts_micros;
        }
        if at >= self.until_micros {
            self.until_micros = at.saturating_add(lasts_micros);
            return 1;
        }
        let begins = !self.waits;
        self.waits = true;
        u32::from(begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(second: i64, name: &str, severity: Severity, has_failed: bool) -> PastStep {
        PastStep {
            at: Timestamp::from_micros(second * 1_000_000),
            name: name.to_owned(),
            key: "prod".to_owned(),
            environment: None,
            severity,
            has_failed,
        }
    }

    #[test]
    fn a_rule_speaks_once_and_once_more_for_what_came_while_it_was_quiet() {
        let check = |seconds: &[i64], expected: u32| {
            let steps: Vec<PastStep> = seconds
                .iter()
                .map(|second| step(*second, "parse", Severity::Critical, false))
                .collect();
            let found = preview(&AlertSettings::default(), &steps);
            assert_eq!(found.severity, expected, "{seconds:?}");
        };
        check(&[], 0);
        check(&[0], 1);
        // A minute of quiet after each.
        check(&[0, 1, 2, 59], 2);
        check(&[0, 60], 2);
        // The one at the end of the quiet begins another minute.
        check(&[0, 30, 61, 90], 3);
        check(&[0, 30, 121], 3);
    }

    #[test]
    fn each_rule_counts_what_is_its_own() {
        let mut steps: Vec<PastStep> = (0..20).map(|n| step(n, "fine", Severity::Ok, false)).collect();
        steps.push(step(100, "parse", Severity::Critical, true));
        steps.push(step(101, "call", Severity::Critical, true));
        steps.push(step(102, "warn", Severity::Warning, false));
        steps.extend((0..5).map(|n| step(1_000 + n, "tool", Severity::Ok, true)));
        let found = preview(&AlertSettings::default(), &steps);
        // Two names; of the failures two messages; 5 of 20 once.
        assert_eq!((found.severity, found.step_error, found.error_rate), (2, 2, 2));
        let settings = AlertSettings {
            only_keys: vec!["batch".to_owned()],
            ..AlertSettings::default()
        };
        assert_eq!(preview(&settings, &steps), Preview::default());
    }
}
