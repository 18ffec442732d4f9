//! The state of the anomalies page, all of it in the URL.

use domain::anomaly::BucketSpan;
use domain::filter::encode_query;
use domain::{ConditionFilter, Timestamp};
use serde::{Deserialize, Serialize};

const HOUR_MICROS: i64 = 3_600_000_000;

/// The length of the window. As much time before it is what it is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Period {
    /// 24 hours, by hour.
    Day,
    /// 7 days, by day.
    #[default]
    Week,
    /// 30 days, by day.
    Month,
}

impl Period {
    /// Every period: its word in the URL and its label.
    pub(crate) const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Day, "24h", "24 hours"),
        (Self::Week, "7d", "7 days"),
        (Self::Month, "30d", "30 days"),
    ];

    pub(crate) const fn hours(self) -> i64 {
        match self {
            Self::Day => 24,
            Self::Week => 168,
            Self::Month => 720,
        }
    }

    /// The length of a bar in hours.
    pub(crate) const fn bucket_hours(self) -> u32 {
        match self {
            Self::Day => 1,
            Self::Week | Self::Month => 24,
        }
    }

    pub(crate) fn label(self) -> &'static str {
        Self::ALL.iter().find(|p| p.0 == self).map_or("", |p| p.2)
    }

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|p| p.0 == self).map_or("", |p| p.1)
    }
}

/// What the bars are stacked by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Split {
    /// Conditions by layer.
    #[default]
    Layer,
    /// Conditions by code.
    Code,
    /// Conditions by the step's name.
    Step,
    /// Conditions by model.
    Model,
    /// Steps by severity.
    Severity,
}

impl Split {
    /// Every split: its word in the URL and its label.
    pub(crate) const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Layer, "layer", "Layer"),
        (Self::Code, "code", "Code"),
        (Self::Step, "step", "Step"),
        (Self::Model, "model", "Model"),
        (Self::Severity, "severity", "Severity"),
    ];

    pub(crate) fn label(self) -> &'static str {
        Self::ALL.iter().find(|s| s.0 == self).map_or("", |s| s.2)
    }
}

/// What the URL of the anomalies page says. Names and values that can't be read are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AnomaliesQuery {
    pub(crate) filter: ConditionFilter,
    /// The length of the window.
    pub(crate) period: Period,
    /// Where the window ends; `None`: now.
    pub(crate) until: Option<Timestamp>,
    /// What the bars are stacked by.
    pub(crate) split: Split,
    /// The chart's numbers as a table.
    pub(crate) as_table: bool,
    /// The list of steps alone.
    pub(crate) as_list: bool,
    /// Where the list begins; `None` at the newest.
    pub(crate) cursor: Option<String>,
}

/// One parameter that narrows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// The key's label.
    Key,
    Model,
    Step,
    Layer,
    Code,
}

impl Field {
    /// Every field and its name in the URL and in chips.
    pub(crate) const ALL: [(Self, &'static str); 5] = [
        (Self::Key, "key"),
        (Self::Model, "model"),
        (Self::Step, "step"),
        (Self::Layer, "layer"),
        (Self::Code, "code"),
    ];
}

impl AnomaliesQuery {
    /// Reads the parameters (already percent-decoded).
    pub(crate) fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut query = Self::default();
        for (name, value) in pairs {
            if value.is_empty() || value.contains('\0') {
                continue;
            }
            match name {
                "range" => {
                    if let Some(period) = Period::ALL.iter().find(|p| p.1 == value) {
                        query.period = period.0;
                    }
                }
                "until" => query.until = Timestamp::parse_rfc3339(value),
                "by" => {
                    if let Some(split) = Split::ALL.iter().find(|s| s.1 == value) {
                        query.split = split.0;
                    }
                }
                "view" => query.as_table = value == "table",
                "show" => query.as_list = value == "steps",
                "cursor" => query.cursor = Some(value.to_owned()),
                _ => {
                    if let Some((field, _)) = Field::ALL.iter().find(|f| f.1 == name) {
                        query.set(*field, Some(value));
                    }
                }
            }
        }
        query
    }

