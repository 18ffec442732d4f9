//! Reads reported usage by the table of dialects.

use std::borrow::Cow;

use domain::NanoUsd;
use domain::step::{InputMeaning, ReportedTokens};
use domain::usage::{Parts, UsageDetails};
use serde_json::{Map, Value};

use super::Usage;
use super::dialects::{
    Dialect, Key, Modality, OBJECTS, ORDINARY_PARTS, Of, Place, SPANS, are_all_buckets, bucket_beside,
};
use super::iterations;
use super::numbers::{count, money};

/// Where others put the object itself.
const WRAPPERS: &[&str] = &[
    // Codex: a session's sums stand beside it.
    "last_token_usage",
    "usage",
    "usageMetadata",
    "usage_metadata",
    "token_usage",
    "amazon-bedrock-invocationMetrics",
];

/// The usage object as a provider, a gateway, a library or a log gave it. `None` when it says nothing about tokens.
/// `data/usage.json` lists those that are known.
pub fn from_provider(usage: &Value) -> Option<Usage> {
    let usage = usage.as_object()?;
    let spoken = OBJECTS.iter().find(|dialect| is_spoken(dialect, usage));
    let Some(dialect) = spoken else {
        let inner = WRAPPERS.iter().find_map(|name| usage.get(*name))?;
        return inner.is_object().then(|| from_provider(inner)).flatten();
    };
    let mut found = Found::default();
    match iterations::summed(usage) {
        Some(summed) => {
            found.details = summed.details;
            found.take(dialect, &summed.usage);
        }
        None => found.take(dialect, usage),
    }
    found.usage()
}

/// What the attributes of a span or step say about usage, in any of the dialects. `None` when they say nothing about
/// tokens.
pub fn from_attributes(attributes: &Map<String, Value>) -> Option<Usage> {
    let mut found = Found::default();
    for dialect in SPANS {
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

fn is_spoken(dialect: &Dialect, map: &Map<String, Value>) -> bool {
    dialect
        .marks
        .iter()
        .any(|mark| map.get(*mark).is_some_and(|value| !value.is_null()))
}

fn map_in<'m>(attributes: &'m Map<String, Value>, name: &str) -> Option<Cow<'m, Map<String, Value>>> {
    match attributes.get(name)? {
        Value::Object(map) => Some(Cow::Borrowed(map)),
        // A usage object is a few hundred bytes.
        Value::String(text) if text.len() <= 64 * 1024 => serde_json::from_str(text).ok().map(Cow::Owned),
        _ => None,
    }
}

/// What has been found so far, each thing once.
#[derive(Default)]
struct Found {
    counts: [Option<i64>; 10],
    /// From the dialect that gave the input.
    input_meaning: InputMeaning,
    reasoning_beside: bool,
    web_searches: Option<i64>,
    service_tier: Option<String>,
    speed: Option<String>,
    cost: Option<NanoUsd>,
    upstream_cost: Option<NanoUsd>,
    is_own_key: bool,
    more_input: Parts,
    details: UsageDetails,
}

