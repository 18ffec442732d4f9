//! Connections: a webhook is heard once whoever hears it, one process asks at a time, and a deleted project's secrets are
//! gone at once.

use domain::deploy::{DeployRecord, DeployReport};
use domain::{ProjectId, Timestamp};
use serde_json::json;
use storage::deploys::Change;
use storage::integrations::{
    self, Delivery, GITHUB, Heard, NewSecret, NewSettings, Outcome, by_remote, by_slug, claim,
};
use storage::projects::deletion;
use storage::{Db, Error};

use crate::support::{TestDatabase, at};

const NOW: &str = "2026-11-24T12:00:00Z";
const REMOTE: &str = "acme/support";
const MINUTE_MICROS: i64 = 60_000_000;

fn now() -> Timestamp {
    at(NOW)
}

async fn connect(db: &Db, project: ProjectId, is_paused: bool, at: Timestamp) {
    let options = json!({ "repository": REMOTE });
    let new = NewSettings {
        remote: REMOTE,
        options: &options,
        is_paused,
        secrets: &[NewSecret {
            name: "webhook_secret",
            sealed: Some(vec![1, 2, 3]),
            shown: None,
        }],
    };
    integrations::save(db, project, GITHUB, &new, "mara", at)
        .await
        .unwrap();
}

fn report() -> DeployReport {
    DeployReport {
        record: DeployRecord {
            id: Some("github-run-1".to_owned()),
            sha: "c4e2117".to_owned(),
            ..DeployRecord::default()
        },
        ..DeployReport::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_heard_once_by_all_processes_together() {
    let database = TestDatabase::new().await;
    let (db, project) = (&database.db, database.project(1).await);
    connect(db, project, false, now()).await;
    let delivery = |id| Delivery {
        kind: GITHUB,
        id,
        event: "workflow_run",
        asks: false,
    };
    let hear = |id, at| integrations::hear(db, project, delivery(id), Some(report()), "hook", at);
    let all = futures::future::join_all((0..8).map(|_| hear("d-1", now()))).await;
    let first: Vec<_> = all
        .into_iter()
        .map(Result::unwrap)
        .filter(|heard| *heard != Heard::Before)
        .collect();
    let [Heard::Now(Some(applied))] = first.as_slice() else {
        panic!("{first:?}")
    };
    assert_eq!(applied.change, Change::New);
    let Heard::Now(Some(again)) = hear("d-2", now()).await.unwrap() else {
        panic!("another delivery is heard")
    };
    assert_eq!(again.change, Change::Nothing);
    // What nobody sends again any more is forgotten.
    let later = now().plus_micros(8 * 24 * 60 * MINUTE_MICROS);
    hear("d-3", later).await.unwrap();
    assert!(matches!(hear("d-1", later).await.unwrap(), Heard::Now(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_is_at_a_connection_until_it_lets_go() {
    let database = TestDatabase::new().await;
    let (db, project) = (&database.db, database.project(1).await);
    connect(db, project, false, now()).await;
    let until = now().plus_micros(2 * MINUTE_MICROS);
    let take = |only, at| claim(db, GITHUB, only, at, until);
    let all = futures::future::join_all((0..8).map(|_| take(None, now()))).await;
    let taken: Vec<_> = all.into_iter().filter_map(Result::unwrap).collect();
    let [first] = taken.as_slice() else {
        panic!("{taken:?}")
    };
    assert_eq!(first.project_id, project);
    assert_eq!(take(Some(project), now()).await.unwrap(), None);
    let next_at = now().plus_micros(5 * MINUTE_MICROS);
    let outcome = Outcome {
        is_ok: false,
        error: Some("502".to_owned()),
        is_failure: true,
        cursor: json!({ "etags": {} }),
        next_at,
    };
    integrations::finish(db, project, GITHUB, first.claim, &outcome, now())
        .await
        .unwrap();
    assert_eq!(integrations::next_due(db, GITHUB).await.unwrap(), Some(next_at));
    assert_eq!(take(None, now()).await.unwrap(), None);
    // Somebody wants it now.
    let second = take(Some(project), now()).await.unwrap().unwrap();
    assert_eq!((second.failures, &second.cursor), (1, &outcome.cursor));
    // It is connected anew meanwhile: what the other is at is nobody's any more.
    connect(db, project, true, now()).await;
    let kept = integrations::keep_claim(db, project, GITHUB, second.claim, until).await;
    assert!(!kept.unwrap());
    integrations::finish(db, project, GITHUB, second.claim, &outcome, now())
        .await
        .unwrap();
    let mut snapshot = database.snapshot(project).await;
    let stored = integrations::get(&mut snapshot, project, GITHUB)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((stored.last_error, stored.paused_at), (None, Some(now())));
    // A paused one is nobody's turn.
    assert_eq!(take(Some(project), now()).await.unwrap(), None);
    let asked = integrations::ask_now(db, project, GITHUB, "mara", now()).await;
    assert!(matches!(asked, Err(Error::NotFound)), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_project_hears_and_keeps_nothing() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let (project, other) = (database.project(1).await, database.project(2).await);
    connect(db, project, false, now()).await;
    connect(db, other, false, now().plus_micros(1)).await;
    let found = by_remote(db, GITHUB, "webhook_secret", REMOTE, 8).await.unwrap();
    let ids: Vec<_> = found.iter().map(|hooked| hooked.project_id).collect();
    assert_eq!(ids, [project, other]);
    assert_eq!(
        by_remote(db, GITHUB, "webhook_secret", REMOTE, 1)
            .await
            .unwrap()
            .len(),
        1
    );
    let named = async |slug, remote| by_slug(db, GITHUB, "webhook_secret", slug, remote).await.unwrap();
    assert_eq!(
        named("project-2", None).await.map(|one| one.project_id),
        Some(other)
    );
    assert!(named("project-2", Some("acme/another")).await.is_none());
    deletion::start(db, project, "mara", now()).await.unwrap();
    let sealed = integrations::sealed(db, project, GITHUB, "webhook_secret")
        .await
        .unwrap();
    assert_eq!(sealed, None);
    assert!(named("project-1", None).await.is_none());
    let delivery = Delivery {
        kind: GITHUB,
        id: "d",
        event: "workflow_run",
        asks: false,
    };
    let heard = integrations::hear(db, project, delivery, Some(report()), "hook", now()).await;
    assert!(matches!(heard, Err(Error::NotFound)), "{heard:?}");
    let taken = claim(
        db,
        GITHUB,
        None,
        now().plus_micros(2),
        now().plus_micros(MINUTE_MICROS),
    )
    .await;
    assert_eq!(taken.unwrap().map(|one| one.project_id), Some(other));
}
