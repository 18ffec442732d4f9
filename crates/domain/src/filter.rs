//! The filter of the runs list and its form in the URL, where all of it lives.

mod term;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::{NanoUsd, RunStatus, Severity, Timestamp};

/// A span of time: relative to now, or fixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Window {
    /// Everything.
    #[default]
    All,
    /// The last so many minutes.
    LastMinutes(u32),
    /// From (inclusive) to (exclusive); a missing side is open.
    Fixed {
        /// First instant.
        from: Option<Timestamp>,
        /// First instant after it.
        to: Option<Timestamp>,
    },
}

impl Window {
    /// The windows offered in menus: the word in the URL, the label, the length in minutes.
    pub const CHOICES: &'static [(&'static str, &'static str, u32)] = &[
        ("1h", "1 hour", 60),
        ("6h", "6 hours", 360),
        ("24h", "24 hours", 1_440),
        ("7d", "7 days", 10_080),
        ("30d", "30 days", 43_200),
        ("90d", "90 days", 129_600),
    ];

    /// How far ahead of now a window that ends now reaches: clocks differ by that much, and what claims to be later
    /// waits for its time.
    const AHEAD_MICROS: i64 = 5 * 60_000_000;

    /// The bounds at the time `now`: (from, to).
    pub fn bounds(self, now: Timestamp) -> (Option<Timestamp>, Option<Timestamp>) {
        match self {
            Self::All => (None, None),
            Self::LastMinutes(minutes) => (
                Some(now.plus_micros(-i64::from(minutes) * 60_000_000)),
                Some(now.plus_micros(Self::AHEAD_MICROS)),
            ),
            Self::Fixed { from, to } => (from, to),
        }
    }

    /// What a menu or a sentence calls it.
    pub fn label(self) -> String {
        match self {
            Self::All => "all time".to_owned(),
            Self::LastMinutes(minutes) => Self::CHOICES
                .iter()
                .find(|choice| choice.2 == minutes)
                .map_or_else(|| format!("{minutes} minutes"), |choice| choice.1.to_owned()),
            Self::Fixed { .. } => "a fixed window".to_owned(),
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        if word == "all" {
            return Some(Self::All);
        }
        Self::CHOICES
            .iter()
            .find(|choice| choice.0 == word)
            .map(|choice| Self::LastMinutes(choice.2))
    }
}

/// Which runs a list shows. Every field narrows; the default shows everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunFilter {
    /// Runs that began in this window.
    pub window: Window,
    /// Only this state.
    pub status: Option<RunStatus>,
    /// Only this severity.
    pub severity: Option<Severity>,
    /// A step was answered by this model.
    pub model: Option<String>,
    /// The key's label.
    pub key: Option<String>,
    /// A step has this name.
    pub step: Option<String>,
    /// Exact match.
    pub environment: Option<String>,
    /// The release, or the beginning of its sha.
    pub release: Option<String>,
    /// Session id, exact match.
    pub session: Option<String>,
    /// Id of the end user, exact match.
    pub user: Option<String>,
    /// One of the run's tags, exact match.
    pub tag: Option<String>,
    /// An attribute of a step, `key=value`.
    pub attribute: Option<String>,
    /// Text in the run's id, name or problem.
    pub q: Option<String>,
    /// Cost at least.
    pub cost_min: Option<NanoUsd>,
    /// Cost at most.
    pub cost_max: Option<NanoUsd>,
    /// Duration at least, in milliseconds.
    pub latency_min_ms: Option<i64>,
    /// Duration at most, in milliseconds.
    pub latency_max_ms: Option<i64>,
    /// Tokens at least.
    pub tokens_min: Option<i64>,
    /// Tokens at most.
    pub tokens_max: Option<i64>,
}

/// A filter that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FilterError {
    /// Name of the query parameter.
    pub field: String,
    /// What it has to be.
    pub message: String,
}

/// The longest text that is looked for, in characters.
const MAX_TEXT_CHARS: usize = 200;
/// The text parameters, by their name in the URL.
const TEXT_FIELDS: [&str; 10] = [
    "model",
    "key",
    "step",
    "environment",
    "release",
    "session",
    "user",
    "tag",
    "attribute",
    "q",
];
/// The range parameters, by their name in the URL.
const RANGE_FIELDS: [&str; 6] = [
    "cost_min",
    "cost_max",
    "latency_min",
    "latency_max",
    "tokens_min",
    "tokens_max",
];

/// As much of a text as is looked for, so that a link made of it is read as the same.
fn cut(text: &str) -> String {
    let mut text: String = text.chars().take(MAX_TEXT_CHARS).collect();
    text.truncate(text.trim_end().len());
    text
}

