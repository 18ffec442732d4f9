//! Inquiries and look-ups are answered as `/api/openapi.json` says.

use std::time::Duration;

use serde_json::{Value, json};
use server::router::openapi::OPENAPI;
use tokio::time::timeout;

use crate::app::{TestApp, answer, step};
use crate::contract::check;
use crate::incidents::put_incident;
use crate::people::default_project;

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn inquiries_are_answered_as_the_document_says() {
    let document: Value = serde_json::from_str(&OPENAPI).unwrap();
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    let id = "01890000-0000-7000-8000-000000000005";
    app.store(step("r", "1")).await;
    put_incident(&app, project, id, "prod").await;

    let url = format!("/api/incidents/{id}/investigation");
    let (status, begun) = app.post(&url, &json!({})).await;
    assert_eq!(status, 202, "{begun}");
    check(
        &document,
        ("post", "/api/incidents/{id}/investigation", 202),
        &begun,
    );
    let (_, shown) = app.get(&url).await;
    assert_eq!(shown["id"], begun["id"]);
    check(
        &document,
        ("get", "/api/incidents/{id}/investigation", 200),
        &shown,
    );

    let (_, made) = app.post("/api/chats", &json!({ "page": "incidents" })).await;
    check(&document, ("post", "/api/chats", 200), &made);
    let chat = made["id"].as_str().unwrap();
    let (asked, now) = (("What does it cost?", "What does it cost?"), server::clock::now());
    storage::chats::ask(&app.state.db, project, chat.parse().unwrap(), asked, "local", now)
        .await
        .unwrap();
    let (_, listed) = app.get("/api/chats").await;
    check(&document, ("get", "/api/chats", 200), &listed);
    let (_, whole) = app.get(&format!("/api/chats/{chat}")).await;
    assert_eq!(whole["messages"][0]["state"], "queued", "{whole}");
    check(&document, ("get", "/api/chats/{id}", 200), &whole);
    let (_, gone) = answer(app.client.delete(app.url(&format!("/api/chats/{chat}")))).await;
    check(&document, ("delete", "/api/chats/{id}", 200), &gone);

    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let (_, pong) = app.post("/mcp", &ping).await;
    check(&document, ("post", "/mcp", 200), &pong);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_s_newest_stream_takes_the_place_of_its_oldest() {
    let app = TestApp::new().await;
    let id = "01890000-0000-7000-8000-000000000005";
    let project = default_project(&app).await.id;
    app.store(step("r", "1")).await;
    put_incident(&app, project, id, "prod").await;
    let url = format!("/api/incidents/{id}/investigation");
    // Nobody works at it, so that nothing ends.
    assert_eq!(app.post(&url, &json!({})).await.0, 202);
    let mut open = Vec::new();
    for _ in 0..13 {
        let asked = app
            .client
            .get(app.url(&url))
            .header("accept", "text/event-stream");
        let stream = asked.send().await.unwrap();
        assert_eq!(stream.status().as_u16(), 200);
        open.push(stream);
    }
    let first = open.remove(0).text();
    assert_eq!(timeout(PATIENCE, first).await.unwrap().unwrap(), "");
}
