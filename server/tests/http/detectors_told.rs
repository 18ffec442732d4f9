//! Whom findings are told to.

use std::sync::Arc;

use serde_json::json;
use tokio_util::task::TaskTracker;

use crate::alert_receiver::Receiver;
use crate::alerts::{connect, put};
use crate::app::TestApp;
use crate::detectors::{make, repeat, repeated};
use crate::people::default_project;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_is_told_once_and_counted_while_the_detector_is_quiet() {
    let mut hook = Receiver::answering(Vec::new()).await;
    let app = TestApp::with(|config| {
        config.allow_private_targets = "127.0.0.0/8".parse().unwrap();
        config.public_url = Some("https://plumbline.acme.dev".to_owned());
    })
    .await;
    connect(&app, "webhook", json!({ "url": hook.origin })).await;
    let (sender, wake) = (app.state.sender(), Arc::clone(&app.state.alerts.wake));
    TaskTracker::new().spawn(server::alerts::delivery::run(sender, wake, app.shutdown.clone()));
    make(&app, repeated()).await;
    for run in ["r1", "r2", "r3"] {
        repeat(&app, run).await;
    }
    // With the time that is: what is told waits for nothing.
    let now = server::clock::now();
    let project = default_project(&app).await.id;
    for (later, run_id) in (0..).zip(["r1", "r2", "r3"]) {
        let now = now.plus_micros(later);
        let queued = storage::detectors::QueuedRun {
            project_id: project,
            run_id: run_id.to_owned(),
            changed_at: now,
            until: now,
            attempts: 1,
        };
        server::detectors::look_at(&app.state.judge(), &queued, now)
            .await
            .unwrap();
    }
    let told = hook.next().await.json();
    assert_eq!(
        (&told["trigger"], &told["subject"]["run_id"]),
        (&json!("finding"), &json!("r1")),
        "{told:#}"
    );
    let url = told["url"].as_str().unwrap();
    assert!(
        url.starts_with("https://plumbline.acme.dev/p/default/findings/"),
        "{url}"
    );
    let (_, log) = app.get("/api/alerts?trigger=finding").await;
    let items = log["items"].as_array().unwrap();
    let counted: i64 = items
        .iter()
        .map(|item| item["occurrences"].as_i64().unwrap())
        .sum();
    assert!(counted == 3 && items.len() < 3, "{log:#}");

    let (status, settings) = put(&app, "/api/settings/alerts", json!({ "findings": false })).await;
    assert_eq!((status, &settings["findings"]), (200, &json!(false)));
}
