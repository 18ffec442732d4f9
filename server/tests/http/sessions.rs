//! Signing in and out, the first account, what roles may do.

use domain::Role;

use crate::app::{TestApp, step};
use crate::people::{Answer, Browser, PASSWORD, default_project, other_project, person, roles};

const SETUP: [(&str, &str); 4] = [
    ("name", "Mara"),
    ("email", " Mara@Acme.dev "),
    ("password", PASSWORD),
    ("project", "Acme"),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_first_account_closes_the_server() {
    let app = TestApp::new().await;
    let mut browser = Browser::new(&app);
    assert_eq!(browser.get("/p/default/runs").await.status, 200);
    assert_eq!(app.post("/ingest", &step("r", "s")).await.0, 200);

    let answer = browser.post("/setup", &SETUP).await;
    assert_eq!(
        (answer.status, answer.location.as_str()),
        (303, "/p/default"),
        "{answer:?}"
    );
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    for part in [
        "plumbline_session=",
        "Path=/",
        "HttpOnly",
        "SameSite=Lax",
        "Max-Age=2592000",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "{cookie}");

    let anonymous = Browser::new(&app);
    let check = async |path: &str, status: u16, location: &str| {
        let answer = anonymous.get(path).await;
        assert_eq!(
            (answer.status, answer.location.as_str()),
            (status, location),
            "{path}"
        );
        assert!(!answer.text.contains("classify-intent"), "{path}");
    };
    check(
        "/p/default/runs?status=error",
        303,
        "/login?next=/p/default/runs%3Fstatus%3Derror",
    )
    .await;
    check("/ui/keys/list?slug=default", 401, "").await;
    check("/live/default", 401, "").await;
    check("/api/runs", 401, "").await;
    check("/setup", 303, "/login?error=already_set_up").await;
    check("/login", 200, "").await;
    assert_eq!(app.post("/ingest", &step("r", "s2")).await.0, 401);
    assert_eq!(
        anonymous.post("/setup", &SETUP).await.location,
        "/login?error=already_set_up"
    );

    browser.cookie = answer.cookie().unwrap();
    let page = browser.get("/p/default/runs").await;
    assert!(
        page.status == 200 && page.text.contains("classify-intent"),
        "{page:?}"
    );
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_eq!(
        browser.get("/api/runs").await.json()["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(default_project(&app).await.name, "Acme");
    assert_eq!(
        roles(&app, &default_project(&app).await).await["mara@acme.dev"],
        Role::Admin
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_says_what_is_wrong() {
    let app = TestApp::new().await;
    let check = async |name: &str, value: &str, code: &str| {
        let fields = SETUP.map(|field| if field.0 == name { (name, value) } else { field });
        let answer = Browser::new(&app).post("/setup", &fields).await;
        assert_eq!(answer.location, format!("/setup?error={code}"), "{name}={value}");
        assert!(answer.cookie().is_none());
    };
    check("password", "too short", "password").await;
    check("password", "1234567890", "password_guessable").await;
    check("password", "          ", "password_guessable").await;
    check("password", "mara@acme.dev", "password_guessable").await;
    check("email", "mara", "email").await;
    check("name", " ", "name").await;
    check("project", "a\nb", "name").await;
    assert!(!app.state.auth.accounts_exist().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_can_not_both_be_the_first() {
    let app = TestApp::new().await;
    let browser = Browser::new(&app);
    let other = SETUP.map(|field| {
        if field.0 == "email" {
            ("email", "noor@acme.dev")
        } else {
            field
        }
    });
    let (one, two) = tokio::join!(browser.post("/setup", &SETUP), browser.post("/setup", &other));
    let signed_in = [&one, &two]
        .into_iter()
        .filter(|answer| answer.cookie().is_some())
        .count();
    assert_eq!(signed_in, 1, "{one:?} {two:?}");
    assert_eq!(storage::users::count(&app.state.db).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_begins_with_the_password_and_ends_with_the_sign_out() {
    let app = TestApp::new().await;
    person(
        &app,
        "mara@acme.dev",
        &[(&default_project(&app).await, Role::Admin)],
    )
    .await;
    let login = async |email: &str, password: &str, next: &str| {
        Browser::new(&app)
            .post(
                "/login",
                &[("email", email), ("password", password), ("next", next)],
            )
            .await
    };
    let refused = login("mara@acme.dev", "wrong", "/p/default/runs").await;
    assert_eq!(refused.location, "/login?next=/p/default/runs&error=credentials");
    assert!(refused.cookie().is_none());
    let unknown = login("noor@acme.dev", PASSWORD, "").await;
    assert_eq!(unknown.location, "/login?next=/&error=credentials");

    let check = async |next: &str, expected: &str| {
        assert_eq!(
            login("MARA@acme.dev", PASSWORD, next).await.location,
            expected,
            "{next}"
        );
    };
    check("/p/default/runs?q=a", "/p/default/runs?q=a").await;
    check("//evil.example/", "/").await;
    check("https://evil.example/", "/").await;
    check("/\\evil.example", "/").await;

    let mut browser = Browser::sign_in(&app, "mara@acme.dev").await;
    let first = browser.clone();
    assert_eq!(first.get("/p/default/runs").await.status, 200);
    let again = browser
        .post("/login", &[("email", "mara@acme.dev"), ("password", PASSWORD)])
        .await;
    browser.cookie = again.cookie().unwrap();
    assert_ne!(first.cookie, browser.cookie);
    assert_eq!(
        first.get("/p/default/runs").await.status,
        303,
        "the session of before the sign-in has to end"
    );

    let out = browser.post("/logout", &[]).await;
    assert_eq!(out.location, "/login?done=signed_out");
    assert!(out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(
        browser.get("/p/default/runs").await.status,
        303,
        "a copied cookie has to be of no use"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_the_cookie_is_bound_to_the_host() {
    let app = TestApp::with(|config| config.public_url = Some("https://plumbline.acme.dev".to_owned())).await;
    person(
        &app,
        "mara@acme.dev",
        &[(&default_project(&app).await, Role::Admin)],
    )
    .await;
    let fields = [("email", "mara@acme.dev"), ("password", PASSWORD)];
    let answer = Browser::new(&app).post("/login", &fields).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("__Host-plumbline_session=") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
    assert!(answer.headers.contains_key("strict-transport-security"));
    let signed_in = Browser {
        app: &app,
        cookie: answer.cookie().unwrap(),
    };
    assert_eq!(signed_in.get("/p/default/runs").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admins_change_a_project_and_strangers_do_not_see_it() {
    let app = TestApp::new().await;
    let (default, other) = (default_project(&app).await, other_project(&app).await);
    person(&app, "mara@acme.dev", &[(&default, Role::Admin)]).await;
    person(
        &app,
        "noor@acme.dev",
        &[(&default, Role::Viewer), (&other, Role::Admin)],
    )
    .await;
    person(&app, "eve@acme.dev", &[(&other, Role::Admin)]).await;
    let check = async |email: &str, status: u16| {
        let browser = Browser::sign_in(&app, email).await;
        for (path, fields) in [
            ("/p/default/settings/general", &[("name", "Acme")][..]),
            ("/p/default/settings/keys", &[("label", "k"), ("scope", "ingest")]),
            (
                "/p/default/settings/members",
                &[("email", "noor@acme.dev"), ("role", "admin")],
            ),
            ("/p/default/settings/delete", &[("confirm", "wrong")]),
        ] {
            let answer = browser.post(path, fields).await;
            assert_eq!(answer.status, status, "{email} {path} {answer:?}");
        }
    };
    check("noor@acme.dev", 403).await;
    check("eve@acme.dev", 404).await;
    assert_eq!(storage::keys::list(&app.state.db, default.id).await.unwrap(), []);
    check("mara@acme.dev", 303).await;
    assert_eq!(
        storage::keys::list(&app.state.db, default.id)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_made_renamed_and_deleted() {
    let app = TestApp::new().await;
    let default = default_project(&app).await;
    person(&app, "mara@acme.dev", &[(&default, Role::Admin)]).await;
    let browser = Browser::sign_in(&app, "mara@acme.dev").await;
    let post = async |path: &str, field: (&str, &str)| browser.post(path, &[field]).await.location;
    assert_eq!(
        post("/projects", ("name", "Acme support")).await,
        "/p/acme-support"
    );
    assert_eq!(
        post("/projects", ("name", "acme-SUPPORT")).await,
        "/projects/new?error=exists"
    );
    assert_eq!(
        post("/projects", ("name", "--")).await,
        "/projects/new?error=name"
    );
    let general = "/p/acme-support/settings";
    assert_eq!(
        post(&format!("{general}/general"), ("name", "Help")).await,
        format!("{general}?done=saved")
    );
    let project = storage::projects::by_slug(&app.state.db, "acme-support")
        .await
        .unwrap();
    assert_eq!(project.name, "Help");
    let made = crate::people::key(&app, &project, domain::Scope::DEFAULT).await;
    assert_eq!(
        post(&format!("{general}/delete"), ("confirm", "Help")).await,
        format!("{general}?error=confirm")
    );
    assert_eq!(
        post(&format!("{general}/delete"), ("confirm", "acme-support")).await,
        "/?done=deleted"
    );
    assert_eq!(browser.get("/p/acme-support/runs").await.status, 404);
    let send = app
        .client
        .post(app.url("/ingest"))
        .bearer_auth(&made.secret)
        .json(&step("r", "s"));
    assert_eq!(Answer::of(send).await.status, 401);
}