    fn set(&mut self, field: Field, value: Option<&str>) {
        let text = value.map(|value| value.chars().take(200).collect::<String>());
        let filter = &mut self.filter;
        match field {
            Field::Key => filter.key = text,
            Field::Model => filter.model = text,
            Field::Step => filter.step = text,
            Field::Layer => {
                filter.layer = value.and_then(|v| v.parse().ok()).filter(|n| (1..=5).contains(n));
            }
            Field::Code => {
                filter.code = value
                    .and_then(|v| v.parse().ok())
                    .filter(|n| engine::codes::find(*n).is_some());
            }
        }
    }

    pub(crate) fn get(&self, field: Field) -> Option<String> {
        let filter = &self.filter;
        match field {
            Field::Key => filter.key.clone(),
            Field::Model => filter.model.clone(),
            Field::Step => filter.step.clone(),
            Field::Layer => filter.layer.map(|layer| layer.to_string()),
            Field::Code => filter.code.map(|code| code.to_string()),
        }
    }

    /// The fields that are set: what chips show.
    pub(crate) fn chips(&self) -> Vec<(Field, &'static str, String)> {
        Field::ALL
            .iter()
            .filter_map(|(field, name)| self.get(*field).map(|value| (*field, *name, value)))
            .collect()
    }

    /// A link to this state on the same page: never empty, so that it also leads out of the current state.
    pub(crate) fn to_href(&self) -> String {
        let until = self.until.map(|at| at.to_string());
        let chips = self.chips();
        let mut pairs: Vec<(&str, &str)> = chips
            .iter()
            .map(|(_, name, value)| (*name, value.as_str()))
            .collect();
        if self.period != Period::default() {
            pairs.push(("range", self.period.word()));
        }
        pairs.extend(until.as_deref().map(|until| ("until", until)));
        if self.split != Split::default() {
            let word = Split::ALL
                .iter()
                .find(|s| s.0 == self.split)
                .map_or("layer", |s| s.1);
            pairs.push(("by", word));
        }
        if self.as_table {
            pairs.push(("view", "table"));
        }
        if self.as_list {
            pairs.push(("show", "steps"));
        }
        pairs.extend(self.cursor.as_deref().map(|cursor| ("cursor", cursor)));
        format!("?{}", encode_query(pairs))
    }

