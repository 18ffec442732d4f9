//! The credentials that came with a call through the proxy. What a provider answers is recorded, and some say in their
//! errors the very key that they refuse.

use std::fmt;

use axum::http::{HeaderMap, HeaderName, Uri, header};
use domain::NewStep;
use engine::redaction::PROVIDER_KEY_PREFIXES;
use serde_json::Value;

/// Parts of names of headers and query parameters in which credentials travel.
const NAMES: [&str; 5] = ["auth", "key", "token", "secret", "cookie"];
/// Shorter ones are placeholders such as `test`, and words of texts.
const MIN_SECRET_BYTES: usize = 12;
/// What stands where one was.
const HIDDEN: &str = "[hidden key]";
/// A word as long as this, of digits and letters alone, is the key of a provider whose keys have no beginning of their
/// own.
const LONG_WORD_CHARS: usize = 32;

/// What a call authenticates itself with.
#[derive(Clone, Default)]
pub struct Credentials(Vec<String>);

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} credentials", self.0.len())
    }
}

impl Credentials {
    /// Those of a request. What `X-Plumbline-Key` says is none of them: without accounts it is a label.
    pub fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        let sent = headers
            .iter()
            .filter(|(name, _)| may_hold_one(name.as_str()) && !is_our_own(name))
            .flat_map(|(name, value)| {
                let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
                let separator = if *name == header::COOKIE { ';' } else { ' ' };
                let value_of = move |word: &str| match word.split_once('=') {
                    Some((_, value)) if separator == ';' => value.to_owned(),
                    _ => word.to_owned(),
                };
                text.split(separator)
                    .map(str::trim)
                    .map(value_of)
                    .collect::<Vec<_>>()
            });
        let asked = uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .filter(|(name, _)| may_hold_one(name))
            .map(|(_, value)| value.to_owned());
        let mut found: Vec<String> = sent
            .chain(asked)
            .filter(|word| word.len() >= MIN_SECRET_BYTES)
            .collect();
        // One may be the beginning of another.
        found.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
        Self(found)
    }

    /// Whether a text holds one of them.
    pub fn are_in(&self, text: &str) -> bool {
        self.0.iter().any(|word| text.contains(word.as_str()))
    }

    /// The length of the longest one.
    pub fn longest_bytes(&self) -> usize {
        self.0.first().map_or(0, String::len)
    }

    /// The text without them.
    pub fn hide(&self, mut text: String) -> String {
        for word in &self.0 {
            if text.contains(word.as_str()) {
                text = text.replace(word.as_str(), HIDDEN);
            }
        }
        text
    }

    /// Takes them out of everything that a step says.
    pub fn hide_in_step(&self, step: &mut NewStep) {
        if self.0.is_empty() {
            return;
        }
        let texts = [
            &mut step.parent_step_id,
            &mut step.request_model,
            &mut step.model,
            &mut step.error,
            &mut step.error_class,
            &mut step.stop_reason,
            &mut step.service_tier,
            &mut step.environment,
            &mut step.release,
            &mut step.session_id,
            &mut step.user_id,
            &mut step.input,
            &mut step.output,
        ];
        let texts = texts.into_iter().flatten();
        for text in texts.chain([&mut step.run_id, &mut step.name]) {
            *text = self.hide(std::mem::take(text));
        }
        step.attributes
            .values_mut()
            .for_each(|value| self.hide_in_value(value));
    }

    fn hide_in_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.hide(std::mem::take(text)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_in_value(item)),
            Value::Object(map) => map.values_mut().for_each(|value| self.hide_in_value(value)),
            _ => {}
        }
    }
}

fn may_hold_one(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|part| name.contains(part))
}

fn is_our_own(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-plumbline-") || name.as_str().starts_with("x-llmtrace-")
}

/// Whether a text reads like a provider's key, which is not a plausible label.
pub fn looks_like_a_provider_key(text: &str) -> bool {
    text.split_whitespace().any(|word| {
        let has_prefix = PROVIDER_KEY_PREFIXES
            .iter()
            .any(|prefix| word.strip_prefix(prefix).is_some_and(|rest| rest.len() >= 8));
        let is_long_word = word.len() >= LONG_WORD_CHARS
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && word.bytes().any(|byte| byte.is_ascii_digit())
            && word.bytes().any(|byte| byte.is_ascii_alphabetic());
        has_prefix || is_long_word
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn what_is_hidden() {
        let check = |name: &'static str, value: &'static str, text: &str, expected: &str| {
            let headers =
                HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
            let credentials = Credentials::of(&Uri::from_static("/v1/messages"), &headers);
            assert_eq!(credentials.hide(text.to_owned()), expected, "{name}: {value}");
            assert_eq!(credentials.are_in(text), text != expected);
        };
        let said = "Incorrect API key provided: sk-proj-0123456789. See";
        let hidden = "Incorrect API key provided: [hidden key]. See";
        check("authorization", "Bearer sk-proj-0123456789", said, hidden);
        check("x-api-key", "sk-proj-0123456789", said, hidden);
        check("helicone-auth", "Bearer sk-proj-0123456789", said, hidden);
        check("cookie", "a=b; session=sk-proj-0123456789", said, hidden);
        check("user-agent", "sk-proj-0123456789", said, said);
        // What people put where no key is needed stands in many a text.
        check("authorization", "Bearer test", "a test", "a test");
        check(
            "x-plumbline-key",
            "checkout-service",
            "checkout-service",
            "checkout-service",
        );
    }

    #[test]
    fn a_key_in_the_query() {
        let uri = Uri::from_static("/v1/models?limit=1000000000000&key=AIza0123456789");
        let credentials = Credentials::of(&uri, &HeaderMap::new());
        assert_eq!(
            credentials.hide("AIza0123456789 1000000000000".to_owned()),
            "[hidden key] 1000000000000"
        );
        assert_eq!(format!("{credentials:?}"), "1 credentials");
    }

    #[test]
    fn keys_and_labels() {
        let check = |text: &str, expected: bool| {
            assert_eq!(looks_like_a_provider_key(text), expected, "{text}");
        };
        check("sk-ant-api03-abcdef", true);
        check("Bearer sk-proj-abcdefgh", true);
        check("gsk_0123456789", true);
        check("AIzaSyA0123456", true);
        check("0123456789abcdef0123456789abcdef", true);
        check("checkout", false);
        check("sk-team", false);
        check("the checkout service of the shop, run by the team in Graz", false);
        check("a-very-long-label-with-words-and-2-numbers", false);
        check("", false);
    }
}
