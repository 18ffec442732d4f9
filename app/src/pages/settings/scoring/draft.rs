//! Rules as typed: in the form, in the URL, and as rules once they can be read.

use std::collections::{BTreeMap, BTreeSet};

use domain::NanoUsd;
use domain::filter::encode_query;
use engine::codes;
use engine::rules::{POINTS, THRESHOLDS};
use engine::{LimitMode, ManualLimits, Rules, Threshold};

/// Longest text that is kept of a field.
const MAX_CHARS: usize = 24;

/// The form, field by field, as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoringDraft {
    /// Whether limits are static; else they are learned.
    pub(crate) is_static: bool,
    /// Whether the threshold is learned; else it is `threshold`.
    pub(crate) is_dynamic_threshold: bool,
    /// The fixed threshold.
    pub(crate) threshold: String,
    /// Latency limit in milliseconds; blank for none.
    pub(crate) latency_ms: String,
    /// Token limit; blank for none.
    pub(crate) tokens: String,
    /// Cost limit in dollars; blank for none.
    pub(crate) cost_usd: String,
    /// Whether the extended codes are on.
    pub(crate) extended: bool,
    /// Codes that are off.
    pub(crate) muted: BTreeSet<u16>,
    /// Points other than a code's own.
    pub(crate) points: BTreeMap<u16, String>,
}

/// What is wrong, by the field's name in the form.
pub(crate) type Problems = BTreeMap<String, &'static str>;

impl ScoringDraft {
    /// The form as it stands for these rules.
    pub(crate) fn of(rules: &Rules) -> Self {
        let threshold = match rules.threshold {
            Threshold::Fixed(points) => points,
            Threshold::Dynamic => 100,
        };
        Self {
            is_static: rules.mode == LimitMode::Manual,
            is_dynamic_threshold: rules.threshold == Threshold::Dynamic,
            threshold: threshold.to_string(),
            latency_ms: rules
                .limits
                .latency_ms
                .map(|ms| ms.to_string())
                .unwrap_or_default(),
            tokens: rules.limits.tokens.map(|n| n.to_string()).unwrap_or_default(),
            cost_usd: rules
                .limits
                .cost_nano_usd
                .map(NanoUsd::to_decimal)
                .unwrap_or_default(),
            extended: rules.extended,
            muted: rules.muted.clone(),
            points: rules
                .points
                .iter()
                .map(|(code, points)| (*code, points.to_string()))
                .collect(),
        }
    }

