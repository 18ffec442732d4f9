//! A deleted project takes nothing more, and its rows go in chunks that any process goes on with.

use std::time::Duration;

use domain::ProjectId;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use storage::ingest::{self, LedgerEntry, Outcome};
use storage::jobs::{JobState, NewJob};
use storage::projects::deletion::{self, Deletion};
use storage::{Error, jobs, keys, projects};

use crate::batch;
use crate::support::{TestDatabase, at, delete_project, wait_for_a_waiter};

const NOW: &str = "2026-11-24T12:00:00Z";

/// How many rows each table has of a project, empty ones left out. The tables are read from the catalogue; the audit log
/// is to outlive the project.
async fn rows_left(owner: &mut PgConnection, project: ProjectId) -> Vec<(String, i64)> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
           and a.attname = 'project_id' and not a.attisdropped and c.relname <> 'audit_log' order by 1",
    )
    .fetch_all(&mut *owner)
    .await
    .unwrap();
    assert!(tables.len() > 10, "{tables:?}");
    let mut left = Vec::new();
    for table in tables {
        let count = format!("select count(*) from {table} where project_id = $1");
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(count))
            .bind(project.0)
            .fetch_one(&mut *owner)
            .await
            .unwrap();
        if rows > 0 {
            left.push((table, rows));
        }
    }
    left
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_under_way_is_waited_for_and_a_later_one_is_refused() {
    let database = TestDatabase::new().await;
    let (db, mut owner) = (&database.db, database.superuser().await);
    let (project, other) = (database.project(1).await, database.project(2).await);

    let mut batch = ingest::begin(db, &[project, other]).await.unwrap();
    let job = deletion::start(db, project, "mara@acme.dev", at(NOW))
        .await
        .unwrap();
    for together in [&[project][..], &[project, other]] {
        let refused = ingest::begin(db, together).await;
        assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    }
    assert!(matches!(projects::get(db, project).await, Err(Error::NotFound)));

    let first = jobs::take(db, &[deletion::KIND], Some((project, job)), at(NOW))
        .await
        .unwrap()
        .unwrap();
    let (deleted, ()) = tokio::join!(deletion::delete_chunk(first, at(NOW)), async {
        wait_for_a_waiter(&mut owner).await;
        let entry = |project_id| LedgerEntry {
            project_id,
            minute: at(NOW),
            key_label: "default",
            outcome: Outcome::Stored,
            steps: 1,
        };
        ingest::add_to_ledger(&mut batch, &mut [entry(project), entry(other)])
            .await
            .unwrap();
        batch.commit().await.unwrap();
    });
    deleted.unwrap();
    while let Some(chunk) = jobs::take(db, &[deletion::KIND], Some((project, job)), at(NOW))
        .await
        .unwrap()
    {
        deletion::delete_chunk(chunk, at(NOW)).await.unwrap();
    }
    assert_eq!(rows_left(&mut owner, project).await, []);
    assert_eq!(
        rows_left(&mut owner, other).await,
        [("ledger".to_owned(), 1), ("projects".to_owned(), 1)]
    );
}

/// One batch begins before the one before it ends, as two workers do all the time: there is no moment without one.
#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_is_always_written_to_is_marked_all_the_same() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let project = database.project(1).await;
    let mut under_way = ingest::begin(db, &[project]).await.unwrap();
    let writing = async {
        loop {
            match ingest::begin(db, &[project]).await {
                Ok(next) => std::mem::replace(&mut under_way, next).commit().await.unwrap(),
                Err(refused) => break refused,
            }
        }
    };
    let marking = deletion::start(db, project, "mara@acme.dev", at(NOW));
    let both = async { tokio::join!(marking, writing) };
    let (marked, refused) = tokio::time::timeout(Duration::from_secs(5), both)
        .await
        .unwrap_or_else(|_| panic!("marking waits for a moment without a batch"));
    marked.unwrap();
    assert!(matches!(refused, Error::NotFound), "{refused:?}");
}

