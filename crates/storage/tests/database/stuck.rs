//! Somebody holds a lock and is not seen again: nobody waits for that for ever.

use std::time::Duration;

use domain::ProjectId;
use sqlx::{Connection as _, PgConnection, Postgres, Transaction};
use storage::{Db, Error, ingest};

use crate::batch::{step, write};
use crate::support::{TestDatabase, at};

const NOW: &str = "2026-11-24T12:00:00Z";

/// What a process holds that is frozen in the middle of a batch of the project.
async fn frozen_batch(connection: &mut PgConnection, project: ProjectId) -> Transaction<'_, Postgres> {
    let mut tx = connection.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1::uuid::text, 0))")
        .bind(project.0)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_waits_for_a_lock_as_long_as_it_may_and_others_go_on() {
    let database = TestDatabase::new().await;
    let (project, other) = (database.project(1).await, database.project(2).await);
    // What the database sets itself stays, so that this takes no 20 s.
    let options = database.options.clone().options([("lock_timeout", "100ms")]);
    let db = Db::connect_lazy(options, 2);
    let mut elsewhere = database.superuser().await;
    let frozen = frozen_batch(&mut elsewhere, project).await;
    let refused = write(&db, project, &[step("r", "s", at(NOW))], at(NOW)).await;
    let Err(cause) = refused else {
        panic!("it did not wait")
    };
    assert!(cause.is_transient() && cause.is_lock_timeout(), "{cause:?}");
    let stored = write(&db, other, &[step("r", "s", at(NOW))], at(NOW)).await;
    assert_eq!(stored.unwrap(), [true]);
    drop(frozen);
    elsewhere.close().await.unwrap();
    let stored = write(&db, project, &[step("r", "s", at(NOW))], at(NOW)).await;
    assert_eq!(stored.unwrap(), [true]);
}

/// By whom it is waited for in vain, as for a connection that was cut silently.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_given_up_takes_no_connection_from_the_pool() {
    let database = TestDatabase::new().await;
    let (project, other) = (database.project(1).await, database.project(2).await);
    let db = Db::connect_lazy(database.options.clone(), 1);
    let mut elsewhere = database.superuser().await;
    let _frozen = frozen_batch(&mut elsewhere, project).await;
    let steps = [step("r", "s", at(NOW))];
    // So far without the lock that it will wait for.
    write(&db, other, &steps, at(NOW)).await.unwrap();
    let given_up =
        tokio::time::timeout(Duration::from_millis(500), write(&db, project, &steps, at(NOW))).await;
    assert!(given_up.is_err(), "it did not wait");
    let next = ingest::begin(&db, &[other]).await;
    assert!(!matches!(next, Err(Error::Unavailable(_))), "{next:?}");
    next.unwrap().commit().await.unwrap();
}
