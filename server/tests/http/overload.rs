//! More than the database can take: refused at once with 503, nothing half-written, and well again afterwards.

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
async fn without_a_database_the_answer_is_503() {
    let app = TestApp::new().await;
    app.state.db.close().await;
    let (status, body) = answer(app.client.post(app.url("/ingest")).json(&step("r", "s"))).await;
    assert_eq!((status, &body["error"]["code"]), (503, &json!("unavailable")));
    assert_eq!(app.get("/readyz").await.0, 503);
    assert_eq!(app.get("/healthz").await.0, 200);
    assert_eq!(app.get("/api/runs").await.0, 503);
}