#[tokio::test]
async fn a_marked_project_has_no_job_but_its_deletion() {
    let database = TestDatabase::new().await;
    let (db, mut owner) = (&database.db, database.superuser().await);
    let project = database.project(1).await;
    let job = deletion::start(db, project, "mara@acme.dev", at(NOW))
        .await
        .unwrap();
    let new = NewJob {
        kind: "reprice",
        deduplicated: true,
        arguments: &json!({}),
    };
    let refused = jobs::start(db, project, &new, "mara@acme.dev", at(NOW)).await;
    assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    // One that was started at the same moment as the deletion.
    sqlx::query(
        "insert into jobs (project_id, job_id, kind, deduplicated, arguments, state, run_after, created_at)
         values ($1, gen_random_uuid(), 'reprice', true, '{}', 'waiting', '2026-11-01', '2026-11-01')",
    )
    .bind(project.0)
    .execute(&mut owner)
    .await
    .unwrap();
    let taken = jobs::take(db, &["reprice", deletion::KIND], None, at(NOW))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(taken.job.job_id, job);
}

/// A chunk of a job may take long. Who deletes its project waits for it, and nobody else does.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_at_work_keeps_no_batch_waiting_for_the_deletion() {
    let database = TestDatabase::new().await;
    let (db, mut owner) = (&database.db, database.superuser().await);
    let project = database.project(1).await;
    let new = NewJob {
        kind: "reprice",
        deduplicated: true,
        arguments: &json!({}),
    };
    let job = jobs::start(db, project, &new, "mara@acme.dev", at(NOW))
        .await
        .unwrap();
    let at_work = jobs::take(db, &["reprice"], None, at(NOW))
        .await
        .unwrap()
        .unwrap();
    let (deletion, ()) = tokio::join!(deletion::start(db, project, "mara@acme.dev", at(NOW)), async {
        wait_for_a_waiter(&mut owner).await;
        let batch = tokio::time::timeout(Duration::from_secs(20), ingest::begin(db, &[project])).await;
        batch
            .expect("a batch waits for the job")
            .unwrap()
            .commit()
            .await
            .unwrap();
        drop(at_work);
    });
    deletion.unwrap();
    let job = jobs::get(db, project, job).await.unwrap();
    assert_eq!(job.state, JobState::Cancelled);
    assert!(matches!(
        ingest::begin(db, &[project]).await,
        Err(Error::NotFound)
    ));
}

#[tokio::test]
async fn a_key_of_a_deleted_project_is_none() {
    let database = TestDatabase::new().await;
    let (db, mut owner) = (&database.db, database.superuser().await);
    let project = database.project(1).await;
    let scopes = [domain::Scope::Ingest];
    let made = keys::add(db, project, "before", &scopes, "mara@acme.dev", at(NOW))
        .await
        .unwrap();
    let sha256 = keys::secret::sha256(&made.secret);
    assert!(keys::find(db, &sha256).await.unwrap().is_some());
    deletion::start(db, project, "mara@acme.dev", at(NOW))
        .await
        .unwrap();
    let added = keys::add(db, project, "after", &scopes, "mara@acme.dev", at(NOW)).await;
    assert!(matches!(added, Err(Error::NotFound)), "{added:?}");
    // However it came there.
    sqlx::query(
        "insert into api_keys (project_id, id, label, prefix, sha256, scopes, created_at)
         values ($1, gen_random_uuid(), 'k', 'pl_live_', $2, '{ingest}', now())",
    )
    .bind(project.0)
    .bind(&sha256[..])
    .execute(&mut owner)
    .await
    .unwrap();
    assert_eq!(keys::find(db, &sha256).await.unwrap(), None);
}

