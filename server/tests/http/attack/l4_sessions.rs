//! L4: sessions that never ended, metrics for everybody.

use domain::{Role, Scope};

use crate::app::TestApp;
use crate::people::{Answer, Browser, default_project, key, person};

const DAY_MICROS: i64 = 86_400 * 1_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_after_ninety_days_however_much_it_is_used() {
    let app = TestApp::new().await;
    person(
        &app,
        "mara@acme.dev",
        &[(&default_project(&app).await, Role::Admin)],
    )
    .await;
    let browser = Browser::sign_in(&app, "mara@acme.dev").await;
    let token = browser.cookie.split_once('=').unwrap().1;
    let sha256 = server::auth::token::token_sha256(token);
    let db = &app.state.db;
    let begun = server::clock::now();
    let mut last = None;
    // Used once a day, as the server does it.
    for day in 0..200 {
        let now = begun.plus_micros(day * DAY_MICROS);
        let Some(session) = storage::sessions::find(db, &sha256, now).await.unwrap() else {
            break;
        };
        last = Some(day);
        let expires_at = now.plus_micros(30 * DAY_MICROS).min(session.ends_at);
        storage::sessions::touch(db, &sha256, now, expires_at)
            .await
            .unwrap();
    }
    assert!(matches!(last, Some(89 | 90)), "{last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_of_a_server_with_accounts_need_a_key() {
    let app = TestApp::new().await;
    let default = default_project(&app).await;
    let get = async |app: &TestApp, key: Option<&str>| {
        let request = app.client.get(app.url("/metrics"));
        let request = match key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        Answer::of(request).await.status
    };
    assert_eq!(get(&app, None).await, 200, "open, like everything else");
    person(&app, "mara@acme.dev", &[(&default, Role::Admin)]).await;
    assert_eq!(get(&app, None).await, 401);
    assert_eq!(get(&app, Some("pl_live_x")).await, 401);
    let ingest = key(&app, &default, &[Scope::Ingest]).await.secret;
    assert_eq!(get(&app, Some(&ingest)).await, 403);
    let read = key(&app, &default, &[Scope::Read]).await.secret;
    assert_eq!(get(&app, Some(&read)).await, 200);

    let app = TestApp::with(|config| config.metrics_without_key = true).await;
    person(&app, "mara@acme.dev", &[]).await;
    assert_eq!(get(&app, None).await, 200);
}
