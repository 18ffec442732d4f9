//! Scores on stored steps, `POST /api/score`, `GET /api/thresholds`, `GET/PUT /api/settings/scoring`.

use serde_json::{Value, json};

use crate::app::{TestApp, answer, step};

async fn put_settings(app: &TestApp, settings: &Value) -> (u16, Value) {
    answer(app.client.put(app.url("/api/settings/scoring")).json(settings)).await
}

fn codes(of: &Value) -> Vec<u64> {
    of["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["code"].as_u64().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_step_carries_its_conditions_with_evidence() {
    let app = TestApp::new().await;
    let mut broken = step("r", "s");
    broken["step_name"] = json!("parse-request");
    broken["prompt"] = json!("Turn the message into JSON with the keys \"intent\" and \"entities\".");
    broken["output_code"] = json!("{\"intent\": \"refund\", \"entities\": [");
    app.store(broken).await;
    let (_, read) = app.get("/api/runs/r").await;
    let scored = &read["steps"][0];
    assert!(codes(scored).contains(&2001), "{scored}");
    let sum: i64 = scored["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["points"].as_i64().unwrap())
        .sum();
    assert_eq!(
        (&scored["score"], &read["run"]["score_max"]),
        (&json!(sum), &json!(sum))
    );
    assert_eq!(
        (&scored["severity"], &read["run"]["severity"]),
        (&json!("critical"), &json!("critical"))
    );
    let condition = &scored["conditions"][0];
    assert_eq!(condition["name"], "json_contract_violation");
    for field in ["message", "observed", "expected"] {
        assert!(
            condition[field].as_str().is_some_and(|text| !text.is_empty()),
            "{condition}"
        );
    }
    assert_eq!(read["run"]["problem"]["code"], 2001);
    assert_eq!(
        app.get("/api/runs?severity=critical").await.1["items"][0]["run_id"],
        "r"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_scored_without_being_stored() {
    let app = TestApp::new().await;
    let mut probe = step("r", "s");
    probe["output_code"] = json!("Probably, but it depends on the order.");
    let (status, score) = app.post("/api/score", &probe).await;
    assert_eq!(status, 200, "{score}");
    assert_eq!((&score["total"], codes(&score)), (&json!(55), vec![2004, 3014]));
    assert_eq!(
        (&score["severity"], &score["threshold"]),
        (&json!("warning"), &json!(100))
    );
    assert_eq!(
        (&score["prompt_shape"], &score["output_shape"]),
        (&json!("enum_short"), &json!("prose"))
    );
    probe["rules"] = json!({"extended": false, "muted": [2004], "points": {"3014": 100}});
    let (_, score) = app.post("/api/score", &probe).await;
    assert_eq!((&score["total"], codes(&score)), (&json!(100), vec![3014]));
    assert_eq!(score["severity"], "critical");
    assert_eq!(app.get("/api/runs").await.1["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_learned_from_committed_steps_and_survive_a_restart() {
    let app = TestApp::new().await;
    let (_, before) = app.get("/api/thresholds").await;
    assert_eq!(
        before["metrics"]["latency_ms"],
        json!({"limit": 10_000.0, "source": "static", "n": 0, "p50": null, "p95": null})
    );
    for i in 0..40 {
        let mut one = step(&format!("r{i}"), "s");
        one["latency_ms"] = json!(4_000 + i * 10);
        app.store(one).await;
    }
    let (_, learned) = app.get("/api/thresholds").await;
    let latency = &learned["metrics"]["latency_ms"];
    assert_eq!(
        (&latency["source"], &latency["n"]),
        (&json!("dynamic"), &json!(40))
    );
    assert_eq!(latency["p95"].as_f64().unwrap().round(), 4_371.0);
    // A process that starts now reads the same history from the database.
    let other = app.another_process().await;
    assert_eq!(other.get("/api/thresholds").await.1, learned);
    // A duplicate is no new evidence.
    app.post("/ingest", &step("r0", "s")).await;
    assert_eq!(app.get("/api/thresholds").await.1, learned);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_stored_by_another_process_counts_within_seconds() {
    let app = TestApp::new().await;
    let other = app.another_process().await;
    app.store(step("mine", "s")).await;
    assert_eq!(
        other.get("/api/thresholds").await.1["metrics"]["latency_ms"]["n"],
        1
    );
    app.store(step("mine", "later")).await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while other.get("/api/thresholds").await.1["metrics"]["latency_ms"]["n"] != 2 {
        assert!(
            std::time::Instant::now() < deadline,
            "the other process never learned of the step"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_kept_checked_and_in_force_at_once() {
    let app = TestApp::new().await;
    let (_, default) = app.get("/api/settings/scoring").await;
    assert_eq!(
        (&default["mode"], &default["extended"], &default["threshold"]),
        (&json!("dynamic"), &json!(true), &json!(100))
    );
    let wanted = json!({"mode": "manual", "threshold": 50, "limits": {"latency_ms": 500, "cost_usd": "0.001"}, "muted": [2004]});
    let (status, saved) = put_settings(&app, &wanted).await;
    assert_eq!(status, 200, "{saved}");
    assert_eq!(app.get("/api/settings/scoring").await.1, saved);
    assert_eq!(
        (&saved["limits"]["cost_usd"], &saved["muted"]),
        (&json!("0.001"), &json!([2004]))
    );
    app.store(step("r", "s")).await;
    let (_, read) = app.get("/api/runs/r").await;
    assert_eq!(
        codes(&read["steps"][0]),
        [4001, 4003, 4009],
        "640 ms and $0.0014 are above both limits, and `yes` is short for 11 tokens"
    );
    let check = async |settings: Value, field: &str| {
        let (status, body) = put_settings(&app, &settings).await;
        assert_eq!(
            (status, body["error"]["field"].as_str()),
            (400, Some(field)),
            "{body}"
        );
    };
    check(json!([]), "body").await;
    check(json!({"mode": "wild"}), "mode").await;
    check(json!({"threshold": 0}), "threshold").await;
    check(json!({"limits": {"latency_ms": -1}}), "limits.latency_ms").await;
    check(json!({"limits": {"speed": 1}}), "limits.speed").await;
    check(json!({"muted": [9999]}), "muted").await;
    check(json!({"points": {"2004": -5}}), "points").await;
    check(json!({"colour": "red"}), "colour").await;
    assert_eq!(
        app.get("/api/settings/scoring").await.1,
        saved,
        "a refused change changes nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_switches_scoring_off_stores_steps_without_a_score() {
    let app = TestApp::new().await;
    assert_eq!(app.get("/api/settings/scoring").await.1["enabled"], true);
    let mut wordy = step("before", "s");
    wordy["output_code"] = json!("Probably, but it depends on the order.");
    app.store(wordy.clone()).await;

    let (status, saved) = put_settings(&app, &json!({ "enabled": false })).await;
    assert_eq!((status, &saved["enabled"]), (200, &json!(false)), "{saved}");
    wordy["run_id"] = json!("meanwhile");
    app.store(wordy.clone()).await;
    let (_, read) = app.get("/api/runs/meanwhile").await;
    assert_eq!(
        (&read["steps"][0]["score"], &read["run"]["score_max"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(read["steps"][0]["conditions"], json!([]));
    assert_eq!(read["run"]["step_count"], 1, "everything else is counted as ever");
    assert_eq!(
        app.get("/api/thresholds").await.1["metrics"]["latency_ms"]["n"],
        1,
        "limits learn from what was scored"
    );
    let (_, asked) = app.post("/api/score", &wordy).await;
    assert_eq!(asked["total"], 55, "who asks is answered: {asked}");

    put_settings(&app, &json!({})).await;
    wordy["run_id"] = json!("after");
    app.store(wordy).await;
    let total = |read: &Value| read["run"]["score_max"].clone();
    assert_eq!(
        total(&app.get("/api/runs/after").await.1),
        total(&app.get("/api/runs/before").await.1)
    );
    let (_, read) = app.get("/api/runs/meanwhile").await;
    assert_eq!(total(&read), Value::Null, "what was stored is not judged again");
    let (status, wrong) = put_settings(&app, &json!({ "enabled": "no" })).await;
    assert_eq!((status, &wrong["error"]["field"]), (400, &json!("enabled")));
}