    /// Reads what the form posts, or what [`Self::to_query`] wrote. A code that is `listed` and not `on` is muted.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut draft = Self {
            extended: false,
            threshold: String::new(),
            ..Self::of(&Rules::default())
        };
        let mut on = BTreeSet::new();
        for (name, value) in pairs {
            let value = value.trim();
            let typed = || value.chars().take(MAX_CHARS).collect::<String>();
            let code = || {
                let code = value.parse().ok()?;
                codes::find(code).map(|code| code.code)
            };
            match name {
                "mode" => draft.is_static = value == "static",
                "threshold_kind" => draft.is_dynamic_threshold = value == "dynamic",
                "threshold" => draft.threshold = typed(),
                "latency_ms" => draft.latency_ms = typed(),
                "tokens" => draft.tokens = typed(),
                "cost_usd" => draft.cost_usd = typed(),
                "extended" => draft.extended = true,
                "listed" | "muted" => draft.muted.extend(code()),
                "on" => on.extend(code()),
                _ => {
                    let code = name
                        .strip_prefix("points_")
                        .and_then(|code| codes::find(code.parse().ok()?));
                    // A code's own points, typed or left alone, are no points of the project's own.
                    if let Some(code) = code
                        && !value.is_empty()
                        && value != code.points.to_string()
                    {
                        draft.points.insert(code.code, typed());
                    }
                }
            }
        }
        draft.muted.retain(|code| !on.contains(code));
        draft
    }

    /// The draft in the address, if there is one.
    pub(crate) fn from_query<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Option<Self> {
        let is_there = pairs.clone().into_iter().any(|(name, _)| name == "draft");
        is_there.then(|| Self::from_pairs(pairs))
    }

    /// The draft as the query of an address.
    pub fn to_query(&self) -> String {
        let word = |flag: bool, yes: &'static str, no: &'static str| (if flag { yes } else { no }).to_owned();
        let mut pairs = vec![
            ("draft".to_owned(), "1".to_owned()),
            ("mode".to_owned(), word(self.is_static, "static", "dynamic")),
            (
                "threshold_kind".to_owned(),
                word(self.is_dynamic_threshold, "dynamic", "fixed"),
            ),
            ("threshold".to_owned(), self.threshold.clone()),
        ];
        let texts = [
            ("latency_ms", &self.latency_ms),
            ("tokens", &self.tokens),
            ("cost_usd", &self.cost_usd),
        ];
        let filled = texts.into_iter().filter(|(_, text)| !text.is_empty());
        pairs.extend(filled.map(|(name, text)| (name.to_owned(), text.clone())));
        if self.extended {
            pairs.push(("extended".to_owned(), "on".to_owned()));
        }
        pairs.extend(
            self.muted
                .iter()
                .map(|code| ("muted".to_owned(), code.to_string())),
        );
        let points = self.points.iter();
        pairs.extend(points.map(|(code, text)| (format!("points_{code}"), text.clone())));
        encode_query(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// The rules, or what is wrong. What the form does not show stays as it is in force.
    pub fn rules(&self, in_force: &Rules) -> Result<Rules, Problems> {
        let (rules, problems) = self.read(in_force);
        if problems.is_empty() {
            Ok(rules)
        } else {
            Err(problems)
        }
    }

    /// The rules as far as they can be read, and what is wrong. A field that can't be read is as in force.
    pub(crate) fn read(&self, in_force: &Rules) -> (Rules, Problems) {
        let mut problems = Problems::new();
        let mut note = |field: &str, message: &'static str| {
            problems.insert(field.to_owned(), message);
        };
        let threshold = if self.is_dynamic_threshold {
            Threshold::Dynamic
        } else {
            match whole(&self.threshold, &THRESHOLDS) {
                Some(points) => Threshold::Fixed(points),
                None => {
                    note("threshold", "A whole number from 1 to 10000");
                    in_force.threshold
                }
            }
        };
        let mut limits = ManualLimits::default();
        limits.latency_ms = match self.latency_ms.as_str() {
            "" => None,
            text => match text.parse::<f64>().ok().filter(|ms| ms.is_finite() && *ms > 0.0) {
                Some(ms) => Some(ms),
                None => {
                    note("latency_ms", "A number of milliseconds above 0, or empty");
                    in_force.limits.latency_ms
                }
            },
        };
        limits.tokens = match self.tokens.as_str() {
            "" => None,
            text => match text.parse::<i64>().ok().filter(|tokens| *tokens > 0) {
                Some(tokens) => Some(tokens),
                None => {
                    note("tokens", "A whole number above 0, or empty");
                    in_force.limits.tokens
                }
            },
        };
        limits.cost_nano_usd = match self.cost_usd.as_str() {
            "" => None,
            text => match NanoUsd::parse_decimal(text).filter(|money| money.0 > 0) {
                Some(money) => Some(money),
                None => {
                    note("cost_usd", "An amount in dollars above 0, or empty");
                    in_force.limits.cost_nano_usd
                }
            },
        };
        let mut points = BTreeMap::new();
        for (code, text) in &self.points {
            match whole(text, &POINTS) {
                Some(own) => {
                    points.insert(*code, own);
                }
                None => {
                    note(&format!("points_{code}"), "A whole number from 0 to 1000");
                    points.extend(in_force.points.get_key_value(code));
                }
            }
        }
        let rules = Rules {
            extended: self.extended,
            threshold,
            mode: if self.is_static {
                LimitMode::Manual
            } else {
                LimitMode::Dynamic
            },
            limits,
            muted: self.muted.clone(),
            points,
            ..in_force.clone()
        };
        (rules, problems)
    }
}

