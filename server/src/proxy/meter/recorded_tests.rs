//! Answers that providers gave, as they came over the wire: `recorded/README.md` says whose they are.

use engine::usage;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::*;

#[derive(Deserialize)]
struct Recorded {
    from: String,
    api: String,
    status: u16,
    is_stream: bool,
    expect: Expected,
    body: String,
}

#[derive(Deserialize)]
struct Expected {
    model: Option<String>,
    text: Option<String>,
    tool_calls: Option<usize>,
    buckets: Option<Map<String, Value>>,
    error_class: Option<String>,
    error: Option<String>,
}

fn recorded() -> Vec<Recorded> {
    serde_json::from_str(include_str!("recorded/answers.json")).unwrap()
}

fn api(word: &str) -> Api {
    match word {
        "messages" => Api::Messages,
        "chat" => Api::Chat,
        "responses" => Api::Responses,
        "completions" => Api::Completions,
        "embeddings" => Api::Embeddings,
        other => panic!("no API is called {other}"),
    }
}

/// The text of an answer, and how many tools it calls.
fn said(output: Option<&str>) -> (String, usize) {
    let Some(output) = output else {
        return (String::new(), 0);
    };
    // A text may be JSON itself; a message has a role.
    let message = match serde_json::from_str::<Value>(output) {
        Ok(message) if message["role"] == json!("assistant") => message,
        _ => return (output.to_owned(), 0),
    };
    let parts = message["content"].as_array().cloned().unwrap_or_default();
    let of_parts = |kind: &str| {
        parts
            .iter()
            .filter(|part| part["type"] == json!(kind))
            .collect::<Vec<_>>()
    };
    let text = match message["content"].as_str() {
        Some(text) => text.to_owned(),
        None => of_parts("text")
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect(),
    };
    let calls = message["tool_calls"].as_array().map_or(0, Vec::len) + of_parts("tool_use").len();
    (text, calls)
}

fn buckets(reading: &Reading) -> Map<String, Value> {
    let (buckets, _) = usage::normalise(&reading.tokens);
    [
        ("input_fresh", buckets.input_fresh),
        ("cache_read", buckets.cache_read),
        ("cache_write", buckets.cache_write),
        ("cache_write_1h", buckets.cache_write_1h),
        ("output", buckets.output),
        ("reasoning", buckets.reasoning),
    ]
    .into_iter()
    .filter_map(|(name, count)| Some((name.to_owned(), json!(count?))))
    .collect()
}

#[test]
fn recorded_answers_are_read_as_they_were_meant() {
    for call in recorded() {
        let body = call.body.as_bytes();
        assert_eq!(looks_like_events(body), call.is_stream, "{}", call.from);
        let reading = match call.is_stream {
            true => read_stream(api(&call.api), &[(0, body)]),
            false => read_whole(api(&call.api), body),
        };
        let expected = &call.expect;
        if call.status >= 400 {
            let error = reading.error.or_else(|| failure_of(body)).expect(&call.from);
            assert_eq!(error.class, expected.error_class, "{}", call.from);
            assert_eq!(Some(error.message), expected.error, "{}", call.from);
            continue;
        }
        assert!(reading.error.is_none(), "{}: {:?}", call.from, reading.error);
        assert_eq!(reading.model, expected.model, "{}", call.from);
        assert_eq!(Some(buckets(&reading)), expected.buckets, "{}", call.from);
        assert!(!call.is_stream || reading.is_complete, "{} has an end", call.from);
        if expected.text.is_some() {
            let (text, calls) = said(reading.output.as_deref());
            assert_eq!(Some(text), expected.text, "{}", call.from);
            assert_eq!(Some(calls), expected.tool_calls, "{}", call.from);
        }
    }
}

#[test]
fn where_a_recorded_stream_is_cut_by_the_network_changes_nothing() {
    for call in recorded().iter().filter(|call| call.is_stream) {
        let whole = read_stream(api(&call.api), &[(0, call.body.as_bytes())]);
        let mut scanner = Scanner::default();
        let mut events = Vec::new();
        for byte in call.body.as_bytes() {
            events.extend(scanner.feed(std::slice::from_ref(byte)));
        }
        events.extend(scanner.finish());
        let at_once = {
            let mut scanner = Scanner::default();
            let mut events = scanner.feed(call.body.as_bytes());
            events.extend(scanner.finish());
            events
        };
        let data = |events: &[Event]| events.iter().map(|event| event.data.clone()).collect::<Vec<_>>();
        assert_eq!(data(&events), data(&at_once), "{}", call.from);
        assert!(whole.is_complete, "{}", call.from);
    }
}
