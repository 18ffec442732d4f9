//! What detectors said of a run: written once, by whoever began it, and gone with the run.

use domain::ProjectId;
use domain::detector::{DetectorDraft, JudgementState, Template};
use serde_json::json;
use storage::detectors::{self, EndedJudgement, NewFinding};
use storage::findings::{self, FindingFilter};
use storage::partitions::{delete_expired, maintain};
use uuid::Uuid;

use crate::batch;
use crate::partitions::{days_before_now, file, keep};
use crate::support::{TestDatabase, at};

const NOW: &str = "2026-11-24T12:00:00Z";
const DETECTOR: Uuid = Uuid::from_u128(7);

async fn make(database: &TestDatabase, project: ProjectId) {
    let draft = DetectorDraft {
        name: "Failures".to_owned(),
        every_run: true,
        ..DetectorDraft::of(Template::Failure)
    };
    detectors::create(&database.db, project, DETECTOR, &draft, "mara", at(NOW))
        .await
        .unwrap();
}

fn found(begun_at: Option<domain::Timestamp>) -> EndedJudgement {
    EndedJudgement {
        detector_id: DETECTOR,
        version: 1,
        state: JudgementState::Found,
        reason: None,
        cost: None,
        has_asked: true,
        is_retried: false,
        dropped_quotes: 0,
        finding: Some(NewFinding {
            id: Uuid::now_v7(),
            summary: "it failed".to_owned(),
            data: json!({}),
            evidence: Vec::new(),
            model: None,
            judged_in: None,
        }),
        begun_at,
    }
}

#[tokio::test]
async fn a_run_is_judged_by_whoever_began_it_last() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    make(&database, project).await;
    let (db, now) = (&database.db, at(NOW));
    batch::write(db, project, &[batch::step("r", "s", now)], now)
        .await
        .unwrap();
    let later = now.plus_micros(60_000_000);
    let begin = |now, stale| detectors::begin(db, project, (DETECTOR, 1), "r", now, stale);
    assert!(begin(now, now).await.unwrap());
    assert!(!begin(later, now).await.unwrap(), "somebody is at it");
    assert!(begin(later, later).await.unwrap(), "and dead");
    let end = |begun_at| detectors::end(db, project, "r", vec![(found(begun_at), Vec::new())], later);
    assert_eq!(
        end(Some(now)).await.unwrap().len(),
        0,
        "the first comes back too late"
    );
    assert_eq!(end(Some(later)).await.unwrap().len(), 1);
    assert_eq!(end(Some(later)).await.unwrap().len(), 0);
    assert_eq!(end(None).await.unwrap().len(), 0);
    assert!(!begin(later, later.plus_micros(1)).await.unwrap(), "it is judged");
    let days = detectors::days(&mut database.snapshot(project).await, project, None, now)
        .await
        .unwrap();
    assert_eq!((days.len(), days[0].judged, days[0].unpriced), (1, 1, 1));
}

#[tokio::test]
async fn nothing_is_said_of_a_run_that_was_deleted() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    make(&database, project).await;
    let (db, now) = (&database.db, at(NOW));
    assert!(
        !detectors::begin(db, project, (DETECTOR, 1), "r", now, now)
            .await
            .unwrap()
    );
    for begun_at in [None, Some(now)] {
        let ended = vec![(found(begun_at), Vec::new())];
        assert_eq!(
            detectors::end(db, project, "r", ended, now).await.unwrap().len(),
            0
        );
    }
}

#[tokio::test]
async fn a_project_that_is_deleted_takes_nothing_more() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    make(&database, project).await;
    storage::projects::deletion::start(&database.db, project, "mara", at(NOW))
        .await
        .unwrap();
    let ended = detectors::end(
        &database.db,
        project,
        "r",
        vec![(found(None), Vec::new())],
        at(NOW),
    );
    assert_eq!(ended.await.unwrap().len(), 0);
}

#[tokio::test]
async fn findings_go_with_their_run() {
    let database = TestDatabase::new().await;
    let mut owner = database.superuser().await;
    let project = database.project(1).await;
    keep(&mut owner, project, 30, 7).await;
    make(&database, project).await;
    for days in [1, 40] {
        let run_id = days.to_string();
        file(&mut owner, project, &run_id, &days_before_now(days)).await;
        detectors::end(
            &database.db,
            project,
            &run_id,
            vec![(found(None), Vec::new())],
            at(NOW),
        )
        .await
        .unwrap();
    }
    maintain(&database.options, at(NOW)).await.unwrap();
    delete_expired(&database.options, at(NOW)).await.unwrap();
    let mut snapshot = database.snapshot(project).await;
    let left = findings::list(&mut snapshot, project, &FindingFilter::default(), 9)
        .await
        .unwrap();
    let runs: Vec<&str> = left.iter().map(|finding| finding.run_id.as_str()).collect();
    assert_eq!(runs, ["1"]);
    assert_eq!(detectors::of_run(&mut snapshot, project, "40").await.unwrap(), []);
}
