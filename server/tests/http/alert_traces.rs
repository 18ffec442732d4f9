//! Runs as tracing data: when they are sent, what happens when a step comes late, and what a limit costs.

use serde_json::{Value, json};
use server::alerts::send_due_traces;

use crate::alert_receiver::{Got, Planned, Receiver, planned};
use crate::alerts::{connect, put};
use crate::app::{TestApp, step};

const SECOND: i64 = 1_000_000;

/// A server whose runs are sent when the test says so.
async fn tracing_app(sentry: &Receiver, options: Value) -> TestApp {
    let app = TestApp::with(|config| {
        config.allow_private_targets = "127.0.0.0/8".parse().unwrap();
        config.public_url = Some("https://plumbline.acme.dev".to_owned());
    })
    .await;
    let dsn = sentry.origin.replace("http://", "http://publickey12345@");
    let mut body = json!({ "dsn": format!("{dsn}/7"), "alert_level": "off" });
    for (name, value) in options.as_object().unwrap() {
        body[name] = value.clone();
    }
    connect(&app, "sentry", body).await;
    app
}

/// Everything that is due then.
async fn send(app: &TestApp, seconds_later: i64) {
    let now = server::clock::now().plus_micros(seconds_later * SECOND);
    while send_due_traces(&app.state.sender(), now).await.unwrap() > 0 {}
}

fn parts(got: &Got) -> (Value, Value, Value) {
    let mut lines = got.body.lines().map(|line| serde_json::from_str(line).unwrap());
    (
        lines.next().unwrap(),
        lines.next().unwrap(),
        lines.next().unwrap(),
    )
}

fn ended(run: &str, id: &str) -> Value {
    let mut ended = step(run, id);
    ended["latency_ms"] = json!(640);
    ended
}

async fn traces(app: &TestApp) -> Value {
    let (_, list) = app.get("/api/settings/integrations").await;
    let items = list["items"].as_array().unwrap();
    items.iter().find(|item| item["kind"] == "sentry").unwrap()["traces"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_run_is_a_transaction_and_a_late_step_sends_it_again_under_its_id() {
    let mut sentry = Receiver::answering(Vec::new()).await;
    let app = tracing_app(&sentry, json!({})).await;
    app.store(ended("r1", "s1")).await;
    send(&app, 0).await;
    assert_eq!(sentry.rest().len(), 0, "it may go on");
    assert_eq!(traces(&app).await["waiting"], 1);
    send(&app, 6).await;
    let got = sentry.next().await;
    assert_eq!(got.path, "/api/7/envelope/");
    assert!(got.header("x-sentry-auth").contains("sentry_key=publickey12345"));
    let (head, item, body) = parts(&got);
    assert_eq!(item["type"], "transaction");
    assert_eq!(body["spans"].as_array().unwrap().len(), 1);
    assert_eq!(
        body["spans"][0]["data"]["gen_ai.request.model"],
        "claude-haiku-4-5"
    );
    assert!(!got.body.contains("refund"), "no prompts: {}", got.body);
    send(&app, 60).await;
    assert_eq!(sentry.rest().len(), 0, "once");
    app.store(ended("r1", "s2")).await;
    send(&app, 70).await;
    let (again, _, more) = parts(&sentry.next().await);
    assert_eq!(again["event_id"], head["event_id"]);
    assert_eq!(more["spans"].as_array().unwrap().len(), 2);
    assert_eq!(more["spans"][0]["span_id"], body["spans"][0]["span_id"]);
    let counted = traces(&app).await;
    assert_eq!(
        (&counted["outcomes"], &counted["waiting"]),
        (&json!({ "sent": 2 }), &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_goes_on_waits_and_one_that_was_left_is_sent_as_it_is() {
    let mut sentry = Receiver::answering(Vec::new()).await;
    let app = tracing_app(&sentry, json!({ "format": "spans" })).await;
    let mut nested = ended("r1", "s2");
    nested["parent_step_id"] = json!("s1");
    app.store(nested).await;
    send(&app, 10).await;
    assert_eq!(sentry.rest().len(), 0, "its top-level step has not come");
    send(&app, 610).await;
    let (_, item, body) = parts(&sentry.next().await);
    assert_eq!(item["type"], "span");
    assert_eq!(body["items"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn within_a_rate_limit_runs_are_dropped_and_counted() {
    let limited = |status: u16, header: &'static str, value: &str| Planned {
        headers: vec![(header, value.to_owned())],
        ..planned(status, "")
    };
    let mut sentry = Receiver::answering(vec![
        limited(
            200,
            "x-sentry-rate-limits",
            "3600:error:key, 120:transaction;span:key",
        ),
        limited(429, "retry-after", "60"),
        planned(413, "too large"),
        planned(500, "boom"),
    ])
    .await;
    let app = tracing_app(&sentry, json!({})).await;
    app.store(ended("r1", "s1")).await;
    send(&app, 6).await;
    app.store(ended("r2", "s1")).await;
    send(&app, 20).await;
    assert_eq!(sentry.rest().len(), 1, "the second one was not sent");
    assert_eq!(
        traces(&app).await["outcomes"],
        json!({ "sent": 1, "rate_limited": 1 })
    );
    // When the limit is over, the next answer is another limit.
    app.store(ended("r3", "s1")).await;
    send(&app, 200).await;
    app.store(ended("r4", "s1")).await;
    send(&app, 230).await;
    assert_eq!(sentry.rest().len(), 1);
    assert_eq!(traces(&app).await["outcomes"]["rate_limited"], 3);
    // Refused for good, and tried again.
    app.store(ended("r5", "s1")).await;
    send(&app, 300).await;
    assert_eq!(traces(&app).await["outcomes"]["refused"], 1);
    app.store(ended("r6", "s1")).await;
    send(&app, 310).await;
    assert_eq!(
        (traces(&app).await["waiting"].clone(), sentry.rest().len()),
        (json!(1), 2)
    );
    send(&app, 340).await;
    let (_, _, body) = parts(&sentry.next().await);
    assert_eq!(body["tags"]["run"], "r6");
    assert_eq!(traces(&app).await["outcomes"]["sent"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_queued_where_tracing_is_off() {
    let mut sentry = Receiver::answering(Vec::new()).await;
    let app = tracing_app(&sentry, json!({ "tracing": false })).await;
    app.store(ended("r1", "s1")).await;
    assert_eq!(traces(&app).await["waiting"], 0);
    let (status, _) = put(
        &app,
        "/api/settings/integrations/sentry",
        json!({ "tracing": true }),
    )
    .await;
    assert_eq!(status, 200);
    app.store(ended("r2", "s1")).await;
    assert_eq!(traces(&app).await["waiting"], 1);
    send(&app, 6).await;
    assert_eq!(sentry.next().await.path, "/api/7/envelope/");
}
