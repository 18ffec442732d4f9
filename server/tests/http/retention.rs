//! What is kept for how long, and that a hold keeps all of it.

use serde_json::{Value, json};

use crate::alerts::put;
use crate::app::{TestApp, step};
use crate::people::{Browser, audit_log, default_project, other_project};

const API: &str = "/api/settings/retention";
const PAGE: &str = "/p/default/settings/retention";

async fn is_kept(app: &TestApp, run: &str) -> bool {
    app.get(&format!("/api/runs/{run}")).await.0 == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_keeps_what_retention_would_delete_and_the_project() {
    let app = TestApp::new().await;
    // Its weeks are kept for longer, so that this project's days go row by row.
    other_project(&app).await;
    let browser = Browser::new(&app);
    let mut old = step("old", "s1");
    old["started_at"] = json!(server::clock::now().plus_micros(-5 * 86_400_000_000).to_string());
    app.store(old).await;
    app.store(step("new", "s1")).await;

    let (status, held) = put(
        &app,
        API,
        json!({ "runs_days": 2, "payloads_days": 1, "legal_hold": true }),
    )
    .await;
    assert_eq!((status, held["held_at"].is_string()), (200, true), "{held}");
    storage::partitions::delete_expired(&app.options(), server::clock::now())
        .await
        .unwrap();
    assert!(is_kept(&app, "old").await, "it is on hold");
    let refused = browser
        .post("/p/default/settings/delete", &[("confirm", "default")])
        .await;
    assert_eq!(refused.location, "/p/default/settings?error=legal_hold");
    let page = browser.get(PAGE).await.text;
    assert!(page.contains("On legal hold since"), "{page}");

    // The form without the tick lifts it.
    let lifted = browser.post(PAGE, &[("runs", "2"), ("payloads", "1")]).await;
    assert_eq!(lifted.location, format!("{PAGE}?done=saved"));
    assert_eq!(
        app.get(API).await.1,
        json!({ "runs_days": 2, "payloads_days": 1, "sums_days": 2, "held_at": Value::Null })
    );
    storage::partitions::delete_expired(&app.options(), server::clock::now())
        .await
        .unwrap();
    assert!(!is_kept(&app, "old").await && is_kept(&app, "new").await);
    let log = audit_log(&app, Some(&default_project(&app).await)).await;
    assert_eq!(log[0].action, "retention.change");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_keeps_the_audit_log_of_its_project() {
    let app = TestApp::new().await;
    let sent = |is_held: bool| json!({ "runs_days": 2, "payloads_days": 1, "legal_hold": is_held });
    assert_eq!(put(&app, API, sent(true)).await.0, 200);
    let project = default_project(&app).await;
    let later = server::clock::now().plus_micros(3_600_000_000);
    let delete = async || {
        storage::audit::delete_before(&app.options(), later)
            .await
            .unwrap()
    };
    delete().await;
    assert!(!audit_log(&app, Some(&project)).await.is_empty());
    assert_eq!(put(&app, API, sent(false)).await.0, 200);
    delete().await;
    assert!(audit_log(&app, Some(&project)).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cant_be_kept_is_refused() {
    let app = TestApp::new().await;
    let browser = Browser::new(&app);
    for (runs, payloads, sums) in [(0, 0, 0), (10, 11, 11), (3_651, 1, 3_651), (10, 1, 9)] {
        let sent = json!({ "runs_days": runs, "payloads_days": payloads, "sums_days": sums });
        assert_eq!(put(&app, API, sent).await.0, 400, "{runs} {payloads} {sums}");
        let (runs, payloads, sums) = (runs.to_string(), payloads.to_string(), sums.to_string());
        let refused = browser
            .post(PAGE, &[("runs", &runs), ("payloads", &payloads), ("sums", &sums)])
            .await;
        assert_eq!(refused.location, format!("{PAGE}?error=retention"));
    }
    assert_eq!(app.get(API).await.1["runs_days"], 90);
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_are_kept_longer_than_their_runs_and_held_like_all_else() {
    let app = TestApp::new().await;
    // Its weeks are kept for longer, so that this project's days go row by row.
    other_project(&app).await;
    let browser = Browser::new(&app);
    let started_at = server::clock::now().plus_micros(-5 * 86_400_000_000).to_string();
    let mut old = step("old", "s1");
    old["started_at"] = json!(started_at);
    app.store(old).await;
    let delete = async || {
        storage::partitions::delete_expired(&app.options(), server::clock::now())
            .await
            .unwrap();
    };
    let calls = async || {
        let (status, sum) = app.get("/api/cost?from=2020-01-01T00:00:00Z").await;
        assert_eq!(status, 200, "{sum}");
        sum["calls"].clone()
    };
    let saved = browser
        .post(PAGE, &[("runs", "2"), ("payloads", "1"), ("sums", "30")])
        .await;
    assert_eq!(saved.location, format!("{PAGE}?done=saved"));
    assert_eq!(app.get(API).await.1["sums_days"], 30);
    let page = browser.get(PAGE).await.text;
    assert!(page.contains("Sums of hours and days"), "{page}");
    delete().await;
    assert!(!is_kept(&app, "old").await);
    assert_eq!(calls().await, 1, "the run is gone, and what it counted for stays");

    let sent = |is_held: bool| json!({ "runs_days": 2, "payloads_days": 1, "legal_hold": is_held });
    let (_, as_runs) = put(&app, API, sent(true)).await;
    assert_eq!(as_runs["sums_days"], 2, "left out it is as long as runs");
    delete().await;
    assert_eq!(calls().await, 1, "it is on hold");
    put(&app, API, sent(false)).await;
    delete().await;
    assert_eq!(calls().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_models_looked_up_is_kept_as_long_as_prompts() {
    let app = TestApp::new().await;
    let (db, now) = (&app.state.db, server::clock::now());
    let project = default_project(&app).await.id;
    let chat = storage::chats::create(db, project, "", "test", now)
        .await
        .unwrap();
    let mut asked = Vec::new();
    for days in [40, 1] {
        let at = now.plus_micros(-days * 86_400_000_000);
        let id = storage::chats::ask(db, project, chat, ("Why?", "Why?"), "test", at)
            .await
            .unwrap();
        let taken = storage::inquiries::take(db, now, now.plus_micros(60_000_000))
            .await
            .unwrap()
            .unwrap();
        let data = json!({ "line": "a step", "content": "its prompt" });
        storage::inquiries::add_event(db, &taken, domain::InquiryEventKind::Tool, &data, at)
            .await
            .unwrap();
        assert_eq!(taken.inquiry.id, id);
        asked.push(id);
    }
    storage::partitions::delete_expired(&app.options(), now)
        .await
        .unwrap();
    let mut snapshot = db.snapshot(project).await.unwrap();
    let mut kept = Vec::new();
    for id in asked {
        let events = storage::inquiries::events(&mut snapshot, project, id, 0)
            .await
            .unwrap();
        kept.push(events[0].data.clone());
    }
    let whole = json!({ "line": "a step", "content": "its prompt" });
    assert_eq!(kept, [json!({ "line": "a step" }), whole]);
}
