//! Weeks come, and rows move into them.

use std::time::Duration;

use domain::ProjectId;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use storage::ingest::{self, ConditionDay};
use storage::partitions::{MAINTAINED_ELSEWHERE, is_due, maintain};

use crate::support::{TestDatabase, at, wait_for_a_waiter};

/// A Tuesday of ISO week 48.
pub(crate) const NOW: &str = "2026-11-24T12:00:00Z";
const TABLES_BY_WEEK: u32 = 11;
const TABLES: [(&str, &str); 10] = [
    ("runs", "partition_at"),
    ("steps", "partition_at"),
    ("step_payloads", "partition_at"),
    ("step_events", "partition_at"),
    ("step_conditions", "partition_at"),
    ("rollups", "hour"),
    ("ledger", "minute"),
    ("run_counts", "hour"),
    ("rollup_days", "day"),
    ("condition_days", "day"),
];

/// Files one row at `when` in every partitioned table, and the run's key.
pub(crate) async fn file(connection: &mut PgConnection, project: ProjectId, id: &str, when: &str) {
    let statements = [
        "insert into run_keys (project_id, run_id, partition_at) values ($1, $2, $3)",
        "insert into runs (project_id, run_id, partition_at, name, name_nested, name_at, name_step_id, started_at, ended_at,
           last_received_at, status, root_count, root_error_count, open_count, key_label, tags, models, step_names,
           step_count, error_count, unpriced_steps, severity, problem_rank)
         values ($1, $2, $3, 'n', false, $3, 's', $3, $3, $3, 'ok', 1, 0, 0, 'k', '{}', '{}', '{}', 1, 0, 0, 0, 0)",
        "insert into steps (project_id, run_id, step_id, partition_at, kind, name, started_at, received_at, status,
           key_label, severity, sequence) values ($1, $2, 's', $3, 'llm', 'n', $3, $3, 'ok', 'k', 0, 1)",
        "insert into step_payloads (project_id, run_id, step_id, partition_at, input) values ($1, $2, 's', $3, 'text')",
        "insert into step_events (project_id, run_id, step_id, partition_at, ordinal, at, name)
         values ($1, $2, 's', $3, 0, $3, 'n')",
        "insert into step_conditions (project_id, run_id, step_id, partition_at, code, layer, points, message, observed,
           expected, rule_version) values ($1, $2, 's', $3, 1, 1, 1, '', '', '', 1)",
        "insert into rollups (project_id, hour, series_id, key_label, step_name, calls, errors, anomalies, unpriced,
           cost_squares, input_squares, output_squares, output_shapes, finish_reasons, conditions)
         values ($1, $3, md5($2)::uuid, 'k', 'n', 1, 0, 0, 0, 0, 0, 0, '{}', '{}', '{}')",
        "insert into release_hours (project_id, hour, release, key_label, step_name, calls, errors, unpriced, priced,
           metered_input, metered_output, timed, input, output, latency_us, cost_nano_usd, cost_squares)
         values ($1, $3, $2, 'k', 'n', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
        "insert into ledger (project_id, minute, key_label, outcome, reason, steps)
         values ($1, $3, 'k', 'stored', $2, 1)",
        "insert into run_counts (project_id, hour, dimension, value, steps, priced_runs, unpriced_steps, cost_nano_usd,
           ok_clean, ok_warning, ok_critical, error_clean, error_warning, error_critical, running_clean,
           running_warning, running_critical)
         values ($1, $3, 'key', $2, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)",
        "insert into rollup_days (project_id, day, first_hour, last_hour, calls, errors, anomalies, unpriced,
           priced_hours, series_id, key_label, step_name)
         values ($1, $3, $3, $3, 1, 0, 0, 0, 0, md5($2)::uuid, 'k', 'n')",
        "insert into condition_days (project_id, day, ok, warning, critical, code, key_label, step_name, model)
         values ($1, $3, 0, 1, 0, 1001, 'k', $2, '')",
    ];
    for statement in statements {
        sqlx::query(statement)
            .bind(project.0)
            .bind(id)
            .bind(at(when).to_offset_date_time())
            .execute(&mut *connection)
            .await
            .unwrap();
    }
}