fn whole(text: &str, allowed: &std::ops::RangeInclusive<i32>) -> Option<i32> {
    text.parse().ok().filter(|number| allowed.contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query_string;

    fn from_query(query: &str) -> ScoringDraft {
        let pairs = query_string::pairs(query);
        ScoringDraft::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    #[test]
    fn a_form_is_read_as_the_rules_it_shows() {
        let check = |form: &str, expected: Rules| {
            assert_eq!(from_query(form).rules(&Rules::default()), Ok(expected), "{form}");
        };
        let default =
            "mode=dynamic&threshold_kind=fixed&threshold=100&latency_ms=&tokens=&cost_usd=&extended=on";
        check(default, Rules::default());
        check(
            &format!("{default}&listed=2001&points_2001=50&on=2001&listed=3010&points_3010=25"),
            Rules {
                muted: [3010].into(),
                points: [(3010, 25)].into(),
                ..Rules::default()
            },
        );
        check(
            "mode=static&threshold_kind=dynamic&threshold=&latency_ms=1500.5&tokens=8000&cost_usd=0.0421&muted=4001",
            Rules {
                mode: LimitMode::Manual,
                threshold: Threshold::Dynamic,
                extended: false,
                limits: ManualLimits {
                    latency_ms: Some(1500.5),
                    tokens: Some(8_000),
                    cost_nano_usd: Some(NanoUsd(42_100_000)),
                },
                muted: [4001].into(),
                ..Rules::default()
            },
        );
        // Codes that do not exist and unknown fields are ignored.
        check(
            &format!("{default}&listed=9999&points_9999=1&colour=red"),
            Rules::default(),
        );
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let check = |form: &str, field: &str| {
            let problems = from_query(form).rules(&Rules::default()).unwrap_err();
            assert_eq!(problems.keys().collect::<Vec<_>>(), [field], "{form}");
        };
        check("threshold=0", "threshold");
        check("threshold=", "threshold");
        check("threshold=10001", "threshold");
        check("threshold=99.5", "threshold");
        check("threshold=100&latency_ms=-5", "latency_ms");
        check("threshold=100&latency_ms=inf", "latency_ms");
        check("threshold=100&tokens=1.5", "tokens");
        check("threshold=100&cost_usd=cheap", "cost_usd");
        check("threshold=100&cost_usd=0", "cost_usd");
        check("threshold=100&points_2001=-1", "points_2001");
        check("threshold=100&points_2001=1001", "points_2001");
        // A dynamic threshold needs no number.
        assert!(
            from_query("threshold_kind=dynamic")
                .rules(&Rules::default())
                .is_ok()
        );
    }

    #[test]
    fn what_was_typed_survives_the_address() {
        let check = |form: &str| {
            let draft = from_query(form);
            let query = draft.to_query();
            assert_eq!(from_query(&query), draft, "{query}");
        };
        check("threshold=ninety&latency_ms=%3Cb%3E&extended=on&muted=3010&points_2001=a%26b");
        check("mode=static&threshold_kind=dynamic&tokens=-1&listed=2001&listed=2002&on=2002");
        assert_eq!(
            from_query(&format!("tokens={}", "9".repeat(99))).tokens.len(),
            MAX_CHARS
        );
        let saved = Rules {
            limits: ManualLimits {
                latency_ms: Some(4_860.0),
                ..ManualLimits::default()
            },
            ..Rules::default()
        };
        let draft = ScoringDraft::of(&saved);
        assert_eq!(draft.rules(&saved), Ok(saved.clone()));
        assert_eq!(draft.latency_ms, "4860");
    }
}
