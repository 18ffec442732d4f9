//! What is told without a step that failed: incidents with their cause, budgets, and limits of keys.

use std::sync::Arc;

use domain::key_limit::{Measure, Reached};
use serde_json::{Value, json};
use server::alerts::{look_at_budgets, look_at_key_limits};
use server::demo;
use server::incidents::judge_project;
use server::jobs::{Worked, Worker};
use storage::alerts::KeyLimitNews;
use tokio_util::task::TaskTracker;

use crate::alert_receiver::Receiver;
use crate::alerts::{connect, put};
use crate::app::{TestApp, step};
use crate::people::default_project;

const HOUR_MICROS: i64 = 3_600_000_000;

/// A server that delivers, and that judges nothing by itself.
async fn delivering_app() -> TestApp {
    let app = TestApp::with(|config| {
        config.allow_private_targets = "127.0.0.0/8".parse().unwrap();
        config.public_url = Some("https://plumbline.acme.dev".to_owned());
    })
    .await;
    let (sender, wake) = (app.state.sender(), Arc::clone(&app.state.alerts.wake));
    TaskTracker::new().spawn(server::alerts::delivery::run(sender, wake, app.shutdown.clone()));
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_told_with_its_cause_and_again_when_it_is_over() {
    let mut hook = Receiver::answering(Vec::new()).await;
    let mut slack = Receiver::answering(Vec::new()).await;
    let app = delivering_app().await;
    app.bring_in_shipped_prices().await;
    connect(&app, "webhook", json!({ "url": hook.origin })).await;
    connect(
        &app,
        "slack",
        json!({ "webhook_url": format!("{}/canary-x", slack.origin) }),
    )
    .await;
    put(
        &app,
        "/api/settings/alerts",
        json!({ "severity": "off", "step_error": false, "error_rate": { "on": false } }),
    )
    .await;
    let project = default_project(&app).await.id;
    let now = server::clock::now();
    let amount = demo::Amount {
        days: 30,
        runs_a_day: 320,
        until: now,
    };
    let job = demo::start(&app.state.db, project, amount, "test").await.unwrap();
    let mut worker = Worker::new(app.state.db.clone());
    while worker.work(Some((project, job))).await.unwrap() == Worked::Chunk {}

    // The morning after the deploy that made calls dearer.
    let shipping_day = now.plus_micros(-8 * 24 * HOUR_MICROS).day();
    let morning = shipping_day.plus_micros(33 * HOUR_MICROS);
    assert!(judge_project(&app.state.db, project, morning).await.unwrap());
    app.state.alerts.wake.notify_one();
    let opened = hook.next().await.json();
    assert_eq!(opened["trigger"], "incident_opened", "{opened:#}");
    let details = &opened["details"];
    assert_eq!(
        (&opened["subject"]["key"], &opened["subject"]["deploy_id"]),
        (&json!("prod-frontend"), &json!("demo-pr-2")),
        "{opened:#}"
    );
    assert!(
        details["verdict"]
            .as_str()
            .unwrap()
            .starts_with("PR 2 “switch summary endpoint to claude-sonnet” raised the cost of prod-frontend"),
        "{opened:#}"
    );
    assert!(details["probability"].as_f64().unwrap() >= 0.6, "{opened:#}");
    assert_eq!(
        details["deploy"]["url"],
        "https://plumbline.acme.dev/p/default/deploys/demo%2Dpr%2D2"
    );
    assert!(details["evidence"].as_str().unwrap().len() > 10, "{opened:#}");
    assert!(
        details["usd_a_day"].as_str().unwrap().parse::<f64>().unwrap() > 0.0,
        "{opened:#}"
    );
    let id = opened["subject"]["incident_id"].as_str().unwrap();
    assert_eq!(
        opened["url"],
        format!("https://plumbline.acme.dev/p/default/incidents/{id}")
    );
    let message = slack.next().await.json();
    let text = message.to_string();
    assert!(
        text.contains("*Deploy* <https://plumbline.acme.dev/p/default/deploys/demo%2Dpr%2D2|PR 2>"),
        "{message:#}"
    );
    assert!(
        text.contains("*Evidence* ") && text.contains(" a day") && text.contains("Open the incident"),
        "{message:#}"
    );

    // A week later it has become what is usual.
    let (_, before) = app.get("/api/alerts?kind=webhook").await;
    assert!(
        judge_project(&app.state.db, project, server::clock::now())
            .await
            .unwrap()
    );
    app.state.alerts.wake.notify_one();
    let closed = hook.next().await.json();
    assert_eq!(
        (&closed["trigger"], &closed["subject"]["incident_id"]),
        (&json!("incident_closed"), &json!(id)),
        "{closed:#}"
    );
    assert!(closed["details"]["ended_at"].is_string());
    // Judged once more, there is nothing new.
    judge_project(
        &app.state.db,
        project,
        server::clock::now().plus_micros(60_000_000),
    )
    .await
    .unwrap();
    let (_, after) = app.get("/api/alerts?kind=webhook").await;
    let count = |list: &Value| list["items"].as_array().unwrap().len();
    assert_eq!((count(&before), count(&after)), (1, 2), "{after:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_told_once_in_a_month_and_once_more_when_it_was_raised() {
    let mut hook = Receiver::answering(Vec::new()).await;
    let app = delivering_app().await;
    connect(&app, "webhook", json!({ "url": hook.origin })).await;
    let project = default_project(&app).await.id;
    let (status, saved) = put(&app, "/api/settings/alerts", json!({ "budget_usd": "0.002" })).await;
    assert_eq!((status, &saved["budget_usd"]), (200, &json!("0.002")), "{saved}");
    assert_eq!(app.get("/api/settings/alerts").await.1["budget_usd"], "0.002");
    let look = async || {
        let told = look_at_budgets(&app.state.db, project, server::clock::now())
            .await
            .unwrap();
        app.state.alerts.wake.notify_one();
        told
    };
    app.store(step("r", "1")).await;
    assert_eq!(look().await, 0);
    app.store(step("r", "2")).await;
    assert_eq!(look().await, 1);
    let told = hook.next().await.json();
    assert_eq!(told["trigger"], "budget_reached");
    assert_eq!(
        told["summary"],
        "The project has cost $0.0028 this month, its budget is $0.0020"
    );
    assert_eq!(
        told["url"],
        "https://plumbline.acme.dev/p/default/settings/budgets"
    );
    assert_eq!(told["details"]["spent_usd"], "0.0028");
    app.store(step("r", "3")).await;
    assert_eq!(look().await, 0, "once");
    put(&app, "/api/settings/alerts", json!({ "budget_usd": "0.004" })).await;
    assert_eq!(look().await, 1, "another budget");
    hook.next().await;
    put(
        &app,
        "/api/settings/alerts",
        json!({ "budget_usd": "0.001", "budgets": false }),
    )
    .await;
    assert_eq!(look().await, 0, "switched off");
    put(&app, "/api/settings/alerts", json!({ "budget_usd": null })).await;
    assert_eq!(app.get("/api/settings/alerts").await.1["budget_usd"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keys_limit_is_told_at_four_fifths_and_when_it_is_used_up_each_once() {
    let mut hook = Receiver::answering(Vec::new()).await;
    let app = delivering_app().await;
    connect(&app, "webhook", json!({ "url": hook.origin })).await;
    let project = default_project(&app).await.id;
    // A step uses 59 tokens.
    let limits = json!({ "label": "default", "month": { "tokens": 70 } });
    assert_eq!(put(&app, "/api/settings/key-limits", limits).await.0, 200);
    app.store(step("r", "1")).await;
    let near = hook.next().await.json();
    assert_eq!(
        (
            &near["trigger"],
            &near["details"]["percent"],
            &near["details"]["used"]
        ),
        (&json!("key_limit"), &json!(80), &json!(59)),
        "{near:#}"
    );
    assert_eq!(
        near["summary"],
        "The key default has used 59 tokens of 70 tokens this month"
    );
    assert_eq!(near["url"], "https://plumbline.acme.dev/p/default/settings/keys");
    app.store(step("r", "2")).await;
    let used_up = hook.next().await.json();
    assert_eq!(
        (&used_up["details"]["percent"], &used_up["subject"]["key"]),
        (&json!(100), &json!("default")),
        "{used_up:#}"
    );

    let look = async |percent: u32, limit: i64| {
        let reached = Reached {
            measure: Measure::Tokens,
            limit,
            used: 118,
            percent,
        };
        let key = "default".to_owned();
        let news = vec![KeyLimitNews { key, reached }];
        look_at_key_limits(&app.state.db, project, news, server::clock::now())
            .await
            .unwrap()
    };
    assert_eq!((look(80, 70).await, look(100, 70).await), (0, 0), "once");
    assert_eq!(look(100, 100).await, 1, "another limit");
    hook.next().await;
    put(&app, "/api/settings/alerts", json!({ "key_limits": false })).await;
    assert_eq!(look(100, 110).await, 0, "switched off");
}
