//! Re-pricing as a job: in chunks, cancelled, interrupted, beside steps that arrive.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::jobs::{Worked, Worker};
use server::reprice::{self, Request};
use storage::jobs::{self, JobState, NewJob};
use storage::live::ChangeEvent;
use tokio::time::timeout;

use crate::app::TestApp;
use crate::people::default_project;
use crate::reprice::{add_price, assert_recount_agrees, repriced, start, totals, unknown, work};

/// So many runs that they take several chunks.
async fn store_many(app: &TestApp, runs: usize) {
    let steps: Vec<Value> = (0..runs)
        .map(|i| {
            let mut call = unknown(&format!("run-{i}"), "a");
            call["started_at"] = json!(format!("2026-11-20T{:02}:{:02}:00Z", 8 + i % 5, i % 60));
            call
        })
        .collect();
    for steps in steps.chunks(500) {
        let (status, body) = app.post("/ingest/batch", &json!({ "steps": steps })).await;
        assert_eq!(status, 200, "{body}");
    }
}

async fn unpriced(app: &TestApp) -> i64 {
    let (_, cost) = app.get("/api/cost?model=private-7b").await;
    cost["unpriced_calls"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_cancelled_between_chunks_and_goes_on_after_a_crash() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    store_many(&app, 1_200).await;
    add_price(&app, project, 4, "2026-01-01T00:00:00Z").await;

    let cancelled = start(&app, project, &Request::default()).await;
    let another = reprice::start(
        &app.state.db,
        project,
        &Request::default(),
        "local",
        server::clock::now(),
    )
    .await;
    assert!(
        matches!(another, Err(storage::Error::Conflict(jobs::OPEN_JOB))),
        "{another:?}"
    );
    let mut worker = Worker::new(app.state.db.clone());
    assert_eq!(worker.work(None).await.unwrap(), Worked::Chunk);
    let job = jobs::get(&app.state.db, project, cancelled).await.unwrap();
    assert_eq!(
        (job.state, job.progress_done, job.progress_total),
        (JobState::Running, 500, Some(1_200))
    );
    jobs::cancel(
        &app.state.db,
        project,
        cancelled,
        "mara@acme.dev",
        server::clock::now(),
    )
    .await
    .unwrap();
    assert_eq!(worker.work(None).await.unwrap(), Worked::Nothing);
    let job = jobs::get(&app.state.db, project, cancelled).await.unwrap();
    assert_eq!(job.state, JobState::Cancelled);
    assert!(job.finished_at.is_some());
    assert_eq!(unpriced(&app).await, 700, "what was done stays");
    assert_recount_agrees(&app, project).await;

    let job_id = start(&app, project, &Request::default()).await;
    let only = Some((project, job_id));
    assert_eq!(worker.work(only).await.unwrap(), Worked::Chunk);
    // A process that is at the next chunk, and dies: its transaction ends and leaves nothing.
    let chunk = jobs::take(&app.state.db, &[reprice::KIND], None, server::clock::now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        Worker::new(app.state.db.clone()).work(None).await.unwrap(),
        Worked::Nothing,
        "no other process works at a chunk that is under way"
    );
    drop(chunk);
    // The database learns of it a moment later, as it does of a process that dies.
    let deadline = Instant::now() + Duration::from_secs(30);
    let job = loop {
        work(&app).await;
        let job = jobs::get(&app.state.db, project, job_id).await.unwrap();
        if job.state == JobState::Done {
            break job;
        }
        assert!(Instant::now() < deadline, "no process continues {job:?}");
    };
    assert_eq!(job.progress_done, 1_200);
    let totals = totals(&job);
    assert_eq!(
        (totals.all.steps, totals.all.changed),
        (1_200, 700),
        "each step once"
    );
    let (_, cost) = app.get("/api/cost?model=private-7b").await;
    assert_eq!(
        (&cost["cost_usd"], &cost["unpriced_calls"]),
        (&json!("6"), &json!(0))
    );
    assert_recount_agrees(&app, project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_that_arrive_meanwhile_are_counted_once() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    store_many(&app, 600).await;
    add_price(&app, project, 4, "2026-01-01T00:00:00Z").await;
    let ingest = async {
        for round in 0..12 {
            let steps: Vec<Value> = (0..200)
                .map(|i| unknown(&format!("run-{}", i * 3), &format!("late-{round}")))
                .collect();
            let (status, _) = app.post("/ingest/batch", &json!({ "steps": steps })).await;
            assert_eq!(status, 200);
        }
    };
    let reprice = async {
        for _ in 0..4 {
            repriced(&app, project, &Request::default()).await;
        }
    };
    tokio::join!(ingest, reprice);
    repriced(&app, project, &Request::default()).await;
    let (_, cost) = app.get("/api/cost?model=private-7b").await;
    assert_eq!((&cost["calls"], &cost["cost_usd"]), (&json!(3_000), &json!("15")));
    assert_recount_agrees(&app, project).await;
}

/// Prices that change in the middle of a job hold for all of its steps.
#[tokio::test(flavor = "multi_thread")]
async fn prices_that_change_meanwhile_hold_for_what_was_priced_before() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    store_many(&app, 700).await;
    let from = "2026-01-01T00:00:00Z";
    add_price(&app, project, 4, from).await;
    let job_id = start(&app, project, &Request::default()).await;
    let mut worker = Worker::new(app.state.db.clone());
    assert_eq!(worker.work(None).await.unwrap(), Worked::Chunk);
    // In place of the other: same name, same moment.
    let price_id = add_price(&app, project, 8, from).await;
    while worker.work(Some((project, job_id))).await.unwrap() == Worked::Chunk {}
    let job = jobs::get(&app.state.db, project, job_id).await.unwrap();
    assert_eq!((job.state, job.progress_done), (JobState::Done, 700));
    for run in ["run-0", "run-699"] {
        let (_, run) = app.get(&format!("/api/runs/{run}")).await;
        assert_eq!(run["steps"][0]["price_version"], json!(price_id));
    }
    assert_recount_agrees(&app, project).await;
}

/// Other costs are no other steps: nobody has to look for those.
#[tokio::test(flavor = "multi_thread")]
async fn what_pages_hear_of_is_no_news_of_stored_steps() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    app.hears_everything().await;
    let mut news = app.state.live.subscribe();
    store_many(&app, 2).await;
    add_price(&app, project, 4, "2026-01-01T00:00:00Z").await;
    // News of stored steps come after their answer: all of it is heard before the job begins.
    let mut stored = BTreeSet::new();
    while stored.len() < 2 {
        let heard = timeout(Duration::from_secs(20), news.recv())
            .await
            .unwrap()
            .unwrap();
        if let ChangeEvent::Runs {
            stored_by: Some(_),
            run_ids,
            ..
        } = heard.change
        {
            stored.extend(run_ids.into_iter().filter(|run_id| run_id.starts_with("run-")));
        }
    }
    repriced(&app, project, &Request::default()).await;
    app.hears_everything().await;
    let mut changed = Vec::new();
    while let Ok(news) = news.try_recv() {
        if let ChangeEvent::Runs {
            stored_by,
            project: of,
            run_ids,
        } = news.change
            && of == project
        {
            assert_eq!(stored_by, None);
            changed.extend(run_ids);
        }
    }
    assert_eq!(changed, ["run-0", "run-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_with_unreadable_arguments_fails_and_says_so() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    let new = NewJob {
        kind: reprice::KIND,
        deduplicated: true,
        arguments: &json!({ "from": 7 }),
    };
    let job_id = jobs::start(&app.state.db, project, &new, "local", server::clock::now())
        .await
        .unwrap();
    work(&app).await;
    let job = jobs::get(&app.state.db, project, job_id).await.unwrap();
    assert_eq!(job.state, JobState::Failed);
    assert!(job.error.unwrap().contains("start it again"));
    repriced(&app, project, &Request::default()).await;
}
