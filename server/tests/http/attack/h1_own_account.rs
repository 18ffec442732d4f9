//! H1, second half: nobody could change a password, end a session or remove an account.

use domain::Role;
use domain::account::WebSession;
use storage::users;

use crate::app::TestApp;
use crate::people::{Answer, Browser, PASSWORD, default_project, person, roles};

async fn sign_in(app: &TestApp, email: &str, password: &str) -> Option<String> {
    let fields = [("email", email), ("password", password)];
    Browser::new(app).post("/login", &fields).await.cookie()
}

async fn sessions(app: &TestApp, email: &str) -> Vec<WebSession> {
    let user = users::by_email(&app.state.db, email).await.unwrap().unwrap().0;
    let listed = storage::sessions::list(&app.state.db, user.id, b"", server::clock::now())
        .await
        .unwrap();
    listed.into_iter().map(|(session, _)| session).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn people_change_their_password_and_see_where_they_are_signed_in() {
    let app = TestApp::new().await;
    let default = default_project(&app).await;
    person(&app, "mara@acme.dev", &[(&default, Role::Admin)]).await;
    let other_browser = Browser::sign_in(&app, "mara@acme.dev").await;
    let mut browser = Browser::new(&app);
    let form = browser
        .form("/login", &[("email", "mara@acme.dev"), ("password", PASSWORD)])
        .header(
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
        );
    browser.cookie = Answer::of(form).await.cookie().unwrap();
    let page = browser.get("/account").await.text;
    for part in [
        "mara@acme.dev",
        "Firefox on Linux",
        "127.0.0.1",
        "this browser",
        "Sign out everywhere",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(
        Browser::new(&app).get("/account").await.location,
        "/login?next=/account"
    );

    let change = async |current: &str, new: &str| {
        let fields = [("current", current), ("password", new)];
        browser.post("/account/password", &fields).await.location
    };
    const NEW: &str = "blue kettle sings at noon";
    assert_eq!(change("wrong", NEW).await, "/account?error=current_password");
    assert_eq!(change(PASSWORD, "short").await, "/account?error=password");
    assert_eq!(
        change(PASSWORD, "qwertyuiop123").await,
        "/account?error=password_guessable"
    );
    assert_eq!(other_browser.get("/p/default/runs").await.status, 200);
    assert_eq!(change(PASSWORD, NEW).await, "/account?done=password");
    assert_eq!(
        other_browser.get("/p/default/runs").await.status,
        303,
        "the other sessions end"
    );
    assert_eq!(browser.get("/p/default/runs").await.status, 200);
    assert_eq!(sign_in(&app, "mara@acme.dev", PASSWORD).await, None);
    let third = sign_in(&app, "mara@acme.dev", NEW).await.unwrap();
    let third = Browser {
        app: &app,
        cookie: third,
    };

    let listed = sessions(&app, "mara@acme.dev").await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    let ended = browser
        .post(&format!("/account/sessions/{}/end", listed[0].id), &[])
        .await;
    assert_eq!(ended.location, "/account?done=session_ended");
    assert_eq!(third.get("/p/default/runs").await.status, 303);
    let everywhere = browser.post("/account/sessions/end", &[]).await;
    assert_eq!(everywhere.location, "/login?done=signed_out_everywhere");
    assert!(
        everywhere.headers["set-cookie"]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    assert_eq!(browser.get("/p/default/runs").await.status, 303);
    assert_eq!(sessions(&app, "mara@acme.dev").await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_ends_the_session_of_somebody_else() {
    let app = TestApp::new().await;
    let default = default_project(&app).await;
    person(&app, "mara@acme.dev", &[(&default, Role::Admin)]).await;
    person(&app, "eve@acme.dev", &[(&default, Role::Admin)]).await;
    let mara = Browser::sign_in(&app, "mara@acme.dev").await;
    let eve = Browser::sign_in(&app, "eve@acme.dev").await;
    let session = sessions(&app, "mara@acme.dev").await[0].id;
    let path = format!("/account/sessions/{session}/end");
    assert_eq!(eve.post(&path, &[]).await.status, 404);
    assert_eq!(Browser::new(&app).post(&path, &[]).await.location, "/login");
    // Another site's form neither.
    for path in [
        path.as_str(),
        "/account/sessions/end",
        "/account/password",
        "/account/remove",
        "/invite",
    ] {
        let form = mara
            .form(path, &[("current", PASSWORD)])
            .header("sec-fetch-site", "cross-site")
            .header("origin", "https://evil.example");
        assert_eq!(Answer::of(form).await.status, 403, "{path}");
    }
    assert_eq!(mara.get("/p/default/runs").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_remove_their_own_account_unless_they_are_needed() {
    let app = TestApp::new().await;
    let default = default_project(&app).await;
    let setup = [
        ("name", "Mara"),
        ("email", "mara@acme.dev"),
        ("password", PASSWORD),
        ("project", "Acme"),
    ];
    let mut mara = Browser::new(&app);
    mara.cookie = mara.post("/setup", &setup).await.cookie().unwrap();
    let remove = async |browser: &Browser<'_>, current: &str| {
        browser
            .post("/account/remove", &[("current", current)])
            .await
            .location
    };
    assert_eq!(
        remove(&mara, PASSWORD).await,
        "/account?error=last_instance_admin"
    );
    let noor = person(&app, "noor@acme.dev", &[(&default, Role::Viewer)]).await;
    users::set_instance_admin(&app.state.db, &noor, true, "test", server::clock::now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        remove(&mara, PASSWORD).await,
        "/account?error=last_admin_somewhere"
    );
    let noors = Browser::sign_in(&app, "noor@acme.dev").await;
    assert_eq!(remove(&noors, "wrong").await, "/account?error=current_password");
    storage::members::set_role(
        &app.state.db,
        default.id,
        noor.id,
        Role::Admin,
        "test",
        server::clock::now(),
    )
    .await
    .unwrap();
    assert_eq!(remove(&mara, PASSWORD).await, "/login?done=account_removed");
    assert_eq!(mara.get("/p/default/runs").await.status, 303);
    assert_eq!(sign_in(&app, "mara@acme.dev", PASSWORD).await, None);
    assert!(!roles(&app, &default).await.contains_key("mara@acme.dev"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_reset_a_password_is_good_once_and_ends_every_session() {
    use server::auth::token::{random_token, token_sha256};

    let app = TestApp::new().await;
    let default = default_project(&app).await;
    let mara = person(&app, "mara@acme.dev", &[(&default, Role::Admin)]).await;
    let before = Browser::sign_in(&app, "mara@acme.dev").await;
    let token = random_token().unwrap();
    let now = server::clock::now();
    let until = now.plus_micros(server::auth::token::RESET_MICROS);
    storage::password_resets::make(&app.state.db, &mara, &token_sha256(&token), until, "test", now)
        .await
        .unwrap();
    let browser = Browser::new(&app);
    let page = browser.get(&format!("/reset?token={token}")).await;
    assert!(
        page.status == 200 && page.text.contains("mara@acme.dev"),
        "{page:?}"
    );
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    let reset = async |password: &str| {
        let fields = [("token", token.as_str()), ("password", password)];
        browser.post("/reset", &fields).await.location
    };
    assert!(reset("short").await.ends_with("error=password"));
    assert_eq!(before.get("/p/default/runs").await.status, 200);
    assert_eq!(
        reset("blue kettle sings at noon").await,
        "/login?done=password_reset"
    );
    assert_eq!(before.get("/p/default/runs").await.status, 303);
    assert_eq!(sign_in(&app, "mara@acme.dev", PASSWORD).await, None);
    assert!(
        sign_in(&app, "mara@acme.dev", "blue kettle sings at noon")
            .await
            .is_some()
    );
    assert!(reset("another kettle sings").await.ends_with("error=link"));
}
