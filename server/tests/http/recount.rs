//! Run totals equal a recount of the raw steps after any interleaving, duplicates and late steps included.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::app::{TestApp, step};

/// Outputs of several shapes, and why they ended.
const ANSWERS: [(&str, Option<&str>); 5] = [
    ("yes", None),
    ("{\"intent\": \"refund\", \"order\": 4711}", Some("stop")),
    ("{\"intent\": \"ref", Some("length")),
    ("I cannot help with that.", Some("stop")),
    ("", Some("content_filter")),
];

fn any_step() -> impl Strategy<Value = Value> {
    let odd_cost = prop_oneof![
        Just(Value::Null),
        (0..5_000_000u32).prop_map(|n| json!(f64::from(n) / 1e6))
    ];
    let tokens = prop_oneof![Just(Value::Null), (0..9_000i64).prop_map(Value::from)];
    (
        0..6u8,
        0..12u8,
        prop::option::of(0..12u8),
        0..3600i64,
        -50..9_000i64,
        odd_cost,
        tokens,
        any::<bool>(),
        0..4u8,
        0..5usize,
    )
        .prop_map(
            |(run, id, parent, second, latency, cost, tokens, success, model, answer)| {
                let mut one = step(&format!("run-{run}"), &format!("s{id}"));
                one["parent_step_id"] = json!(parent.map(|parent| format!("s{parent}")));
                one["started_at"] = json!(format!(
                    "2026-11-20T{:02}:{:02}:{:02}Z",
                    8 + second / 1800,
                    second / 60 % 60,
                    second % 60
                ));
                one["latency_ms"] = json!(latency);
                one["cost"] = cost;
                one["input_tokens"] = tokens;
                one["status_success"] = json!(success);
                one["model"] = json!(format!("model-{model}"));
                one["step_name"] = json!(format!("step-{}", id % 4));
                one["session_id"] = json!(format!("session-{}", model % 2));
                one["release"] = json!((id % 3 > 0).then(|| format!("c4e211{}", id % 3)));
                // Series also count conditions, shapes, reasons and latencies.
                let (output, stop_reason) = ANSWERS[answer];
                one["prompt"] = json!("Answer in JSON with the keys intent and order.");
                one["output_code"] = json!(output);
                one["stop_reason"] = json!(stop_reason);
                one["ttft_ms"] = json!((answer > 1).then_some(latency / 2));
                one
            },
        )
}

fn sum(steps: &[Value], value: impl Fn(&Value) -> Option<i64>) -> Option<i64> {
    steps.iter().filter_map(value).reduce(|a, b| a + b)
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_equal_a_recount() {
    let app = TestApp::new().await;
    let mut runner = TestRunner::default();
    let batches = prop::collection::vec(prop::collection::vec(any_step(), 1..30), 12..20);
    let mut received = 0;
    for _ in 0..4 {
        let batches = batches.new_tree(&mut runner).unwrap().current();
        received += batches.iter().map(Vec::len).sum::<usize>() as i64;
        let requests = batches.iter().map(|steps| {
            let sent = app
                .client
                .post(app.url("/ingest/batch"))
                .json(&json!({ "steps": steps }));
            async move { assert_eq!(sent.send().await.unwrap().status(), 200) }
        });
        futures::future::join_all(requests).await;
    }
    let (_, list) = app.get("/api/runs?limit=500").await;
    let (mut stored, mut codes) = (0, BTreeSet::new());
    for run in list["items"].as_array().unwrap() {
        let id = run["run_id"].as_str().unwrap();
        let (_, read) = app.get(&format!("/api/runs/{id}")).await;
        let steps = read["steps"].as_array().unwrap();
        let run = &read["run"];
        stored += steps.len() as i64;
        let conditions = steps.iter().flat_map(|s| s["conditions"].as_array().unwrap());
        codes.extend(conditions.map(|found| found["code"].as_u64().unwrap()));
        let cost = sum(steps, |s| s["cost_nano_usd"].as_i64());
        let fresh = sum(steps, |s| s["tokens"]["input_fresh"].as_i64());
        let roots = || steps.iter().filter(|s| s["parent_step_id"].is_null());
        let first_root = roots().min_by_key(|s| (s["started_at"].to_string(), s["step_id"].to_string()));
        let mut models: Vec<_> = steps.iter().map(|s| s["model"].as_str().unwrap()).collect();
        models.sort_unstable();
        models.dedup();
        assert_eq!(run["step_count"], json!(steps.len()), "{id}");
        assert_eq!(
            run["error_count"],
            json!(steps.iter().filter(|s| s["status"] == "error").count()),
            "{id}"
        );
        assert_eq!(run["cost_nano_usd"], json!(cost), "{id}");
        assert_eq!(
            run["unpriced_steps"],
            json!(steps.iter().filter(|s| s["cost_source"] == "unknown").count()),
            "{id}"
        );
        assert_eq!(run["tokens"]["input_fresh"], json!(fresh), "{id}");
        assert_eq!(run["models"], json!(models), "{id}");
        assert_eq!(
            run["started_at"],
            steps
                .iter()
                .map(|s| &s["started_at"])
                .min_by_key(|at| at.to_string())
                .unwrap()
                .clone(),
            "{id}"
        );
        let expected = match (first_root, roots().any(|s| s["status"] == "error")) {
            (None, _) => "running",
            (_, true) => "error",
            _ => "ok",
        };
        assert_eq!(run["status"], expected, "{id}");
        if let Some(root) = first_root {
            assert_eq!(run["name"], root["name"], "{id}");
        }
    }
    assert!(
        codes.len() > 3,
        "conditions of several kinds are counted: {codes:?}"
    );
    let (_, ledger) = app.get("/api/ledger").await;
    let on_the_books = |field: &str| {
        ledger["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m[field].as_i64().unwrap())
            .sum::<i64>()
    };
    assert_eq!(
        (on_the_books("received"), on_the_books("stored")),
        (received, stored)
    );
    assert_eq!(on_the_books("duplicate"), received - stored);
    let project = storage::projects::by_slug(&app.state.db, "default")
        .await
        .unwrap();
    let now = server::clock::now();
    let agree = server::pipeline::histograms_agree;
    let recount = storage::recount::recount(&app.state.db, project.id, now, agree)
        .await
        .unwrap();
    assert_eq!(
        (
            recount.steps,
            recount.wrong_runs.as_slice(),
            recount.wrong_hours.as_slice()
        ),
        (stored, &[][..], &[][..])
    );
}
