//! Demo data as a job: a month in a project that is empty, and the deploy that raised its bill.

use domain::Timestamp;
use server::demo::{Amount, start};
use server::jobs::{Worked, Worker};

use crate::app::{TestApp, step};
use crate::people::default_project;

const DAY_MICROS: i64 = 86_400_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_fills_a_project_and_pr_2_is_what_raised_the_bill() {
    let app = TestApp::new().await;
    app.bring_in_shipped_prices().await;
    let project = default_project(&app).await.id;
    let amount = Amount {
        days: 12,
        runs_a_day: 150,
        until: server::clock::now(),
    };
    let job = start(&app.state.db, project, amount, "test").await.unwrap();
    let mut worker = Worker::new(app.state.db.clone());
    while worker.work(Some((project, job))).await.unwrap() == Worked::Chunk {}
    let (_, deploys) = app.get("/api/deploys").await;
    assert_eq!(deploys["items"].as_array().unwrap().len(), 3);
    let (_, deploy) = app.get("/api/deploys/demo-pr-3").await;
    let cost = |key: &str| {
        let keys = deploy["keys"].as_array().unwrap();
        let part = keys.iter().find(|part| part["key"] == key).unwrap();
        part["effects"][0].clone()
    };
    // What is after PR 3 is as dear as what is between the two: PR 3 is not named. Of the few calls between them chance
    // alone makes a mean that is clearly another once in twenty hours, and one that is so by 3.9 standard errors on hardly
    // a date of a year; never one that is another by a tenth as well, without which nothing is named.
    let effect = cost("prod-frontend");
    let of_change = |name: &str| effect["change"][name].as_f64().unwrap().abs();
    assert!(
        of_change("standard_errors") < 3.9 || of_change("estimate") < 0.1,
        "{effect}"
    );
    let now = server::clock::now();
    let from = now.plus_micros(-13 * DAY_MICROS);
    let path = format!("/api/series?metric=cost_per_call&by=key&bucket=1d&from={from}");
    let (_, series) = app.get(&path).await;
    // Whole days: how much of the first and of the running one there is depends on the hour.
    let shipping_day = amount.until.plus_micros(-3 * DAY_MICROS).day();
    let mean = |key: &str, days: std::ops::Range<i64>| -> f64 {
        let all = series["series"].as_array().unwrap();
        let one = all.iter().find(|one| one["key"] == key).unwrap();
        let points = one["points"].as_array().unwrap().iter();
        let at = |day: i64| shipping_day.plus_micros(day * DAY_MICROS);
        let span = at(days.start)..at(days.end);
        let values: Vec<f64> = points
            .filter(|point| span.contains(&Timestamp::parse_rfc3339(point[0].as_str().unwrap()).unwrap()))
            .filter_map(|point| point[1].as_f64())
            .collect();
        assert_eq!(values.len() as i64, days.end - days.start, "{one:#}");
        values.iter().sum::<f64>() / values.len() as f64
    };
    let change = |key: &str| mean(key, 1..3) / mean(key, -7..0);
    assert!(change("prod-frontend") > 1.8, "{series:#}");
    assert!((0.8..1.25).contains(&change("internal-tools")), "{series:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_with_runs_of_its_own_is_not_filled() {
    let app = TestApp::new().await;
    app.store(step("r", "s")).await;
    let answer = app
        .client
        .post(app.url("/p/default/demo"))
        .header("origin", &app.origin)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["location"], "/p/default");
    let (_, deploys) = app.get("/api/deploys").await;
    assert_eq!(deploys["items"].as_array().unwrap().len(), 0);
}

/// Does a job to its end.
async fn work(app: &TestApp, project: domain::ProjectId, job: uuid::Uuid) {
    let mut worker = Worker::new(app.state.db.clone());
    while worker.work(Some((project, job))).await.unwrap() == Worked::Chunk {}
}

