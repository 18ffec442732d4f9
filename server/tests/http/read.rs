//! `GET /api/*`, health and metrics.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use server::router::ROUTES;
use server::router::openapi::OPENAPI;

use crate::app::{TestApp, step};

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_paged_without_gaps_and_repeats() {
    let app = TestApp::new().await;
    let steps: Vec<Value> = (0..25)
        .map(|i| {
            let mut one = step(&format!("run-{i:02}"), "s");
            // Pairs at the same instant: the id decides between them.
            one["started_at"] = json!(format!("2026-11-20T10:00:{:02}Z", i / 2));
            one
        })
        .collect();
    app.post("/ingest/batch", &json!({"steps": steps})).await;
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let (_, page) = app.get(&format!("/api/runs?limit=4{cursor}")).await;
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|run| run["run_id"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let expected: Vec<String> = (0..25).rev().map(|i| format!("run-{i:02}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_narrow_the_list() {
    let app = TestApp::new().await;
    let mut failed = step("failed", "s");
    failed["status_success"] = json!(false);
    failed["error"] = json!("entities is null\nat line 4");
    failed["environment"] = json!("production");
    failed["release"] = json!("9be04a7c1f");
    failed["session_id"] = json!("s-1");
    failed["user_id"] = json!("u-1");
    failed["tags"] = json!(["vip"]);
    failed["cost"] = json!(0.5);
    failed["latency_ms"] = json!(9_000);
    failed["model"] = json!("claude-sonnet-4-6");
    failed["step_name"] = json!("generate-response");
    failed["input_tokens"] = json!(90_000);
    app.store(failed).await;
    app.store(step("fine", "s")).await;
    let check = async |query: &str, expected: &[&str]| {
        let (status, list) = app.get(&format!("/api/runs?{query}")).await;
        assert_eq!(status, 200, "{query}: {list}");
        let mut ids: Vec<_> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|run| run["run_id"].as_str().unwrap())
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, expected, "{query}");
    };
    check("", &["failed", "fine"]).await;
    check("status=error", &["failed"]).await;
    check("status=ok", &["fine"]).await;
    check("status=running", &[]).await;
    check("model=claude-sonnet-4-6", &["failed"]).await;
    check("key=default", &["failed", "fine"]).await;
    check("key=other", &[]).await;
    check("step=generate-response", &["failed"]).await;
    check("environment=production", &["failed"]).await;
    check("release=9be04", &["failed"]).await;
    check("session=s-1", &["failed"]).await;
    check("user=u-1", &["failed"]).await;
    check("tag=vip", &["failed"]).await;
    check("q=entities", &["failed"]).await;
    check("q=FINE", &["fine"]).await;
    check("q=%25", &[]).await;
    check("cost_min=0.1", &["failed"]).await;
    check("cost_max=0.1", &["fine"]).await;
    check("latency_min=1000", &["failed"]).await;
    check("tokens_min=50000", &["failed"]).await;
    check("range=1h", &["failed", "fine"]).await;
    check("to=2020-01-01T00:00:00Z", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_wrong_is_on_the_run() {
    let app = TestApp::new().await;
    let mut failed = step("r", "s");
    failed["status_success"] = json!(false);
    failed["error"] = json!("entities is null\nat line 4");
    app.store(failed).await;
    let (_, read) = app.get("/api/runs/r").await;
    assert_eq!(read["run"]["problem"]["text"], "entities is null");
    assert_eq!(read["run"]["problem"]["step_id"], "s");
    assert_eq!(read["run"]["error_count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cost_nobody_knows_is_unknown_not_zero() {
    let app = TestApp::new().await;
    let mut unpriced = step("r", "a");
    unpriced.as_object_mut().unwrap().remove("cost");
    app.store(unpriced.clone()).await;
    let (_, read) = app.get("/api/runs/r").await;
    assert_eq!(
        (&read["run"]["cost_usd"], &read["run"]["unpriced_steps"]),
        (&Value::Null, &json!(1))
    );
    assert_eq!(read["steps"][0]["cost_source"], "unknown");
    app.store(step("r", "b")).await;
    let (_, read) = app.get("/api/runs/r").await;
    assert_eq!(
        (&read["run"]["cost_usd"], &read["run"]["unpriced_steps"]),
        (&json!("0.0014"), &json!(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_come_back_as_sent() {
    let app = TestApp::new().await;
    let mut full = step("r", "s");
    full["prompt"] = json!(r#"{"system":"s","messages":[{"role":"user","content":"größer \u0000 <b>"}]}"#);
    full["attributes"] = json!({"http.status": 200, "nested": {"a": [1, null]}});
    full["events"] = json!([
        {"name": "later", "at": "2026-11-20T10:00:02Z"},
        {"name": "sooner", "at": "2026-11-20T10:00:01Z", "attributes": {"n": 1}}
    ]);
    full["prompt_template"] = json!("Hello {name}");
    app.store(full.clone()).await;
    let (_, payload) = app.get("/api/runs/r/steps/s/payload").await;
    assert_eq!(payload["input"], full["prompt"]);
    assert_eq!(payload["attributes"], full["attributes"]);
    assert_eq!(payload["prompt_template"], "Hello {name}");
    assert_eq!(payload["events"][0]["name"], "sooner");
    assert_eq!(payload["events"][0]["attributes"], json!({"n": 1}));

    let url = app.url("/api/runs/r/steps/s/payload?text=input");
    let file = app.client.get(url).send().await.unwrap();
    let header = |name: &str| file.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(
        header("content-disposition"),
        "attachment; filename=\"input.txt\""
    );
    assert_eq!(file.text().await.unwrap(), full["prompt"].as_str().unwrap());
    let (status, answer) = app.get("/api/runs/r/steps/s/payload?text=thoughts").await;
    assert_eq!(
        (status, &answer["error"]["field"]),
        (400, &json!("text")),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics() {
    let app = TestApp::new().await;
    assert_eq!(app.get("/healthz").await.1["status"], "ok");
    assert_eq!(app.get("/readyz").await.1["status"], "ok");
    app.store(step("r", "s")).await;
    let text = app
        .client
        .get(app.url("/metrics"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        text.contains("plumbline_steps_total{outcome=\"stored\"} 1\n"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_names_every_route_and_no_other() {
    let document: Value = serde_json::from_str(&OPENAPI).unwrap();
    let proxied = server::proxy::ROUTES
        .iter()
        .map(|route| (route.method, route.path));
    let ingested = [
        ("POST", "/ingest"),
        ("POST", "/ingest/batch"),
        ("POST", "/v1/traces"),
    ];
    let routed: BTreeSet<(String, &str)> = ROUTES
        .iter()
        .copied()
        .chain(proxied)
        .chain(ingested)
        .map(|(method, path)| (method.to_lowercase(), path))
        .collect();
    let mut described = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let methods = operations.as_object().unwrap().keys();
        described.extend(methods.map(|method| (method.clone(), path.as_str())));
    }
    assert_eq!(described, routed);
    let app = TestApp::new().await;
    assert_eq!(app.get("/api/openapi.json").await.1, document);
}
