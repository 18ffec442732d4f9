//! What scoring remembers: it is the same after a restart, after a change of the rules, and in every process.

use std::time::{Duration, Instant};

use engine::Rules;
use engine::backtest::{Backtest, Recording};
use serde_json::{Value, json};

use crate::app::{TestApp, step};
use crate::people::Browser;

async fn store_all(app: &TestApp, steps: Vec<Value>) {
    for steps in steps.chunks(1_000) {
        let (status, body) = app.post("/ingest/batch", &json!({ "steps": steps })).await;
        assert_eq!((status, &body["stored"]), (200, &json!(steps.len())), "{body}");
    }
}

async fn put_settings(app: &TestApp, settings: Value) {
    let sent = app.client.put(app.url("/api/settings/scoring")).json(&settings);
    assert_eq!(sent.send().await.unwrap().status(), 200);
}

fn condition(scored: &Value, code: u64) -> Option<&Value> {
    let conditions = scored["conditions"].as_array().unwrap();
    conditions.iter().find(|condition| condition["code"] == code)
}

/// Stores a step and reads what it was scored with.
async fn stored(app: &TestApp, step: Value) -> Value {
    let (run_id, step_id) = (step["run_id"].clone(), step["step_id"].clone());
    app.store(step).await;
    let (_, read) = app.get(&format!("/api/runs/{}", run_id.as_str().unwrap())).await;
    let steps = read["steps"].as_array().unwrap();
    steps
        .iter()
        .find(|step| step["step_id"] == step_id)
        .unwrap()
        .clone()
}

async fn thresholds(app: &TestApp) -> Value {
    app.get("/api/thresholds").await.1
}

