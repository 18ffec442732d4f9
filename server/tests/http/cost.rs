//! `GET /api/cost`: exact for any window, and null for what is unknown.

use serde_json::{Value, json};

use crate::app::{TestApp, step};

/// A call of a model at a time of 2026-11-20, in minutes.
fn call(run: &str, id: usize, model: &str, minute: usize, cost: Value) -> Value {
    let mut call = step(run, &format!("s{id}"));
    call["model"] = json!(model);
    call["cost"] = cost;
    call["started_at"] = json!(format!("2026-11-20T{:02}:{:02}:30Z", minute / 60, minute % 60));
    call
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_about_everything_is_refused() {
    let app = TestApp::new().await;
    for path in ["/api/cost", "/api/cost?project=default", "/api/cost?session=%20"] {
        let (status, body) = app.get(path).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (400, &json!("invalid_field")),
            "{path}"
        );
    }
    let (status, body) = app.get("/api/cost?from=yesterday").await;
    assert_eq!((status, &body["error"]["field"]), (400, &json!("from")));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_known_is_null_and_nothing_there_is_no_calls() {
    let app = TestApp::new().await;
    app.store(call("r", 1, "private-7b", 10, Value::Null)).await;
    let (_, known) = app.get("/api/cost?run=r").await;
    assert_eq!(
        (
            &known["calls"],
            &known["unpriced_calls"],
            &known["cost_usd"],
            &known["cost_nano_usd"]
        ),
        (&json!(1), &json!(1), &Value::Null, &Value::Null)
    );
    assert_eq!(
        (&known["input_tokens"], &known["output_tokens"]),
        (&json!(48), &json!(11))
    );
    let (status, none) = app.get("/api/cost?session=nobody").await;
    assert_eq!(
        (
            status,
            &none["calls"],
            &none["cost_usd"],
            &none["input_tokens"],
            &none["first_call"],
            &none["by_model"]
        ),
        (
            200,
            &json!(0),
            &Value::Null,
            &Value::Null,
            &Value::Null,
            &json!([])
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_joined_exactly_whatever_run_its_calls_are_in() {
    let app = TestApp::new().await;
    for (run, id, session, cost) in [
        ("a", 1, "first", 0.5),
        ("a", 2, "second", 0.25),
        ("b", 3, "second", 0.125),
        ("c", 4, "third", 4.0),
    ] {
        let mut call = call(
            run,
            id,
            if id == 3 { "small-1" } else { "large-1" },
            id,
            json!(cost),
        );
        call["session_id"] = json!(session);
        call["user_id"] = json!(format!("user-of-{session}"));
        app.store(call).await;
    }
    for path in ["/api/cost?session=second", "/api/cost?user=user-of-second"] {
        let (_, cost) = app.get(path).await;
        assert_eq!(
            (&cost["calls"], &cost["cost_usd"]),
            (&json!(2), &json!("0.375")),
            "{path}"
        );
        assert_eq!(cost["cost_nano_usd"], 375_000_000);
        assert_eq!(
            (&cost["first_call"], &cost["last_call"]),
            (&json!("2026-11-20T00:02:30Z"), &json!("2026-11-20T00:03:30Z"))
        );
        let models: Vec<_> = cost["by_model"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| &m["model"])
            .collect();
        assert_eq!(models, ["large-1", "small-1"], "the most expensive first");
    }
    let (_, narrowed) = app.get("/api/cost?session=second&model=small-1").await;
    assert_eq!(narrowed["cost_usd"], "0.125");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_window_is_exact() {
    let app = TestApp::new().await;
    // Every seven minutes, so that hours begin everywhere between two calls; each costs a power of its place.
    let calls: Vec<Value> = (0..60)
        .map(|i| {
            let cost = if i % 5 == 0 {
                Value::Null
            } else {
                json!(i as f64 / 1000.0)
            };
            let mut call = call(
                &format!("run-{}", i % 3),
                i,
                &format!("model-{}", i % 2),
                i * 7,
                cost,
            );
            call["environment"] = json!(if i % 4 == 0 { "staging" } else { "production" });
            call["step_name"] = json!(format!("step-{}", i % 6));
            call
        })
        .collect();
    let (status, _) = app.post("/ingest/batch", &json!({ "steps": calls })).await;
    assert_eq!(status, 200);
    let expected = |from: usize, to: usize, keep: &dyn Fn(&Value) -> bool| {
        let kept: Vec<&Value> = calls
            .iter()
            .enumerate()
            .filter(|(i, call)| (from..to).contains(&(i * 7)) && keep(call))
            .map(|(_, call)| call)
            .collect();
        let nano: Option<i64> = kept
            .iter()
            .filter_map(|call| Some((call["cost"].as_f64()? * 1e9).round() as i64))
            .reduce(|a, b| a + b);
        let time = |call: Option<&&Value>| call.map_or(Value::Null, |call| call["started_at"].clone());
        (kept.len(), nano, time(kept.first()), time(kept.last()))
    };
    let check = async |from: usize, to: usize, more: &str, keep: &dyn Fn(&Value) -> bool| {
        let at = |minute: usize| format!("2026-11-20T{:02}:{:02}:00Z", minute / 60, minute % 60);
        let path = format!("/api/cost?from={}&to={}{more}", at(from), at(to));
        let (status, cost) = app.get(&path).await;
        let (calls, nano, first, last) = expected(from, to, keep);
        assert_eq!(status, 200, "{cost}");
        assert_eq!(
            (
                &cost["calls"],
                &cost["cost_nano_usd"],
                &cost["first_call"],
                &cost["last_call"]
            ),
            (&json!(calls), &json!(nano), &first, &last),
            "{path}: {cost}"
        );
        let by_model: i64 = cost["by_model"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["calls"].as_i64().unwrap())
            .sum();
        assert_eq!(by_model, calls as i64, "{path}");
    };
    for (from, to) in [
        (0, 420),
        (60, 240),
        (61, 239),
        (59, 61),
        (65, 100),
        (100, 65),
        (120, 120),
        (7, 180),
        (120, 187),
    ] {
        check(from, to, "", &|_| true).await;
        check(from, to, "&environment=staging", &|call| {
            call["environment"] == "staging"
        })
        .await;
        check(from, to, "&model=model-1&step=step-3", &|call| {
            call["model"] == "model-1" && call["step_name"] == "step-3"
        })
        .await;
        check(from, to, "&run=run-2", &|call| call["run_id"] == "run-2").await;
    }
    let (_, run) = app.get("/api/runs/run-0").await;
    let label = run["run"]["key"].as_str().unwrap();
    let (_, key) = app.get(&format!("/api/cost?key={label}")).await;
    assert_eq!(
        (&key["calls"], &key["unpriced_calls"]),
        (&json!(60), &json!(12)),
        "{key}"
    );
    let (_, other) = app.get("/api/cost?key=nobody").await;
    assert_eq!(other["calls"], 0);
}
