//! Whose call it is, what is refused, and in whose words.

use std::time::Duration;

use domain::{Project, Role, Scope};
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::app::{TestApp, answer};
use crate::people::{Browser, default_project, key, other_project, person};
use crate::proxy::{proxied, recorded};
use crate::upstream::Upstream;

const ANSWER: &str = r#"{"id":"m1","model":"claude-x","content":[{"type":"text","text":"hello"}],"usage":{"input_tokens":3,"output_tokens":2},"stop_reason":"end_turn"}"#;

/// Sends a call and lets the provider answer it.
async fn passes(request: reqwest::RequestBuilder, upstream: &mut Upstream) {
    let (answer, ()) = tokio::join!(request.send(), async {
        upstream.next().await.json("200 OK", ANSWER).await;
    });
    assert_eq!(answer.unwrap().text().await.unwrap(), ANSWER);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_accounts_any_text_is_a_label() {
    let (app, mut upstream) = proxied().await;
    let call = |run: &str| {
        app.client
            .post(app.url("/v1/messages"))
            .header("x-plumbline-run", run)
            .body("{}")
    };
    passes(call("a"), &mut upstream).await;
    assert_eq!(recorded(&app, "a").await["key_label"], "default");
    passes(call("b").header("x-plumbline-key", "checkout"), &mut upstream).await;
    assert_eq!(recorded(&app, "b").await["key_label"], "checkout");
    passes(call("c").header("x-llmtrace-key", "search"), &mut upstream).await;
    assert_eq!(recorded(&app, "c").await["key_label"], "search");
    passes(call("d").header("x-plumbline-key", " "), &mut upstream).await;
    assert_eq!(recorded(&app, "d").await["key_label"], "default");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_providers_key_is_no_label() {
    let (app, mut upstream) = proxied().await;
    for label in [
        "sk-ant-api03-0123456789",
        "Bearer gsk_0123456789",
        "theirs-0123456789",
    ] {
        let call = app
            .client
            .post(app.url("/v1/chat/completions"))
            .header("authorization", "Bearer theirs-0123456789")
            .header("x-plumbline-key", label)
            .body("{}");
        let (status, body) = answer(call).await;
        assert_eq!(status, 401, "{label}");
        assert_provider_shape("/v1/chat/completions", &body);
        let text = body["error"]["message"].as_str().unwrap();
        assert!(
            text.contains("X-Plumbline-Key") && !text.contains("0123456789"),
            "{text}"
        );
    }
    upstream.saw_nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_accounts_a_key_decides_and_nothing_else_passes() {
    let (app, mut upstream) = proxied().await;
    let (default, other) = (default_project(&app).await, other_project(&app).await);
    person(&app, "mara@acme.dev", &[(&default, Role::Admin)]).await;
    let good = key(&app, &other, &[Scope::Proxy, Scope::Read]).await;
    let reader = key(&app, &default, &[Scope::Read]).await;
    let call = |path: &str| {
        app.client
            .post(app.url(path))
            .header("authorization", "Bearer sk-provider")
            .header("x-plumbline-run", "theirs")
            .body("{\"model\":\"m\"}")
    };
    passes(
        call("/v1/messages").header("x-plumbline-key", &good.secret),
        &mut upstream,
    )
    .await;
    app.state.recorder.settled().await;
    let read = |secret: &str| {
        app.client
            .get(app.url("/api/runs/theirs"))
            .bearer_auth(secret.to_owned())
    };
    let (status, run) = answer(read(&good.secret)).await;
    assert_eq!((status, &run["steps"][0]["model"]), (200, &json!("claude-x")));
    assert_eq!(
        answer(read(&reader.secret)).await.0,
        404,
        "another project sees it"
    );

    let mut cut = good.secret.clone();
    cut.pop();
    let unknown = storage::keys::secret::from_bytes([7; 32]);
    for (sent, status) in [
        (None, 401),
        (Some("checkout"), 401),
        (Some(cut.as_str()), 401),
        (Some(unknown.as_str()), 401),
        (Some(reader.secret.as_str()), 403),
    ] {
        for path in [
            "/v1/messages",
            "/v1/chat/completions",
            "/v1/messages/count_tokens",
        ] {
            let request = match sent {
                Some(sent) => call(path).header("x-plumbline-key", sent),
                None => call(path),
            };
            let (seen, body) = answer(request).await;
            assert_eq!(seen, status, "{path} {sent:?} {body}");
            assert_provider_shape(path, &body);
        }
    }
    storage::keys::revoke(&app.state.db, other.id, good.key.id, "test", server::clock::now())
        .await
        .unwrap();
    app.state.auth.invalidate();
    let revoked = call("/v1/messages").header("x-plumbline-key", &good.secret);
    let (status, body) = answer(revoked).await;
    assert_eq!(
        (status, &body["error"]["type"]),
        (401, &json!("authentication_error"))
    );
    for route in server::proxy::ROUTES {
        let (method, path) = (route.method, route.path.replace("{id}", "x"));
        let stranger = app.client.request(method.parse().unwrap(), app.url(&path));
        let (status, body) = answer(stranger).await;
        assert_eq!(status, 401, "{method} {path} {body}");
        assert_provider_shape(&path, &body);
    }
    upstream.saw_nothing();
}

/// Waits until the server has heard of every change before: news arrive in their order. Each change of keys that it
/// hears of late would end what was known.
async fn every_change_is_heard_of(browser: &Browser<'_>, project: &Project) {
    let path = format!("/live/{}", project.slug);
    let heard = async {
        loop {
            // A change of keys ends the stream.
            let answer = browser.request("GET", &path).send().await.unwrap();
            let (mut stream, mut text) = (answer.bytes_stream(), String::new());
            loop {
                // Said again, because the server may not have listened yet.
                let db = &browser.app.state.db;
                storage::live::notify_runs(db, uuid::Uuid::nil(), project.id, &["the last change"])
                    .await
                    .unwrap();
                match tokio::time::timeout(Duration::from_millis(200), stream.next()).await {
                    Ok(Some(chunk)) => text.push_str(&String::from_utf8_lossy(&chunk.unwrap())),
                    Ok(None) => break,
                    Err(_nothing_yet) => {}
                }
                if text.contains("the last change") {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), heard)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn cached_keys_pass_while_the_database_is_away_and_revoked_ones_do_not() {
    let (app, mut upstream) = proxied().await;
    let project = other_project(&app).await;
    person(&app, "mara@acme.dev", &[(&project, Role::Admin)]).await;
    let browser = Browser::sign_in(&app, "mara@acme.dev").await;
    let revoked = key(&app, &project, &[Scope::Proxy]).await;
    let kept = key(&app, &project, &[Scope::Proxy]).await;
    let call = |secret: &str| {
        app.client
            .post(app.url("/v1/messages"))
            .header("x-plumbline-key", secret)
            .body("{}")
    };
    passes(call(&revoked.secret), &mut upstream).await;
    storage::keys::revoke(
        &app.state.db,
        project.id,
        revoked.key.id,
        "test",
        server::clock::now(),
    )
    .await
    .unwrap();
    every_change_is_heard_of(&browser, &project).await;
    passes(call(&kept.secret), &mut upstream).await;

    app.state.db.close().await;
    passes(call(&kept.secret), &mut upstream).await;
    let (status, body) = answer(call(&revoked.secret)).await;
    assert_eq!(status, 503, "{body}");
    upstream.saw_nothing();
}

fn assert_provider_shape(path: &str, body: &Value) {
    let error = &body["error"];
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("Plumbline: ")),
        "{body}"
    );
    assert!(error["type"].is_string(), "{body}");
    if path.starts_with("/v1/messages") {
        assert_eq!(body["type"], "error", "{body}");
    } else {
        assert!(error["code"].is_string() && error["param"].is_null(), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_key_is_never_sent_to_a_provider() {
    let (app, mut upstream) = proxied().await;
    let ours = key(&app, &default_project(&app).await, &[Scope::Proxy]).await;
    for (name, value) in [
        ("authorization", format!("Bearer {}", ours.secret)),
        ("x-api-key", ours.secret.clone()),
    ] {
        for path in ["/v1/messages", "/v1/chat/completions"] {
            let (status, body) = answer(app.client.post(app.url(path)).header(name, &value).body("{}")).await;
            assert_eq!(status, 401);
            assert_provider_shape(path, &body);
            assert!(
                body["error"]["message"]
                    .as_str()
                    .unwrap()
                    .contains("X-Plumbline-Key"),
                "{body}"
            );
        }
    }
    upstream.saw_nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn other_web_sites_cannot_use_an_open_server() {
    let (app, mut upstream) = proxied().await;
    for (name, value) in [
        ("host", "evil.example"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let call = app
            .client
            .post(app.url("/v1/messages"))
            .header(name, value)
            .body("{}");
        assert_eq!(answer(call).await.0, 401, "{name}: {value}");
    }
    upstream.saw_nothing();
    let own = app
        .client
        .post(app.url("/v1/messages"))
        .header("origin", &app.origin)
        .body("{}");
    passes(own, &mut upstream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_routes_are_refused_in_the_providers_words() {
    let app = TestApp::new().await;
    let (status, body) = app.get("/v1/files").await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("not_found")));
    let anthropic = app.client.get(app.url("/v1/files")).header("x-api-key", "sk");
    assert_eq!(answer(anthropic).await.1["type"], "error");
    let wrong_method = app.client.get(app.url("/v1/messages")).send().await.unwrap();
    assert_eq!(wrong_method.headers()["allow"], "POST");
    let wrong_method = app.client.put(app.url("/v1/models")).send().await.unwrap();
    assert_eq!(wrong_method.headers()["allow"], "GET, HEAD");
    let (status, body) = app.get("/v1/messages").await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (405, &json!("method_not_allowed"))
    );
    for path in ["/v1", "/v1/", "//v1/chat/completions"] {
        let (status, body) = answer(app.client.post(app.url(path))).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (404, &json!("not_found")),
            "{path}"
        );
        let text = body["error"]["message"].as_str().unwrap();
        assert_eq!(text.matches("/v1/responses/{id},").count(), 1, "{text}");
        assert_eq!(
            text.contains("an extra slash at its end"),
            path.starts_with("//"),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_cannot_be_reached_is_502_and_recorded() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let app = TestApp::with(|config| {
        config.upstream_anthropic = nobody.parse().unwrap();
        config.upstream_openai = nobody.parse().unwrap();
    })
    .await;
    for (path, kind) in [
        ("/v1/messages", "api_error"),
        ("/v1/chat/completions", "server_error"),
    ] {
        let call = app
            .client
            .post(app.url(path))
            .header("x-plumbline-run", kind)
            .body("{\"model\":\"m\"}");
        let (status, body) = answer(call).await;
        assert_eq!((status, &body["error"]["type"]), (502, &json!(kind)), "{body}");
        let step = recorded(&app, kind).await;
        assert_eq!(step["error_class"], "upstream_unreachable");
        assert_eq!((&step["status"], &step["model"]), (&json!("error"), &json!("m")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_provider_is_504() {
    let mut upstream = Upstream::start().await;
    let origin = upstream.origin.clone();
    let app = TestApp::with(|config| {
        config.upstream_anthropic = origin.parse().unwrap();
        config.upstream_timeout_s = 1;
    })
    .await;
    let call = app
        .client
        .post(app.url("/v1/messages"))
        .header("x-plumbline-run", "r")
        .body("{}");
    let ((status, body), silent) = tokio::join!(answer(call), upstream.next());
    assert_eq!((status, &body["error"]["type"]), (504, &json!("timeout_error")));
    silent.gone().await;
    assert_eq!(recorded(&app, "r").await["error_class"], "upstream_timeout");
}