const COUNTS: [Key; 10] = [
    Key::Input,
    Key::MoreInput,
    Key::Output,
    Key::Reasoning,
    Key::Total,
    Key::CacheRead,
    Key::CacheWrite,
    Key::CacheWrite5m,
    Key::CacheWrite1h,
    Key::ReasoningApart,
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
        if are_all_buckets(dialect) {
            self.take_other_buckets(map);
        }
        if dialect.place == Place::Usage {
            self.note_unknown_parts(dialect, map);
        }
    }

    /// A part that nobody has told us of may cost something else than the rest.
    fn note_unknown_parts(&mut self, dialect: &Dialect, map: &Map<String, Value>) {
        for (name, parts) in map.iter().filter(|(name, _)| name.ends_with("_details")) {
            for (part, tokens) in parts.as_object().into_iter().flatten() {
                let path = format!("{name}.{part}");
                let is_known = !part.ends_with("_tokens")
                    || ORDINARY_PARTS.contains(&part.as_str())
                    || dialect.keys.iter().any(|(known, _)| *known == path);
                if !is_known && count(tokens).is_some_and(|tokens| tokens != 0) {
                    self.details
                        .unpriced
                        .insert(format!("{} of a new kind", short(part)));
                }
            }
        }
    }

    /// Buckets that are not listed: they are beside those that are, so none of them may be lost.
    fn take_other_buckets(&mut self, map: &Map<String, Value>) {
        for (name, value) in map {
            let (Some((of, modality)), Some(tokens)) = (bucket_beside(name), count(value)) else {
                continue;
            };
            let at = if of == Of::Input { 0 } else { 2 };
            self.counts[at] = Some(self.counts[at].unwrap_or(0).saturating_add(tokens));
            match modality {
                Some(modality) => self.put_part(of, modality, tokens),
                None if tokens != 0 => {
                    self.details
                        .unpriced
                        .insert(format!("tokens of a bucket named {}", short(name)));
                }
                None => {}
            }
        }
    }

    fn put(&mut self, dialect: &Dialect, key: Key, value: &Value) {
        match key {
            Key::WebSearches => self.web_searches = self.web_searches.or(count(value)),
            Key::Cost => self.cost = self.cost.or_else(|| money(value)),
            Key::CostTicks => {
                let nano = count(value).map(|ticks| NanoUsd(ticks.saturating_add(5).div_euclid(10)));
                self.cost = self.cost.or(nano);
            }
            Key::UpstreamCost => self.upstream_cost = self.upstream_cost.or_else(|| money(value)),
            Key::CallersAccount => self.is_own_key |= value == &Value::Bool(true),
            Key::ServiceTier => put_word(&mut self.service_tier, value),
            Key::CountAtTier(tier) => {
                if count(value).is_some_and(|tokens| tokens != 0) && self.service_tier.is_none() {
                    self.service_tier = Some(tier.to_owned());
                }
            }
            Key::Speed => put_word(&mut self.speed, value),
            Key::Geography => put_word(&mut self.details.geography, value),
            Key::SearchContext => put_word(&mut self.details.search_context, value),
            Key::Citations => self.details.citations = self.details.citations.or(count(value)),
            Key::Tool(name) => {
                if let Some(uses) = count(value).filter(|uses| *uses != 0) {
                    self.details.tools.entry(name.to_owned()).or_insert(uses);
                }
            }
            Key::Unpriced(what) => {
                if count(value).is_none_or(|count| count != 0) && !value.is_object() {
                    self.details.unpriced.insert(what.to_owned());
                }
            }
            Key::Part(of, modality) => {
                if let Some(tokens) = count(value) {
                    self.put_part(of, modality, tokens);
                }
            }
            Key::PartList(of) => self.put_parts(of, value),
            Key::CacheWriteList => self.put_cache_writes(dialect, value),
            _ => self.put_count(dialect, key, value),
        }
    }

    fn put_count(&mut self, dialect: &Dialect, key: Key, value: &Value) {
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

    fn put_part(&mut self, of: Of, modality: Modality, tokens: i64) {
        let parts = match of {
            Of::Input => &mut self.details.input,
            Of::MoreInput => &mut self.more_input,
            Of::CacheRead => &mut self.details.cache_read,
            Of::Output => &mut self.details.output,
        };
        let part = match modality {
            Modality::Audio => &mut parts.audio,
            Modality::Image => &mut parts.image,
            Modality::Video => &mut parts.video,
        };
        *part = part.or(Some(tokens));
    }

    /// Gemini's `[{"modality": "AUDIO", "tokenCount": 12}]`. What is none of the four has no known price.
    fn put_parts(&mut self, of: Of, value: &Value) {
        for part in value.as_array().into_iter().flatten() {
            let tokens = ["tokenCount", "token_count", "tokens"]
                .iter()
                .find_map(|name| count(&part[*name]));
            let (Some(word), Some(tokens)) = (part["modality"].as_str(), tokens) else {
                continue;
            };
            match word.to_ascii_lowercase().as_str() {
                "text" | "document" | "modality_unspecified" => {}
                "audio" => self.put_part(of, Modality::Audio, tokens),
                "image" => self.put_part(of, Modality::Image, tokens),
                "video" => self.put_part(of, Modality::Video, tokens),
                other if tokens != 0 => {
                    self.details.unpriced.insert(format!("{} tokens", short(other)));
                }
                _ => {}
            }
        }
    }

    /// Bedrock's `[{"ttl": "1h", "inputTokens": 12}]`. A time that is neither of the two has no known price.
    fn put_cache_writes(&mut self, dialect: &Dialect, value: &Value) {
        for write in value.as_array().into_iter().flatten() {
            match (write["ttl"].as_str(), count(&write["inputTokens"])) {
                (Some("5m"), Some(_)) => self.put_count(dialect, Key::CacheWrite5m, &write["inputTokens"]),
                (Some("1h"), Some(_)) => self.put_count(dialect, Key::CacheWrite1h, &write["inputTokens"]),
                (Some(ttl), Some(tokens)) if tokens != 0 => {
                    let what = format!("cache writes for {}", short(ttl));
                    self.details.unpriced.insert(what);
                }
                _ => {}
            }
        }
    }

    fn usage(mut self) -> Option<Usage> {
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
            apart,
        ] = self.counts;
        let mut tokens = ReportedTokens {
            input: known_sum(input, more_input),
            output,
            reasoning,
            total,
            cache_read,
            cache_write: cache_write.or_else(|| known_sum(write_5m, write_1h)),
            cache_write_1h: write_1h,
            input_meaning: self.input_meaning,
        };
        if apart.is_some() {
            tokens.output = known_sum(output, apart);
            tokens.reasoning = apart;
        } else if self.reasoning_beside && !output_is_everything(&tokens) {
            tokens.output = known_sum(output, reasoning);
        }
        self.add_more_input();
        let tier = self.service_tier.map(ordinary_traffic);
        // An ordinary tier at an extraordinary speed is billed by the speed. Both together have no published price.
        let is_ordinary = tier
            .as_deref()
            .is_none_or(|tier| tier == "standard" || tier == "default");
        let speed = self.speed.filter(|speed| speed != "standard");
        if let (Some(speed), false) = (&speed, is_ordinary) {
            let tier = tier.as_deref().unwrap_or_default();
            self.details
                .unpriced
                .insert(format!("speed {speed} at tier {tier}"));
        }
        let reported_cost = match (self.cost, self.upstream_cost) {
            (Some(cost), Some(upstream)) if self.is_own_key => {
                Some(NanoUsd(cost.0.saturating_add(upstream.0)))
            }
            (cost, _) => cost,
        };
        Some(Usage {
            tokens,
            details: self.details,
            web_searches: self.web_searches,
            service_tier: speed.or(tier),
            reported_cost,
        })
    }

    fn add_more_input(&mut self) {
        let sum = |a: &mut Option<i64>, b: Option<i64>| *a = known_sum(*a, b);
        sum(&mut self.details.input.audio, self.more_input.audio);
        sum(&mut self.details.input.image, self.more_input.image);
        sum(&mut self.details.input.video, self.more_input.video);
    }
}

/// Vertex AI calls the way a call was paid for its traffic; Bedrock and others have the ordinary words.
fn ordinary_traffic(tier: String) -> String {
    const BEGINNING: &str = "ON_DEMAND_";
    match tier.strip_prefix(BEGINNING) {
        Some(rest) => rest.to_ascii_lowercase(),
        None => tier,
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

/// A name from elsewhere, as much of it as a sentence has room for.
fn short(name: &str) -> &str {
    const MAX_BYTES: usize = 40;
    &name[..name.floor_char_boundary(MAX_BYTES.min(name.len()))]
}

fn known_sum(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    domain::usage::known_sum(a, b)
}
