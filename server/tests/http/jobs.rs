//! Jobs of any kind: a defect in one ends neither the worker nor other jobs, and long ones keep nobody waiting.

use domain::{ProjectId, Timestamp};
use serde_json::{Value, json};
use server::jobs::{BackgroundJob, ChunkError, JobContext, Kind, Worked, Worker};
use storage::jobs::{self, ChunkFailure, JobChunk, JobState, NewJob, Progress};
use uuid::Uuid;

use crate::app::TestApp;
use crate::people::{default_project, other_project};

/// Counts to three, one chunk for each.
struct Counting;

impl BackgroundJob for Counting {
    const NAME: &'static str = "counting";
    type Arguments = Value;

    async fn prepare(_: &JobContext, _: ProjectId, _: Value) -> Result<Self, ChunkError> {
        Ok(Self)
    }

    async fn run_chunk(&self, _: &JobContext, chunk: JobChunk, now: Timestamp) -> Result<(), ChunkError> {
        let done = chunk.job.progress_done + 1;
        let progress = Progress {
            next: (done < 3).then(|| json!(done)),
            done,
            total: Some(3),
            result: json!({}),
        };
        Ok(chunk.commit(&progress, now).await?)
    }
}

struct Panicking;

impl BackgroundJob for Panicking {
    const NAME: &'static str = "panicking";
    const MAX_ATTEMPTS: i32 = 1;
    type Arguments = Value;

    async fn prepare(_: &JobContext, _: ProjectId, _: Value) -> Result<Self, ChunkError> {
        Ok(Self)
    }

    async fn run_chunk(&self, _: &JobContext, chunk: JobChunk, _: Timestamp) -> Result<(), ChunkError> {
        panic!("a chunk of {} panics", chunk.job.kind);
    }
}

/// As when the disk is full: it may work later.
struct Waiting;

impl BackgroundJob for Waiting {
    const NAME: &'static str = "waiting";
    const MAX_ATTEMPTS: i32 = 1;
    type Arguments = Value;

    async fn prepare(_: &JobContext, _: ProjectId, _: Value) -> Result<Self, ChunkError> {
        Ok(Self)
    }

    async fn run_chunk(&self, _: &JobContext, _: JobChunk, _: Timestamp) -> Result<(), ChunkError> {
        Err(storage::Error::no_answer().into())
    }
}

/// Nobody can be told that it is done.
struct Unheard;

impl BackgroundJob for Unheard {
    const NAME: &'static str = "unheard";
    type Arguments = Value;

    async fn prepare(_: &JobContext, _: ProjectId, _: Value) -> Result<Self, ChunkError> {
        Ok(Self)
    }

    async fn run_chunk(
        &self,
        context: &JobContext,
        chunk: JobChunk,
        now: Timestamp,
    ) -> Result<(), ChunkError> {
        let progress = Progress {
            next: None,
            done: 1,
            total: Some(1),
            result: json!({}),
        };
        chunk.commit(&progress, now).await?;
        context.tell(async { Err(storage::Error::no_answer()) }).await;
        Ok(())
    }
}

const KINDS: &[Kind] = &[
    Kind::of::<Counting>(),
    Kind::of::<Panicking>(),
    Kind::of::<Waiting>(),
    Kind::of::<Unheard>(),
];

async fn start(app: &TestApp, project: ProjectId, kind: &str, deduplicated: bool) -> storage::Result<Uuid> {
    let new = NewJob {
        kind,
        deduplicated,
        arguments: &json!({}),
    };
    jobs::start(&app.state.db, project, &new, "local", server::clock::now()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_panics_is_given_up_and_no_other_is() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    let poison = start(&app, project, Panicking::NAME, false).await.unwrap();
    let good = start(&app, project, Counting::NAME, false).await.unwrap();
    let mut worker = Worker::of_kinds(app.state.db.clone(), KINDS);
    while worker.work(None).await.unwrap() == Worked::Chunk {}
    let job = async |id| jobs::get(&app.state.db, project, id).await.unwrap();
    assert_eq!(job(poison).await.state, JobState::Failed);
    assert!(job(poison).await.error.unwrap().contains("the server's log"));
    assert_eq!(
        (job(good).await.state, job(good).await.progress_done),
        (JobState::Done, 3)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_has_to_wait_says_so_and_lets_others_go_first() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    let first = start(&app, project, Waiting::NAME, false).await.unwrap();
    let good = start(&app, project, Counting::NAME, false).await.unwrap();
    let failures = app.state.metrics.job_failures.clone();
    let mut worker = Worker::of_kinds(app.state.db.clone(), KINDS).counting(failures);
    while worker.work(None).await.unwrap() == Worked::Chunk {}
    let job = async |id| jobs::get(&app.state.db, project, id).await.unwrap();
    assert_eq!(job(good).await.state, JobState::Done);
    let waiting = job(first).await;
    assert_eq!(waiting.state, JobState::Waiting, "one attempt, and not given up");
    assert!(waiting.error.unwrap().contains("it is tried again"));
    let metrics = app.client.get(app.url("/metrics")).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let line = "plumbline_job_failures_total{kind=\"waiting\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    let due = jobs::next_due(&app.state.db, &[Waiting::NAME])
        .await
        .unwrap()
        .unwrap();
    assert!(due > server::clock::now(), "it has a pause");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_gives_no_job_up_and_what_is_done_is_not_given_up_either() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    let now = server::clock::now();
    let job = start(&app, project, Waiting::NAME, false).await.unwrap();
    let fail = async |job, max_attempts| {
        let failure = ChunkFailure {
            error: "odd",
            again_at: now,
            max_attempts,
        };
        jobs::chunk_failed(&app.state.db, project, job, &failure, now)
            .await
            .unwrap()
    };
    for _ in 0..5 {
        assert!(!fail(job, None).await);
    }
    assert!(!fail(job, Some(2)).await, "its first failure of the other kind");
    let kinds = [Waiting::NAME];
    let chunk = jobs::take(&app.state.db, &kinds, None, now)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(chunk.failures, 6);
    drop(chunk);
    assert!(fail(job, Some(2)).await);

    let unheard = start(&app, project, Unheard::NAME, false).await.unwrap();
    let mut worker = Worker::of_kinds(app.state.db.clone(), KINDS);
    assert_eq!(worker.work(None).await.unwrap(), Worked::Chunk);
    let done = jobs::get(&app.state.db, project, unheard).await.unwrap();
    assert_eq!((done.state, done.error), (JobState::Done, None));
    assert!(!fail(unheard, Some(1)).await, "it is done");
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_take_turns_and_a_kind_that_is_deduplicated_has_one_per_project() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    let first = start(&app, project, Counting::NAME, true).await.unwrap();
    let refused = start(&app, project, Counting::NAME, true).await;
    assert!(
        matches!(refused, Err(storage::Error::Conflict(jobs::OPEN_JOB))),
        "{refused:?}"
    );
    let other = other_project(&app).await.id;
    let second = start(&app, other, Counting::NAME, true).await.unwrap();
    let mut worker = Worker::of_kinds(app.state.db.clone(), KINDS);
    let mut done = Vec::new();
    while worker.work(None).await.unwrap() == Worked::Chunk {
        let one = jobs::get(&app.state.db, project, first).await.unwrap();
        let two = jobs::get(&app.state.db, other, second).await.unwrap();
        done.push((one.progress_done, two.progress_done));
    }
    assert_eq!(done, [(1, 0), (1, 1), (2, 1), (2, 2), (3, 2), (3, 3)]);
    start(&app, project, Counting::NAME, true).await.unwrap();
}
