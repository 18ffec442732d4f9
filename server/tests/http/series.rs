//! `GET /api/series`: what it says is what the runs and a recount say, for any bucket.

use serde_json::{Value, json};

use crate::app::{TestApp, step};

/// Six hours of calls, three minutes apart, by three keys' worth of models and steps; some fail, one has no price.
fn calls() -> Vec<Value> {
    (0..120)
        .map(|n: usize| {
            let mut call = step(&format!("run-{}", n / 2), &format!("s{n}"));
            call["started_at"] = json!(format!("2026-11-20T{:02}:{:02}:30Z", 8 + n / 20, n % 20 * 3));
            call["model"] = json!(format!("model-{}", n % 3));
            call["step_name"] = json!(format!("step-{}", n % 2));
            call["latency_ms"] = json!(100 + n);
            call["status_success"] = json!(!n.is_multiple_of(10));
            call["environment"] = json!(n.is_multiple_of(4).then_some("staging"));
            call["cost"] = if n == 7 {
                Value::Null
            } else {
                json!(0.001 * (n % 9) as f64)
            };
            call
        })
        .collect()
}

fn nano(call: &Value) -> Option<i64> {
    Some((call["cost"].as_f64()? * 1e9).round() as i64)
}

const WINDOW: &str = "from=2026-11-20T08:00:00Z&to=2026-11-20T14:00:00Z";