/// Waits until a process has learned of all of a project's steps.
async fn until_it_knows(app: &TestApp, steps: u64) {
    let deadline = Instant::now() + Duration::from_secs(15);
    while thresholds(app).await["metrics"]["latency_ms"]["n"] != steps {
        assert!(Instant::now() < deadline, "it never learned of {steps} steps");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_call_is_counted_whoever_stores_it_and_whatever_is_set_meanwhile() {
    let app = TestApp::new().await;
    let observed = |scored: &Value| condition(scored, 4012).map(|found| found["observed"].clone());
    for id in ["s1", "s2"] {
        assert_eq!(observed(&stored(&app, step("r", id)).await), None);
    }
    put_settings(&app, json!({})).await;
    let third = stored(&app, step("r", "s3")).await;
    assert_eq!(observed(&third), Some(json!("3 identical calls")), "{third}");
    // A process that starts now knows what the run has done before.
    let other = app.another_process().await;
    let fourth = stored(&other, step("r", "s4")).await;
    assert_eq!(observed(&fourth), Some(json!("4 identical calls")), "{fourth}");
    until_it_knows(&app, 4).await;
    let fifth = stored(&app, step("r", "s5")).await;
    assert_eq!(observed(&fifth), Some(json!("5 identical calls")), "{fifth}");
    until_it_knows(&other, 5).await;
    let sixth = stored(&other, step("r", "s6")).await;
    assert_eq!(observed(&sixth), Some(json!("6 identical calls")), "{sixth}");
    // A call that is only asked about is the next one; the same step again is still the same step.
    let asked = async |id: &str| observed(&app.post("/api/score", &step("r", id)).await.1);
    assert_eq!(asked("s7").await, Some(json!("7 identical calls")));
    assert_eq!(asked("s6").await, Some(json!("6 identical calls")));
    assert_eq!(
        observed(&app.post("/api/score", &step("another", "s7")).await.1),
        None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_costs_is_added_up_across_processes() {
    let app = TestApp::new().await;
    let dear = |id: &str| {
        let mut dear = step("r", id);
        dear["cost"] = json!(2.9);
        dear["model"] = json!("nobody-knows-it");
        dear
    };
    assert!(condition(&stored(&app, dear("s1")).await, 4016).is_none());
    let other = app.another_process().await;
    let second = stored(&other, dear("s2")).await;
    assert!(condition(&second, 4016).is_some(), "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_goes_on_and_on_is_known_after_a_restart() {
    let app = TestApp::new().await;
    let named = |name: String, id: usize, cost: f64| {
        let mut one = step("prod", &format!("s{id}"));
        one["step_name"] = json!(name);
        one["model"] = json!("nobody-knows-it");
        one["cost"] = json!(cost);
        one
    };
    let many = (0..5_200).map(|n| named(format!("step-{n}"), n, 0.000_9));
    store_all(&app, many.collect()).await;
    store_all(
        &app,
        (0..4).map(|n| named("loop".to_owned(), 9_000 + n, 0.0)).collect(),
    )
    .await;
    // All of it costs 4.68; the limit is 5.
    let probe = named("loop".to_owned(), 9_999, 0.4);
    let other = app.another_process().await;
    for process in [&app, &other] {
        let (_, asked) = process.post("/api/score", &probe).await;
        let repeated = condition(&asked, 4012).unwrap();
        assert_eq!(repeated["observed"], "5 identical calls", "{asked}");
        assert!(condition(&asked, 4016).is_some(), "{asked}");
    }
    other.store(probe.clone()).await;
    let next = named("loop".to_owned(), 10_000, 0.4);
    let (_, asked) = other.post("/api/score", &next).await;
    assert_eq!(
        condition(&asked, 4012).unwrap()["observed"],
        "6 identical calls",
        "{asked}"
    );
    assert!(
        condition(&asked, 4016).is_none(),
        "it has passed the limit already: {asked}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_band_of_a_rare_step_outlives_thousands_of_other_steps() {
    let app = TestApp::new().await;
    let named = |name: &str, id: usize, latency_ms: usize| {
        let mut one = step(&format!("{name}-{}", id / 10), &format!("s{id}"));
        one["step_name"] = json!(name);
        one["latency_ms"] = json!(latency_ms);
        one
    };
    let rare = (0..40).map(|n| named("rarestep", n, 500 + n)).collect();
    store_all(&app, rare).await;
    let others = (0..5_400).map(|n| named("usual", n, 600 + n % 50)).collect();
    store_all(&app, others).await;
    let probe = named("rarestep", 900, 9_000);
    let check = async |app: &TestApp, when: &str| {
        let (_, scored) = app.post("/api/score", &probe).await;
        let found = (
            condition(&scored, 5001).is_some(),
            condition(&scored, 4001).is_some(),
        );
        assert_eq!(found, (true, false), "{when}: {scored}");
    };
    check(&app, "at once").await;
    put_settings(&app, json!({})).await;
    check(&app, "after the rules were changed").await;
    let other = app.another_process().await;
    check(&other, "after a restart").await;
    // What it learns of later comes on top.
    store_all(
        &app,
        (5_400..5_410).map(|n| named("usual", n, 2_000_000)).collect(),
    )
    .await;
    let deadline = Instant::now() + Duration::from_secs(15);
    while thresholds(&other).await != thresholds(&app).await {
        assert!(Instant::now() < deadline, "it never learned of the last steps");
    }
    check(&other, "after another process stored steps").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_those_of_the_last_steps_to_arrive_in_every_process() {
    let app = TestApp::new().await;
    // Ids and times that say the opposite of the order in which they come.
    let many = |prefix: &str, steps: usize, latency_ms: usize, started_at: Option<&str>| {
        let make = |n: usize| {
            let mut one = step(&format!("{prefix}-run-{}", n / 7), &format!("{prefix}{n:03}"));
            one["latency_ms"] = json!(latency_ms + n);
            if let Some(started_at) = started_at {
                one["started_at"] = json!(started_at);
            }
            one
        };
        (0..steps).map(make).collect::<Vec<_>>()
    };
    let same_everywhere = async |p95: f64, what: &str| {
        let here = thresholds(&app).await;
        let found = here["metrics"]["latency_ms"]["p95"].as_f64().unwrap();
        assert!((found - p95).abs() < 100.0, "{what}: {here}");
        assert_eq!(thresholds(&app.another_process().await).await, here, "{what}");
    };
    let mut batch = many("z", 100, 4_000, None);
    batch.extend(many("a", 100, 8_000, None));
    store_all(&app, batch).await;
    same_everywhere(8_094.0, "one batch").await;
    let old = (server::clock::now().plus_micros(-10 * 86_400_000_000)).to_string();
    store_all(&app, many("old", 120, 5_000, Some(&old))).await;
    same_everywhere(5_114.0, "steps that began long ago").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_back_test_judges_in_the_order_in_which_steps_came() {
    let app = TestApp::new().await;
    let ten_days_ago = server::clock::now().plus_micros(-10 * 86_400_000_000).to_string();
    let mut steps = Vec::new();
    for n in 0..240_usize {
        let mut one = step(&format!("run-{}", 900 - n / 3), &format!("s{:03}", 900 - n));
        // Slower and slower, so that what came before decides whether a step is slow.
        one["latency_ms"] = json!(3_000 + n * n / 2);
        one["step_name"] = json!(format!("step-{}", n / 15));
        if n % 3 == 0 {
            one["started_at"] = json!(ten_days_ago);
        }
        steps.push(one);
    }
    // Early stopping is for critical steps; every point counts here.
    put_settings(&app, json!({ "threshold": 15 })).await;
    store_all(&app, steps).await;
    let answer = app
        .client
        .get(app.url("/api/backtest?days=1"))
        .send()
        .await
        .unwrap();
    let recording = Recording::decode(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(
        (recording.steps.len(), recording.lead_in, recording.is_sample()),
        (240, 0, false)
    );
    let rules = Rules {
        threshold: engine::Threshold::Fixed(15),
        ..Rules::default()
    };
    let again = Backtest::new(&recording.rows()).run(&rules);
    let stored: Vec<_> = recording.steps.iter().map(|step| step.severity).collect();
    assert!(stored.contains(&domain::Severity::Critical));
    assert_eq!(again.severities, stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_that_are_muted_at_the_same_time_are_all_muted() {
    let app = TestApp::new().await;
    let other = app.another_process().await;
    let codes = ["2001", "2002", "2003", "2004", "3010", "3011", "3012", "3013"];
    let (here, there) = (Browser::new(&app), Browser::new(&other));
    let muted = codes.iter().enumerate().map(|(n, code)| {
        let browser = if n % 2 == 0 { &here } else { &there };
        async move {
            browser
                .post("/p/default/conditions/mute", &[("code", *code), ("muted", "1")])
                .await
        }
    });
    for answer in futures::future::join_all(muted).await {
        assert_eq!(answer.status, 303, "{answer:?}");
    }
    let (_, settings) = app.get("/api/settings/scoring").await;
    assert_eq!(
        settings["muted"],
        json!(codes.map(|code| code.parse::<u16>().unwrap()))
    );
}
