//! The rows of `data/usage.json`, and what is found in each.

use engine::usage;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
pub(crate) struct Row {
    pub(crate) who: String,
    pub(crate) source: String,
    #[serde(rename = "in")]
    place: String,
    pub(crate) usage: Value,
    pub(crate) expect: Map<String, Value>,
}

pub(crate) fn rows() -> Vec<Row> {
    serde_json::from_str(include_str!("../../../../data/usage.json")).unwrap()
}

/// What is found in a row's object, under the names of its expectation.
pub(crate) fn found(row: &Row) -> Map<String, Value> {
    let usage = match row.place.as_str() {
        "attributes" => usage::from_attributes(row.usage.as_object().unwrap()),
        _ => usage::from_provider(&row.usage),
    };
    let Some(used) = usage else {
        assert!(
            usage::shape(&row.usage).is_some(),
            "{}: its shape can be counted",
            row.who
        );
        return Map::from_iter([("unknown".to_owned(), json!(true))]);
    };
    let (buckets, _) = usage::normalise(&used.tokens);
    let details = &used.details;
    let named = [
        ("input_fresh", json!(buckets.input_fresh)),
        ("cache_read", json!(buckets.cache_read)),
        ("cache_write", json!(buckets.cache_write)),
        ("cache_write_1h", json!(buckets.cache_write_1h)),
        ("output", json!(buckets.output)),
        ("reasoning", json!(buckets.reasoning)),
        ("input_audio", json!(details.input.audio)),
        ("input_image", json!(details.input.image)),
        ("input_video", json!(details.input.video)),
        ("cache_read_audio", json!(details.cache_read.audio)),
        ("output_audio", json!(details.output.audio)),
        ("output_image", json!(details.output.image)),
        ("citations", json!(details.citations)),
        ("geography", json!(details.geography)),
        ("search_context", json!(details.search_context)),
        ("service_tier", json!(used.service_tier)),
        ("web_searches", json!(used.web_searches)),
        ("reported_nano_usd", json!(used.reported_cost)),
        ("unpriced", json!((!details.unpriced.is_empty()).then_some(true))),
    ];
    named
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// What is found, without parts of nothing that the row does not name.
pub(crate) fn judged(row: &Row) -> Map<String, Value> {
    const MAY_BE_ZERO: &[&str] = &[
        "input_audio",
        "input_image",
        "input_video",
        "output_audio",
        "output_image",
        "cache_read_audio",
    ];
    let mut found = found(row);
    found.retain(|name, value| {
        !(MAY_BE_ZERO.contains(&name.as_str()) && value == &json!(0) && !row.expect.contains_key(name))
    });
    found
}
