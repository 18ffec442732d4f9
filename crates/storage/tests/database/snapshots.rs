//! What is read: one moment, in time, over connections that ingest does not need.

use std::time::Duration;

use sqlx::PgConnection;
use storage::{Connections, Error, Scope};

use crate::support::TestDatabase;

async fn sleeping(owner: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "select count(*) from pg_stat_activity
         where datname = current_database() and state = 'active' and query like 'select pg_sleep%'",
    )
    .fetch_one(owner)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_slow_statement_ends_as_too_slow_and_its_connection_serves_on() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    let db = database.db.with_read_timeout(Duration::from_millis(100));
    for _ in 0..6 {
        let mut snapshot = db.snapshot(project).await.unwrap();
        let slow = sqlx::query("select pg_sleep(60)").execute(&mut snapshot).await;
        let error = Error::from(slow.unwrap_err());
        assert!(matches!(error, Error::TooSlow(_)), "{error:?}");
    }
    let mut snapshot = db.snapshot(project).await.unwrap();
    let one: i32 = sqlx::query_scalar("select 1")
        .fetch_one(&mut snapshot)
        .await
        .unwrap();
    assert_eq!(one, 1);
}

#[tokio::test]
async fn a_statement_nobody_waits_for_any_longer_is_stopped() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    let mut owner = database.superuser().await;
    let reading = {
        let db = database.db.with_read_timeout(Duration::from_secs(600));
        async move {
            let mut snapshot = db.snapshot(project).await.unwrap();
            sqlx::query("select pg_sleep(600)")
                .execute(&mut snapshot)
                .await
                .unwrap();
        }
    };
    {
        let mut reading = std::pin::pin!(reading);
        while sleeping(&mut owner).await == 0 {
            assert!(
                tokio::time::timeout(Duration::from_millis(20), &mut reading)
                    .await
                    .is_err()
            );
        }
    }
    let stopped = async {
        while sleeping(&mut owner).await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), stopped)
        .await
        .unwrap();
}

#[tokio::test]
async fn all_statements_of_a_snapshot_see_one_moment_and_write_nothing() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    let mut snapshot = database.db.snapshot(project).await.unwrap();
    assert_eq!(projects(&mut snapshot).await, 1);
    sqlx::query("update projects set project_id = '00000000-0000-0000-0000-0000000000ff'")
        .execute(&mut database.superuser().await)
        .await
        .unwrap();
    assert_eq!(projects(&mut snapshot).await, 1);
    let written = sqlx::query("delete from projects").execute(&mut snapshot).await;
    assert!(written.unwrap_err().to_string().contains("read-only"));
    drop(snapshot);
    assert_eq!(
        projects(&mut database.db.snapshot(project).await.unwrap()).await,
        0
    );
}

async fn projects(snapshot: &mut storage::Snapshot) -> i64 {
    sqlx::query_scalar("select count(*) from projects")
        .fetch_one(snapshot)
        .await
        .unwrap()
}

#[tokio::test]
async fn whoever_reads_takes_no_connection_from_those_who_write() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    let connections = Connections::connect_lazy(&database.options, 12, None);
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(connections.pages.snapshot(project).await.unwrap());
    }
    let waiting = tokio::time::timeout(Duration::from_millis(100), connections.pages.snapshot(project));
    assert!(waiting.await.is_err(), "reads have five connections");
    for _ in 0..2 {
        connections.pages.begin(Scope::All).await.unwrap();
    }
    for _ in 0..4 {
        connections.ingest.begin(Scope::All).await.unwrap();
    }
    connections.ingest.snapshot(project).await.unwrap();
}

#[tokio::test]
async fn a_transaction_given_up_while_it_begins_leaves_none_behind() {
    let database = TestDatabase::new().await;
    let db = storage::Db::connect_lazy(database.options.clone(), 1);
    // The connection is there, so that what is polled is the beginning alone.
    db.version().await.unwrap();
    let mut superuser = database.superuser().await;
    for polls in 1..20 {
        let mut beginning = Box::pin(db.begin(Scope::All));
        for _ in 0..polls {
            if futures::poll!(beginning.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(beginning);
        // What needs no transaction goes over the same connection.
        db.version().await.unwrap();
        let is_idle = async {
            let mut state = String::new();
            while state != "idle" {
                state = sqlx::query_scalar(
                    "select state from pg_stat_activity
                     where datname = current_database() and application_name = 'plumbline'",
                )
                .fetch_one(&mut superuser)
                .await
                .unwrap();
            }
        };
        let patience = Duration::from_secs(5);
        let became_idle = tokio::time::timeout(patience, is_idle).await;
        assert!(
            became_idle.is_ok(),
            "after {polls} polls it stays in a transaction"
        );
    }
}
