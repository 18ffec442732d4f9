//! Names that contain ids make no row of every call: what is too many is counted as `other`, and said.

use serde_json::{Value, json};
use server::clock;
use server::reprice::Request;

use crate::app::{TestApp, step};
use crate::people::{Browser, default_project};
use crate::reprice::{add_price, assert_recount_agrees, repriced, unknown};

const STEPS: usize = 2_000;

async fn store_spans(app: &TestApp) {
    let span = |n: usize| {
        let mut one = unknown("r", &format!("s{n}"));
        one["step_name"] = json!(format!("GET /users/{n}"));
        one["stop_reason"] = json!(format!("stopped at {n}"));
        one["model"] = json!(format!("private-{n}"));
        one["tags"] = json!([format!("user-{n}")]);
        one
    };
    for first in (0..STEPS).step_by(1_000) {
        let steps: Vec<Value> = (first..first + 1_000).map(span).collect();
        let (status, body) = app.post("/ingest/batch", &json!({ "steps": steps })).await;
        assert_eq!((status, &body["stored"]), (200, &json!(1_000)), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_with_ids_are_counted_as_other_and_everything_adds_up() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    store_spans(&app).await;

    let (_, run) = app.get("/api/runs/r").await;
    for list in ["tags", "models"] {
        let items = run["run"][list].as_array().unwrap();
        assert_eq!(
            (items.len(), items.last()),
            (101, Some(&json!("other"))),
            "{list}"
        );
    }
    let kept = run["steps"].as_array().unwrap();
    let own_name = |n: usize| json!(format!("GET /users/{n}"));
    assert!(
        kept.iter().any(|step| step["name"] == own_name(STEPS - 1)),
        "a step keeps its name"
    );

    let (_, ledger) = app.get("/api/ledger").await;
    let sum = |value: &dyn Fn(&Value) -> &Value| -> i64 {
        let minutes = ledger["items"].as_array().unwrap().iter();
        minutes.map(|minute| value(minute).as_i64().unwrap_or(0)).sum()
    };
    assert_eq!(sum(&|minute| &minute["received"]), 2_000);
    assert_eq!(sum(&|minute| &minute["stored"]), 2_000);
    assert_eq!(sum(&|minute| &minute["limited"]["step_name"]), 1_500);
    assert_eq!(sum(&|minute| &minute["limited"]["finish_reason"]), 1_950);
    assert_eq!(sum(&|minute| &minute["limited"]["model"]), 1_800);
    let page = Browser::new(&app).get("/p/default/settings/ledger").await;
    let sentence = "counted as “other”: 1,950 finish_reason, 1,800 model, 1,500 step_name";
    assert!(page.text.contains(sentence), "{}", page.text);
    let metrics = app.client.get(app.url("/metrics")).send().await.unwrap();
    let line = "plumbline_steps_limited_total{dimension=\"step_name\"} 1500";
    assert!(metrics.text().await.unwrap().contains(line));

    assert_recount_agrees(&app, project).await;
    // Prices that change find the row that counts each step.
    add_price(&app, project, 4, "2026-01-01T00:00:00Z").await;
    let done = repriced(&app, project, &Request::default()).await;
    assert_eq!(done.all.changed, 2_000);
    assert_recount_agrees(&app, project).await;
}

/// A release for each build of each branch: what sums up calls by release has no row for each.
#[tokio::test(flavor = "multi_thread")]
async fn releases_beyond_the_limit_are_counted_as_other_and_everything_adds_up() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    let started_at = clock::now().plus_micros(-2 * 3_600_000_000).hour();
    let released = |n: usize| {
        let mut one = unknown(&format!("r{n}"), "s");
        one["started_at"] = json!(started_at.to_string());
        one["release"] = json!(format!("build-{n:03}"));
        one
    };
    let steps: Vec<Value> = (0..300).map(released).collect();
    let (status, body) = app.post("/ingest/batch", &json!({ "steps": steps })).await;
    assert_eq!((status, &body["stored"]), (200, &json!(300)), "{body}");
    let (_, run) = app.get("/api/runs/r299").await;
    assert_eq!(
        run["steps"][0]["release"], "build-299",
        "a step keeps its release"
    );

    let (status, deploy) = app
        .post(
            "/api/deploys",
            &json!({ "id": "d", "sha": "c4e2117", "completed_at": started_at }),
        )
        .await;
    assert_eq!(status, 200, "{deploy}");
    let (_, deploy) = app.get("/api/deploys/d").await;
    let releases = deploy["releases"].as_array().unwrap();
    let other = releases.iter().find(|one| one["release"] == "other").unwrap();
    assert_eq!(other["calls"], 100, "{other}");
    let (_, ledger) = app.get("/api/ledger").await;
    let minutes = ledger["items"].as_array().unwrap().iter();
    let limited: i64 = minutes
        .filter_map(|minute| minute["limited"]["release"].as_i64())
        .sum();
    assert_eq!(limited, 100);
    assert_recount_agrees(&app, project).await;
    // Prices that change find the row that counts each step.
    add_price(&app, project, 4, "2026-01-01T00:00:00Z").await;
    assert_eq!(
        repriced(&app, project, &Request::default()).await.all.changed,
        300
    );
    assert_recount_agrees(&app, project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_found_by_its_name_whatever_it_is_counted_as() {
    let app = TestApp::new().await;
    let started_at = clock::now().plus_micros(-2 * 3_600_000_000).hour();
    let named = |run: String, name: &str| {
        let mut one = step(&run, "s");
        one["step_name"] = json!(name);
        one["started_at"] = json!(started_at.to_string());
        one
    };
    let in_letters = |n: usize| -> String {
        let digits = format!("{n:03}").into_bytes().into_iter();
        digits.map(|digit| char::from(digit + b'a' - b'0')).collect()
    };
    // The first 500 names of an hour are counted as such.
    let steps: Vec<Value> = (0..400)
        .flat_map(|n| {
            let letters = format!("Fetch {}", in_letters(n));
            [
                named(format!("n{n}"), &format!("GET /users/{n}")),
                named(format!("l{n}"), &letters),
            ]
        })
        .collect();
    let (status, answer) = app.post("/ingest/batch", &json!({ "steps": steps })).await;
    assert_eq!(status, 200, "{answer}");
    let mut failed = named("tool".to_owned(), "Call ledger-service");
    failed["step_id"] = json!("nested");
    failed["parent_step_id"] = json!("s");
    failed["status_success"] = json!(false);
    let late = [
        named("short".to_owned(), "zq"),
        named("tool".to_owned(), "GET /users/0"),
        failed,
    ];
    let (status, answer) = app.post("/ingest/batch", &json!({ "steps": late })).await;
    assert_eq!(status, 200, "{answer}");
    let found = async |text: &str| {
        let (_, page) = app.get(&format!("/api/runs?q={text}")).await;
        let runs = page["items"].as_array().unwrap().iter();
        let mut runs: Vec<String> = runs
            .map(|run| run["run_id"].as_str().unwrap().to_owned())
            .collect();
        runs.sort_unstable();
        runs
    };
    for n in [12, 120, 399] {
        assert!(
            found(&format!("get%20/Users/{n}"))
                .await
                .contains(&format!("n{n}"))
        );
        assert_eq!(found(&in_letters(n)).await, [format!("l{n}")]);
    }
    assert_eq!(found("399").await, ["n399"]);
    assert_eq!(found("zq").await, ["short"]);
    assert_eq!(
        found("ledger-serv").await,
        ["tool"],
        "the step that went wrong is shown too"
    );
    assert!(found("users/400").await.is_empty());
}
