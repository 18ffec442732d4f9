//! From a step to a message: what is told, to whom, how often, and what becomes of it when a receiver refuses.

use std::time::Duration;

use domain::alert::Channel;
use serde_json::{Value, json};
use server::config::SecretKey;
use storage::alerts::Turn;
use tokio::time::{sleep, timeout};

use crate::alert_receiver::{Planned, Receiver, planned};
use crate::app::{TestApp, answer, step};

/// A server that may call this machine, and that delivers.
pub(crate) async fn telling_app() -> TestApp {
    let app = TestApp::with(|config| {
        config.allow_private_targets = "127.0.0.0/8".parse().unwrap();
        config.public_url = Some("https://plumbline.acme.dev/".to_owned());
    })
    .await;
    server::cli::serve::start_periodic_tasks(&app.state, app.options(), &app.shutdown);
    app
}

pub(crate) async fn put(app: &TestApp, path: &str, body: Value) -> (u16, Value) {
    answer(app.client.put(app.url(path)).json(&body)).await
}

pub(crate) async fn connect(app: &TestApp, kind: &str, body: Value) -> Value {
    let (status, saved) = put(app, &format!("/api/settings/integrations/{kind}"), body).await;
    assert_eq!(status, 200, "{saved}");
    saved
}

pub(crate) fn failed(run_id: &str, name: &str) -> Value {
    let mut failed = step(run_id, "s1");
    failed["step_name"] = json!(name);
    failed["status_success"] = json!(false);
    failed["error"] = json!("upstream <timeout> & more");
    failed
}

async fn alerts(app: &TestApp, query: &str) -> Vec<Value> {
    let (status, list) = app.get(&format!("/api/alerts?{query}")).await;
    assert_eq!(status, 200, "{list}");
    list["items"].as_array().unwrap().clone()
}

