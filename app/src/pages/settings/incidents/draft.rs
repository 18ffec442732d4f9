//! What stands in the form of Settings → Incidents, as it was typed.

use domain::NanoUsd;
use engine::incidents::daily::DailyRule;
use engine::incidents::{Metric, Minimums, Settings};

/// The form, as it was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentsDraft {
    pairs: Vec<(String, String)>,
}

impl IncidentsDraft {
    /// The form's fields by name.
    pub fn from_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        Self {
            pairs: pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    /// What it sets; `None` where a value can't be used.
    pub fn settings(&self) -> Option<Settings> {
        let text = |name: &str| {
            let mut pairs = self.pairs.iter();
            pairs.find(|(own, _)| own == name).map(|(_, value)| value.trim())
        };
        let number = |name: &str| text(name)?.trim_end_matches('%').trim_end().parse::<f64>().ok();
        let part = |name: &str| number(name).map(|percent| percent / 100.0);
        let dollars = |name: &str| NanoUsd::parse_decimal(text(name)?.trim_start_matches('$'));
        let sigma = number("sigma").filter(|sigma| (0.0..=100.0).contains(sigma))?;
        let settings = Settings {
            false_incidents_a_week: number("sensitivity")?,
            minimums: Minimums {
                cost: dollars("cost")?,
                relative: part("relative")?,
                latency: part("latency")?,
                latency_ms: number("latency_ms")?,
                rate: part("rate")?,
                mix: part("mix")?,
            },
            daily: DailyRule {
                sigma_hundredths: (sigma * 100.0).round() as u16,
                delta: dollars("daily_delta")?,
            },
            quiet: quiet(text("quiet").unwrap_or_default())?,
        };
        settings.out_of_range().is_none().then_some(settings)
    }
}

/// A line each: `latency_p95` for all keys, `prod-frontend: latency_p95` for one.
fn quiet(text: &str) -> Option<Vec<(Option<String>, Metric)>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            // A label may hold a colon; a metric holds none.
            let (key, metric) = match line.rsplit_once(':') {
                Some((key, metric)) => (Some(key.trim().to_owned()), metric.trim()),
                None => (None, line),
            };
            let metric = Metric::parse(metric).filter(|metric| *metric != Metric::CostPerRun)?;
            Some((key.filter(|key| !key.is_empty()), metric))
        })
        .collect()
}

/// The lines of what is quiet, as the form reads them.
pub(super) fn quiet_lines(settings: &Settings) -> String {
    let line = |(key, metric): &(Option<String>, Metric)| match key {
        Some(key) => format!("{key}: {}", metric.as_str()),
        None => metric.as_str().to_owned(),
    };
    settings.quiet.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A part as percent, without zeros that say nothing.
pub(super) fn percent(part: f64) -> String {
    let rounded = (part * 100_000.0).round() / 1_000.0;
    rounded.to_string()
}

/// What the form shows of settings.
pub(super) fn pairs(settings: &Settings) -> [(&'static str, String); 9] {
    let (least, daily) = (&settings.minimums, settings.daily);
    [
        ("sensitivity", settings.false_incidents_a_week.to_string()),
        ("cost", least.cost.to_decimal()),
        ("relative", percent(least.relative)),
        ("latency", percent(least.latency)),
        ("latency_ms", least.latency_ms.to_string()),
        ("rate", percent(least.rate)),
        ("mix", percent(least.mix)),
        ("sigma", (f64::from(daily.sigma_hundredths) / 100.0).to_string()),
        ("daily_delta", daily.delta.to_decimal()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(settings: &Settings, replace: &[(&str, &str)]) -> IncidentsDraft {
        let quiet = quiet_lines(settings);
        let known = pairs(settings);
        let all = known
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .chain([("quiet", quiet.as_str())]);
        let replaced = |name: &str| {
            replace
                .iter()
                .find(|(own, _)| *own == name)
                .map(|(_, value)| *value)
        };
        IncidentsDraft::from_pairs(all.map(|(name, value)| (name, replaced(name).unwrap_or(value))))
    }

    #[test]
    fn what_the_form_shows_it_reads_back() {
        let settings = Settings {
            false_incidents_a_week: 0.25,
            quiet: vec![
                (None, Metric::ShapeMix),
                (Some("prod: eu".to_owned()), Metric::LatencyP95),
            ],
            ..Settings::default()
        };
        assert_eq!(draft(&settings, &[]).settings(), Some(settings));
        assert_eq!(
            draft(&Settings::default(), &[]).settings(),
            Some(Settings::default())
        );
    }

    #[test]
    fn what_cant_be_used_is_refused() {
        let of = |name, value| draft(&Settings::default(), &[(name, value)]).settings();
        assert_eq!(of("sensitivity", "often"), None);
        assert_eq!(of("sensitivity", "0"), None);
        assert_eq!(of("cost", "-1"), None);
        assert_eq!(of("quiet", "prod: nothing"), None);
        assert_eq!(of("sigma", "1e9"), None);
        assert_eq!(
            of("relative", "15 %").map(|settings| settings.minimums.relative),
            Some(0.15)
        );
    }
}
