//! `GET /live/{slug}`: a page is notified of a run in any server process on the same database.

use std::time::Duration;

use futures::StreamExt as _;

use crate::app::{TestApp, step};

async fn next_event(
    stream: &mut (impl futures::Stream<Item = reqwest::Result<bytes::Bytes>> + Unpin),
    wanted: &str,
) -> String {
    let mut text = String::new();
    let found = async {
        while let Some(chunk) = stream.next().await {
            text.push_str(&String::from_utf8_lossy(&chunk.unwrap()));
            if text.contains(&format!("event: {wanted}\n")) && text.ends_with("\n\n") {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), found)
        .await
        .unwrap_or_else(|_| panic!("no {wanted} event: {text}"));
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_hears_of_a_new_run() {
    let app = TestApp::new().await;
    let response = app.client.get(app.url("/live/default")).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.bytes_stream();
    next_event(&mut stream, "hello").await;
    app.store(step("r 1", "s")).await;
    assert!(
        next_event(&mut stream, "run")
            .await
            .contains(r#"data: {"run_id":"r 1"}"#)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_page_hears_of_its_run_alone() {
    let app = TestApp::new().await;
    let mut stream = app
        .client
        .get(app.url("/live/default?run=mine"))
        .send()
        .await
        .unwrap()
        .bytes_stream();
    next_event(&mut stream, "hello").await;
    app.store(step("other", "s")).await;
    app.store(step("mine", "s")).await;
    let event = next_event(&mut stream, "run").await;
    assert!(event.contains("mine") && !event.contains("other"), "{event}");
}

#[tokio::test(flavor = "multi_thread")]
async fn live_updates_need_access_to_the_project() {
    let app = TestApp::new().await;
    assert_eq!(app.get("/live/none").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_cannot_be_notified_is_a_gap_here_and_everywhere_afterwards() {
    let app = TestApp::new().await;
    let other = app.another_process().await;
    app.hears_everything().await;
    other.hears_everything().await;
    let open = async |app: &TestApp| {
        let response = app.client.get(app.url("/live/default")).send().await.unwrap();
        let mut stream = response.bytes_stream();
        next_event(&mut stream, "hello").await;
        stream
    };
    let (mut here, mut there) = (open(&app).await, open(&other).await);
    storage::live::notify_gap(&other.state.db).await.unwrap();
    next_event(&mut there, "gap").await;
    next_event(&mut here, "gap").await;

    let project = crate::people::default_project(&app).await.id;
    let mut here = open(&app).await;
    app.state.db.close().await;
    app.state
        .live
        .publish([(project, ["r".to_owned()].into())].into());
    next_event(&mut here, "gap").await;
}
