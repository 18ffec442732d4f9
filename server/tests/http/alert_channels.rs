//! The channels of alerts: what is signed and how, what Sentry gets, which addresses are never called, and that secrets
//! are seen by nobody.

use domain::ProjectId;
use serde_json::{Value, json};

use crate::alert_receiver::{Planned, Receiver, planned};
use crate::alerts::{connect, failed, put, telling_app};
use crate::app::answer;
use crate::people::default_project;

/// As the manual says it is verified.
#[expect(unreachable_pub, reason = "the snippet stands in its reader's own program")]
#[path = "../../../docs/snippets/verify/rust.rs"]
mod documented;

fn is_signed_by(header: &str, body: &str, secret: &str) -> bool {
    let now_seconds = server::clock::now().micros() / 1_000_000;
    documented::is_genuine(header, body.as_bytes(), secret, now_seconds)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_signed_and_a_new_secret_overlaps_with_the_old_one() {
    let mut hook = Receiver::answering(Vec::new()).await;
    let app = telling_app().await;
    let saved = connect(&app, "webhook", json!({ "url": format!("{}/hook", hook.origin) })).await;
    let secret = saved["signing_secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_") && secret.len() > 60, "{secret}");
    assert_eq!(saved["secret_last4"], secret[secret.len() - 4..]);
    app.store(failed("r1", "parse-request")).await;
    let got = hook.next().await;
    assert!(is_signed_by(
        got.header("x-plumbline-signature"),
        &got.body,
        &secret
    ));
    assert!(!is_signed_by(
        got.header("x-plumbline-signature"),
        &got.body,
        "whsec_other"
    ));
    let body = got.json();
    assert_eq!(
        (&body["schema_version"], &body["trigger"], &body["project"]),
        (&json!(1), &json!("severity"), &json!("default"))
    );
    assert_eq!(
        body["url"],
        "https://plumbline.acme.dev/p/default/runs/r1?step=s1"
    );
    // Changing something else makes no new secret.
    let paused = connect(&app, "webhook", json!({ "paused": false })).await;
    assert!(paused["signing_secret"].is_null());
    let rotated = connect(&app, "webhook", json!({ "rotate_secret": true })).await;
    let new = rotated["signing_secret"].as_str().unwrap().to_owned();
    assert_ne!(new, secret);
    app.store(failed("r2", "classify-intent")).await;
    let got = hook.next().await;
    for secret in [&secret, &new] {
        assert!(is_signed_by(
            got.header("x-plumbline-signature"),
            &got.body,
            secret
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sentry_gets_an_event_for_each_code() {
    let mut sentry = Receiver::answering(Vec::new()).await;
    let app = telling_app().await;
    let dsn = sentry.origin.replace("http://", "http://canary0publickey9c1a@") + "/prefix/4508";
    let saved = connect(&app, "sentry", json!({ "dsn": dsn, "environment": "staging" })).await;
    assert_eq!(saved["secret_last4"], "9c1a");
    assert_eq!(saved["options"]["alert_level"], "critical");
    app.store(failed("r1", "parse-request")).await;
    let got = sentry.next().await;
    assert_eq!(got.path, "/prefix/api/4508/envelope/");
    assert_eq!(got.header("content-type"), "application/x-sentry-envelope");
    assert!(
        got.header("x-sentry-auth")
            .contains("sentry_key=canary0publickey9c1a")
    );
    let lines: Vec<Value> = got
        .body
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [head, item, event] = lines.as_slice() else {
        panic!("{}", got.body)
    };
    assert_eq!(item["type"], "event");
    assert_eq!(head["event_id"], event["event_id"]);
    assert_eq!(event["fingerprint"][2], "parse-request");
    assert_eq!(event["environment"], "staging");
    assert_eq!(
        event["extra"]["plumbline_url"],
        "https://plumbline.acme.dev/p/default/runs/r1?step=s1"
    );
    // A warning is below its level.
    let (status, _) = put(
        &app,
        "/api/settings/integrations/sentry",
        json!({ "alert_level": "off" }),
    )
    .await;
    assert_eq!(status, 200);
    app.store(failed("r2", "other")).await;
    let (_, list) = app.get("/api/alerts?kind=sentry").await;
    let steps: Vec<&Value> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| &alert["subject"]["run_id"])
        .collect();
    assert!(steps.iter().all(|run| **run == "r1"), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_shows_the_true_answer_and_mends_what_stopped() {
    let mut slack = Receiver::answering(vec![planned(403, "invalid_token")]).await;
    let app = telling_app().await;
    let test = "/api/settings/integrations/slack/test";
    assert_eq!(app.post(test, &json!({})).await.0, 404, "not connected");
    connect(
        &app,
        "slack",
        json!({ "webhook_url": format!("{}/test-canary", slack.origin) }),
    )
    .await;
    let (status, refused) = app.post(test, &json!({})).await;
    assert_eq!((status, &refused["delivered"]), (200, &json!(false)), "{refused}");
    assert_eq!(refused["answer"], "403 invalid_token");
    slack.next().await;
    let (_, taken) = app.post(test, &json!({})).await;
    assert_eq!(
        (&taken["delivered"], &taken["answer"]),
        (&json!(true), &json!("200 ok"))
    );
    assert!(slack.next().await.body.contains("sent this test"));
    let (_, list) = app.get("/api/alerts?trigger=test").await;
    let states: Vec<&Value> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| &alert["state"])
        .collect();
    assert_eq!(states, ["delivered", "failed"]);
    let (_, all) = app.get("/api/settings/integrations").await;
    assert_eq!(
        (&all["items"][0]["kind"], &all["items"][0]["state"]),
        (&json!("slack"), &json!("ok"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_answers_neither_lead_on_nor_fill_the_memory() {
    let mut target = Receiver::answering(Vec::new()).await;
    let redirect = Planned {
        headers: vec![("location", format!("{}/elsewhere", target.origin))],
        ..planned(307, "")
    };
    let mut hook = Receiver::answering(vec![redirect, planned(200, &"x".repeat(10_000_000))]).await;
    let app = telling_app().await;
    connect(&app, "webhook", json!({ "url": hook.origin })).await;
    let test = "/api/settings/integrations/webhook/test";
    let (_, redirected) = app.post(test, &json!({})).await;
    assert_eq!(
        (&redirected["delivered"], &redirected["answer"]),
        (&json!(false), &json!("307"))
    );
    let (_, large) = app.post(test, &json!({})).await;
    assert_eq!(large["delivered"], false, "{large}");
    assert!(large["answer"].as_str().unwrap().len() < 200, "{large}");
    hook.next().await;
    hook.next().await;
    assert_eq!(target.rest().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_a_secret_again() {
    let app = telling_app().await;
    let slack = Receiver::answering(vec![planned(403, "no")]).await;
    connect(
        &app,
        "slack",
        json!({ "webhook_url": format!("{}/services/slackcanary-1234", slack.origin) }),
    )
    .await;
    connect(
        &app,
        "sentry",
        json!({ "dsn": slack.origin.replace("http://", "http://sentrycanary5678@") + "/1" }),
    )
    .await;
    let made = connect(
        &app,
        "webhook",
        json!({ "url": format!("{}/hookcanary-9012", slack.origin) }),
    )
    .await;
    let secret = made["signing_secret"].as_str().unwrap().to_owned();
    app.post("/api/settings/integrations/slack/test", &json!({}))
        .await;
    app.store(failed("r1", "parse-request")).await;
    for path in [
        "/api/settings/integrations",
        "/api/settings/alerts",
        "/api/alerts",
        "/api/audit",
        "/p/default/settings/integrations",
        "/p/default/settings/alerts",
        "/p/default/settings/audit",
        "/metrics",
    ] {
        let text = app
            .client
            .get(app.url(path))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        for canary in ["slackcanary", "sentrycanary", "hookcanary", &secret[..20]] {
            assert!(!text.contains(canary), "{canary} in {path}");
        }
    }
    // An error quotes nothing of what was typed.
    let (status, refused) = put(
        &app,
        "/api/settings/integrations/sentry",
        json!({ "dsn": "https://typocanary" }),
    )
    .await;
    assert_eq!(status, 400);
    assert!(!refused.to_string().contains("typocanary"), "{refused}");
    let (_, refused) = put(
        &app,
        "/api/settings/integrations/slack",
        json!({ "webhook_url": { "typo": "canary" } }),
    )
    .await;
    assert!(!refused.to_string().contains("canary"), "{refused}");
    // Removed, it is gone from the database.
    let project: ProjectId = default_project(&app).await.id;
    let sealed = storage::integrations::sealed(&app.state.db, project, "slack", "webhook_url")
        .await
        .unwrap()
        .unwrap();
    assert!(!sealed.windows(6).any(|part| part == b"canary"));
    let (status, _) = answer(app.client.delete(app.url("/api/settings/integrations/slack"))).await;
    assert_eq!(status, 204);
    let sealed = storage::integrations::sealed(&app.state.db, project, "slack", "webhook_url")
        .await
        .unwrap();
    assert_eq!(sealed, None);
    assert_eq!(
        answer(app.client.delete(app.url("/api/settings/integrations/slack")))
            .await
            .0,
        404
    );
}
