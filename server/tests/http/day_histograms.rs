//! Percentiles over days are those of the calls, whether the days' histograms are worked out, out of date, or not there.

use serde_json::{Value, json};
use storage::recount::Recount;

use crate::app::{TestApp, step};

/// Four whole days before today.
const DAYS: i64 = 4;
const DAY_MICROS: i64 = 86_400_000_000;

fn at(day: i64, minute: i64) -> String {
    let today = server::clock::now().day();
    today
        .plus_micros((day - DAYS) * DAY_MICROS + minute * 60_000_000)
        .to_string()
}

/// Sixty calls a day of two models, which get slower from day to day.
fn calls() -> Vec<Value> {
    (0..DAYS * 60)
        .map(|n| {
            let (day, n) = (n / 60, n % 60);
            let mut call = step(&format!("run-{day}-{n}"), "only");
            call["started_at"] = json!(at(day, n * 23));
            call["latency_ms"] = json!((day + 1) * 100 + n * 7);
            call["ttft_ms"] = json!((n % 2 == 0).then_some(40 + n));
            call["model"] = json!(format!("model-{}", n % 2));
            call
        })
        .collect()
}

async fn points(app: &TestApp, query: &str) -> Value {
    let window = format!("from={}&to={}", at(0, 0), at(DAYS, 0));
    let (status, answer) = app.get(&format!("/api/series?bucket=1d&{window}&{query}")).await;
    assert_eq!(status, 200, "{answer}");
    answer["series"].clone()
}

/// What pages and the API show that rests on histograms and on sums of squares.
async fn figures(app: &TestApp) -> Vec<Value> {
    let mut all = Vec::new();
    for query in [
        "metric=latency_p50",
        "metric=latency_p95&by=model",
        "metric=ttft_p95",
        "metric=latency_p95&model=model-1",
    ] {
        all.push(points(app, query).await);
    }
    let (status, deploy) = app.get("/api/deploys/d").await;
    assert_eq!(status, 200, "{deploy}");
    all.push(deploy["effects"].clone());
    all
}

async fn recounted(app: &TestApp) -> Recount {
    let project = storage::projects::by_slug(&app.state.db, "default")
        .await
        .unwrap();
    let agree = server::pipeline::histograms_agree;
    storage::recount::recount(&app.state.db, project.id, server::clock::now(), agree)
        .await
        .unwrap()
}

/// As an hour later: the hour in which yesterday is not yet taken to be complete is over then, at whatever time of day.
async fn sum_up(app: &TestApp) {
    let later = server::clock::now().plus_micros(3_600_000_000);
    server::day_histograms::sum_up(&app.state.db, later, &app.shutdown)
        .await
        .unwrap();
}

/// How many of the days of series have histograms, and how many there are.
async fn summed_up(app: &TestApp) -> (i64, i64) {
    storage::day_histograms::progress(&app.state.db).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn days_say_what_their_hours_say_and_never_what_they_said_before() {
    let app = TestApp::new().await;
    app.post("/ingest/batch", &json!({ "steps": calls() })).await;
    // Its windows hold whole days on both sides.
    let deploy = json!({ "id": "d", "sha": "1234567", "completed_at": at(2, 95) });
    assert_eq!(app.post("/api/deploys", &deploy).await.0, 200);
    let of_hours = figures(&app).await;
    assert_eq!(summed_up(&app).await, (0, 8));
    sum_up(&app).await;
    assert_eq!(summed_up(&app).await, (8, 8));
    assert_eq!(figures(&app).await, of_hours);
    assert_eq!(recounted(&app).await.wrong_hours, Vec::<String>::new());

    // A call that comes late changes the day at once.
    let mut late = step("late", "only");
    late["started_at"] = json!(at(1, 700));
    late["latency_ms"] = json!(60_000);
    late["model"] = json!("model-1");
    app.store(late).await;
    let with_late = figures(&app).await;
    assert_ne!(with_late, of_hours);
    assert_eq!(summed_up(&app).await, (7, 8));
    sum_up(&app).await;
    assert_eq!(summed_up(&app).await, (8, 8));
    assert_eq!(figures(&app).await, with_late);
    assert_eq!(recounted(&app).await.wrong_hours, Vec::<String>::new());

    // Today goes on, and has none.
    let mut now = step("now", "only");
    now["started_at"] = json!(server::clock::now().to_string());
    app.store(now).await;
    sum_up(&app).await;
    assert_eq!(summed_up(&app).await, (8, 9));
}
