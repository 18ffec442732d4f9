//! What scoring reads of stored steps.

use std::time::{Duration, Instant};

use domain::ProjectId;
use sqlx::{Connection as _, PgConnection};
use storage::scoring::{HistoryStep, latest_steps, steps_since};

use crate::support::{TestDatabase, at};

const WHEN: &str = "2026-11-20T12:00:00Z";

/// Takes the next batch number, as a batch that has written something does.
async fn next_batch(connection: &mut PgConnection, project: ProjectId, run_id: &str) -> i64 {
    sqlx::query("insert into run_keys (project_id, run_id, partition_at) values ($1, $2, $3)")
        .bind(project.0)
        .bind(run_id)
        .bind(at(WHEN).to_offset_date_time())
        .execute(&mut *connection)
        .await
        .unwrap();
    sqlx::query_scalar("select nextval('batches')")
        .fetch_one(connection)
        .await
        .unwrap()
}

async fn store(connection: &mut PgConnection, project: ProjectId, run_id: &str, batch: i64, steps: i64) {
    sqlx::query(
        "insert into steps (project_id, run_id, step_id, partition_at, kind, name, started_at, received_at, status, key_label,
           score, severity, sequence)
         select $1, $2, 's' || n, $3, 'llm', $2, $3, $3, 'ok', 'k', 0, 0, ($4::bigint << 20) + n
         from generate_series(0, $5 - 1) n",
    )
    .bind(project.0)
    .bind(run_id)
    .bind(at(WHEN).to_offset_date_time())
    .bind(batch)
    .bind(steps)
    .execute(connection)
    .await
    .unwrap();
}

fn runs(steps: &[HistoryStep]) -> Vec<&str> {
    steps.iter().map(|step| step.run_id.as_str()).collect()
}

#[tokio::test]
async fn a_batch_that_commits_late_is_found() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    let other = database.project(2).await;
    let (mut slow, mut quick) = (database.superuser().await, database.superuser().await);
    let (_, watermark) = latest_steps(&database.db, project, None).await.unwrap();
    let mut late = slow.begin().await.unwrap();
    let number = next_batch(&mut late, project, "late").await;
    store(&mut late, project, "late", number, 1).await;
    let number = next_batch(&mut quick, project, "early").await;
    store(&mut quick, project, "early", number, 1).await;
    let number = next_batch(&mut quick, other, "theirs").await;
    store(&mut quick, other, "theirs", number, 1).await;

    let (delta, watermark) = steps_since(&database.db, project, watermark)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(runs(&delta), ["early"]);
    // However often it is asked: the slow one is still under way.
    let (_, watermark) = steps_since(&database.db, project, watermark)
        .await
        .unwrap()
        .unwrap();
    late.commit().await.unwrap();
    let (mut delta, mut watermark) = steps_since(&database.db, project, watermark)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(runs(&delta), ["late", "early"]);
    // Once nothing is under way any more, in other tests' databases either, nothing is read twice.
    let deadline = Instant::now() + Duration::from_secs(30);
    while !delta.is_empty() {
        assert!(
            Instant::now() < deadline,
            "the same steps are read again and again"
        );
        (delta, watermark) = steps_since(&database.db, project, watermark)
            .await
            .unwrap()
            .unwrap();
    }
}

/// A project of which so much is stored that a delta is too much, as there always is among the last 4,096 batches of a
/// busy one, is read once as a whole, and by deltas from then on.
#[tokio::test]
async fn after_everything_was_read_a_delta_is_what_came_since() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    let mut owner = database.superuser().await;
    let number = next_batch(&mut owner, project, "many").await;
    store(&mut owner, project, "many", number, 50_001).await;
    let (_, first) = latest_steps(&database.db, project, None).await.unwrap();
    let too_many = steps_since(&database.db, project, first).await.unwrap();
    assert!(too_many.is_none());
    // Transactions of other tests' databases hold it up as well, until they end.
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut watermark = first;
    let (delta, _) = loop {
        assert!(Instant::now() < deadline, "everything is read again and again");
        (_, watermark) = latest_steps(&database.db, project, Some(watermark))
            .await
            .unwrap();
        if let Some(delta) = steps_since(&database.db, project, watermark).await.unwrap() {
            break delta;
        }
    };
    assert_eq!(runs(&delta), Vec::<&str>::new());
    let number = next_batch(&mut owner, project, "few").await;
    store(&mut owner, project, "few", number, 3).await;
    let (delta, _) = steps_since(&database.db, project, watermark)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(runs(&delta), ["few", "few", "few"]);
}

#[tokio::test]
async fn the_latest_of_each_name_are_read_in_order_of_arrival() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    let mut owner = database.superuser().await;
    for (run_id, steps) in [("rare", 5), ("usual", 1_000), ("new", 3)] {
        let number = next_batch(&mut owner, project, run_id).await;
        store(&mut owner, project, run_id, number, steps).await;
    }
    let (steps, _) = latest_steps(&database.db, project, None).await.unwrap();
    let count = |name: &str| steps.iter().filter(|step| step.name == name).count();
    assert_eq!((count("rare"), count("usual"), count("new")), (5, 200, 3));
    assert!(steps.is_sorted_by_key(|step| step.sequence));
    assert_eq!(
        steps[5].sequence - steps[4].sequence,
        (1 << 20) + 796,
        "the latest 200"
    );
}
