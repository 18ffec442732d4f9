//! Reads reported usage by the table of dialects.

use std::borrow::Cow;

use domain::NanoUsd;
use domain::step::{InputMeaning, ReportedTokens};
use serde_json::{Map, Value};

use super::Usage;
use super::dialects::{DIALECTS, Dialect, Key, Place};

/// The usage object as a provider gave it: Anthropic's, OpenAI's of chat, responses, completions and embeddings,
/// Gemini's `usageMetadata`, Bedrock's, or a library's. `None` when it says nothing about tokens.
pub fn from_provider(usage: &Value) -> Option<Usage> {
    let usage = usage.as_object()?;
    let dialect = DIALECTS
        .iter()
        .find(|dialect| dialect.place == Place::Usage && is_spoken(dialect, usage))?;
    let mut found = Found::default();
    found.take(dialect, usage);
    found.usage()
}

/// What the attributes of a span or step say about usage, in any of the dialects. `None` when they say nothing about
/// tokens.
pub fn from_attributes(attributes: &Map<String, Value>) -> Option<Usage> {
    let mut found = Found::default();
    for dialect in DIALECTS {
        match dialect.place {
            Place::Usage => {}
            Place::Attributes if is_spoken(dialect, attributes) => found.take(dialect, attributes),
            Place::Attributes => {}
            Place::MapIn(attribute) => {
                if let Some(map) = map_in(attributes, attribute)
                    && is_spoken(dialect, &map)
                {
                    found.take(dialect, &map);
                }
            }
        }
    }
    found.usage()
}

/// The usage of an Anthropic stream after one more `message_delta`: its figures are cumulative and it leaves out what
/// it has nothing new about, so a figure that is absent, null or smaller never overwrites a known one.
pub fn merge_anthropic(start: &Value, delta: &Value) -> Value {
    match (start, delta) {
        (_, Value::Null) => start.clone(),
        (Value::Object(known), Value::Object(new)) => {
            let mut merged = known.clone();
            for (key, value) in new {
                let before = known.get(key).unwrap_or(&Value::Null);
                merged.insert(key.clone(), merge_anthropic(before, value));
            }
            Value::Object(merged)
        }
        (Value::Number(known), Value::Number(new)) if known.as_i64() > new.as_i64() => start.clone(),
        _ => delta.clone(),
    }
}

fn is_spoken(dialect: &Dialect, map: &Map<String, Value>) -> bool {
    dialect
        .marks
        .iter()
        .any(|mark| map.get(*mark).is_some_and(|value| !value.is_null()))
}

fn map_in<'m>(attributes: &'m Map<String, Value>, name: &str) -> Option<Cow<'m, Map<String, Value>>> {
    match attributes.get(name)? {
        Value::Object(map) => Some(Cow::Borrowed(map)),
        Value::String(text) => serde_json::from_str(text).ok().map(Cow::Owned),
        _ => None,
    }
}

/// What has been found so far, each thing once.
#[derive(Default)]
struct Found {
    counts: [Option<i64>; 9],
    /// From the dialect that gave the input.
    input_meaning: InputMeaning,
    reasoning_beside: bool,
    web_searches: Option<i64>,
    service_tier: Option<String>,
    speed: Option<String>,
    cost: Option<NanoUsd>,
}

const COUNTS: [Key; 9] = [
    Key::Input,
    Key::MoreInput,
    Key::Output,
    Key::Reasoning,
    Key::Total,
    Key::CacheRead,
    Key::CacheWrite,
    Key::CacheWrite5m,
    Key::CacheWrite1h,
];

impl Found {
    fn take(&mut self, dialect: &Dialect, map: &Map<String, Value>) {
        for (name, key) in dialect.keys {
            let value = match dialect.place {
                Place::Usage => at_path(map, name),
                Place::Attributes | Place::MapIn(_) => map.get(*name),
            };
            if let Some(value) = value.filter(|value| !value.is_null()) {
                self.put(dialect, *key, value);
            }
        }
    }

    fn put(&mut self, dialect: &Dialect, key: Key, value: &Value) {
        match key {
            Key::WebSearches => self.web_searches = self.web_searches.or(count(value)),
            Key::Cost => self.cost = self.cost.or_else(|| money(value)),
            Key::ServiceTier => put_word(&mut self.service_tier, value),
            Key::Speed => put_word(&mut self.speed, value),
            _ => {
                let Some(at) = COUNTS.iter().position(|counted| *counted == key) else {
                    return;
                };
                let Some(count) = count(value).filter(|_| self.counts[at].is_none()) else {
                    return;
                };
                self.counts[at] = Some(count);
                match key {
                    Key::Input => self.input_meaning = dialect.input,
                    Key::Reasoning => self.reasoning_beside = dialect.reasoning_beside,
                    _ => {}
                }
            }
        }
    }

    fn usage(self) -> Option<Usage> {
        if self.counts.iter().all(Option::is_none) {
            return None;
        }
        let [
            input,
            more_input,
            output,
            reasoning,
            total,
            cache_read,
            cache_write,
            write_5m,
            write_1h,
        ] = self.counts;
        let both = |a: Option<i64>, b: Option<i64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
        let mut tokens = ReportedTokens {
            input: both(input, more_input),
            output,
            reasoning,
            total,
            cache_read,
            cache_write: cache_write.or_else(|| both(write_5m, write_1h)),
            cache_write_1h: write_1h,
            input_meaning: self.input_meaning,
        };
        if self.reasoning_beside && !output_is_everything(&tokens) {
            tokens.output = both(output, reasoning);
        }
        // An ordinary tier at an extraordinary speed is billed by the speed.
        let speed = self.speed.filter(|speed| {
            speed != "standard" && self.service_tier.as_deref().is_none_or(|t| t == "standard")
        });
        Some(Usage {
            tokens,
            web_searches: self.web_searches,
            service_tier: speed.or(self.service_tier),
            reported_cost: self.cost,
        })
    }
}

/// Whether the total says that the output contains the reasoning, in a dialect that should count it beside.
fn output_is_everything(tokens: &ReportedTokens) -> bool {
    let (Some(total), Some(output), Some(reasoning)) = (tokens.total, tokens.output, tokens.reasoning) else {
        return false;
    };
    let cached = tokens
        .cache_read
        .unwrap_or(0)
        .saturating_add(tokens.cache_write.unwrap_or(0));
    let sum = tokens.input.unwrap_or(0).saturating_add(output);
    reasoning <= output && (total == sum || total == sum.saturating_add(cached))
}

fn at_path<'m>(map: &'m Map<String, Value>, path: &str) -> Option<&'m Value> {
    match path.split_once('.') {
        Some((key, rest)) => at_path(map.get(key)?.as_object()?, rest),
        None => map.get(path),
    }
}

/// A whole number, also where a library wrote it as a decimal or as text.
fn count(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let number = number.as_f64()?;
            (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn money(value: &Value) -> Option<NanoUsd> {
    match value {
        Value::Number(number) => NanoUsd::parse_decimal(&number.to_string()),
        Value::String(text) => NanoUsd::parse_decimal(text.trim()),
        _ => None,
    }
}

fn put_word(place: &mut Option<String>, value: &Value) {
    const MAX_BYTES: usize = 64;
    if place.is_none()
        && let Some(word) = value.as_str().map(str::trim)
        && !word.is_empty()
        && word.len() <= MAX_BYTES
    {
        *place = Some(word.to_owned());
    }
}