pub(crate) async fn count(connection: &mut PgConnection, from: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {from}")))
        .fetch_one(connection)
        .await
        .unwrap()
}

pub(crate) async fn keep(
    connection: &mut PgConnection,
    project: ProjectId,
    run_days: i32,
    payload_days: i32,
) {
    sqlx::query(
        "insert into project_settings (project_id, retention_days, payload_retention_days, updated_at)
         values ($1, $2, $3, now())",
    )
    .bind(project.0)
    .bind(run_days)
    .bind(payload_days)
    .execute(connection)
    .await
    .unwrap();
}

pub(crate) fn days_before_now(days: i64) -> String {
    at(NOW).plus_micros(-days * 86_400_000_000).to_string()
}

/// What is left of each project's rows: all tables but payloads must agree.
pub(crate) async fn left(connection: &mut PgConnection, project: ProjectId) -> (i64, i64) {
    let of_project = |table: &str| format!("{table} where project_id = '{}'", project.0);
    let runs = count(connection, &of_project("runs")).await;
    for (table, _) in TABLES.iter().chain(&[("run_keys", "partition_at")]) {
        if *table != "step_payloads" {
            assert_eq!(count(connection, &of_project(table)).await, runs, "{table}");
        }
    }
    (runs, count(connection, &of_project("step_payloads")).await)
}

#[tokio::test]
async fn weeks_are_ready_before_their_first_row() {
    let database = TestDatabase::new().await;
    let done = maintain(&database.options, at(NOW)).await.unwrap();
    assert_eq!((done.created, done.dropped), (TABLES_BY_WEEK * 4, vec![]));

    let (project, mut owner) = (database.project(1).await, database.superuser().await);
    for (number, when) in ["2026-11-16T00:00:00Z", NOW, "2026-12-13T23:59:59Z"]
        .iter()
        .enumerate()
    {
        file(&mut owner, project, &number.to_string(), when).await;
    }
    for (table, _) in TABLES {
        assert_eq!(count(&mut owner, &format!("{table}_default")).await, 0, "{table}");
        assert_eq!(count(&mut owner, &format!("{table}_2026w47")).await, 1, "{table}");
        assert_eq!(count(&mut owner, &format!("{table}_2026w50")).await, 1, "{table}");
    }
    assert_eq!(
        maintain(&database.options, at(NOW)).await.unwrap().created,
        0,
        "a second pass has nothing to do"
    );
}

#[tokio::test]
async fn odd_times_are_stored_and_found() {
    let database = TestDatabase::new().await;
    let (project, mut owner) = (database.project(1).await, database.superuser().await);
    for when in ["1970-01-01T00:00:00Z", "2150-06-01T00:00:00Z"] {
        file(&mut owner, project, when, when).await;
    }
    assert!(!is_due(&database.options, at(NOW)).await.unwrap());
    assert_eq!(
        maintain(&database.options, at(NOW)).await.unwrap().created,
        TABLES_BY_WEEK * 4,
        "no weeks for odd times"
    );
    assert_eq!(left(&mut owner, project).await, (2, 2));
    for (table, column) in TABLES {
        let found = count(
            &mut owner,
            &format!("{table} where {column} = '2150-06-01T00:00:00Z'"),
        )
        .await;
        assert_eq!(found, 1, "{table}");
    }
}

