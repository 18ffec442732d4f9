//! Names that contain ids make no row of every call: what is too many is counted as `other`, and said.

use serde_json::{Value, json};
use server::reprice::Request;

use crate::app::TestApp;
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
