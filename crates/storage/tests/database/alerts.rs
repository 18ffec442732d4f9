//! Alerts: whoever takes them and whoever writes them lock in one order, so that none of them fails; a channel gets a
//! bounded number in an hour; what waits or is kept for too long goes.

use domain::alert::Channel;
use domain::{ProjectId, Timestamp};
use serde_json::json;
use sqlx::Connection as _;
use storage::Db;
use storage::alerts::{
    Delivered, Outcome, Turn, claim, delete_expired, drop_forgotten, finish, next_due, waiting,
};
use storage::integrations::{self, NewSettings};

use crate::support::{TestDatabase, at, wait_for_a_waiter};

const NOW: &str = "2026-11-24T12:00:00Z";
const MINUTE_MICROS: i64 = 60_000_000;
const HOUR_MICROS: i64 = 60 * MINUTE_MICROS;
const DAY_MICROS: i64 = 24 * HOUR_MICROS;

fn now() -> Timestamp {
    at(NOW)
}

async fn connect(db: &Db, project: ProjectId, is_paused: bool) {
    let options = json!({});
    let new = NewSettings {
        remote: "hooks.slack.com",
        options: &options,
        is_paused,
        secrets: &[],
    };
    integrations::save(db, project, "slack", &new, "mara", now())
        .await
        .unwrap();
}

/// One alert about a step that waits, and until when its trigger is quiet.
async fn wait_for_delivery(database: &TestDatabase, project: ProjectId) {
    let mut superuser = database.superuser().await;
    sqlx::query(
        "insert into alert_groups (project_id, fired_at, quiet_until, quiet_s, trigger, channel, group_key)
         values ($1, $2, $2, 60, 'test', 'slack', 'parse-request')",
    )
    .bind(project.0)
    .bind(now().to_offset_date_time())
    .execute(&mut superuser)
    .await
    .unwrap();
    wait(database, project, "slack", "parse-request", now()).await;
}

/// An alert about a step that waits for a channel since `created_at`.
async fn wait(database: &TestDatabase, project: ProjectId, channel: &str, step: &str, created_at: Timestamp) {
    sqlx::query(
        "insert into alerts (project_id, alert_id, created_at, last_at, due_at, occurrences, severity, is_open, trigger,
           channel, group_key, state, summary, subject, content)
         values ($1, gen_random_uuid(), $2, $2, $2, 1, 2, true, 'test', $3, $4, 'waiting', 's', '{}', '{}')",
    )
    .bind(project.0)
    .bind(created_at.to_offset_date_time())
    .bind(channel)
    .bind(step)
    .execute(&mut database.superuser().await)
    .await
    .unwrap();
}

/// The steps of all alerts with their states and answers, by name.
async fn states(database: &TestDatabase) -> Vec<(String, String, Option<String>)> {
    sqlx::query_as("select group_key, state, answer from alerts order by group_key")
        .fetch_all(&mut database.superuser().await)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_adds_to_an_alert_is_no_deadlock_with_whoever_takes_it() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    connect(&database.db, project, false).await;
    wait_for_delivery(&database, project).await;
    let mut superuser = database.superuser().await;
    // A batch holds what is quiet, and adds to the alert afterwards.
    let mut batch = superuser.begin().await.unwrap();
    sqlx::query("select from alert_groups where project_id = $1 for update")
        .bind(project.0)
        .execute(&mut *batch)
        .await
        .unwrap();
    let until = now().plus_micros(MINUTE_MICROS);
    let taking = claim(&database.db, |_: Channel| None, now(), until);
    let adding = async {
        wait_for_a_waiter(&mut database.superuser().await).await;
        sqlx::query("update alerts set occurrences = occurrences + 1 where project_id = $1")
            .bind(project.0)
            .execute(&mut *batch)
            .await
            .unwrap();
        batch.commit().await.unwrap();
    };
    let (taken, ()) = tokio::join!(taking, adding);
    let Turn::Claimed(claimed) = taken.unwrap() else {
        panic!("nothing was taken");
    };
    assert_eq!(claimed.alerts[0].occurrences, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_gets_thirty_messages_an_hour_and_the_rest_in_the_next() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    connect(&database.db, project, false).await;
    for n in 0..31 {
        wait(&database, project, "slack", &format!("step-{n:02}"), now()).await;
    }
    let take = async |at: Timestamp| {
        let until = at.plus_micros(MINUTE_MICROS);
        claim(&database.db, |_: Channel| None, at, until).await.unwrap()
    };
    for n in 0..30 {
        let Turn::Claimed(claimed) = take(now()).await else {
            panic!("nothing was taken after {n} messages");
        };
        let done = Delivered {
            outcome: Outcome::Delivered,
            answer: "200 ok".to_owned(),
            latency_ms: 1,
            next_at: now(),
            tell: Vec::new(),
        };
        finish(&database.db, &claimed, &done, now()).await.unwrap();
    }
    assert_eq!(take(now()).await, Turn::PutOff);
    let next_hour = now().plus_micros(HOUR_MICROS);
    assert_eq!(next_due(&database.db).await.unwrap(), Some(next_hour));
    assert_eq!(take(next_hour.plus_micros(-1)).await, Turn::Nothing);
    let mut snapshot = database.db.snapshot(project).await.unwrap();
    assert_eq!(waiting(&mut snapshot, project).await.unwrap()[0].waiting, 1);
    let Turn::Claimed(last) = take(next_hour).await else {
        panic!("the last one was lost");
    };
    assert_eq!(last.alerts.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_too_long_is_dropped_and_the_log_is_kept_for_so_long() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    connect(&database.db, project, true).await;
    let ago = |days: i64| now().plus_micros(-days * DAY_MICROS);
    wait(&database, project, "slack", "a, paused for an hour", now()).await;
    wait(&database, project, "slack", "b, paused for two days", ago(2)).await;
    wait(&database, project, "webhook", "c, of no channel", now()).await;
    // As it is tidied up: a day of pause, a week of a channel that takes nothing.
    let dropped = drop_forgotten(&database.db, ago(1), ago(7), now()).await.unwrap();
    assert_eq!(dropped, 2);
    let of = |step: &str, state: &str, answer: Option<&str>| {
        (step.to_owned(), state.to_owned(), answer.map(str::to_owned))
    };
    let kept = of("a, paused for an hour", "waiting", None);
    assert_eq!(
        states(&database).await,
        [
            kept.clone(),
            of("b, paused for two days", "dropped", Some("Paused for too long")),
            of("c, of no channel", "dropped", Some("The channel was removed")),
        ]
    );
    // What was done is deleted later, what waits is not.
    delete_expired(&database.db, now()).await.unwrap();
    assert_eq!(states(&database).await.len(), 3);
    let later = now().plus_micros(1);
    while delete_expired(&database.db, later).await.unwrap() > 0 {}
    assert_eq!(states(&database).await, [kept]);
}