#[tokio::test]
async fn the_rows_go_in_chunks_and_a_process_that_dies_loses_one() {
    let database = TestDatabase::new().await;
    let (db, mut owner) = (&database.db, database.superuser().await);
    let (project, other) = (database.project(1).await, database.project(2).await);
    storage::partitions::maintain(&database.options, at(NOW))
        .await
        .unwrap();
    for project in [project, other] {
        // Twelve days of minutes: in two weeks' partitions and the default one.
        sqlx::query(
            "insert into ledger (project_id, minute, key_label, outcome, reason, steps)
             select $1, '2026-11-10T00:00:00Z'::timestamptz + make_interval(mins => n), 'k', 'stored', '', 1
             from generate_series(0, 17279) n",
        )
        .bind(project.0)
        .execute(&mut owner)
        .await
        .unwrap();
    }
    let job = deletion::start(db, project, "mara@acme.dev", at(NOW))
        .await
        .unwrap();
    let take = || jobs::take(db, &[deletion::KIND], Some((project, job)), at(NOW));
    let done = deletion::delete_chunk(take().await.unwrap().unwrap(), at(NOW))
        .await
        .unwrap();
    assert!(!done.is_last && done.rows > 0 && done.rows < 17_280, "{done:?}");
    let found = deletion::under_way(db, None).await.unwrap();
    let total_rows = found.first().and_then(|deletion| deletion.total_rows);
    assert!(
        total_rows.is_none_or(|total| total >= done.rows),
        "{total_rows:?}"
    );
    let under_way = Deletion {
        name: "project-1".to_owned(),
        slug: "project-1".to_owned(),
        deleted_at: at(NOW),
        job_id: job,
        started_at: Some(at(NOW)),
        rows: done.rows,
        total_rows,
        error: None,
    };
    assert_eq!(found, [under_way]);
    assert_eq!(
        deletion::under_way(db, Some(domain::UserId(uuid::Uuid::nil())))
            .await
            .unwrap(),
        [],
        "a stranger sees it"
    );

    drop(take().await.unwrap().unwrap());
    let mut rows = done.rows;
    let last = loop {
        // The dropped transaction is rolled back a moment later.
        let Some(chunk) = take().await.unwrap() else {
            continue;
        };
        let done = deletion::delete_chunk(chunk, at(NOW)).await.unwrap();
        if done.is_last {
            break done;
        }
        assert!(done.rows > rows);
        rows = done.rows;
    };
    assert_eq!(last.rows, 17_280);
    assert_eq!(rows_left(&mut owner, project).await, []);
    assert_eq!(
        rows_left(&mut owner, other).await,
        [("ledger".to_owned(), 17_280), ("projects".to_owned(), 1)]
    );
}

/// Clocks are wrong in any way, and what they said is kept.
#[tokio::test]
async fn rows_of_the_first_and_of_the_last_day_go_too() {
    let database = TestDatabase::new().await;
    let (db, mut owner) = (&database.db, database.superuser().await);
    let project = database.project(1).await;
    for (id, day) in [
        ("first", "0000-01-01T00:00:00Z"),
        ("last", "9999-12-31T00:00:00Z"),
    ] {
        let steps = [batch::step(id, id, at(day))];
        batch::write(db, project, &steps, at(NOW)).await.unwrap();
    }
    delete_project(db, project).await.unwrap();
    assert_eq!(rows_left(&mut owner, project).await, []);
}

/// Retention deletes the oldest rows first, as the job does: what both reach for hides nothing behind it.
#[tokio::test(flavor = "multi_thread")]
async fn what_retention_deletes_meanwhile_hides_no_rows() {
    let database = TestDatabase::new().await;
    let (db, mut owner) = (&database.db, database.superuser().await);
    let mut retention = database.superuser().await;
    let project = database.project(1).await;
    for insert in [
        "insert into step_payloads (project_id, run_id, step_id, partition_at, input)
         select $1, 'r', 's', day, 'a prompt' from unnest(array['2026-10-01', '2026-11-20']::timestamptz[]) day",
        "insert into run_keys (project_id, run_id, partition_at)
         select $1, 'r' || n, '2026-11-20' from generate_series(1, 2) n",
    ] {
        sqlx::query(insert)
            .bind(project.0)
            .execute(&mut owner)
            .await
            .unwrap();
    }
    let mut tx = retention.begin().await.unwrap();
    for delete in [
        "delete from step_payloads where project_id = $1 and partition_at < '2026-11-01'",
        "delete from run_keys where project_id = $1 and run_id = 'r1'",
    ] {
        sqlx::query(delete)
            .bind(project.0)
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    let (deleted, ()) = tokio::join!(delete_project(db, project), async {
        wait_for_a_waiter(&mut owner).await;
        tx.commit().await.unwrap();
    });
    deleted.unwrap();
    assert_eq!(rows_left(&mut owner, project).await, []);
}

#[tokio::test]
async fn the_word_of_a_deleted_project_is_free_and_so_is_the_default() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let default = projects::ensure_default(db, at(NOW)).await.unwrap();
    let job = deletion::start(db, default.id, "local", at(NOW)).await.unwrap();
    let next = projects::ensure_default(db, at(NOW)).await.unwrap();
    assert_eq!(next.slug, "default");
    assert_ne!(next.id, default.id);
    assert_eq!(projects::by_slug(db, "default").await.unwrap().id, next.id);
    assert_eq!(projects::list(db).await.unwrap(), [next]);
    assert!(matches!(
        deletion::start(db, default.id, "local", at(NOW)).await,
        Err(Error::NotFound)
    ));
    assert!(jobs::get(db, default.id, job).await.unwrap().state.is_open());
    let next = projects::ensure_default(db, at(NOW)).await.unwrap();
    delete_project(db, next.id).await.unwrap();
}