/// What a series says in all: sum of the values, sum of the calls, number of points.
fn totals(answer: &Value) -> (i64, i64, usize) {
    let series = answer["series"].as_array().unwrap();
    let points: Vec<&Value> = series
        .iter()
        .flat_map(|one| one["points"].as_array().unwrap())
        .collect();
    let sum = |place: usize| points.iter().filter_map(|point| point[place].as_i64()).sum();
    (sum(1), sum(2), points.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bucket_and_split_adds_up_to_the_same() {
    let app = TestApp::new().await;
    let calls = calls();
    let (status, _) = app.post("/ingest/batch", &json!({ "steps": calls })).await;
    assert_eq!(status, 200);
    let cost: i64 = calls.iter().filter_map(nano).sum();
    let (_, by_cost) = app.get(&format!("/api/cost?{WINDOW}")).await;
    assert_eq!(by_cost["cost_nano_usd"], json!(cost));
    let (_, runs) = app.get("/api/runs?limit=500&range=all").await;
    let of_runs: i64 = runs["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|run| run["cost_nano_usd"].as_i64())
        .sum();
    assert_eq!(of_runs, cost);
    for by in ["", "&by=key", "&by=model", "&by=step", "&by=environment"] {
        for (bucket, buckets) in [("1m", 120), ("5m", 72), ("1h", 6), ("1d", 1)] {
            let path = format!("/api/series?metric=cost&bucket={bucket}&{WINDOW}{by}");
            let (status, answer) = app.get(&path).await;
            assert_eq!(status, 200, "{path}: {answer}");
            let (sum, n, points) = totals(&answer);
            assert_eq!((sum, n), (cost, 120), "{path}");
            assert!(!by.is_empty() || points == buckets, "{path} has {points} points");
            assert_eq!(answer["unit"], "nano_usd");
        }
    }
    let (_, staging) = app
        .get(&format!("/api/series?metric=calls&environment=staging&{WINDOW}"))
        .await;
    assert_eq!(totals(&staging).0, 30);
    let (_, one) = app
        .get(&format!(
            "/api/series?metric=calls&model=model-1&step=step-0&{WINDOW}"
        ))
        .await;
    assert_eq!(totals(&one).0, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_and_percentiles_are_of_the_bucket_not_of_its_parts() {
    let app = TestApp::new().await;
    app.post("/ingest/batch", &json!({ "steps": calls() })).await;
    let day = async |metric: &str, more: &str| {
        let (status, answer) = app
            .get(&format!("/api/series?metric={metric}&bucket=1d&{WINDOW}{more}"))
            .await;
        assert_eq!(status, 200, "{answer}");
        answer["series"][0]["points"][0].clone()
    };
    assert_eq!(
        day("error_rate", "").await,
        json!(["2026-11-20T00:00:00Z", 0.1, 120])
    );
    let near = |point: &Value, expected: f64| {
        let value = point[1].as_f64().unwrap();
        assert!((value / expected - 1.0).abs() < 0.011, "{point}");
    };
    near(&day("latency_p50", "").await, 159.0);
    near(&day("latency_p95", "").await, 213.0);
    // 119 of 120 calls have a price.
    let cost: i64 = calls().iter().filter_map(nano).sum();
    let per_call = day("cost_per_call", "").await;
    assert_eq!(
        (per_call[1].as_i64(), &per_call[2]),
        (Some((cost as f64 / 119.0).round() as i64), &json!(119))
    );
    // From steps and from the hourly histograms comes the same hour.
    let hour = "from=2026-11-20T09:00:00Z&to=2026-11-20T10:00:00Z";
    let (_, summed) = app
        .get(&format!("/api/series?metric=latency_p95&bucket=1h&{hour}"))
        .await;
    near(&summed["series"][0]["points"][0], 138.0);
    let (_, fine) = app
        .get(&format!("/api/series?metric=latency_p95&bucket=5m&{hour}"))
        .await;
    near(&fine["series"][0]["points"][0], 121.0);
    assert_eq!(day("ttft_p95", "").await[1], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_without_calls_is_absent_and_an_unknown_cost_is_null() {
    let app = TestApp::new().await;
    let (_, empty) = app.get(&format!("/api/series?metric=cost&{WINDOW}")).await;
    assert_eq!(empty["series"], json!([]));
    let mut unpriced = step("r", "s");
    unpriced["cost"] = Value::Null;
    unpriced["model"] = json!("nobody-sells-this");
    unpriced["started_at"] = json!("2026-11-20T11:15:00Z");
    app.store(unpriced).await;
    let (_, one) = app
        .get(&format!("/api/series?metric=cost&bucket=1h&{WINDOW}"))
        .await;
    assert_eq!(
        one["series"],
        json!([{ "total": true, "points": [["2026-11-20T11:00:00Z", null, 1]] }])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_nobody_reported_are_null_and_add_nothing() {
    let app = TestApp::new().await;
    let mut silent = step("r", "silent");
    for field in ["input_tokens", "output_tokens"] {
        silent.as_object_mut().unwrap().remove(field);
    }
    silent["started_at"] = json!("2026-11-20T12:15:00Z");
    app.store(silent).await;
    let mut said = step("r", "said");
    said["started_at"] = json!("2026-11-20T13:15:00Z");
    app.store(said).await;
    for (bucket, expected) in [
        (
            "1h",
            json!([["2026-11-20T12:00:00Z", null, 1], ["2026-11-20T13:00:00Z", 11, 1]]),
        ),
        (
            "5m",
            json!([["2026-11-20T12:15:00Z", null, 1], ["2026-11-20T13:15:00Z", 11, 1]]),
        ),
        ("1d", json!([["2026-11-20T00:00:00Z", 11, 2]])),
    ] {
        let (_, answer) = app
            .get(&format!(
                "/api/series?metric=output_tokens&bucket={bucket}&{WINDOW}"
            ))
            .await;
        assert_eq!(answer["series"][0]["points"], expected, "{bucket}");
    }
    // What nothing was known of before a deploy is no change.
    let deploy = json!({ "id": "d", "sha": "1234567", "completed_at": "2026-11-20T12:45:00Z" });
    app.post("/api/deploys", &deploy).await;
    let (_, deploy) = app.get("/api/deploys/d").await;
    let output = &deploy["effects"][4];
    assert_eq!(
        (
            &output["measure"],
            &output["before"],
            &output["after"],
            &output["change"]
        ),
        (
            &json!("output_per_call"),
            &Value::Null,
            &json!(11.0),
            &Value::Null
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_are_rounded_to_buckets_and_what_is_wrong_is_named() {
    let app = TestApp::new().await;
    let (_, answer) = app
        .get("/api/series?metric=cost&bucket=1d&from=2026-11-18T10:00:00Z&to=2026-11-20T10:00:00Z")
        .await;
    assert_eq!(
        (&answer["from"], &answer["to"]),
        (&json!("2026-11-18T00:00:00Z"), &json!("2026-11-21T00:00:00Z"))
    );
    for (query, field) in [
        ("", "metric"),
        ("metric=coast", "metric"),
        ("metric=cost&by=user", "by"),
        ("metric=cost&bucket=2h", "bucket"),
        ("metric=cost&format=xml", "format"),
        (
            "metric=cost&from=2026-11-20T10:00:00Z&to=2026-11-20T10:00:00Z",
            "from",
        ),
        (
            "metric=cost&from=2026-11-01T00:00:00Z&to=2026-11-20T00:00:00Z&bucket=5m",
            "bucket",
        ),
    ] {
        let (status, answer) = app.get(&format!("/api/series?{query}")).await;
        assert_eq!(
            (status, &answer["error"]["field"]),
            (400, &json!(field)),
            "{query} {answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_has_the_same_figures() {
    let app = TestApp::new().await;
    app.post("/ingest/batch", &json!({ "steps": calls() })).await;
    let mut odd = step("odd", "s");
    odd["step_name"] = json!("=1+1,\"x\"");
    odd["started_at"] = json!("2026-11-20T08:10:00Z");
    app.store(odd).await;
    let response = app
        .client
        .get(app.url(&format!(
            "/api/series?metric=calls&by=step&bucket=1h&format=csv&{WINDOW}"
        )))
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
    let text = response.text().await.unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "at,step,calls_calls,calls");
    assert_eq!(lines[1], "2026-11-20T08:00:00Z,\"'=1+1,\"\"x\"\"\",1,1");
    let sum: i64 = lines[1..]
        .iter()
        .map(|line| line.rsplit(',').next().unwrap().parse::<i64>().unwrap())
        .sum();
    assert_eq!(sum, 121);
}