impl RunFilter {
    /// Reads the parameters of a URL (already percent-decoded). Unknown names and blank values are ignored: the
    /// same URL carries cursors and view state.
    pub fn from_query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for (name, value) in pairs {
            if !value.trim().is_empty() {
                filter.set(name, value.trim())?;
            }
        }
        Ok(filter)
    }

    /// Sets one parameter by its name in the URL.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), FilterError> {
        let wrong = |message: &str| FilterError {
            field: name.to_owned(),
            message: message.to_owned(),
        };
        if value.contains('\0') {
            return Err(wrong("can't contain a NUL character"));
        }
        match name {
            "status" => {
                self.status = Some(RunStatus::parse(value).ok_or_else(|| wrong("is ok, error or running"))?)
            }
            "severity" => {
                self.severity =
                    Some(Severity::parse(value).ok_or_else(|| wrong("is ok, warning or critical"))?);
            }
            "range" => {
                self.window =
                    Window::from_word(value).ok_or_else(|| wrong("is all, 1h, 6h, 24h, 7d, 30d or 90d"))?;
            }
            "from" | "to" => {
                let at = Timestamp::parse_rfc3339(value)
                    .ok_or_else(|| wrong("is an RFC 3339 time such as 2026-11-21T09:00:00Z"))?;
                let (mut from, mut to) = match self.window {
                    Window::Fixed { from, to } => (from, to),
                    _ => (None, None),
                };
                *(if name == "from" { &mut from } else { &mut to }) = Some(at);
                self.window = Window::Fixed { from, to };
            }
            "cost_min" | "cost_max" => {
                let money = NanoUsd::parse_decimal(value)
                    .ok_or_else(|| wrong("is an amount in dollars such as 0.05"))?;
                *(if name == "cost_min" {
                    &mut self.cost_min
                } else {
                    &mut self.cost_max
                }) = Some(money);
            }
            "latency_min" | "latency_max" | "tokens_min" | "tokens_max" => {
                let number = value
                    .parse()
                    .map_err(|_not_a_number| wrong("is a whole number"))?;
                *match name {
                    "latency_min" => &mut self.latency_min_ms,
                    "latency_max" => &mut self.latency_max_ms,
                    "tokens_min" => &mut self.tokens_min,
                    _ => &mut self.tokens_max,
                } = Some(number);
            }
            "attribute" if attribute_parts(&cut(value)).is_none() => {
                return Err(wrong("is key=value, such as customer=acme"));
            }
            _ => {
                if let Some(key) = name.strip_prefix("attributes.") {
                    return self.set("attribute", &format!("{}={value}", key.trim()));
                }
                if let Some(slot) = self.text_mut(name) {
                    *slot = Some(cut(value));
                }
            }
        }
        Ok(())
    }

    /// Drops one parameter by its name in the URL.
    pub fn clear(&mut self, name: &str) {
        match name {
            "status" => self.status = None,
            "severity" => self.severity = None,
            "range" | "from" | "to" => self.window = Window::All,
            "cost_min" => self.cost_min = None,
            "cost_max" => self.cost_max = None,
            "latency_min" => self.latency_min_ms = None,
            "latency_max" => self.latency_max_ms = None,
            "tokens_min" => self.tokens_min = None,
            "tokens_max" => self.tokens_max = None,
            _ => {
                if let Some(slot) = self.text_mut(name) {
                    *slot = None;
                }
            }
        }
    }

    /// The parameters that are set, as (name, value) in a fixed order, the window last.
    pub fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        if let Some(status) = self.status {
            pairs.push(("status", status.as_str().to_owned()));
        }
        if let Some(severity) = self.severity {
            pairs.push(("severity", severity.as_str().to_owned()));
        }
        for name in TEXT_FIELDS {
            if let Some(value) = self.text(name) {
                pairs.push((name, value.to_owned()));
            }
        }
        for name in RANGE_FIELDS {
            if let Some(value) = self.range(name) {
                pairs.push((name, value));
            }
        }
        match self.window {
            Window::All => {}
            Window::LastMinutes(minutes) => {
                if let Some(choice) = Window::CHOICES.iter().find(|choice| choice.2 == minutes) {
                    pairs.push(("range", choice.0.to_owned()));
                }
            }
            Window::Fixed { from, to } => {
                pairs.extend(from.map(|at| ("from", at.to_string())));
                pairs.extend(to.map(|at| ("to", at.to_string())));
            }
        }
        pairs
    }

    /// The URL's query, percent-encoded, without `?`; empty for the default.
    pub fn to_query(&self) -> String {
        encode_query(
            self.to_pairs()
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
        )
    }

    /// The parameters that narrow the list beyond its window: what the filter bar shows as chips.
    pub fn chips(&self) -> Vec<(&'static str, String)> {
        let mut pairs = self.to_pairs();
        pairs.retain(|(name, _)| !matches!(*name, "range" | "from" | "to"));
        pairs
    }

    fn text(&self, name: &str) -> Option<&str> {
        match name {
            "model" => self.model.as_deref(),
            "key" => self.key.as_deref(),
            "step" => self.step.as_deref(),
            "environment" => self.environment.as_deref(),
            "release" => self.release.as_deref(),
            "session" => self.session.as_deref(),
            "user" => self.user.as_deref(),
            "tag" => self.tag.as_deref(),
            "attribute" => self.attribute.as_deref(),
            "q" => self.q.as_deref(),
            _ => None,
        }
    }

    fn text_mut(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name {
            "model" => &mut self.model,
            "key" => &mut self.key,
            "step" => &mut self.step,
            "environment" => &mut self.environment,
            "release" => &mut self.release,
            "session" => &mut self.session,
            "user" => &mut self.user,
            "tag" => &mut self.tag,
            "attribute" => &mut self.attribute,
            "q" => &mut self.q,
            _ => return None,
        })
    }

    fn range(&self, name: &str) -> Option<String> {
        match name {
            "cost_min" => self.cost_min.map(NanoUsd::to_decimal),
            "cost_max" => self.cost_max.map(NanoUsd::to_decimal),
            "latency_min" => self.latency_min_ms.map(|n| n.to_string()),
            "latency_max" => self.latency_max_ms.map(|n| n.to_string()),
            "tokens_min" => self.tokens_min.map(|n| n.to_string()),
            "tokens_max" => self.tokens_max.map(|n| n.to_string()),
            _ => None,
        }
    }
}

/// The key and the value of `key=value`; `None` without a key.
pub fn attribute_parts(text: &str) -> Option<(&str, &str)> {
    text.split_once('=').filter(|(key, _)| !key.is_empty())
}

/// Percent-encodes name–value pairs into a query (RFC 3986 unreserved characters stay as they are).
pub fn encode_query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        out.push_str(&percent_encode(value));
    }
    out
}

/// All but letters, digits and `-._~`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Percent-encodes one path segment or query value.
pub fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests;
