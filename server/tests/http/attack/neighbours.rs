//! What one reader does stops neither another reader nor what is being recorded.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use domain::Scope;
use serde_json::json;
use server::read_limits::Reader;
use tokio::time::timeout;

use crate::app::{TestApp, step};
use crate::people::{Answer, Browser, default_project, key};

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_with_too_many_requests_waits_for_itself_alone() {
    let app = TestApp::new().await;
    app.store(step("r", "s")).await;
    let project = default_project(&app).await;
    let key = key(&app, &project, &[Scope::Read]).await;
    let here = Reader::Network(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(app.state.reads.turn(here).await.unwrap());
    }
    for (path, accept, says) in [
        ("/p/default/runs", "text/html", "<h1>"),
        ("/api/runs", "*/*", "too_many_reads"),
        ("/ui/keys/list?slug=default", "*/*", "busy"),
    ] {
        let request = app.client.get(app.url(path)).header("accept", accept);
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 429, "{path} {answer:?}");
        assert_eq!(answer.headers["retry-after"], "1", "{path}");
        assert!(answer.text.contains(says), "{path} {answer:?}");
    }
    for path in ["/healthz", "/readyz", "/metrics", "/login"] {
        let answer = timeout(Duration::from_secs(2), Browser::new(&app).get(path))
            .await
            .unwrap();
        assert!(answer.status < 400, "{path} {answer:?}");
    }
    timeout(Duration::from_secs(2), app.store(step("r", "t")))
        .await
        .unwrap();
    let other = app.client.get(app.url("/api/runs")).bearer_auth(&key.secret);
    assert_eq!(Answer::of(other).await.status, 200);
    held.pop();
    assert_eq!(app.get("/api/runs").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_were_given_up_leave_their_turns() {
    let app = TestApp::new().await;
    app.store(step("r", "s")).await;
    for _ in 0..30 {
        let given_up = app
            .client
            .get(app.url("/p/default/runs?q=zzzzzz&range=all"))
            .send();
        timeout(Duration::from_millis(3), given_up).await.ok();
    }
    let begun = Instant::now();
    assert_eq!(app.get("/api/runs").await.0, 200);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// One thread answers everything here, and a page is at work for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_takes_long_to_render_holds_no_thread_that_answers_requests() {
    let app = TestApp::new().await;
    let turn = json!({ "role": "user", "content": "x".repeat(100) });
    let chat = json!({ "messages": vec![turn; 4_000] });
    let mut long = step("r", "s");
    long["prompt"] = chat.to_string().into();
    app.store(long).await;
    let page = app.client.get(app.url("/p/default/runs/r?step=s&full=1"));
    let page = tokio_util::task::TaskTracker::new().spawn(async move {
        let answer = Answer::of(page).await;
        (answer, Instant::now())
    });
    let mut longest = Duration::ZERO;
    let mut asked = 0;
    while !page.is_finished() {
        let begun = Instant::now();
        assert_eq!(app.get("/healthz").await.0, 200);
        longest = longest.max(begun.elapsed());
        asked += 1;
    }
    let (answer, _) = page.await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(asked > 10, "the page was no work");
    assert!(longest < Duration::from_secs(1), "one waited {longest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_comparison_of_prompts_holds_no_thread_that_answers_requests() {
    let app = TestApp::new().await;
    let template = |seed: u64| -> String {
        let words = (0..9_000u64).map(|n| format!("w{}", n * seed % 9_973));
        words.collect::<Vec<_>>().join(" ")
    };
    for (n, seed) in [3, 5].into_iter().enumerate() {
        let mut step = step("r", &format!("s{n}"));
        step["prompt_template"] = template(seed).into();
        app.store(step).await;
    }
    let listed = Answer::of(
        app.client
            .get(app.url("/ui/prompts/list?slug=default&minutes=60")),
    )
    .await;
    let uses = listed.json();
    let fingerprints: Vec<&str> = uses["uses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|used| used["fingerprint"].as_str().unwrap())
        .collect();
    let comparison = app.client.post(app.url("/ui/prompts/get")).json(&json!({
        "slug": "default",
        "fingerprint": fingerprints[0],
        "query": {
            "range": { "Last": 60 }, "metric": "cost", "by": "key", "filter": domain::SeriesFilter::default(),
            "before": fingerprints[1], "is_stacked": false, "as_table": false
        },
        "full": true,
    }));
    let comparison = tokio_util::task::TaskTracker::new().spawn(Answer::of(comparison));
    let mut longest = Duration::ZERO;
    while !comparison.is_finished() {
        let begun = Instant::now();
        assert_eq!(app.get("/healthz").await.0, 200);
        longest = longest.max(begun.elapsed());
    }
    assert_eq!(comparison.await.unwrap().status, 200);
    assert!(longest < Duration::from_secs(1), "one waited {longest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_in_one_projects_prices_keep_nobody_waiting() {
    let app = TestApp::new().await;
    let browser = Browser::new(&app);
    let save = async |model: &str| {
        let fields = [("model", model), ("model_match", "regex"), ("input", "1")];
        browser.post("/p/default/settings/prices", &fields).await.location
    };
    let refused = save(".{0,500}.{0,500}.{0,500}y").await;
    assert!(refused.ends_with("error=regex"), "{refused}");
    for n in 0..20 {
        let saved = save(&format!(".{{0,{}}}y", 20 + n)).await;
        assert!(saved.contains("done=price_saved"), "{saved}");
    }
    let one_more = save("own-.*").await;
    assert!(one_more.ends_with("error=regex_rows"), "{one_more}");
    let steps: Vec<_> = (0..150)
        .map(|n| {
            let mut step = step("r", &format!("s{n}"));
            step["model"] = format!("{n:0>120}").into();
            step
        })
        .collect();
    let begun = Instant::now();
    let (status, _) = app.post("/ingest/batch", &json!({ "steps": steps })).await;
    assert_eq!(status, 200);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
