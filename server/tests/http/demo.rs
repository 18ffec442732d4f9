//! Demo data as a job: a month in a project that is empty, and the deploy that raised its bill.

use server::demo::{Amount, start};
use server::jobs::{Worked, Worker};

use crate::app::{TestApp, step};
use crate::people::default_project;

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
    // What is after PR 3 is as dear as what is between the two: PR 3 is cleared.
    assert_ne!(cost("prod-frontend")["reading"], "better");
    let now = server::clock::now();
    let from = now.plus_micros(-13 * 86_400_000_000);
    let path = format!("/api/series?metric=cost_per_call&by=key&bucket=1d&from={from}");
    let (_, series) = app.get(&path).await;
    let of = |key: &str| -> Vec<f64> {
        let all = series["series"].as_array().unwrap();
        let one = all.iter().find(|one| one["key"] == key).unwrap();
        let points = one["points"].as_array().unwrap();
        points.iter().filter_map(|point| point[1].as_f64()).collect()
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (front, tools) = (of("prod-frontend"), of("internal-tools"));
    // The switch lies three days before the end of twelve.
    let (before, after) = (mean(&front[..7]), mean(&front[front.len() - 2..]));
    assert!(after / before > 1.8, "{front:?}");
    let (before, after) = (mean(&tools[..7]), mean(&tools[tools.len() - 2..]));
    assert!((0.8..1.25).contains(&(after / before)), "{tools:?}");
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
