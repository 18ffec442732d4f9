//! Alerts: whoever takes them and whoever writes them lock in one order, so that none of them fails.

use domain::alert::Channel;
use domain::{ProjectId, Timestamp};
use serde_json::json;
use sqlx::Connection as _;
use storage::Db;
use storage::alerts::{Turn, claim};
use storage::integrations::{self, NewSettings};

use crate::support::{TestDatabase, at, wait_for_a_waiter};

const NOW: &str = "2026-11-24T12:00:00Z";
const MINUTE_MICROS: i64 = 60_000_000;

fn now() -> Timestamp {
    at(NOW)
}

async fn connect(db: &Db, project: ProjectId) {
    let options = json!({});
    let new = NewSettings {
        remote: "hooks.slack.com",
        options: &options,
        is_paused: false,
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
    sqlx::query(
        "insert into alerts (project_id, alert_id, created_at, last_at, due_at, occurrences, severity, is_open, trigger,
           channel, group_key, state, summary, subject, content)
         values ($1, gen_random_uuid(), $2, $2, $2, 1, 2, true, 'test', 'slack', 'parse-request', 'waiting', 's', '{}', '{}')",
    )
    .bind(project.0)
    .bind(now().to_offset_date_time())
    .execute(&mut superuser)
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_adds_to_an_alert_is_no_deadlock_with_whoever_takes_it() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    connect(&database.db, project).await;
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
