//! Defects end neither what runs in the background nor what others send.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::step::ReportedTokens;
use domain::{NewStep, StepKind, StepStatus};
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use serde_json::json;
use server::auth::Caller;
use server::auth::credentials::Credentials;
use server::pipeline::{
    BatchWriter, DatabaseWriter, Pipeline, PipelineSettings, ProjectCaches, Received, Submission, Written,
};
use server::proxy::api::Api;
use server::proxy::exchange::{Ended, Exchange};
use server::proxy::recorder::{Backlog, Recorder};
use server::proxy::request_context::RequestContext;
use server::supervise::Supervisor;
use tokio_util::task::TaskTracker;

use crate::app::{TestApp, answer, step};
use crate::people::default_project;
use crate::proxy::{proxied, recorded};
use crate::upstream::Upstream;

const TIMEOUT: Duration = Duration::from_secs(30);
/// The name of a step on which this writer, and no real one, panics.
const POISON: &str = "poison";

/// Writes to the database, and panics in the middle of a batch with a poison step.
struct Panicking(DatabaseWriter);

impl BatchWriter for Panicking {
    fn write<'a>(&'a self, submissions: &'a [Submission]) -> BoxFuture<'a, storage::Result<Written>> {
        async move {
            let mut steps = submissions.iter().flat_map(Submission::steps);
            assert!(steps.all(|step| step.name != POISON), "a poison step");
            self.0.write(submissions).await
        }
        .boxed()
    }
}

fn new_step(name: &str, step_id: &str) -> NewStep {
    let step = json!({
        "run_id": "run", "step_id": step_id, "name": name, "kind": StepKind::Other, "status": StepStatus::Ok,
        "started_at": server::clock::now(), "tokens": ReportedTokens::default(), "stream_incomplete": false,
        "tags": [], "attributes": {}, "events": []
    });
    serde_json::from_value(step).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_panics_is_answered_and_takes_nobody_with_it() {
    let app = TestApp::new().await;
    let caller = Caller {
        project_id: default_project(&app).await.id,
        key_label: "default".to_owned(),
        key_id: None,
    };
    let writer = Panicking(DatabaseWriter {
        db: app.state.db.clone(),
        caches: ProjectCaches::new(&app.state.db, None),
        metrics: Arc::clone(&app.state.metrics),
    });
    let settings = PipelineSettings {
        max_queued_steps: 12,
        max_queued_bytes: usize::MAX,
        write_timeout: TIMEOUT,
    };
    let supervisor = Supervisor::new(TaskTracker::new(), app.shutdown.clone());
    let pipeline = Pipeline::start(
        Arc::new(writer),
        app.state.live.clone(),
        Arc::clone(&app.state.metrics),
        &settings,
        &supervisor,
        &app.shutdown,
    );
    let submit = |steps: Vec<NewStep>| {
        pipeline.submit(Submission::new(&caller, server::clock::now(), steps, Vec::new()))
    };
    // More rounds than the queue has room for, and than there are workers.
    for round in 0..8 {
        let good = (0..6).map(|i| submit(vec![new_step("good", &format!("{round}-{i}"))]));
        let (poisoned, stored) = tokio::join!(
            submit(vec![new_step(POISON, "p"), new_step(POISON, "q")]),
            join_all(good)
        );
        let refused = poisoned.unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.code), (500, "internal"));
        for received in stored {
            assert_eq!(received.unwrap(), [Received::Stored]);
        }
    }
    assert_eq!(supervisor.failing(), [""; 0], "the workers never ended");
    let (_, ledger) = app.get("/api/ledger").await;
    let sum = |pointer: &str| {
        let minutes = ledger["items"].as_array().unwrap().iter();
        minutes
            .filter_map(|minute| minute.pointer(pointer)?.as_i64())
            .sum::<i64>()
    };
    assert_eq!(
        (sum("/received"), sum("/stored"), sum("/rejected/internal")),
        (64, 48, 16),
        "{ledger}"
    );
}

/// Never answers, as a database behind a connection that was cut silently.
struct Silent;

