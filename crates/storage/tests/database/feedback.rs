//! What people said about conditions goes with the runs it is about.

use domain::audit::AuditFilter;
use domain::{Timestamp, Verdict};
use serde_json::json;
use sqlx::PgConnection;
use storage::audit::{self, Entry};
use storage::feedback::{self, ConditionRef};
use storage::partitions::{delete_expired, maintain};
use uuid::Uuid;

use crate::support::{TestDatabase, at};

const NOW: &str = "2026-11-26T12:00:00Z";

/// A step with the condition 2001, filed at a time.
async fn condition(owner: &mut PgConnection, project: Uuid, run_id: &str, filed: Timestamp) {
    let statements = [
        "insert into run_keys (project_id, run_id, partition_at) values ($1, $2, $3) on conflict do nothing",
        "insert into runs (project_id, run_id, partition_at, name, name_nested, name_at, name_step_id, started_at, ended_at,
           last_received_at, status, root_count, root_error_count, open_count, key_label, tags, models, step_names,
           step_count, error_count, unpriced_steps, severity, problem_rank)
         values ($1, $2, $3, 'r', false, $3, 's', $3, $3, $3, 'ok', 1, 0, 0, 'k', '{}', '{}', '{}', 1, 0, 0, 1, 0)",
        "insert into step_conditions (project_id, run_id, step_id, partition_at, code, layer, points, message, observed,
           expected, rule_version)
         values ($1, $2, 's', $3, 2001, 2, 50, 'm', 'o', 'e', 1)",
    ];
    for statement in statements {
        sqlx::query(statement)
            .bind(project)
            .bind(run_id)
            .bind(filed.to_offset_date_time())
            .execute(&mut *owner)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn it_goes_with_its_run_and_no_sooner() {
    let database = TestDatabase::new().await;
    let mut owner = database.superuser().await;
    let project = database.project(1).await;
    // Without settings of its own a project keeps runs for 90 days.
    for (run_id, filed) in [("old", "2026-07-01T12:00:00Z"), ("young", "2026-11-20T12:00:00Z")] {
        condition(&mut owner, project.0, run_id, at(filed)).await;
        let about = ConditionRef {
            run_id,
            step_id: "s",
            code: 2001,
        };
        feedback::set(
            &database.db,
            project,
            about,
            Verdict::Real,
            "mila@acme.dev",
            at(NOW),
        )
        .await
        .unwrap();
    }
    maintain(&database.options, at(NOW)).await.unwrap();
    delete_expired(&database.options, at(NOW)).await.unwrap();
    let left = async |run_id: &str| {
        feedback::of_run(&mut database.db.snapshot(project).await.unwrap(), project, run_id)
            .await
            .unwrap()
            .len()
    };
    assert_eq!((left("old").await, left("young").await), (0, 1));
    let precision = feedback::precision_by_code(
        &mut database.db.snapshot(project).await.unwrap(),
        project,
        at("2026-11-01T00:00:00Z"),
    )
    .await
    .unwrap();
    assert_eq!((precision.len(), precision[0].real), (1, 1));
    let later = feedback::precision_by_code(
        &mut database.db.snapshot(project).await.unwrap(),
        project,
        at("2026-11-27T00:00:00Z"),
    )
    .await
    .unwrap();
    assert!(later.is_empty(), "only what was said since then counts");
}

#[tokio::test]
async fn who_said_it_and_who_took_it_back_is_written_down() {
    let database = TestDatabase::new().await;
    let (db, mut owner) = (&database.db, database.superuser().await);
    let project = database.project(1).await;
    condition(&mut owner, project.0, "r", at(NOW)).await;
    let about = ConditionRef {
        run_id: "r",
        step_id: "s",
        code: 2001,
    };
    let (later, last) = (at(NOW).plus_micros(1), at(NOW).plus_micros(2));
    feedback::set(db, project, about, Verdict::Noise, "mila@acme.dev", at(NOW))
        .await
        .unwrap();
    feedback::clear(db, project, about, "mara@acme.dev", later)
        .await
        .unwrap();
    let nothing = feedback::clear(db, project, about, "mara@acme.dev", last).await;
    assert!(matches!(nothing, Err(storage::Error::NotFound)));
    let mut snapshot = db.snapshot(project).await.unwrap();
    let rows = audit::page(&mut snapshot, Some(project), &AuditFilter::default(), None, 10)
        .await
        .unwrap()
        .rows;
    let log: Vec<_> = rows
        .into_iter()
        .map(|row| {
            (
                row.at,
                Entry::new(&row.actor, &row.action, &row.subject, row.details),
            )
        })
        .collect();
    let of = |verdict: serde_json::Value| json!({ "run_id": "r", "step_id": "s", "verdict": verdict });
    let expected = [
        (
            later,
            Entry::new("mara@acme.dev", "condition.mark", "2001", of(json!(null))),
        ),
        (
            at(NOW),
            Entry::new("mila@acme.dev", "condition.mark", "2001", of(json!("noise"))),
        ),
    ];
    assert_eq!(log, expected);
}

/// A run that goes on for days has a part of each; the same id of a step in two of them are two steps.
#[tokio::test]
async fn a_run_in_parts_is_marked_and_left_like_any_other() {
    let database = TestDatabase::new().await;
    let mut owner = database.superuser().await;
    let project = database.project(1).await;
    let filed = [
        ("before", "2026-11-20T12:00:00Z"),
        ("lasting", "2026-11-21T12:00:00Z"),
        ("lasting", "2026-11-23T12:00:00Z"),
        ("after", "2026-11-24T12:00:00Z"),
    ];
    for (run_id, filed) in filed {
        condition(&mut owner, project.0, run_id, at(filed)).await;
    }
    let about = ConditionRef {
        run_id: "lasting",
        step_id: "s",
        code: 2001,
    };
    feedback::set(
        &database.db,
        project,
        about,
        Verdict::Real,
        "mila@acme.dev",
        at(NOW),
    )
    .await
    .unwrap();
    let mut snapshot = database.db.snapshot(project).await.unwrap();
    let marked = feedback::of_run(&mut snapshot, project, "lasting").await.unwrap();
    assert_eq!(marked.len(), 1);
    let beside = storage::runs::neighbours(&mut snapshot, project, "lasting")
        .await
        .unwrap();
    assert_eq!(
        (beside.older.as_deref(), beside.newer.as_deref()),
        (Some("before"), Some("after"))
    );
}
