//! Texts of a project that are stored encrypted: read everywhere by who has the key, and nowhere by who has not.

use std::time::Duration;

use domain::{Project, Scope};
use serde_json::{Value, json};

use crate::alerts::put;
use crate::app::{TestApp, step};
use crate::people::{Browser, audit_log, default_project, key, other_project};
use crate::proxy::{spooled, written};
use crate::upstream::{Upstream, whole};

const API: &str = "/api/settings/encryption";
const PAGE: &str = "/p/default/settings/retention";
const CANARY: &str = "the heron waits in the reeds";

fn speaking(run: &str) -> Value {
    let mut step = step(run, "s1");
    step["prompt"] = json!(json!({ "messages": [{ "role": "user", "content": CANARY }] }).to_string());
    step["output_code"] = json!(format!("{CANARY}, indeed"));
    step["prompt_template"] = json!(format!("{CANARY} {{place}}"));
    step["session_id"] = json!(format!("talk-{run}"));
    step["user_id"] = json!("mara");
    step["events"] =
        json!([{ "at": "2026-11-30T10:00:00Z", "name": "said", "attributes": { "words": CANARY } }]);
    step
}

async fn payload(app: &TestApp, run: &str) -> (u16, Value) {
    app.get(&format!("/api/runs/{run}/steps/s1/payload")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn encrypted_texts_are_read_by_pages_api_and_exports() {
    let app = TestApp::new().await;
    let browser = Browser::new(&app);
    let (_, never) = app.get(API).await;
    assert_eq!(
        never,
        json!({ "payloads": false, "changed_at": null, "changed_by": null, "key_is_usable": null })
    );
    app.store(speaking("before")).await;
    let page = "/p/default/settings/encryption";
    let switched = browser.post(page, &[("payloads", "on")]).await;
    assert_eq!(switched.location, format!("{PAGE}?done=encrypted"));
    app.store(speaking("after")).await;

    let (_, on) = app.get(API).await;
    assert_eq!(
        (&on["payloads"], &on["key_is_usable"]),
        (&json!(true), &json!(true)),
        "{on}"
    );
    let shown = browser.get(PAGE).await.text;
    assert!(
        shown.contains("Encrypted in 1 of the last 2 steps with texts."),
        "{shown}"
    );
    assert!(
        shown.contains("No search over runs looks into encrypted texts"),
        "{shown}"
    );

    // What was stored before is read as it is, what came after is opened; nobody sees a difference.
    let (before, after) = (payload(&app, "before").await, payload(&app, "after").await);
    assert_eq!(after.0, 200, "{after:?}");
    assert_eq!(before.1, after.1);
    assert!(after.1.to_string().matches(CANARY).count() >= 4, "{after:?}");
    for path in ["/p/default/runs/after?step=s1", "/p/default/sessions/talk-after"] {
        let shown = browser.get(path).await;
        assert_eq!(shown.status, 200, "{path}");
        assert!(shown.text.contains(CANARY), "{path}");
    }
    let exported = app
        .client
        .get(app.url("/api/users/mara/export"))
        .send()
        .await
        .unwrap();
    let exported = exported.text().await.unwrap();
    assert!(
        exported.lines().filter(|line| line.contains(CANARY)).count() >= 2,
        "{exported}"
    );
    let exported = String::from_utf8(app.command(&["export", "steps"])).unwrap();
    assert!(exported.contains(CANARY), "{exported}");

    // A search says what it does not look into.
    let (_, found) = app.get("/api/runs?q=heron").await;
    assert_eq!(found["items"], json!([]));
    let note = found["search_note"].as_str().unwrap();
    assert!(note.contains("not into prompts and answers"), "{note}");
    let searched = browser.get("/p/default/runs?q=heron").await.text;
    assert!(
        searched.contains("Texts of this project are or were encrypted"),
        "{searched}"
    );
    assert_eq!(app.get("/api/runs").await.1["search_note"], Value::Null);

    // Off: new steps are stored in clear, those before are still read.
    assert_eq!(
        put(&app, API, json!({ "payloads": false })).await.1["payloads"],
        false
    );
    app.store(speaking("later")).await;
    assert_eq!(payload(&app, "later").await.1, after.1);
    assert_eq!(payload(&app, "after").await.1, after.1);
    let log = audit_log(&app, Some(&default_project(&app).await)).await;
    assert_eq!(log[0].action, "encryption.change");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_key_says_so_and_stores_nothing_in_clear() {
    let app = TestApp::new().await;
    assert_eq!(put(&app, API, json!({ "payloads": true })).await.0, 200);
    app.store(speaking("sealed")).await;
    // Its data folder is another one, and so is its key.
    let other = app.another_process().await;
    let (status, refused) = payload(&other, "sealed").await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (503, &json!("encryption_key")),
        "{refused}"
    );
    let page = Browser::new(&other).get("/p/default/runs/sealed?step=s1").await;
    assert!(
        !page.text.contains(CANARY) && page.text.contains("This project’s texts are encrypted"),
        "{}",
        page.text
    );
    let (status, refused) = other.post("/ingest", &speaking("unsealed")).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (503, &json!("encryption_key")),
        "{refused}"
    );
    assert_eq!(app.get("/api/runs/unsealed").await.0, 404);
    assert_eq!(other.get(API).await.1["key_is_usable"], false);
    assert_eq!(put(&other, API, json!({ "payloads": true })).await.0, 503);
    // Figures need no key, and the right server still reads.
    assert_eq!(other.get("/api/runs/sealed").await.0, 200);
    assert_eq!(payload(&app, "sealed").await.0, 200);
}

/// How many steps of a run are stored.
async fn stored(app: &TestApp, project: &Project, run: &str) -> usize {
    let mut snapshot = app.state.db.snapshot(project.id).await.unwrap();
    storage::steps::of_run(&mut snapshot, project.id, run, 10)
        .await
        .unwrap()
        .len()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_a_project_whose_key_can_not_be_used_hold_no_other_project_up() {
    let app = TestApp::new().await;
    assert_eq!(put(&app, API, json!({ "payloads": true })).await.0, 200);
    let (sealed, plain) = (default_project(&app).await, other_project(&app).await);
    let of_sealed = key(&app, &sealed, &[Scope::Proxy]).await.secret;
    let of_plain = key(&app, &plain, &[Scope::Proxy]).await.secret;
    let said = r#"{"model":"m","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn"}"#;
    let answer = whole("200 OK", "content-type: application/json\r\n", said.as_bytes());
    let origin = Upstream::answering(answer).await;
    let other = app
        .another_process_with(|config| config.upstream_anthropic = origin.parse().unwrap())
        .await;
    for (secret, run) in [
        (&of_sealed, "a"),
        (&of_plain, "b"),
        (&of_sealed, "c"),
        (&of_plain, "d"),
    ] {
        let call = other
            .client
            .post(other.url("/v1/messages"))
            .header("x-plumbline-key", secret)
            .header("x-plumbline-run", run)
            .body("{}");
        assert_eq!(call.send().await.unwrap().text().await.unwrap(), said);
    }
    while stored(&app, &plain, "b").await + stored(&app, &plain, "d").await < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    while spooled(&other).await != 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(stored(&app, &sealed, "a").await, 0);
    // Nothing is lost: they are stored once that is possible.
    assert_eq!(put(&app, API, json!({ "payloads": false })).await.0, 200);
    written(&other).await;
    assert_eq!(
        (stored(&app, &sealed, "a").await, stored(&app, &sealed, "c").await),
        (1, 1)
    );
}
