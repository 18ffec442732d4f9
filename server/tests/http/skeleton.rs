//! `GET /api/runs/{run_id}/skeleton`: what a timeline reads is what was stored, however much it is.

use domain::skeleton::{Parent, Skeleton};
use domain::{Severity, StepStatus};
use serde_json::json;

use crate::app::{TestApp, step};

async fn skeleton(app: &TestApp, path: &str) -> Skeleton {
    let answer = app.client.get(app.url(path)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/octet-stream");
    engine::skeleton_wire::decode(&answer.bytes().await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skeleton_holds_every_step_with_its_parent_and_figures() {
    let app = TestApp::new().await;
    let mut root = step("long", "root");
    root["kind"] = json!("agent");
    root["started_at"] = json!("2026-11-21T09:00:00Z");
    app.store(root).await;
    for n in 0..6 {
        let mut call = step("long", &format!("c{n}"));
        call["parent_span_id"] = json!(if n == 5 { "gone" } else { "root" });
        call["started_at"] = json!(format!("2026-11-21T09:00:0{}Z", n + 1));
        call["latency_ms"] = json!(250);
        let prompt = if n < 3 {
            "again".to_owned()
        } else {
            format!("once {n}")
        };
        call["prompt"] = json!(prompt);
        if n == 4 {
            call["status_success"] = json!(false);
            call["error"] = json!("429 too many requests\n at client");
        }
        app.store(call).await;
    }

    let read = skeleton(&app, "/api/runs/long/skeleton").await;
    assert_eq!(read.ids, ["root", "c0", "c1", "c2", "c3", "c4", "c5"]);
    let parents: Vec<Parent> = read.steps.iter().map(|step| step.parent).collect();
    assert_eq!(parents[0], Parent::None);
    assert!(parents[1..6].iter().all(|parent| *parent == Parent::Step(0)));
    assert_eq!(parents[6], Parent::Foreign(0));
    assert_eq!(read.foreign, ["gone"]);
    let failed = &read.steps[5];
    assert_eq!(
        (failed.status, failed.severity),
        (StepStatus::Error, Severity::Critical)
    );
    assert_eq!(read.error_of(failed), Some("429 too many requests"));
    assert!(failed.layer == Some(1) && failed.score.is_some_and(|score| score > 0));
    assert_eq!(read.steps[1].length_us, Some(250_000));
    let calls: Vec<Option<u32>> = read.steps[1..4].iter().map(|step| step.same_call).collect();
    assert_eq!(calls, [Some(0); 3], "one prompt three times");

    // What came later is all that is sent to whoever has the rest.
    let newest = read.received_us;
    let since = skeleton(&app, &format!("/api/runs/long/skeleton?received_since={newest}")).await;
    assert!(
        since.ids.contains(&"c5".to_owned()) && since.ids.len() < 7,
        "{:?}",
        since.ids
    );
    let later = newest + 1;
    let none = skeleton(&app, &format!("/api/runs/long/skeleton?received_since={later}")).await;
    assert!(none.steps.is_empty());
    assert_eq!(read.merged(&since).ids, read.ids);

    let (status, _) = app.get("/api/runs/nobody/skeleton").await;
    assert_eq!(status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_run_is_sent_in_part_and_says_what_failed() {
    let app = TestApp::new().await;
    let steps: Vec<_> = (0..1_200)
        .map(|n| {
            let mut one = step("wide", &format!("s{n:04}"));
            one["started_at"] = json!(format!("2026-11-21T09:{:02}:{:02}Z", n / 60 % 60, n % 60));
            one["step_name"] = json!(format!("step-{n}"));
            one["latency_ms"] = json!(40);
            if n == 1_100 {
                one["status_success"] = json!(false);
                one["error"] = json!("disk full");
            }
            one
        })
        .collect();
    for part in steps.chunks(400) {
        let (status, answer) = app.post("/ingest/batch", &json!({ "steps": part })).await;
        assert_eq!(status, 200, "{answer}");
    }
    let html = app
        .client
        .get(app.url("/p/default/runs/wide"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        html.contains("step-0<") && html.contains("step-299<"),
        "the first lines"
    );
    assert!(!html.contains("step-700<"), "no more than a screen or two");
    assert!(
        html.contains("disk full") && html.contains("1 of 1,200 steps failed"),
        "what failed is said"
    );
    assert!(
        html.contains("Rows 1 to 300 of 1,200"),
        "and how to get to the rest without a script"
    );
    let html = app
        .client
        .get(app.url("/p/default/runs/wide?rows=600"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(html.contains("step-700<") && !html.contains("step-299<"));
}
