//! Pages as the server renders them, before any script runs.

use crate::app::{TestApp, step};

async fn page(app: &TestApp, path: &str) -> (u16, reqwest::header::HeaderMap, String) {
    let response = app.client.get(app.url(path)).send().await.unwrap();
    (
        response.status().as_u16(),
        response.headers().clone(),
        response.text().await.unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_on_its_pages_without_any_script() {
    let app = TestApp::new().await;
    app.store(step("hello-1", "s1")).await;
    let (status, _, list) = page(&app, "/p/default/runs").await;
    assert_eq!(status, 200);
    assert!(
        list.contains("classify-intent") && list.contains("hello-1"),
        "{list}"
    );
    let (status, _, run) = page(&app, "/p/default/runs/hello-1?step=s1").await;
    assert_eq!(status, 200);
    assert!(
        run.contains("classify-intent") && run.contains("is this a refund request?"),
        "{run}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_404() {
    let app = TestApp::new().await;
    for path in ["/p/default/runs/none", "/p/none/runs", "/none"] {
        assert_eq!(page(&app, path).await.0, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_has_the_headers_and_a_fresh_nonce() {
    let app = TestApp::new().await;
    let mut nonces = std::collections::BTreeSet::new();
    for path in [
        "/p/default/runs",
        "/p/default/settings",
        "/p/default/settings/keys",
        "/none",
    ] {
        let (_, headers, html) = page(&app, path).await;
        let policy = headers["content-security-policy"].to_str().unwrap();
        let nonce = policy
            .split("'nonce-")
            .nth(1)
            .and_then(|rest| rest.split('\'').next())
            .unwrap();
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe-inline"),
            "{policy}"
        );
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert!(headers.contains_key("referrer-policy"));
        assert!(!html.contains(" style=\""), "{path} has an inline style");
        for script in html
            .match_indices("<script")
            .map(|(at, _)| &html[at..at + 160.min(html.len() - at)])
        {
            assert!(
                script.contains(nonce),
                "{path}: a script without the nonce: {script}"
            );
        }
        assert!(nonces.insert(nonce.to_owned()), "a nonce came twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_stays_text() {
    let app = TestApp::new().await;
    let hostile = "</title></script><script>alert(1)</script><img src=x onerror=alert(1)>";
    let mut bad = step(hostile, "s1");
    for field in [
        "step_name",
        "model",
        "prompt",
        "output_code",
        "environment",
        "release",
        "session_id",
        "user_id",
    ] {
        bad[field] = hostile.into();
    }
    bad["status_success"] = false.into();
    bad["error"] = hostile.into();
    app.store(bad).await;
    let run = domain::filter::percent_encode(hostile);
    for path in [
        "/p/default/runs".to_owned(),
        format!("/p/default/runs/{run}?step=s1"),
    ] {
        let (status, _, html) = page(&app, &path).await;
        assert_eq!(status, 200);
        assert!(html.contains("alert(1)"), "{path} does not show the text");
        assert!(
            !html.contains("<script>alert") && !html.contains("<img src=x"),
            "{path} lets markup through"
        );
    }
}
