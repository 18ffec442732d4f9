//! A run at which judging fails again and again, or dies, is tried a few times and then said to be not judged.

use domain::Timestamp;
use domain::detector::JudgementState;
use storage::detectors::{self, QueuedRun};

use crate::app::TestApp;
use crate::detectors::{call, findings, make, repeat, repeated};
use crate::people::default_project;

const MINUTE: i64 = 60_000_000;

async fn take(app: &TestApp, now: Timestamp) -> Option<QueuedRun> {
    detectors::take(&app.state.db, now, now.plus_micros(MINUTE), &[])
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_can_t_be_judged_is_given_up_and_says_so() {
    let app = TestApp::new().await;
    let id = make(&app, repeated()).await;
    repeat(&app, "r1").await;
    let (db, project) = (&app.state.db, default_project(&app).await.id);
    let mut now = server::clock::now().plus_micros(MINUTE);
    // As when the run can't be read.
    let first = take(&app, now).await.unwrap();
    assert_eq!(first.attempts, 1);
    let due_at = now.plus_micros(10 * MINUTE);
    detectors::again(db, &first, due_at).await.unwrap();
    assert_eq!(take(&app, due_at.plus_micros(-1)).await, None, "it waits");
    now = due_at;
    // As a run that goes on, which is no attempt.
    let second = take(&app, now).await.unwrap();
    assert_eq!(second.attempts, 2);
    detectors::later(db, &second, now).await.unwrap();
    // As when the process dies each time.
    for attempts in 2..=5 {
        assert_eq!(take(&app, now).await.unwrap().attempts, attempts);
        now = now.plus_micros(2 * MINUTE);
    }
    server::detectors::judge_due(&app.state.judge(), now)
        .await
        .unwrap();

    let mut snapshot = db.snapshot(project).await.unwrap();
    let judgements = detectors::of_run(&mut snapshot, project, "r1").await.unwrap();
    let [judgement] = judgements.as_slice() else {
        panic!("{judgements:?}");
    };
    assert_eq!(judgement.state, JudgementState::Failed);
    let reason = judgement.reason.clone().unwrap_or_default();
    assert!(reason.contains("could not be read"), "{reason}");
    drop(snapshot);
    assert_eq!(
        take(&app, now.plus_micros(100 * MINUTE)).await,
        None,
        "and no more"
    );
    let (_, detector) = app.get(&format!("/api/detectors/{id}")).await;
    assert_eq!(detector["week"]["failed"], 1, "{detector:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_step_has_a_run_tried_anew() {
    let app = TestApp::new().await;
    make(&app, repeated()).await;
    repeat(&app, "r1").await;
    let mut now = server::clock::now().plus_micros(MINUTE);
    while take(&app, now).await.unwrap().attempts < 5 {
        now = now.plus_micros(2 * MINUTE);
    }
    app.store(call("r1", "d", "order 4711")).await;
    server::detectors::judge_due(&app.state.judge(), now)
        .await
        .unwrap();
    assert_eq!(findings(&app, "?run=r1").await.len(), 1);
}
