//! `POST /ingest` and `/ingest/batch`.

use serde_json::{Value, json};

use crate::app::{TestApp, answer, step};

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_stored_once_and_can_be_read_at_once() {
    let app = TestApp::new().await;
    let (status, first) = app.post("/ingest", &step("r1", "s1")).await;
    assert_eq!(
        (status, &first),
        (
            200,
            &json!({"trace_id": "s1", "run_id": "r1", "status": "stored"})
        )
    );
    let mut again = step("r1", "s1");
    again["output_code"] = json!("something else");
    let (status, second) = app.post("/ingest", &again).await;
    assert_eq!((status, &second["status"]), (200, &json!("duplicate")));

    let (_, read) = app.get("/api/runs/r1").await;
    assert_eq!(read["run"]["step_count"], 1);
    assert_eq!(read["run"]["status"], "ok");
    assert_eq!(read["run"]["cost_usd"], "0.0014");
    assert_eq!(read["run"]["cost_nano_usd"], 1_400_000);
    assert_eq!(read["run"]["tokens"]["input_fresh"], 48);
    assert_eq!(read["run"]["tokens"]["cache_read"], Value::Null);
    assert_eq!(read["steps"][0]["latency_ms"], 640);
    assert_eq!(read["steps"][0]["cost_source"], "reported");
    let (_, payload) = app.get("/api/runs/r1/steps/s1/payload").await;
    assert_eq!(payload["output"], "yes", "the first one stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_makes_a_step_without_id_safe_to_retry() {
    let app = TestApp::new().await;
    let mut anonymous = step("r1", "x");
    anonymous.as_object_mut().unwrap().remove("step_id");
    let send = |key: &'static str| {
        answer(
            app.client
                .post(app.url("/ingest"))
                .header("idempotency-key", key)
                .json(&anonymous),
        )
    };
    let (_, first) = send("k1").await;
    let (_, again) = send("k1").await;
    let (_, other) = send("k2").await;
    assert_eq!(first["trace_id"], again["trace_id"]);
    assert_eq!(
        (&first["status"], &again["status"], &other["status"]),
        (&json!("stored"), &json!("duplicate"), &json!("stored"))
    );
    let (_, without) = app.post("/ingest", &anonymous).await;
    assert_eq!(without["status"], "stored");
    assert_eq!(app.get("/api/runs/r1").await.1["run"]["step_count"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_keeps_the_good_and_names_the_bad() {
    let app = TestApp::new().await;
    app.store(step("r1", "there")).await;
    let mut bad = step("r1", "bad");
    bad["latency_ms"] = json!("slow");
    let mut nameless = step("r1", "nameless");
    nameless.as_object_mut().unwrap().remove("step_name");
    let body =
        json!({"steps": [step("r1", "new"), bad, step("r1", "there"), step("r1", "new"), nameless, 5]});
    let (status, answer) = app.post("/ingest/batch", &body).await;
    assert_eq!(status, 200);
    assert_eq!((&answer["stored"], &answer["duplicate"]), (&json!(1), &json!(2)));
    let named: Vec<_> = answer["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["index"].clone(), r["field"].clone()))
        .collect();
    assert_eq!(
        named,
        [
            (json!(1), json!("latency_ms")),
            (json!(4), json!("step_name")),
            (json!(5), Value::Null)
        ]
    );
    assert_eq!(app.get("/api/runs/r1").await.1["run"]["step_count"], 2);

    let (_, ledger) = app.get("/api/ledger").await;
    let sum = |field: &str| {
        ledger["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m[field].as_i64().unwrap())
            .sum::<i64>()
    };
    assert_eq!((sum("received"), sum("stored"), sum("duplicate")), (7, 2, 2));
    assert_eq!(ledger["items"][0]["key_label"], "default");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_batch_is_a_batch() {
    let app = TestApp::new().await;
    let (status, answer) = app.post("/ingest/batch", &json!({"steps": []})).await;
    assert_eq!(
        (status, answer),
        (200, json!({"stored": 0, "duplicate": 0, "rejected": []}))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_bodies_are_read() {
    let app = TestApp::new().await;
    let body = {
        use std::io::Write as _;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(step("r1", "s1").to_string().as_bytes()).unwrap();
        gzip.finish().unwrap()
    };
    let request = app
        .client
        .post(app.url("/ingest"))
        .header("content-type", "application/json");
    let (status, answered) = answer(request.header("content-encoding", "GZip").body(body)).await;
    assert_eq!((status, &answered["status"]), (200, &json!("stored")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_error_is_short_in_lists_and_whole_with_the_step() {
    let app = TestApp::new().await;
    let long = "ä".repeat(5_000);
    let mut failed = step("r", "s");
    failed["error"] = json!(long);
    failed["status_success"] = json!(false);
    app.store(failed).await;
    let (_, read) = app.get("/api/runs/r").await;
    assert!(read["steps"][0]["error"].as_str().unwrap().len() < 4_200);
    assert_eq!(
        app.get("/api/runs/r/steps/s/payload").await.1["attributes"]["error"],
        json!(long)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_caller_gave_up_is_aborted_and_no_failure() {
    let app = TestApp::new().await;
    for (id, succeeded) in [("left", true), ("failed", false)] {
        let mut given_up = step(id, "s");
        given_up["aborted"] = json!(true);
        given_up["status_success"] = json!(succeeded);
        app.store(given_up).await;
    }
    let (_, left) = app.get("/api/runs/left").await;
    assert_eq!(left["steps"][0]["status"], "aborted");
    assert_eq!(app.get("/api/runs/failed").await.1["steps"][0]["status"], "error");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_from_before_the_retention_is_not_deleted_within_the_hour() {
    let app = TestApp::new().await;
    let mut old = step("r", "old");
    old["started_at"] = json!("2019-05-02T00:00:00Z");
    app.store(old).await;
    app.store(step("r", "new")).await;
    storage::partitions::maintain(&app.options(), server::clock::now())
        .await
        .unwrap();
    storage::partitions::delete_expired(&app.options(), server::clock::now())
        .await
        .unwrap();
    let (_, read) = app.get("/api/runs/r").await;
    assert_eq!(
        (&read["run"]["step_count"], &read["run"]["started_at"]),
        (&json!(2), &json!("2019-05-02T00:00:00Z"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_today_lies_in_a_weekly_partition() {
    let app = TestApp::new().await;
    app.store(step("r", "s")).await;
    // A default partition with rows of these years would have maintenance move them into weekly ones.
    let now = server::clock::now();
    assert!(!storage::partitions::is_due(&app.options(), now).await.unwrap());
    let done = storage::partitions::maintain(&app.options(), now).await.unwrap();
    assert_eq!(done.created, 0, "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_a_run_follows_its_top_level_steps() {
    let app = TestApp::new().await;
    let check = async |run: &str, steps: Vec<Value>, expected: &str| {
        for step in steps {
            app.store(step).await;
        }
        assert_eq!(
            app.get(&format!("/api/runs/{run}")).await.1["run"]["status"],
            expected,
            "{run}"
        );
    };
    let child = |run: &str, failed: bool| {
        let mut child = step(run, "child");
        child["parent_step_id"] = json!("root");
        child["status_success"] = json!(!failed);
        child
    };
    let root = |run: &str, failed: bool| {
        let mut root = step(run, "root");
        root["status_success"] = json!(!failed);
        root
    };
    check("child-first", vec![child("child-first", false)], "running").await;
    check("child-first", vec![root("child-first", false)], "ok").await;
    check(
        "child-failed",
        vec![child("child-failed", true), root("child-failed", false)],
        "ok",
    )
    .await;
    check("root-failed", vec![root("root-failed", true)], "error").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_named_after_its_earliest_top_level_step_in_any_order() {
    let app = TestApp::new().await;
    let make = |id: &str, name: &str, second: u32, parent: Option<&str>| {
        let mut made = step("r", id);
        made["step_name"] = json!(name);
        made["started_at"] = json!(format!("2026-11-20T10:00:{second:02}Z"));
        made["parent_step_id"] = json!(parent);
        made
    };
    app.store(make("c", "nested", 1, Some("a"))).await;
    assert_eq!(app.get("/api/runs/r").await.1["run"]["name"], "nested");
    app.store(make("b", "second", 5, None)).await;
    assert_eq!(app.get("/api/runs/r").await.1["run"]["name"], "second");
    app.store(make("a", "first", 2, None)).await;
    let (_, read) = app.get("/api/runs/r").await;
    assert_eq!(read["run"]["name"], "first");
    assert_eq!(read["run"]["started_at"], "2026-11-20T10:00:01Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_times_are_stored_and_found() {
    let app = TestApp::new().await;
    for (run, at) in [
        ("past", "1970-01-01T00:00:00Z"),
        ("future", "2150-06-01T00:00:00Z"),
        ("zero", "0000-01-01T00:00:00Z"),
    ] {
        let mut odd = step(run, "s");
        odd["started_at"] = json!(at);
        app.store(odd).await;
        assert_eq!(
            app.get(&format!("/api/runs/{run}")).await.1["run"]["started_at"],
            at
        );
    }
    let (_, list) = app.get("/api/runs").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 3);
}
