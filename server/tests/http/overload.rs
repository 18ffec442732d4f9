//! More than the database can take: refused at once with 503, nothing half-written, and well again afterwards.

use std::time::Duration;

use serde_json::json;

use crate::app::{TestApp, answer, step};

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_503_and_what_was_acknowledged_is_there() {
    let app = TestApp::with(|config| config.queue_steps = 40).await;
    let requests = (0..60).map(|request| {
        let steps: Vec<_> = (0..20)
            .map(|i| step(&format!("r{request}"), &format!("s{i}")))
            .collect();
        let sent = app
            .client
            .post(app.url("/ingest/batch"))
            .json(&json!({"steps": steps}));
        async move {
            let response = sent.send().await.unwrap();
            if response.status() == 503 {
                assert_eq!(response.headers()["retry-after"], "1");
                return None;
            }
            assert_eq!(response.status(), 200);
            Some(request)
        }
    });
    let answers = futures::future::join_all(requests).await;
    let acknowledged: Vec<u32> = answers.iter().flatten().copied().collect();
    assert!(
        !acknowledged.is_empty() && acknowledged.len() < 60,
        "{} of 60 acknowledged",
        acknowledged.len()
    );
    for request in 0..60 {
        let (status, read) = app.get(&format!("/api/runs/r{request}")).await;
        if acknowledged.contains(&request) {
            assert_eq!((status, &read["run"]["step_count"]), (200, &json!(20)));
        } else {
            assert_eq!(status, 404, "a refused batch left something: {read}");
        }
    }
    app.store(step("afterwards", "s")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_hold_every_connection_of_theirs_keep_no_step_waiting() {
    let app = TestApp::new().await;
    app.store(step("r", "before")).await;
    let project = storage::projects::by_slug(&app.state.db, "default")
        .await
        .unwrap();
    let mut held = Vec::new();
    while let Ok(Ok(snapshot)) =
        tokio::time::timeout(Duration::from_millis(500), app.state.db.snapshot(project.id)).await
    {
        held.push(snapshot);
    }
    assert!(held.len() >= 4, "{} connections for reads", held.len());
    let mut pages = tokio::task::JoinSet::new();
    for _ in 0..20 {
        pages.spawn(app.client.get(app.url("/p/default/runs")).send());
    }
    for i in 0..20 {
        let stored = app.store(step("r", &format!("s{i}")));
        tokio::time::timeout(Duration::from_secs(2), stored)
            .await
            .unwrap();
    }
    assert_eq!(app.get("/readyz").await.0, 200);
    while let Some(page) = pages.join_next().await {
        let page = page.unwrap().unwrap();
        // A few at a time wait for a connection, and the others for their turn.
        let expected = match page.status().as_u16() {
            503 => "The database did not answer",
            429 => "Too many of your requests",
            other => panic!("{other}"),
        };
        assert!(page.text().await.unwrap().contains(expected));
    }
    drop(held);
    assert_eq!(app.get("/api/runs/r").await.1["run"]["step_count"], 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_the_answer_is_503() {
    let app = TestApp::new().await;
    app.state.db.close().await;
    let (status, body) = answer(app.client.post(app.url("/ingest")).json(&step("r", "s"))).await;
    assert_eq!((status, &body["error"]["code"]), (503, &json!("unavailable")));
    assert_eq!(app.get("/readyz").await.0, 503);
    assert_eq!(app.get("/healthz").await.0, 200);
    assert_eq!(app.get("/api/runs").await.0, 503);
}
