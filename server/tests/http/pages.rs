//! Pages as the server renders them, before any script runs.

use tokio_util::sync::CancellationToken;

use crate::app::{TestApp, step};
use crate::people::default_project;

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
async fn a_step_is_shown_with_the_threshold_it_was_judged_by() {
    let app = TestApp::new().await;
    for (run_id, threshold) in [("strict", 50), ("mild", 80)] {
        let settings = serde_json::json!({ "threshold": threshold });
        let url = app.url("/api/settings/scoring");
        let saved = app.client.put(url).json(&settings).send().await.unwrap();
        assert_eq!(saved.status(), 200);
        let mut wordy = step(run_id, "s1");
        wordy["output_code"] = serde_json::json!("Probably, but it depends on the order.");
        app.store(wordy).await;
    }
    for (run_id, threshold, severity) in [("strict", 50, "critical"), ("mild", 80, "warning")] {
        let (_, read) = app.get(&format!("/api/runs/{run_id}")).await;
        let step = &read["steps"][0];
        assert_eq!(
            (&step["threshold"], &step["severity"]),
            (&serde_json::json!(threshold), &serde_json::json!(severity))
        );
        let (_, _, html) = page(&app, &format!("/p/default/runs/{run_id}?step=s1")).await;
        assert!(html.contains(&format!("critical from {threshold}")), "{html}");
        assert!(html.contains(&format!("points, threshold {threshold}")), "{html}");
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn pages_end_also_while_another_router_is_made() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    let app = TestApp::new().await;
    app.store(step("r", "s")).await;
    let stop = Arc::new(AtomicBool::new(false));
    let maker = std::thread::spawn({
        let (state, stop, runtime) = (
            app.state.clone(),
            Arc::clone(&stop),
            tokio::runtime::Handle::current(),
        );
        move || {
            let _entered = runtime.enter();
            while !stop.load(Ordering::Relaxed) {
                drop(server::router::router(state.clone(), CancellationToken::new()));
            }
        }
    });
    let mut statuses = Vec::new();
    for path in ["/p/default/runs", "/p/default/runs/r", "/p/default/anomalies"].repeat(5) {
        statuses.push(page(&app, path).await.0);
        // One that does not end is enough to know.
        if statuses.last() != Some(&200) {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    maker.join().unwrap();
    assert_eq!(statuses, [200; 15]);
}

/// With every connection held, a page waits: longer than it may.
#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_ends_with_an_error() {
    let app = TestApp::with(|config| {
        // One that writes for forms, one that reads for pages, and two for ingest.
        config.db_connections = 4;
        config.page_deadline = std::time::Duration::from_millis(500);
    })
    .await;
    // Who may do what is known before; without it the answer would be 503.
    assert_eq!(page(&app, "/p/default/runs").await.0, 200);
    let project = default_project(&app).await.id;
    let writing = app.state.db.begin(storage::Scope::All).await.unwrap();
    let reading = app.state.db.snapshot(project).await.unwrap();

    // An error for a program is not compressed and does not say so.
    let plain = reqwest::Client::builder().no_gzip().build().unwrap();
    let asked = plain.get(app.url("/p/default/runs"));
    let asked = asked
        .header("accept", "application/json")
        .header("accept-encoding", "gzip");
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.status(), 504);
    assert_eq!(answer.headers().get("content-encoding"), None);
    let error: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(error["error"]["code"], "timeout");

    let asked = app.client.get(app.url("/p/default/runs"));
    let answer = asked.header("accept", "text/html").send().await.unwrap();
    assert_eq!(answer.status(), 504);
    let reference = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let html = answer.text().await.unwrap();
    assert!(
        html.contains("took too long") && html.contains("Try again") && html.contains(&reference),
        "{html}"
    );

    let asked = app.client.get(app.url("/ui/keys/list?slug=default"));
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.status(), 504);
    let reference = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let error: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(
        error,
        serde_json::json!({ "kind": "timed_out", "request_id": reference })
    );

    drop((writing, reading));
    assert_eq!(page(&app, "/p/default/runs").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_travel_compressed_to_our_own_site_alone() {
    let app = TestApp::new().await;
    app.store(step("r", "s")).await;
    // What is unpacked by the client loses its length.
    let client = reqwest::Client::builder().no_gzip().build().unwrap();
    let get = async |path: &str, accepted: &str, site: &str| {
        let request = client.get(app.url(path)).header("accept-encoding", accepted);
        let link = request
            .header("sec-fetch-site", site)
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-dest", "document");
        let response = link.send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let encoding = response.headers().get("content-encoding").cloned();
        let encoding = encoding.map(|encoding| encoding.to_str().unwrap().to_owned());
        (encoding, response.bytes().await.unwrap().len())
    };
    for path in ["/p/default/runs/r", "/ui/ledger/minutes?slug=default&minutes=60"] {
        let (encoding, whole) = get(path, "identity", "none").await;
        assert_eq!(encoding, None);
        for accepted in ["br", "gzip"] {
            let (encoding, bytes) = get(path, accepted, "same-origin").await;
            assert_eq!(encoding.as_deref(), Some(accepted), "{path}");
            // The answer of a function is a line here.
            assert!(bytes < whole / 2 || whole < 1_000, "{path}: {bytes} of {whole}");
        }
    }
    // The length of a page that somebody else asks for tells nothing about what stands in it.
    for site in ["cross-site", "same-site"] {
        assert_eq!(get("/p/default/runs?q=guess", "br", site).await.0, None, "{site}");
    }
}