/// What is shown of a project, but for what says when it was read.
async fn shown(app: &TestApp, window: &str) -> Vec<serde_json::Value> {
    let mut shown = Vec::new();
    for path in [
        "/api/runs?limit=500",
        "/api/runs/own",
        "/api/runs/own-2",
        "/api/deploys",
        "/api/cost?from=2020-01-01T00:00:00Z",
        "/api/ledger?from=2020-01-01T00:00:00Z",
        &format!("/api/stats?by=step&{window}"),
        &format!("/api/stats?by=key&{window}"),
        &format!("/api/series?metric=latency_p95&by=step&bucket=1h&{window}"),
        &format!("/api/series?metric=anomaly_rate&by=key&bucket=1d&{window}"),
    ] {
        let (status, answer) = app.get(path).await;
        assert_eq!(status, 200, "{path} {answer}");
        shown.push(answer);
    }
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_data_goes_without_a_trace_and_what_is_ones_own_stays() {
    let amount = Amount {
        days: 3,
        runs_a_day: 60,
        until: server::clock::now(),
    };
    let (from, to) = (
        amount.until.plus_micros(-5 * DAY_MICROS),
        amount.until.plus_micros(DAY_MICROS),
    );
    let window = format!("from={from}&to={to}");

    // What a made-up step looks like: one's own that looks the same is counted in the same series.
    let other = TestApp::new().await;
    other.bring_in_shipped_prices().await;
    let project = default_project(&other).await.id;
    let job = start(&other.state.db, project, amount, "test").await.unwrap();
    work(&other, project, job).await;
    let (_, runs) = other.get("/api/runs?limit=1&key=prod-frontend&status=ok").await;
    let run_id = runs["items"][0]["run_id"].as_str().unwrap().to_owned();
    let (_, run) = other.get(&format!("/api/runs/{run_id}")).await;
    let steps = run["steps"].as_array().unwrap();
    let twin = steps.iter().find(|step| step["kind"] == "llm").unwrap();
    let step_id = twin["step_id"].as_str().unwrap();
    let (_, texts) = other
        .get(&format!("/api/runs/{run_id}/steps/{step_id}/payload"))
        .await;

    let app = TestApp::new().await;
    app.bring_in_shipped_prices().await;
    let project = default_project(&app).await.id;
    let (db, now) = (&app.state.db, server::clock::now());
    let key = storage::keys::add(db, project, "prod-frontend", domain::Scope::ALL, "test", now)
        .await
        .unwrap();
    let mut own = step("own", "s");
    for (field, value) in [
        ("step_name", &twin["name"]),
        ("model", &twin["model"]),
        ("provider", &twin["provider"]),
        ("prompt", &texts["input"]),
        ("started_at", &twin["started_at"]),
        ("environment", &twin["environment"]),
        ("release", &twin["release"]),
    ] {
        own[field] = value.clone();
    }
    let sent = app
        .client
        .post(app.url("/ingest"))
        .bearer_auth(&key.secret)
        .json(&own);
    assert_eq!(crate::app::answer(sent).await.0, 200);
    app.store(step("own-2", "s")).await;
    let shipped = serde_json::json!({ "id": "own", "sha": "1234567" });
    assert_eq!(app.post("/api/deploys", &shipped).await.0, 200);
    let before = shown(&app, &window).await;

    let job = start(db, project, amount, "test").await.unwrap();
    work(&app, project, job).await;
    let with_demo = shown(&app, &window).await;
    storage::analyses::start(db, project, &run_id, "test", now)
        .await
        .unwrap();
    assert_ne!(before[0], with_demo[0]);
    let of_twin = |shown: &serde_json::Value| -> serde_json::Value {
        let items = shown["items"].as_array().unwrap();
        items.iter().find(|item| item["step"] == twin["name"]).unwrap()["calls"].clone()
    };
    assert_eq!(of_twin(&before[6]), 1);
    assert!(
        of_twin(&with_demo[6]).as_i64().unwrap() > 1,
        "they share a series"
    );
    let page = app
        .client
        .get(app.url("/p/default/settings"))
        .send()
        .await
        .unwrap();
    assert!(page.text().await.unwrap().contains("/p/default/demo/remove"));

    let pressed = app
        .client
        .post(app.url("/p/default/demo/remove"))
        .header("origin", &app.origin)
        .send()
        .await
        .unwrap();
    assert_eq!(
        pressed.headers()["location"],
        "/p/default/settings?done=demo_removed"
    );
    let jobs = storage::jobs::list(db, project, "demo_removal", 1).await.unwrap();
    work(&app, project, jobs[0].job_id).await;
    let after = shown(&app, &window).await;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after);
    }
    let mut snapshot = db.snapshot(project).await.unwrap();
    let analysis = storage::analyses::latest(&mut snapshot, project, &run_id)
        .await
        .unwrap();
    assert_eq!(analysis, None, "what was written of a run goes with it");
    drop(snapshot);
    let recount = storage::recount::recount(db, project, now, server::pipeline::histograms_agree)
        .await
        .unwrap();
    assert_eq!((recount.runs, recount.steps), (2, 2));
    assert_eq!(
        (recount.wrong_runs.len(), recount.wrong_hours.len()),
        (0, 0),
        "{recount:?}"
    );
    let page = app
        .client
        .get(app.url("/p/default/settings"))
        .send()
        .await
        .unwrap();
    assert!(!page.text().await.unwrap().contains("/p/default/demo/remove"));
    // And it can come again.
    let job = start(db, project, amount, "test").await.unwrap();
    work(&app, project, job).await;
    assert_eq!(shown(&app, &window).await[0], with_demo[0]);
}