    /// This state after a change, the list at its newest page.
    pub(crate) fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut query = Self {
            cursor: None,
            ..self.clone()
        };
        change(&mut query);
        query
    }

    /// This state with one field set or cleared.
    pub(crate) fn with_field(&self, field: Field, value: Option<&str>) -> Self {
        self.with(|query| query.set(field, value))
    }

    /// The list of the steps behind a number.
    pub(crate) fn steps_of(&self, code: u16, step: Option<&str>) -> Self {
        self.with(|query| {
            query.filter.code = Some(code);
            if let Some(step) = step {
                query.set(Field::Step, Some(step));
            }
            query.as_list = true;
        })
    }

    /// This state without any filter; the window stays.
    pub(crate) fn without_filters(&self) -> Self {
        self.with(|query| query.filter = ConditionFilter::default())
    }

    /// What is counted at the time `now`: the window, ending with the hour or day it ends in, and as much before it.
    pub(crate) fn span(&self, now: Timestamp) -> BucketSpan {
        let bucket = i64::from(self.period.bucket_hours()) * HOUR_MICROS;
        let end = self.until.unwrap_or(now).min(now).micros();
        let to =
            Timestamp::from_micros((end.saturating_sub(1).div_euclid(bucket) + 1).saturating_mul(bucket));
        BucketSpan {
            from: to.plus_micros(-2 * self.period.hours() * HOUR_MICROS),
            to,
            bucket_hours: self.period.bucket_hours(),
        }
    }

    /// The window before (−1) or after (1) the one that was counted; `None` when that lies in the future.
    pub(crate) fn moved(&self, span: BucketSpan, now: Timestamp, windows: i64) -> Option<Self> {
        let until = span.to.plus_micros(windows * self.period.hours() * HOUR_MICROS);
        if windows > 0 && span.to >= now {
            return None;
        }
        Some(self.with(|query| query.until = (until < now).then_some(until)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> AnomaliesQuery {
        AnomaliesQuery::from_pairs(pairs.iter().copied())
    }

    #[test]
    fn url_form() {
        let check = |pairs: &[(&str, &str)], expected: &str| {
            assert_eq!(query(pairs).to_href(), expected, "{pairs:?}");
        };
        check(&[], "?");
        check(&[("range", "7d"), ("by", "layer"), ("view", "chart")], "?");
        check(
            &[("code", "2001"), ("step", "a&b"), ("show", "steps")],
            "?step=a%26b&code=2001&show=steps",
        );
        check(
            &[("layer", "9"), ("code", "4015"), ("range", "2w"), ("by", "x")],
            "?",
        );
        check(
            &[
                ("range", "30d"),
                ("until", "2026-11-14T00:00:00Z"),
                ("by", "model"),
                ("view", "table"),
            ],
            "?range=30d&until=2026-11-14T00%3A00%3A00Z&by=model&view=table",
        );
        check(&[("key", ""), ("muted", "4001"), ("cursor", "c")], "?cursor=c");
    }

    #[test]
    fn changes_lead_back_to_the_newest_page() {
        let here = query(&[("step", "s"), ("cursor", "c"), ("by", "code")]);
        let check = |query: AnomaliesQuery, expected: &str| assert_eq!(query.to_href(), expected);
        check(here.with_field(Field::Step, None), "?by=code");
        check(
            here.with_field(Field::Layer, Some("2")),
            "?step=s&layer=2&by=code",
        );
        check(here.steps_of(2001, None), "?step=s&code=2001&by=code&show=steps");
        check(
            here.steps_of(2001, Some("t")),
            "?step=t&code=2001&by=code&show=steps",
        );
        check(here.without_filters(), "?by=code");
    }

    #[test]
    fn windows_end_with_the_day_or_hour() {
        let at = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
        let now = at("2026-11-21T09:12:27Z");
        let check = |pairs: &[(&str, &str)], from: &str, to: &str, count: usize| {
            let span = query(pairs).span(now);
            assert_eq!(
                (span.from, span.to, span.count()),
                (at(from), at(to), count),
                "{pairs:?}"
            );
        };
        check(&[], "2026-11-08T00:00:00Z", "2026-11-22T00:00:00Z", 14);
        check(
            &[("range", "24h")],
            "2026-11-19T10:00:00Z",
            "2026-11-21T10:00:00Z",
            48,
        );
        check(
            &[("range", "30d")],
            "2026-09-23T00:00:00Z",
            "2026-11-22T00:00:00Z",
            60,
        );
        check(
            &[("until", "2026-11-14T00:00:00Z")],
            "2026-10-31T00:00:00Z",
            "2026-11-14T00:00:00Z",
            14,
        );
        check(
            &[("until", "2030-01-01T00:00:00Z")],
            "2026-11-08T00:00:00Z",
            "2026-11-22T00:00:00Z",
            14,
        );
    }

    #[test]
    fn windows_before_and_after() {
        let now = Timestamp::parse_rfc3339("2026-11-21T09:12:27Z").unwrap();
        let href = |query: &AnomaliesQuery, windows: i64| {
            query
                .moved(query.span(now), now, windows)
                .map(|query| query.to_href())
        };
        let here = query(&[]);
        assert_eq!(href(&here, 1), None);
        let before = "?until=2026-11-15T00%3A00%3A00Z";
        assert_eq!(href(&here, -1).as_deref(), Some(before));
        let earlier = query(&[("until", "2026-11-15T00:00:00Z")]);
        assert_eq!(href(&earlier, 1).as_deref(), Some("?"));
        assert_eq!(
            href(&earlier, -1).as_deref(),
            Some("?until=2026-11-08T00%3A00%3A00Z")
        );
    }
}