#[tokio::test]
async fn backfilled_weeks_move_out_of_the_default_partition_without_loss() {
    let database = TestDatabase::new().await;
    let (project, mut owner) = (database.project(1).await, database.superuser().await);
    keep(&mut owner, project, 365, 365).await;
    let edges = [
        "2026-10-04T23:59:59.999999Z",
        "2026-10-05T00:00:00Z",
        "2026-10-11T23:59:59.999999Z",
    ];
    for when in edges {
        file(&mut owner, project, when, when).await;
    }
    assert!(is_due(&database.options, at(NOW)).await.unwrap());
    let done = maintain(&database.options, at(NOW)).await.unwrap();
    // Calls by release are kept for two weeks, whatever the project keeps: they need no older ones.
    assert_eq!((done.created, done.dropped), (TABLES_BY_WEEK * 6 - 2, vec![]));
    assert!(!is_due(&database.options, at(NOW)).await.unwrap());
    assert_eq!(left(&mut owner, project).await, (3, 3));
    for (table, _) in TABLES {
        assert_eq!(count(&mut owner, &format!("{table}_default")).await, 0, "{table}");
        assert_eq!(count(&mut owner, &format!("{table}_2026w40")).await, 1, "{table}");
        assert_eq!(count(&mut owner, &format!("{table}_2026w41")).await, 2, "{table}");
    }
}

/// Another process' pass is waited for, for a moment, and left alone.
#[tokio::test]
async fn only_one_process_does_the_maintenance() {
    let database = TestDatabase::new().await;
    let mut other = database.owner().await;
    let take = "select pg_advisory_lock(hashtext('plumbline partitions'))";
    sqlx::query(take).execute(&mut other).await.unwrap();
    let refused = maintain(&database.options, at(NOW)).await;
    assert!(
        matches!(refused, Err(storage::Error::Conflict(MAINTAINED_ELSEWHERE))),
        "{refused:?}"
    );
    let weeks = "pg_inherits where inhparent = 'steps'::regclass";
    assert_eq!(count(&mut other, weeks).await, 1, "the default partition alone");
    // Whoever dies at it holds nobody up.
    drop(other);
    assert_eq!(
        maintain(&database.options, at(NOW)).await.unwrap().created,
        TABLES_BY_WEEK * 4
    );
}

#[tokio::test]
async fn two_maintainers_at_once_do_the_work_once() {
    let database = TestDatabase::new().await;
    let (first, second) = tokio::join!(
        maintain(&database.options, at(NOW)),
        maintain(&database.options, at(NOW))
    );
    assert_eq!(
        first.unwrap().created + second.unwrap().created,
        TABLES_BY_WEEK * 4
    );
}

/// Somebody reads a table for hours. Whoever wants it for itself keeps all others waiting behind it.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_being_read_is_left_for_later_and_no_batch_waits_for_that() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    let (mut reader, mut owner) = (database.superuser().await, database.superuser().await);
    maintain(&database.options, at(NOW)).await.unwrap();
    let mut reading = reader.begin().await.unwrap();
    sqlx::query("select from condition_days")
        .fetch_all(&mut *reading)
        .await
        .unwrap();
    let a_year_later = at(&days_before_now(-365));
    let batch = async {
        wait_for_a_waiter(&mut owner).await;
        let day = ConditionDay {
            project_id: project,
            day: at(NOW).day(),
            code: 0,
            key_label: "k".to_owned(),
            step_name: "answer".to_owned(),
            model: String::new(),
            ok: 1,
            warning: 0,
            critical: 0,
        };
        let write = async {
            let mut batch = ingest::begin(&database.db, &[project]).await?;
            ingest::add_to_condition_days(&mut batch, &[day]).await?;
            batch.commit().await
        };
        tokio::time::timeout(Duration::from_secs(1), write)
            .await
            .unwrap_or_else(|_| panic!("a batch waits for the maintenance"))
            .unwrap();
    };
    let (done, ()) = tokio::join!(maintain(&database.options, a_year_later), batch);
    let done = done.unwrap();
    assert_eq!(
        (done.created, done.dropped.len(), done.postponed),
        ((TABLES_BY_WEEK - 1) * 4, (TABLES_BY_WEEK as usize - 1) * 4, 2)
    );
    drop(reading);
    reader.close().await.unwrap();
    let done = maintain(&database.options, a_year_later).await.unwrap();
    assert_eq!((done.created, done.dropped.len(), done.postponed), (4, 4, 0));
}
