//! Limits of keys: held before a call leaves, in the caller's dialect, over processes, and shown with what is used.

use serde_json::{Value, json};

use crate::alerts::put;
use crate::app::{TestApp, answer, step};
use crate::people::{Browser, audit_log, default_project};
use crate::proxy::{proxied, written};

const API: &str = "/api/settings/key-limits";
const PAGE: &str = "/p/default/settings/keys";

async fn limit(app: &TestApp, limits: Value) -> Value {
    let (status, saved) = put(app, API, limits).await;
    assert_eq!(status, 200, "{saved}");
    saved["items"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_above_the_limit_does_not_leave() {
    let (app, mut upstream) = proxied().await;
    limit(&app, json!({ "label": "checkout", "month": { "requests": 1 } })).await;
    let call = |path: &str| {
        let call = app
            .client
            .post(app.url(path))
            .header("x-plumbline-key", "checkout");
        call.body(r#"{"model":"m"}"#)
    };
    let (first, ()) = tokio::join!(call("/v1/messages").send(), async {
        let body = r#"{"type":"message","model":"claude-haiku-4-5","usage":{"input_tokens":100,"output_tokens":20}}"#;
        upstream.next().await.json("200 OK", body).await;
    });
    assert_eq!(first.unwrap().status(), 200);
    written(&app).await;
    for path in ["/v1/messages", "/v1/chat/completions"] {
        let refused = call(path).send().await.unwrap();
        assert_eq!(refused.status(), 429);
        let seconds = refused.headers()["retry-after"].to_str().unwrap().to_owned();
        assert!(
            (1..=31 * 86_400).contains(&seconds.parse::<u32>().unwrap()),
            "{seconds}"
        );
        let body: Value = refused.json().await.unwrap();
        assert_eq!(body["error"]["type"], "rate_limit_error", "{body}");
        let said = body["error"]["message"].as_str().unwrap();
        assert!(
            said.starts_with("Plumbline: the key `checkout` may use 1 requests a month"),
            "{said}"
        );
    }
    upstream.saw_nothing();
    // Another label is not limited, and what is not recorded is not counted.
    let (other, ()) = tokio::join!(
        app.client.post(app.url("/v1/messages")).body("{}").send(),
        async {
            upstream.next().await.json("200 OK", "{}").await;
        }
    );
    assert_eq!(other.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_dollars_of_steps_count_once_they_are_stored() {
    let app = TestApp::new().await;
    let before = step("r", "before");
    app.store(before).await;
    let limited = limit(
        &app,
        json!({ "label": "default", "month": { "tokens": 100, "usd": "5" } }),
    )
    .await;
    assert_eq!(
        limited["used_in_month"]["tokens"], 59,
        "what this month used before counts: {limited}"
    );
    app.store(step("r", "s1")).await;
    let (status, refused) = app.post("/ingest", &step("r", "s2")).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (429, &json!("key_limit")),
        "{refused}"
    );
    let (status, _) = app
        .post("/ingest/batch", &json!({ "steps": [step("r", "s3")] }))
        .await;
    assert_eq!(status, 429);
    let raised = limit(
        &app,
        json!({ "label": "default", "month": { "tokens": 1000 }, "minute": { "requests": 1 } }),
    )
    .await;
    assert_eq!(raised["used_in_month"]["tokens"], 118, "{raised}");
    assert_eq!(
        (&raised["month"]["usd"], &raised["minute"]["requests"]),
        (&Value::Null, &json!(1))
    );
    let none = put(&app, API, json!({ "label": "default" })).await.1;
    assert_eq!(none["items"], json!([]));
    app.store(step("r", "s2")).await;
    for wrong in [
        json!({ "label": "default", "month": { "usd": "-1" } }),
        json!({ "label": "default", "month": { "tokens": 0 } }),
        json!({ "label": " ", "month": { "tokens": 1 } }),
        json!({ "label": "default", "year": {} }),
    ] {
        assert_eq!(
            answer(app.client.put(app.url(API)).json(&wrong)).await.0,
            400,
            "{wrong}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_what_they_count() {
    let app = TestApp::new().await;
    let other = app.another_process().await;
    limit(&app, json!({ "label": "default", "month": { "requests": 2 } })).await;
    other.state.key_limits.exchange(&other.state.db).await.unwrap();
    app.store(step("r", "s1")).await;
    other.store(step("r", "s2")).await;
    for process in [&app, &other, &app] {
        process
            .state
            .key_limits
            .exchange(&process.state.db)
            .await
            .unwrap();
    }
    for process in [&app, &other] {
        assert_eq!(process.post("/ingest", &step("r", "s3")).await.0, 429);
    }
    let (_, now) = app.get(API).await;
    assert_eq!(now["items"][0]["used_in_month"]["requests"], 2, "{now}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_sets_limits_and_shows_what_is_used() {
    let app = TestApp::new().await;
    let browser = Browser::new(&app);
    let form = format!("{PAGE}/limits");
    let refused = browser
        .post(&form, &[("label", "default"), ("month_tokens", "many")])
        .await;
    assert_eq!(refused.location, format!("{PAGE}?error=key_limit"));
    let saved = browser
        .post(
            &form,
            &[
                ("label", "default"),
                ("month_tokens", "1,000"),
                ("minute_usd", "$2.50"),
            ],
        )
        .await;
    assert_eq!(
        (saved.status, saved.location.as_str()),
        (303, "/p/default/settings/keys?done=saved")
    );
    app.store(step("r", "s1")).await;
    app.state.key_limits.exchange(&app.state.db).await.unwrap();
    let page = browser.get(PAGE).await.text;
    for said in ["tokens", "a month", "1,000", "59", "5 %", "$2.50"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let log = audit_log(&app, Some(&default_project(&app).await)).await;
    assert_eq!(
        (log[0].action.as_str(), log[0].subject.as_str()),
        ("key.limit", "default")
    );
}
