//! What other web sites in the same browser may not do.

use domain::{Role, Scope};

use crate::app::{TestApp, step};
use crate::people::{Answer, Browser, default_project, key, person};

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_changes_nothing() {
    let app = TestApp::new().await;
    let project = default_project(&app).await;
    person(&app, "mara@acme.dev", &[(&project, Role::Admin)]).await;
    let browser = Browser::sign_in(&app, "mara@acme.dev").await;
    let own = app.origin.clone();
    let check = async |headers: &[(&str, &str)], status: u16| {
        let mut form = browser.form("/p/default/settings/general", &[("name", "Acme")]);
        for (name, value) in headers {
            form = form.header(*name, *value);
        }
        let answer = Answer::of(form).await;
        assert_eq!(answer.status, status, "{headers:?} {answer:?}");
    };
    check(
        &[
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://evil.example"),
        ],
        403,
    )
    .await;
    check(
        &[("sec-fetch-site", "same-site"), ("origin", "http://localhost:1")],
        403,
    )
    .await;
    check(&[("origin", "https://evil.example")], 403).await;
    check(&[("origin", "null")], 403).await;
    assert_eq!(default_project(&app).await.name, "Default");
    check(&[("sec-fetch-site", "same-origin"), ("origin", "null")], 303).await;
    check(&[("origin", &own)], 303).await;
    check(&[], 303).await;
    assert_eq!(default_project(&app).await.name, "Acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_server_takes_no_steps_from_another_site() {
    let app = TestApp::new().await;
    let project = default_project(&app).await;
    let key = key(&app, &project, &[Scope::Ingest]).await;
    let post = || app.client.post(app.url("/ingest")).json(&step("r", "s"));
    let foreign = |request: reqwest::RequestBuilder| {
        request
            .header("sec-fetch-site", "cross-site")
            .header("origin", "https://evil.example")
    };
    assert_eq!(Answer::of(foreign(post())).await.status, 403);
    assert_eq!(
        Answer::of(foreign(post()).bearer_auth(&key.secret)).await.status,
        200
    );
    assert_eq!(Answer::of(post()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_server_answers_under_its_own_names_only() {
    let app = TestApp::new().await;
    app.store(step("hello", "s")).await;
    let project = default_project(&app).await;
    let key = key(&app, &project, &[Scope::Read]).await;
    let get = |path: &str, host: &str| app.client.get(app.url(path)).header("host", host);
    for path in [
        "/",
        "/p/default/runs",
        "/api/runs",
        "/live/default",
        "/ui/keys/list?slug=default",
    ] {
        let answer = Answer::of(get(path, "evil.example").header("accept", "text/html")).await;
        assert_eq!(answer.status, 403, "{path} {answer:?}");
        assert!(answer.text.contains("DNS rebinding"), "{path} {answer:?}");
    }
    assert_eq!(
        Answer::of(get("/p/default/runs", "localhost:9")).await.status,
        200
    );
    assert_eq!(Answer::of(get("/healthz", "evil.example")).await.status, 200);
    assert_eq!(
        Answer::of(get("/api/runs", "evil.example").bearer_auth(&key.secret))
            .await
            .status,
        200
    );

    // A page under a foreign name may send any header, so a made-up key must not open anything.
    for made_up in ["x".to_owned(), storage::keys::secret::from_bytes([1; 32])] {
        for path in ["/p/default/runs", "/api/runs", "/ui/keys/list?slug=default"] {
            let answer = Answer::of(get(path, "evil.example").bearer_auth(&made_up)).await;
            assert!(matches!(answer.status, 303 | 401), "{path} {answer:?}");
            assert!(!answer.text.contains("classify-intent"), "{path} {answer:?}");
        }
        let form = Browser::new(&app)
            .form("/p/default/settings/delete", &[("confirm", "default")])
            .header("host", "evil.example")
            .bearer_auth(&made_up);
        assert_eq!(Answer::of(form).await.status, 401);
    }
    assert_eq!(default_project(&app).await.id, project.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_strict_security_headers() {
    let app = TestApp::new().await;
    for path in ["/", "/healthz", "/api/runs", "/api/none", "/p/default/runs"] {
        let answer = Browser::new(&app).get(path).await;
        let check = |name: &str, part: &str| {
            let value = answer
                .headers
                .get(name)
                .map(|value| value.to_str().unwrap())
                .unwrap_or_default();
            assert!(value.contains(part), "{path} {name}: {value}");
        };
        check("x-content-type-options", "nosniff");
        check("x-frame-options", "DENY");
        check("referrer-policy", "no-referrer");
        check("content-security-policy", "default-src 'none'");
        check("content-security-policy", "frame-ancestors 'none'");
        check("cross-origin-opener-policy", "same-origin");
        check("permissions-policy", "geolocation=()");
        assert!(!answer.headers.contains_key("strict-transport-security"));
    }
}
