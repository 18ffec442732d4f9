//! Words of inquiries: questions that a model answers by looking things up.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::step::words;

words!(
    /// What happened in an inquiry.
    InquiryEventKind {
        /// Something was looked up.
        Tool = "tool",
        /// The model said something, or we did.
        Text = "text",
        /// The answer of an investigation.
        Verdict = "verdict",
        /// Why there is none.
        Error = "error",
    }
);

words!(
    /// How much an incident matters to the watcher.
    WatchSeverity {
        /// From 10 standard deviations on.
        Critical = "critical",
        /// From 5 on.
        High = "high",
        /// Less, or it can't be said.
        Low = "low",
    }
);

words!(
    /// What the watcher does with an incident.
    WatchAction {
        /// It writes it down.
        Log = "log",
        /// It opens an issue on GitHub.
        Issue = "issue",
    }
);

impl WatchSeverity {
    /// Of so many standard deviations above the baseline.
    pub fn of_sigma(sigma: Option<f64>) -> Self {
        match sigma {
            Some(sigma) if sigma >= 10.0 => Self::Critical,
            Some(sigma) if sigma >= 5.0 => Self::High,
            _ => Self::Low,
        }
    }
}

/// Longest question, in characters.
pub const MAX_QUESTION_CHARS: usize = 4_000;

/// Arguments of a look-up as people read them, in one line: `key=prod-frontend days=14`.
pub fn arguments_in_words(arguments: &Value) -> String {
    const MAX_CHARS: usize = 200;
    let words: Vec<String> = arguments
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            other => format!("{name}={other}"),
        })
        .collect();
    crate::text::first_line(&words.join(" "), MAX_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severity_begins_at_five_and_ten_sigma() {
        let check = |sigma: Option<f64>, expected: WatchSeverity| {
            assert_eq!(WatchSeverity::of_sigma(sigma), expected, "{sigma:?}");
        };
        check(Some(10.0), WatchSeverity::Critical);
        check(Some(9.99), WatchSeverity::High);
        check(Some(5.0), WatchSeverity::High);
        check(Some(4.99), WatchSeverity::Low);
        check(Some(f64::NAN), WatchSeverity::Low);
        check(None, WatchSeverity::Low);
    }

    #[test]
    fn arguments_are_one_line() {
        let words = arguments_in_words(&serde_json::json!({ "days": 14, "key": "prod\nx" }));
        assert!(
            !words.contains('\n') && words.starts_with("days=14 key=prod"),
            "{words}"
        );
    }
}
