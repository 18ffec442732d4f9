//! Settings → Incidents: what the form and the API save, what the job makes of it, and what the browser judges.

use engine::incidents::{Settings, Weights, Window, judge};
use serde_json::json;
use server::incidents::judge_project;

use crate::app::{TestApp, answer};
use crate::incidents::{items, seeded};
use crate::people::{Browser, audit_log, default_project};

const PAGE: &str = "/p/default/settings/incidents";
const API: &str = "/api/settings/incidents";

/// What the page sends when nothing was touched.
const UNTOUCHED: &[(&str, &str)] = &[
    ("sensitivity", "0.5"),
    ("cost", "1"),
    ("relative", "10"),
    ("latency", "20"),
    ("latency_ms", "200"),
    ("rate", "2"),
    ("mix", "10"),
    ("sigma", "2.5"),
    ("daily_delta", "1"),
    ("quiet", ""),
];

fn with<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let kept = UNTOUCHED
        .iter()
        .filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    kept.chain(changes).copied().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_and_the_api_say_the_same_and_refuse_what_cant_be_used() {
    let app = TestApp::new().await;
    let browser = Browser::new(&app);
    let (_, before) = app.get(API).await;
    let html = browser.get(PAGE).await.text;
    assert!(html.contains("Incidents that may come of nothing"), "{html}");
    let sent = browser.post(PAGE, &with(&[])).await;
    assert_eq!(
        (sent.status, sent.location.as_str()),
        (303, "/p/default/settings/incidents?done=incident_settings")
    );
    assert_eq!(app.get(API).await.1, before, "untouched is the default");

    let changed = with(&[
        ("sensitivity", "0.1"),
        ("relative", "25"),
        ("quiet", "shape_mix\nprod: latency_p95\n"),
    ]);
    assert_eq!(browser.post(PAGE, &changed).await.status, 303);
    let (_, saved) = app.get(API).await;
    assert_eq!(saved["false_incidents_a_week"], 0.1);
    assert_eq!(saved["minimums"]["relative"], 0.25);
    let quiet = json!([{ "key": null, "metric": "shape_mix" }, { "key": "prod", "metric": "latency_p95" }]);
    assert_eq!(saved["quiet"], quiet);
    let html = browser.get(PAGE).await.text;
    assert!(html.contains("prod: latency_p95"), "{html}");

    for wrong in [("sensitivity", "often"), ("cost", "0"), ("quiet", "nonesuch")] {
        let sent = browser.post(PAGE, &with(&[wrong])).await;
        assert_eq!(
            sent.location,
            format!("{PAGE}?error=incident_settings"),
            "{wrong:?}"
        );
    }
    for wrong in [
        json!({ "false_incidents_a_week": 0 }),
        json!({ "minimums": { "cost_usd": "-1" } }),
        json!({ "quiet": [{ "metric": "nonesuch" }] }),
        json!({ "unheard_of": 1 }),
    ] {
        let (status, refused) = answer(app.client.put(app.url(API)).json(&wrong)).await;
        assert_eq!(status, 400, "{wrong}: {refused}");
    }
    assert_eq!(app.get(API).await.1, saved, "nothing of that was saved");
    let (status, reset) = answer(app.client.put(app.url(API)).json(&json!({}))).await;
    assert_eq!((status, reset), (200, before));
    let log = audit_log(&app, Some(&default_project(&app).await)).await;
    assert_eq!(log[0].action, "incidents.change");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_quiet_opens_nothing_from_then_on_and_the_browser_knows_before() {
    let (app, project, now) = seeded().await;
    assert_eq!(items(&app, "/api/incidents").await.len(), 1);
    let history = app
        .client
        .get(app.url("/api/incidents/window"))
        .send()
        .await
        .unwrap();
    let window = Window::decode(&history.bytes().await.unwrap()).unwrap();
    let metrics = [
        "cost",
        "cost_per_call",
        "latency_p95",
        "ttft_p95",
        "output_tokens",
    ];
    let opened = |settings: &Settings| judge(&window, settings, &Weights::shipped()).len();
    assert_eq!(opened(&Settings::default()), 1);

    let quiet: Vec<_> = metrics.iter().map(|metric| json!({ "metric": metric })).collect();
    let (status, saved) = answer(app.client.put(app.url(API)).json(&json!({ "quiet": quiet }))).await;
    assert_eq!(status, 200, "{saved}");
    judge_project(&app.state.db, project, now.plus_micros(120_000_000))
        .await
        .unwrap();
    let left = items(&app, "/api/incidents").await;
    assert!(left.is_empty(), "{left:#?}");
}
