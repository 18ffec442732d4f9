//! Names under which the server was not meant, and headers that neighbours in the same browser can set.

use domain::{Role, Scope};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::app::TestApp;
use crate::people::{Answer, Browser, default_project, key, person};

async fn raw(app: &TestApp, request: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(app.origin.trim_start_matches("http://"))
        .await
        .unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_on_this_machine_too_the_name_is_looked_at() {
    let app = TestApp::with(|config| {
        config.behind_auth_proxy = true;
        config.public_url = Some("https://plumbline.acme.dev".to_owned());
    })
    .await;
    let project = default_project(&app).await;
    let key = key(&app, &project, &[Scope::Read]).await;
    let get = |path: &str, host: &str| app.client.get(app.url(path)).header("host", host);
    for path in [
        "/",
        "/p/default/runs",
        "/api/runs",
        "/ui/keys/first?slug=default",
        "/metrics",
    ] {
        let answer = Answer::of(get(path, "evil.example:3000").header("accept", "text/html")).await;
        assert_eq!(answer.status, 403, "{path} {answer:?}");
        assert!(answer.text.contains("public_url"), "{path} {answer:?}");
    }
    for host in [
        "plumbline.acme.dev",
        "PLUMBLINE.acme.dev.:443",
        "localhost:3000",
        "127.0.0.1",
    ] {
        assert_eq!(
            Answer::of(get("/p/default/runs", host)).await.status,
            200,
            "{host}"
        );
    }
    let form = Browser::new(&app)
        .form(
            "/p/default/settings/keys",
            &[("label", "stolen"), ("scope", "admin")],
        )
        .header("host", "evil.example:3000")
        .header("origin", "http://evil.example:3000");
    assert_eq!(Answer::of(form).await.status, 403);
    let with_key = get("/api/runs", "evil.example").bearer_auth(&key.secret);
    assert_eq!(Answer::of(with_key).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_key_does_not_lift_the_check_of_the_name() {
    let app = TestApp::new().await;
    for junk in ["x".to_owned(), storage::keys::secret::from_bytes([1; 32])] {
        for path in [
            "/metrics",
            "/p/default/runs",
            "/api/openapi.json",
            "/ui/keys/list?slug=default",
        ] {
            let request = app
                .client
                .get(app.url(path))
                .header("host", "evil.example")
                .header("x-plumbline-key", &junk);
            let answer = Answer::of(request).await;
            assert_eq!(answer.status, 401, "{path} {junk} {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_one_host() {
    let app = TestApp::new().await;
    for path in ["/p/default/runs", "/api/runs", "/v1/models", "/healthz"] {
        let answer = raw(
            &app,
            &format!(
                "GET {path} HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\nconnection: close\r\n\r\n"
            ),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{path} {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbours_session_cookie_signs_nobody_out() {
    let app = TestApp::new().await;
    let project = default_project(&app).await;
    person(&app, "mara@acme.dev", &[(&project, Role::Admin)]).await;
    let mara = Browser::sign_in(&app, "mara@acme.dev").await;
    for tossed in [
        "plumbline_session=x",
        "plumbline_session=é",
        "a=é; plumbline_session=",
    ] {
        let browser = Browser {
            cookie: format!("{tossed}; {}", mara.cookie),
            ..mara.clone()
        };
        let page = browser.get("/p/default/runs").await;
        assert_eq!(page.status, 200, "{tossed} {page:?}");
        assert_eq!(
            browser.get("/api/runs?project=default").await.status,
            200,
            "{tossed}"
        );
    }
    let out = mara.post("/logout", &[]).await;
    assert_eq!(out.status, 303);
    assert_eq!(mara.get("/p/default/runs").await.status, 303);
}