impl BatchWriter for Silent {
    fn write<'a>(&'a self, _: &'a [Submission]) -> BoxFuture<'a, storage::Result<Written>> {
        std::future::pending().boxed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_says_nothing_is_waited_for_no_longer_than_one_may() {
    let app = TestApp::new().await;
    let caller = Caller {
        project_id: default_project(&app).await.id,
        key_label: "default".to_owned(),
        key_id: None,
    };
    let settings = PipelineSettings {
        max_queued_steps: 100,
        max_queued_bytes: usize::MAX,
        write_timeout: Duration::from_millis(1),
    };
    let supervisor = Supervisor::new(TaskTracker::new(), app.shutdown.clone());
    let pipeline = Pipeline::start(
        Arc::new(Silent),
        app.state.live.clone(),
        Arc::clone(&app.state.metrics),
        &settings,
        &supervisor,
        &app.shutdown,
    );
    // More of them than there are workers.
    for id in ["a", "b", "c"] {
        let steps = vec![new_step("step", id)];
        let submission = Submission::new(&caller, server::clock::now(), steps, Vec::new());
        let refused = tokio::time::timeout(TIMEOUT, pipeline.submit(submission))
            .await
            .expect("a worker waits for ever")
            .unwrap_err();
        assert_eq!(refused.status.as_u16(), 503);
    }
}

/// The recorder writes several calls together, and each alone when a defect keeps them out: the ledger counts each once.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_cannot_be_recorded_is_counted_once_and_so_are_those_beside_it() {
    let app = TestApp::new().await;
    let caller = Caller {
        project_id: default_project(&app).await.id,
        key_label: "default".to_owned(),
        key_id: None,
    };
    let writer = Panicking(DatabaseWriter {
        db: app.state.db.clone(),
        caches: ProjectCaches::new(&app.state.db, None),
        metrics: Arc::clone(&app.state.metrics),
    });
    let settings = PipelineSettings {
        max_queued_steps: 100,
        max_queued_bytes: usize::MAX,
        write_timeout: TIMEOUT,
    };
    let supervisor = Supervisor::new(TaskTracker::new(), app.shutdown.clone());
    let pipeline = Pipeline::start(
        Arc::new(writer),
        app.state.live.clone(),
        Arc::clone(&app.state.metrics),
        &settings,
        &supervisor,
        &app.shutdown,
    );
    let metrics = Arc::clone(&app.state.metrics);
    let backlog = Backlog::open(&app.data.join("spool-2"), 1 << 30, Arc::clone(&metrics)).await;
    let db = app.state.db.clone();
    let redaction = app.state.redaction.clone();
    let recorder = Recorder::start(
        db,
        pipeline,
        metrics,
        backlog,
        redaction,
        &supervisor,
        &app.shutdown,
    );
    let record = |name: &str, step_id: String| {
        recorder.record(Box::new(Exchange {
            api: Api::Messages,
            caller: caller.clone(),
            context: RequestContext {
                name: Some(name.to_owned()),
                ..RequestContext::default()
            },
            credentials: Credentials::default(),
            step_id,
            provider: "anthropic".to_owned(),
            started_at: server::clock::now(),
            request: None,
            request_encoding: None,
            answer: None,
            ended: Ended::Unreachable,
            latency: Duration::ZERO,
            held: recorder.held(),
            pending: recorder.pending(),
        }));
    };
    for call in 0..6 {
        record("good", format!("good-{call}"));
        record(POISON, format!("poison-{call}"));
    }
    recorder.settled().await;
    record(POISON, "alone".to_owned());
    recorder.settled().await;
    let outcomes = async || {
        let (_, ledger) = app.get("/api/ledger").await;
        let sum = |pointer: &str| {
            let minutes = ledger["items"].as_array().unwrap().iter();
            minutes
                .filter_map(|minute| minute.pointer(pointer)?.as_i64())
                .sum::<i64>()
        };
        (sum("/received"), sum("/stored"), sum("/rejected/internal"))
    };
    assert_eq!(outcomes().await, (13, 6, 7));
    assert_eq!(app.state.metrics.lost_calls.get(), 7);
    // Sent again because nobody knew what had become of it, it is what was received before.
    let steps = vec![new_step("good", "again")];
    for expected in [Received::Stored, Received::Duplicate] {
        let again = Submission::repeated(&caller, server::clock::now(), steps.clone(), false);
        assert_eq!(app.state.pipeline.submit(again).await.unwrap(), [expected]);
    }
    assert_eq!(outcomes().await, (14, 7, 7));
}

/// Waits until `/readyz` answers so, and returns what it says.
async fn ready(app: &TestApp, status: u16) -> String {
    let begun = Instant::now();
    loop {
        let (seen, body) = app.get("/readyz").await;
        if seen == status {
            return body.to_string();
        }
        assert!(begun.elapsed() < TIMEOUT, "still {seen}: {body}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_background_task_comes_back_and_readiness_names_it_meanwhile() {
    let (app, mut upstream) = proxied().await;
    server::cli::serve::start_periodic_tasks(&app.state, app.options(), &app.shutdown);
    ready(&app, 200).await;
    let tasks: Vec<&str> = app
        .state
        .supervisor
        .failures()
        .iter()
        .map(|task| task.name)
        .collect();
    for name in &tasks {
        assert!(app.state.supervisor.interrupt(name));
        let said = ready(&app, 503).await;
        assert!(said.contains(name), "{name} is down and this is said: {said}");
        ready(&app, 200).await;
        works(&app, &mut upstream, name).await;
    }
    for name in [
        "ingest_worker_1",
        "ingest_worker_2",
        "recorder",
        "listener",
        "notifier",
        "jobs",
        "maintenance",
        "key_usage",
    ] {
        assert!(tasks.contains(&name), "{name} is not supervised");
    }
    let metrics = app
        .client
        .get(app.url("/metrics"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for name in tasks {
        let line = format!("plumbline_task_failures_total{{task=\"{name}\"}} 1\n");
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }
}

/// Steps come in, pages hear of them, calls are recorded and jobs are done.
async fn works(app: &TestApp, upstream: &mut Upstream, round: &str) {
    app.hears_everything().await;
    let mut news = app.state.live.subscribe();
    app.store(step(&format!("run-{round}"), "s")).await;
    let heard =
        async { while !format!("{:?}", news.recv().await.unwrap()).contains(&format!("run-{round}")) {} };
    tokio::time::timeout(TIMEOUT, heard).await.unwrap();

    let call = app
        .client
        .post(app.url("/v1/messages"))
        .header("x-plumbline-run", format!("call-{round}"))
        .body("{}");
    let ((status, _), ()) = tokio::join!(answer(call), async {
        upstream.next().await.json("200 OK", r#"{"model":"m"}"#).await;
    });
    assert_eq!(status, 200);
    assert_eq!(
        recorded(app, &format!("call-{round}")).await["status"],
        json!("ok")
    );

    let project = default_project(app).await.id;
    let request = server::reprice::Request::default();
    let now = server::clock::now();
    let job = server::reprice::start(&app.state.db, project, &request, "local", now)
        .await
        .unwrap();
    let begun = Instant::now();
    // Far sooner than the job would be looked for without a notification.
    while storage::jobs::get(&app.state.db, project, job)
        .await
        .unwrap()
        .state
        .is_open()
    {
        assert!(begun.elapsed() < Duration::from_secs(15), "nobody does the job");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
