//! `GET /live/{slug}`: a page is notified of a run in any server process on the same database.

use std::time::Duration;

use domain::Scope;
use futures::StreamExt as _;

use crate::app::{TestApp, step};
use crate::people::{default_project, key};

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
async fn a_program_hears_of_runs_with_a_key_that_may_read() {
    let app = TestApp::new().await;
    let project = default_project(&app).await;
    let ingests = key(&app, &project, &[Scope::Ingest]).await;
    let reads = key(&app, &project, &[Scope::Read]).await;
    // A new key ends every stream; it is heard of before the first one begins.
    app.hears_everything().await;
    let stream = async |secret: String| {
        let request = app.client.get(app.url("/api/live")).bearer_auth(secret);
        request.send().await.unwrap()
    };
    assert_eq!(stream(ingests.secret).await.status(), 403);
    let response = stream(reads.secret).await;
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

/// The first event of a page that was rendered after some change.
async fn first_event(app: &TestApp, query: &str) -> String {
    let response = app
        .client
        .get(app.url(&format!("/live/default{query}")))
        .send()
        .await
        .unwrap();
    let mut stream = response.bytes_stream();
    let text = next_event(&mut stream, "hello").await;
    let first = text.lines().find_map(|line| line.strip_prefix("event: "));
    first.unwrap().to_owned()
}

/// Stores a step and returns when its server has heard of it.
async fn store_and_hear(app: &TestApp, run_id: &str, step_id: &str) {
    let mut news = app.state.live.subscribe();
    app.store(step(run_id, step_id)).await;
    let of_the_run = format!("{run_id:?}");
    let heard = async { while !format!("{:?}", news.recv().await.unwrap()).contains(&of_the_run) {} };
    tokio::time::timeout(Duration::from_secs(10), heard)
        .await
        .unwrap();
}

/// Where a page stands: what its document says, between quotes that are escaped in it.
fn position_of(document: &str) -> String {
    let (_, rest) = document.split_once("live_position").unwrap();
    let rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .unwrap();
    rest[..end].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_hears_of_what_changed_after_it_was_rendered_and_before_it_connected() {
    let app = TestApp::new().await;
    app.hears_everything().await;
    let page = app.client.get(app.url("/p/default/runs")).send().await.unwrap();
    let since = position_of(&page.text().await.unwrap());
    assert_eq!(
        first_event(&app, &format!("?since={since}")).await,
        "hello",
        "nothing has changed: nothing is read twice"
    );
    store_and_hear(&app, "mine", "s").await;
    assert_eq!(first_event(&app, &format!("?since={since}")).await, "gap");
    assert_eq!(
        first_event(&app, &format!("?since={since}&run=mine")).await,
        "gap"
    );
    assert_eq!(
        first_event(&app, &format!("?since={since}&run=other")).await,
        "hello"
    );
    // Rendered by another process, or by nobody.
    let other = app.another_process().await;
    for since in [
        other.state.live.position().to_string(),
        "rubbish".to_owned(),
        String::new(),
    ] {
        assert_eq!(
            first_event(&app, &format!("?since={since}")).await,
            "gap",
            "{since}"
        );
    }
    assert_eq!(first_event(&app, "").await, "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_goes_on_where_it_ended() {
    let app = TestApp::new().await;
    app.hears_everything().await;
    let mut stream = app
        .client
        .get(app.url("/live/default"))
        .send()
        .await
        .unwrap()
        .bytes_stream();
    next_event(&mut stream, "hello").await;
    app.store(step("r", "s")).await;
    let event = next_event(&mut stream, "run").await;
    drop(stream);
    let id = event
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("id: "))
        .unwrap();
    assert_eq!(first_event(&app, &format!("?since={id}")).await, "hello");
    store_and_hear(&app, "r", "s2").await;
    assert_eq!(first_event(&app, &format!("?since={id}")).await, "gap");
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