/// Waits until the only alert of a query is in this state: what was answered is written down after the receiver has it.
async fn until(app: &TestApp, query: &str, state: &str) -> Value {
    let found = async {
        loop {
            let found = alerts(app, query).await;
            if let [one] = found.as_slice()
                && one["state"] == state
            {
                return one.clone();
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = timeout(Duration::from_secs(40), found).await;
    match waited {
        Ok(found) => found,
        Err(_) => panic!("{query} is not {state}: {:#?}", alerts(app, query).await),
    }
}

async fn integration(app: &TestApp, kind: &str) -> Value {
    let (_, list) = app.get("/api/settings/integrations").await;
    let items = list["items"].as_array().unwrap();
    items.iter().find(|item| item["kind"] == kind).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_critical_step_becomes_a_message_that_leads_to_it() {
    let mut slack = Receiver::answering(Vec::new()).await;
    let app = telling_app().await;
    let url = format!("{}/services/T0/B0/canarycanary", slack.origin);
    let saved = connect(&app, "slack", json!({ "webhook_url": url })).await;
    assert_eq!(
        (&saved["state"], &saved["secret_last4"]),
        (&json!("ok"), &json!("nary"))
    );
    app.store(failed("run 1", "parse-request")).await;
    let got = slack.next().await;
    assert_eq!(got.path, "/services/T0/B0/canarycanary");
    let message = got.json();
    let text = message["text"].as_str().unwrap();
    assert!(
        text.starts_with("Critical: parse-request (Default) https://plumbline.acme.dev/p/default/runs/"),
        "{text}"
    );
    assert!(
        message.to_string().contains("upstream <timeout> & more"),
        "as plain text: {message}"
    );
    // The link leads to the page of the step.
    let link = text.rsplit(' ').next().unwrap().replace("&amp;", "&");
    let path = link.strip_prefix("https://plumbline.acme.dev").unwrap();
    let page = app.client.get(app.url(path)).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(
        page.text().await.unwrap().contains("upstream &lt;timeout&gt;"),
        "{path}"
    );
    let told = until(&app, "", "delivered").await;
    assert_eq!(told["trigger"], "severity");
    assert_eq!(told["channel"], "slack");
    assert_eq!(told["answer"], "200 ok");
    assert_eq!(told["attempts"], 1);
    assert_eq!(
        told["subject"],
        json!({ "run_id": "run 1", "step_id": "s1", "step": "parse-request" })
    );
    assert!(integration(&app, "slack").await["last_ok_at"].is_string());
    // What was stored before is stored: a duplicate tells nothing.
    assert_eq!(
        app.post("/ingest", &failed("run 1", "parse-request")).await.1["status"],
        "duplicate"
    );
    assert_eq!(alerts(&app, "").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_where_nobody_asked() {
    let app = telling_app().await;
    app.store(failed("r1", "parse-request")).await;
    assert_eq!(alerts(&app, "").await.len(), 0);
    assert_eq!(integration(&app, "slack").await["state"], "off");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_tried_again_under_the_same_id() {
    let later = Planned {
        headers: vec![("retry-after", "3".to_owned())],
        ..planned(429, "slow down")
    };
    let mut hook = Receiver::answering(vec![planned(500, "boom"), later]).await;
    let app = telling_app().await;
    connect(&app, "webhook", json!({ "url": format!("{}/hook", hook.origin) })).await;
    app.store(failed("r1", "parse-request")).await;
    let first = hook.next().await.json();
    let second = hook.next().await.json();
    let before = std::time::Instant::now();
    let third = hook.next().await.json();
    assert!(
        before.elapsed() >= Duration::from_millis(2_900),
        "as it was asked to"
    );
    assert_eq!((&first["id"], &second["id"]), (&second["id"], &third["id"]));
    let told = until(&app, "", "delivered").await;
    assert_eq!((&told["attempts"], &told["id"]), (&json!(3), &first["id"]));
    assert_eq!(hook.rest().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_gone_stops_and_the_others_are_told() {
    let mut slack = Receiver::answering(vec![planned(410, "channel_is_archived")]).await;
    let mut hook = Receiver::answering(Vec::new()).await;
    let app = telling_app().await;
    connect(
        &app,
        "slack",
        json!({ "webhook_url": format!("{}/gone-canary", slack.origin) }),
    )
    .await;
    connect(&app, "webhook", json!({ "url": hook.origin })).await;
    app.store(failed("r1", "parse-request")).await;
    slack.next().await;
    let told = [hook.next().await.json(), hook.next().await.json()];
    let triggers: Vec<&str> = told
        .iter()
        .map(|told| told["trigger"].as_str().unwrap())
        .collect();
    assert_eq!(triggers, ["severity", "integration_broken"]);
    assert_eq!(told[1]["summary"], "Slack stopped: 410 channel_is_archived");
    assert_eq!(told[1]["subject"], json!({ "integration": "slack" }));
    let lost = until(&app, "kind=slack", "failed").await;
    assert_eq!(lost["answer"], "410 channel_is_archived");
    let broken = integration(&app, "slack").await;
    assert_eq!(
        (&broken["state"], &broken["last_error"]),
        (&json!("failing"), &json!("410 channel_is_archived"))
    );
    // What comes now waits, and goes out as soon as the channel is set up anew.
    app.store(failed("r2", "classify-intent")).await;
    hook.next().await;
    assert_eq!(integration(&app, "slack").await["waiting"], 1);
    assert_eq!(slack.rest().len(), 0);
    connect(
        &app,
        "slack",
        json!({ "webhook_url": format!("{}/mended-canary", slack.origin) }),
    )
    .await;
    let got = slack.next().await;
    assert_eq!(got.path, "/mended-canary");
    assert!(got.body.contains("classify-intent"));
    // The one that failed is sent again by hand.
    let (status, _) = app
        .post(
            &format!("/api/alerts/{}/resend", lost["id"].as_str().unwrap()),
            &json!({}),
        )
        .await;
    assert_eq!(status, 202);
    assert!(slack.next().await.body.contains("parse-request"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_is_one_message_and_one_that_counts() {
    let mut slack = Receiver::answering(Vec::new()).await;
    let app = telling_app().await;
    connect(
        &app,
        "slack",
        json!({ "webhook_url": format!("{}/storm-canary", slack.origin) }),
    )
    .await;
    put(
        &app,
        "/api/settings/alerts",
        json!({ "severity_cooldown_s": 3, "error_rate": { "on": false } }),
    )
    .await;
    app.store(failed("r0", "parse-request")).await;
    slack.next().await;
    let rest: Vec<Value> = (1..=200)
        .map(|n| failed(&format!("r{n}"), "parse-request"))
        .collect();
    let (status, body) = app.post("/ingest/batch", &json!({ "steps": rest })).await;
    assert_eq!(status, 200, "{body}");
    let waiting = alerts(&app, "state=waiting").await;
    assert_eq!((waiting.len(), &waiting[0]["occurrences"]), (1, &json!(200)));
    let counted = slack.next().await;
    assert!(counted.body.contains("200 times"), "{}", counted.body);
    assert_eq!(slack.rest().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_alerts_wait_and_come_as_one_list() {
    let mut slack = Receiver::answering(Vec::new()).await;
    let app = telling_app().await;
    connect(
        &app,
        "slack",
        json!({ "webhook_url": format!("{}/paused-canary", slack.origin), "paused": true }),
    )
    .await;
    put(
        &app,
        "/api/settings/alerts",
        json!({ "error_rate": { "on": false } }),
    )
    .await;
    for n in 0..5 {
        app.store(failed(&format!("r{n}"), &format!("step-{n}"))).await;
    }
    assert_eq!(integration(&app, "slack").await["state"], "paused");
    assert_eq!(alerts(&app, "state=waiting").await.len(), 5);
    connect(&app, "slack", json!({ "paused": false })).await;
    let got = slack.next().await.json();
    assert!(
        got["text"].as_str().unwrap().starts_with("5 alerts of Default"),
        "{got}"
    );
    let lines = got["blocks"][1]["text"]["text"].as_str().unwrap().lines().count();
    assert_eq!(lines, 5);
    assert_eq!(slack.rest().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_dies_with_a_claim_loses_nothing() {
    let mut hook = Receiver::answering(Vec::new()).await;
    let app = TestApp::with(|config| config.allow_private_targets = "127.0.0.0/8".parse().unwrap()).await;
    connect(&app, "webhook", json!({ "url": hook.origin })).await;
    app.store(failed("r1", "parse-request")).await;
    // Another process takes it and is never heard of again.
    let now = server::clock::now();
    let taken = storage::alerts::claim(&app.state.db, |_| None, now, now.plus_micros(1_500_000))
        .await
        .unwrap();
    let Turn::Claimed(taken) = taken else {
        panic!("{taken:?}")
    };
    assert_eq!((taken.channel, taken.alerts.len()), (Channel::Webhook, 1));
    // Nobody else has it meanwhile.
    let other = storage::alerts::claim(&app.state.db, |_| None, now, now)
        .await
        .unwrap();
    assert_eq!(other, Turn::Nothing);
    server::cli::serve::start_periodic_tasks(&app.state, app.options(), &app.shutdown);
    let got = hook.next().await.json();
    assert_eq!(got["id"], taken.alerts[0].alert_id.to_string());
    let told = until(&app, "", "delivered").await;
    assert_eq!(told["attempts"], 2);
    // The first one wakes up: what it says is not heard any more.
    let done = storage::alerts::Delivered {
        outcome: storage::alerts::Outcome::Stopped,
        answer: "too late".to_owned(),
        latency_ms: 1,
        next_at: now,
        tell: Vec::new(),
    };
    storage::alerts::finish(&app.state.db, &taken, &done, now)
        .await
        .unwrap();
    assert_eq!(integration(&app, "webhook").await["state"], "ok");
    assert_eq!(until(&app, "", "delivered").await["answer"], "200 ok");
    assert_eq!(hook.rest().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_the_work_and_tell_once() {
    let mut hook = Receiver::answering(Vec::new()).await;
    let of_both = |config: &mut server::config::Config| {
        config.allow_private_targets = "127.0.0.0/8".parse().unwrap();
        config.secret_key = Some(SecretKey::new([7; 32]));
    };
    let app = TestApp::with(of_both).await;
    let other = app.another_process_with(of_both).await;
    for process in [&app, &other] {
        server::cli::serve::start_periodic_tasks(&process.state, app.options(), &process.shutdown);
    }
    connect(&app, "webhook", json!({ "url": hook.origin })).await;
    put(
        &app,
        "/api/settings/alerts",
        json!({ "error_rate": { "on": false } }),
    )
    .await;
    for n in 0..20 {
        app.store(failed(&format!("r{n}"), &format!("step-{n}"))).await;
    }
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..20 {
        ids.insert(hook.next().await.json()["id"].to_string());
    }
    assert_eq!((ids.len(), hook.rest().len()), (20, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_failures_are_told_as_a_rate() {
    let mut hook = Receiver::answering(Vec::new()).await;
    let app = telling_app().await;
    connect(&app, "webhook", json!({ "url": hook.origin })).await;
    put(
        &app,
        "/api/settings/alerts",
        json!({ "step_error": false, "severity": "off" }),
    )
    .await;
    for n in 0..4 {
        app.store(failed(&format!("r{n}"), "parse-request")).await;
    }
    assert_eq!(alerts(&app, "").await.len(), 0, "too few to say");
    app.store(failed("r4", "parse-request")).await;
    let told = hook.next().await.json();
    assert_eq!(
        (&told["trigger"], &told["summary"]),
        (&json!("error_rate"), &json!("5 of the last 5 steps failed"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_changed_in_parts_and_errors_name_the_field() {
    let app = TestApp::new().await;
    let (status, all) = app.get("/api/settings/alerts").await;
    assert_eq!((status, &all["error_rate"]["percent"]), (200, &json!(25)));
    let (status, saved) = put(
        &app,
        "/api/settings/alerts",
        json!({ "error_rate": { "percent": 15 }, "digest_s": 600 }),
    )
    .await;
    assert_eq!(status, 200, "{saved}");
    assert_eq!(
        saved["error_rate"],
        json!({ "on": true, "percent": 15, "window": 20, "min_steps": 5, "cooldown_s": 300 })
    );
    assert_eq!(app.get("/api/settings/alerts").await.1, saved);
    for (body, field) in [
        (json!({ "error_rate": { "percent": 0 } }), "error_rate.percent"),
        (json!({ "digest_s": 61 }), "digest_s"),
        (json!({ "severity": "loud" }), "severity"),
        (json!({ "error_rate": { "precent": 1 } }), "error_rate.precent"),
        (json!({ "quiet": { "from": "25:00" } }), "quiet.from"),
        (json!({ "budget_usd": "-1" }), "budget_usd"),
        (json!({ "budget_usd": 5 }), "budget_usd"),
        (json!([]), "body"),
    ] {
        let (status, refused) = put(&app, "/api/settings/alerts", body.clone()).await;
        assert_eq!(
            (status, &refused["error"]["field"]),
            (400, &json!(field)),
            "{body} {refused}"
        );
    }
    assert_eq!(
        app.get("/api/settings/alerts").await.1,
        saved,
        "nothing of it was stored"
    );
    let (_, log) = app.get("/api/audit?what=alert").await;
    assert_eq!(log["items"].as_array().unwrap().len(), 1);
}
