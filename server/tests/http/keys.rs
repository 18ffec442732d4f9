//! Keys: what is said about one that will not do, scopes, showing once, revoking.

use std::time::Duration;

use domain::Scope;
use reqwest::Method;
use serde_json::json;

use crate::app::{TestApp, step};
use crate::incidents::put_incident;
use crate::people::{Answer, Browser, default_project, key};

async fn send(app: &TestApp, key: &str) -> Answer {
    Answer::of(
        app.client
            .post(app.url("/ingest"))
            .bearer_auth(key)
            .json(&step("r", "s")),
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_will_not_do_is_never_ignored() {
    let app = TestApp::new().await;
    let project = default_project(&app).await;
    let good = key(&app, &project, Scope::DEFAULT).await;
    let revoked = key(&app, &project, Scope::DEFAULT).await;
    storage::keys::revoke(
        &app.state.db,
        project.id,
        revoked.key.id,
        "test",
        server::clock::now(),
    )
    .await
    .unwrap();
    app.state.auth.invalidate();
    let slip = good.secret.replace("pl_live_", "pl_live_x");
    let check = async |key: &str, status: u16, part: &str| {
        let answer = send(&app, key).await;
        assert_eq!(answer.status, status, "{key} {answer:?}");
        let said = answer.json()["error"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(said.contains(part), "{key}: {said}");
        assert!(!answer.text.contains(&good.secret[12..]), "{answer:?}");
        assert_eq!(status == 401, answer.headers.contains_key("www-authenticate"));
    };
    check(&good.secret, 200, "").await;
    check(&slip, 401, "key is malformed").await;
    check("", 401, "key is malformed").await;
    check("sk-proj-123", 401, "key is malformed").await;
    check(
        &storage::keys::secret::from_bytes([9; 32]),
        401,
        "does not know this key",
    )
    .await;
    check(&revoked.secret, 401, "`prod-frontend` was revoked").await;

    let basic = app
        .client
        .post(app.url("/ingest"))
        .basic_auth("u", Some("p"))
        .json(&step("r", "s"));
    assert_eq!(Answer::of(basic).await.status, 401);
    let header = app
        .client
        .post(app.url("/ingest"))
        .header("x-plumbline-key", &good.secret)
        .json(&step("r", "s"));
    assert_eq!(Answer::of(header).await.json()["status"], "duplicate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_does_what_its_scopes_say() {
    let app = TestApp::new().await;
    let project = default_project(&app).await;
    let check = async |scopes: &[Scope], sends: u16, reads: u16| {
        let key = key(&app, &project, scopes).await.secret;
        let sent = send(&app, &key).await;
        let read = Answer::of(app.client.get(app.url("/api/runs")).bearer_auth(&key)).await;
        assert_eq!(
            (sent.status, read.status),
            (sends, reads),
            "{scopes:?} {sent:?} {read:?}"
        );
        for refused in [sent, read].into_iter().filter(|answer| answer.status == 403) {
            let said = refused.json()["error"]["message"].as_str().unwrap().to_owned();
            assert!(
                said.contains("lacks the scope `ingest`") || said.contains("lacks the scope `read`"),
                "{said}"
            );
        }
    };
    check(Scope::DEFAULT, 200, 200).await;
    check(&[Scope::Ingest], 200, 403).await;
    check(&[Scope::Read], 403, 200).await;
    check(&[Scope::Admin], 403, 403).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_a_model_takes_the_scope_admin() {
    let app = TestApp::new().await;
    let project = default_project(&app).await;
    let incident = "01890000-0000-7000-8000-000000000006";
    app.store(step("r", "1")).await;
    put_incident(&app, project.id, incident, "prod").await;
    let now = server::clock::now();
    let chat = storage::chats::create(&app.state.db, project.id, "", "test", now)
        .await
        .unwrap();
    let ci = key(&app, &project, Scope::DEFAULT).await.secret;
    let admin = key(&app, &project, &[Scope::Admin]).await.secret;
    let chat_path = format!("/api/chats/{chat}");
    for (method, path, body) in [
        (Method::POST, "/api/chats".to_owned(), json!({})),
        (
            Method::POST,
            format!("{chat_path}/messages"),
            json!({ "text": "Why?" }),
        ),
        (
            Method::POST,
            format!("/api/incidents/{incident}/investigation"),
            json!({}),
        ),
        (Method::DELETE, chat_path.clone(), json!({})),
    ] {
        let ask = |key: &str| {
            let request = app.client.request(method.clone(), app.url(&path));
            request.bearer_auth(key).json(&body)
        };
        let refused = Answer::of(ask(&ci)).await;
        assert_eq!(refused.status, 403, "{method} {path} {refused:?}");
        assert!(
            refused.text.contains("lacks the scope `admin`"),
            "{path} {refused:?}"
        );
        // An answer that is streamed ends only when a model worked at it.
        let allowed = ask(&admin).send().await.unwrap().status();
        assert!(allowed.is_success(), "{method} {path} {allowed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_made_key_is_shown_once_and_works_until_it_is_revoked() {
    let app = TestApp::new().await;
    let browser = Browser::new(&app);
    let page = "/p/default/settings/keys";
    let check = async |fields: &[(&str, &str)], code: &str| {
        assert_eq!(
            browser.post(page, fields).await.location,
            format!("{page}?error={code}")
        );
    };
    check(&[("label", " "), ("scope", "ingest")], "label").await;
    check(&[("label", &"x".repeat(101)), ("scope", "ingest")], "label").await;
    check(&[("label", "prod")], "scope").await;
    check(&[("label", "prod"), ("scope", "everything")], "scope").await;

    let made = browser
        .post(page, &[("label", "prod"), ("scope", "ingest"), ("scope", "read")])
        .await;
    assert!(made.location.starts_with(&format!("{page}?made=")), "{made:?}");
    let shown = browser.get(&made.location).await.text;
    let at = shown.find("pl_live_").unwrap_or_else(|| panic!("{shown}"));
    let secret = shown[at..at + 57].to_owned();
    assert!(storage::keys::secret::is_well_formed(&secret), "{secret}");
    assert!(
        !browser.get(&made.location).await.text.contains(&secret),
        "shown twice"
    );
    assert_eq!(send(&app, &secret).await.status, 200);

    let keys = storage::keys::list(&app.state.db, default_project(&app).await.id)
        .await
        .unwrap();
    let made = keys.iter().find(|key| key.label == "prod").unwrap();
    assert_eq!(
        (made.prefix.as_str(), made.scopes.as_slice()),
        (&secret[..12], &[Scope::Ingest, Scope::Read][..])
    );
    let revoked = browser.post(&format!("{page}/{}/revoke", made.id), &[]).await;
    assert_eq!(revoked.location, format!("{page}?done=revoked"));
    assert_eq!(
        send(&app, &secret).await.status,
        401,
        "revoking here takes effect at once"
    );
    assert_eq!(
        browser.post(&format!("{page}/none/revoke"), &[]).await.status,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_revoked_by_another_process_ends_within_a_second() {
    let app = TestApp::new().await;
    let project = default_project(&app).await;
    let key = key(&app, &project, Scope::DEFAULT).await;
    assert_eq!(send(&app, &key.secret).await.status, 200);
    storage::keys::revoke(
        &app.state.db,
        project.id,
        key.key.id,
        "test",
        server::clock::now(),
    )
    .await
    .unwrap();
    let ended = async { while send(&app, &key.secret).await.status != 401 {} };
    tokio::time::timeout(Duration::from_secs(1), ended)
        .await
        .expect("the key still works after a second");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_use_is_written_down_to_the_minute() {
    let app = TestApp::new().await;
    let project = default_project(&app).await;
    let key = key(&app, &project, Scope::DEFAULT).await;
    let before = server::clock::now();
    assert_eq!(send(&app, &key.secret).await.status, 200);
    let shutdown = tokio_util::sync::CancellationToken::new();
    shutdown.cancel();
    app.state.auth.clone().run_usage_flush(shutdown).await;
    let keys = storage::keys::list(&app.state.db, project.id).await.unwrap();
    let used = keys
        .iter()
        .find(|found| found.id == key.key.id)
        .unwrap()
        .last_used_at
        .unwrap();
    assert!(used == used.minute() && used >= before.minute(), "{used}");
}
