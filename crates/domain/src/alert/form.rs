//! Settings as the page's form says them: what it saves, and what it previews.

use super::{AlertLevel, AlertSettings, ErrorRateRule, QuietDays, QuietHours, Speaks};

/// What stands between commas.
pub fn listed(text: &str) -> Vec<String> {
    let names = text.split([',', '\n']).map(str::trim);
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

impl AlertSettings {
    /// Reads a form, of which `field` is the text of a field, empty where there is none. `None` where something can't be
    /// read.
    pub fn from_form(field: impl Fn(&str) -> String) -> Option<Self> {
        let ticked = |name: &str| !field(name).is_empty();
        let number = |name: &str| field(name).trim().parse::<u32>().ok();
        let speaks = |trigger: &str| Speaks {
            slack: ticked(&format!("{trigger}.slack")),
            email: ticked(&format!("{trigger}.email")),
            webhook: ticked(&format!("{trigger}.webhook")),
        };
        let mut settings = Self {
            step_error: ticked("step_error"),
            error_rate: ErrorRateRule {
                on: ticked("error_rate.on"),
                percent: number("error_rate.percent")?,
                window: number("error_rate.window")?,
                min_steps: number("error_rate.min_steps")?,
                cooldown_s: number("error_rate.cooldown_min")?.checked_mul(60)?,
            },
            severity: AlertLevel::parse(&field("severity"))?,
            severity_cooldown_s: number("severity_cooldown_s")?,
            incidents: ticked("incidents"),
            findings: ticked("findings"),
            budgets: ticked("budgets"),
            key_limits: ticked("key_limits"),
            digest_s: number("digest_s")?,
            only_keys: listed(&field("only_keys")),
            only_environments: listed(&field("only_environments")),
            quiet: QuietHours {
                days: QuietDays::parse(&field("quiet.days"))?,
                from: field("quiet.from").parse().ok()?,
                to: field("quiet.to").parse().ok()?,
            },
            ..Self::default()
        };
        settings.routes.severity = speaks("severity");
        settings.routes.step_error = speaks("step_error");
        settings.routes.error_rate = speaks("error_rate");
        settings.routes.incidents = speaks("incidents");
        settings.routes.findings = speaks("findings");
        settings.routes.budgets = speaks("budgets");
        settings.routes.key_limits = speaks("key_limits");
        settings.channels.slack = ticked("channels.slack");
        settings.channels.sentry = ticked("channels.sentry");
        settings.channels.email = ticked("channels.email");
        settings.channels.webhook = ticked("channels.webhook");
        Some(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_says_all_of_it() {
        let fields = [
            ("severity", "warning"),
            ("severity_cooldown_s", "60"),
            ("severity.slack", "on"),
            ("error_rate.on", "on"),
            ("error_rate.percent", "15"),
            ("error_rate.window", "20"),
            ("error_rate.min_steps", "5"),
            ("error_rate.cooldown_min", "10"),
            ("digest_s", "600"),
            ("quiet.days", "weekdays"),
            ("quiet.from", "20:00"),
            ("quiet.to", "07:00"),
            ("only_keys", " prod , , batch"),
            ("channels.email", "on"),
            ("key_limits", "on"),
            ("key_limits.email", "on"),
        ];
        let of = |name: &str, without: &str| {
            let found = fields.iter().find(|(own, _)| *own == name && *own != without);
            found.map_or_else(String::new, |(_, text)| (*text).to_owned())
        };
        let read = AlertSettings::from_form(|name| of(name, "")).unwrap();
        assert_eq!(
            (read.severity, read.error_rate.percent),
            (AlertLevel::Warning, 15)
        );
        assert_eq!(read.error_rate.cooldown_s, 600);
        assert_eq!(read.only_keys, ["prod", "batch"]);
        assert!(read.routes.severity.slack && !read.routes.severity.webhook && !read.step_error);
        assert!(read.channels.email && !read.channels.slack);
        assert!(read.key_limits && read.routes.key_limits.email && !read.routes.key_limits.slack);
        for without in ["severity", "error_rate.percent", "digest_s", "quiet.from"] {
            assert_eq!(
                AlertSettings::from_form(|name| of(name, without)),
                None,
                "{without}"
            );
        }
    }
}
