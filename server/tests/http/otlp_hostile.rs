//! Spans that no instrumentation should send, and some do: each is kept within bounds or refused in words, and what is
//! sent afterwards is kept as ever.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::otlp::{JSON, send};

/// A root of a trace of its own, told apart by a byte.
fn span(trace: &str) -> Value {
    let now_nano = server::clock::now().micros() * 1_000;
    json!({
        "traceId": trace.repeat(16), "spanId": "01".repeat(8), "name": "chat",
        "startTimeUnixNano": (now_nano - 1_000_000_000).to_string(), "endTimeUnixNano": now_nano.to_string(),
        "attributes": [attribute("gen_ai.request.model", json!({"stringValue": "gpt-4o"}))],
    })
}

fn attribute(key: &str, value: Value) -> Value {
    json!({ "key": key, "value": value })
}

fn nested(levels: usize) -> Value {
    let mut value = json!({"stringValue": "bottom"});
    for _ in 0..levels {
        value = json!({"arrayValue": {"values": [value]}});
    }
    value
}

fn with(trace: &str, more: Vec<Value>) -> Value {
    let mut span = span(trace);
    span["attributes"].as_array_mut().unwrap().extend(more);
    span
}

fn at(trace: &str, start: &str, end: &str) -> Value {
    let mut span = span(trace);
    span["startTimeUnixNano"] = json!(start);
    span["endTimeUnixNano"] = json!(end);
    span
}

/// The answer's status and message.
async fn export(app: &TestApp, span: Value) -> (u16, String) {
    let body = json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]});
    let answer = send(app, "/v1/traces", JSON, body.to_string().into_bytes()).await;
    let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
    (answer.status, message)
}

async fn step(app: &TestApp, trace: &str) -> Value {
    let (status, read) = app.get(&format!("/api/runs/{}", trace.repeat(16))).await;
    assert_eq!(status, 200, "{trace}");
    read["steps"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_cut_and_kept() {
    let app = TestApp::new().await;
    let many = (0..10_000).map(|n| attribute(&format!("key.{n:05}"), json!({"stringValue": "v".repeat(50)})));
    let long = json!({"stringValue": "x".repeat(5_000_000)});
    for (trace, more) in [
        ("01", vec![attribute("deep", nested(20))]),
        ("02", many.collect()),
        ("03", vec![attribute("long", long.clone())]),
        ("04", vec![attribute("input.value", long)]),
    ] {
        assert_eq!(
            export(&app, with(trace, more)).await,
            (200, String::new()),
            "{trace}"
        );
        let kept = step(&app, trace).await;
        assert_eq!(kept["model"], "gpt-4o", "{trace}");
        // What a page reads of a step stays small, whatever was sent.
        assert!(kept.to_string().len() < 256 * 1024, "{trace}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_span_is_refused_in_words_and_counted() {
    let app = TestApp::new().await;
    let mut negative = span("05");
    negative["startTimeUnixNano"] = json!("-5000000000");
    let mut zero_span = span("06");
    zero_span["spanId"] = json!("00".repeat(8));
    for (what, sent, words) in [
        (
            "values within values without end",
            with("07", vec![attribute("deep", nested(200))]),
            "recursion",
        ),
        ("a time before 1970", negative, "integer"),
        (
            "a time of more than 64 bits",
            at("08", "99999999999999999999999", "1"),
            "integer",
        ),
        ("a trace of zeros", span("00"), "trace_id"),
        ("a span of zeros", zero_span, "span_id"),
    ] {
        let (status, message) = export(&app, sent).await;
        assert_eq!(status, 400, "{what}: {message}");
        assert!(message.contains(words), "{what}: {message}");
    }
    let (_, ledger) = app.get("/api/ledger").await;
    let sum = |reason: &str| -> i64 {
        let minutes = ledger["items"].as_array().unwrap().iter();
        minutes
            .filter_map(|minute| minute["rejected"][reason].as_i64())
            .sum()
    };
    assert_eq!((sum("invalid_otlp"), sum("no_span_ids")), (3, 2), "{ledger}");
    assert_eq!(export(&app, span("09")).await.0, 200, "the next one is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn times_of_other_centuries_are_kept_as_told_and_no_run_is_lost() {
    let app = TestApp::new().await;
    for (trace, start, end, told) in [
        ("0a", "1", "2", "1970-01-01T00:00:00Z"),
        (
            "0b",
            "4133980800000000000",
            "4133980801000000000",
            "2101-01-01T00:00:00Z",
        ),
        (
            "0c",
            "18446744073709551614",
            "18446744073709551615",
            "2554-07-21T23:34:33.709551Z",
        ),
    ] {
        assert_eq!(export(&app, at(trace, start, end)).await.0, 200, "{told}");
        assert_eq!(step(&app, trace).await["started_at"], told);
    }
    // They are filed near the time they came, so that lists and retention find them.
    let (_, runs) = app.get("/api/runs").await;
    assert_eq!(runs["items"].as_array().map(Vec::len), Some(3), "{runs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn span_names_with_ids_make_no_row_of_every_span() {
    let app = TestApp::new().await;
    let spans: Vec<Value> = (0..1_000)
        .map(|n| {
            let mut span = span("0d");
            span["spanId"] = json!(format!("{:016x}", n + 1));
            span["name"] = json!(format!("GET /users/{n}"));
            span
        })
        .collect();
    let body = json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]});
    let answer = send(&app, "/v1/traces", JSON, body.to_string().into_bytes()).await;
    assert_eq!(answer.status, 200);
    let (_, ledger) = app.get("/api/ledger").await;
    let minutes = ledger["items"].as_array().unwrap();
    let limited: i64 = minutes
        .iter()
        .filter_map(|minute| minute["limited"]["step_name"].as_i64())
        .sum();
    assert_eq!(limited, 500, "{ledger}");
}
