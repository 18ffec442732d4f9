//! What is past its project's retention is deleted: whole weeks, rows within them, and what is summed up from them.

use domain::Timestamp;
use storage::partitions::{delete_expired, maintain};

use crate::partitions::{NOW, count, days_before_now, file, keep, left};
use crate::support::{TestDatabase, at};

#[tokio::test]
async fn a_week_goes_when_no_project_keeps_it() {
    let database = TestDatabase::new().await;
    let mut owner = database.superuser().await;
    // The second has no settings of its own: it keeps runs for 90 days and texts for 30.
    let (short, standard) = (database.project(1).await, database.project(2).await);
    keep(&mut owner, short, 10, 5).await;
    for days in [2, 50, 200] {
        for project in [short, standard] {
            file(&mut owner, project, &days.to_string(), &days_before_now(days)).await;
        }
    }
    let mut dropped = Vec::new();
    for days in [200, 50, 0] {
        let now = at(&days_before_now(days));
        dropped.extend(maintain(&database.options, now).await.unwrap().dropped);
    }
    let dropped_weeks = |table: &str| dropped.iter().filter(|name| name.starts_with(table)).count();
    assert_eq!(
        (
            dropped_weeks("runs_"),
            dropped_weeks("step_payloads_"),
            dropped_weeks("release_hours_")
        ),
        (4, 7, 8),
        "{dropped:?}"
    );
    let left_runs = count(&mut owner, &format!("runs where project_id = '{}'", standard.0)).await;
    assert_eq!(
        left_runs, 2,
        "another project's short retention takes nothing from this one"
    );

    delete_expired(&database.options, at(NOW)).await.unwrap();
    assert_eq!(left(&mut owner, standard).await, (2, 1));
    assert_eq!(left(&mut owner, short).await, (1, 1));
}

#[tokio::test]
async fn each_project_loses_exactly_what_is_past_its_own_retention() {
    let database = TestDatabase::new().await;
    let mut owner = database.superuser().await;
    let (long, short, odd) = (
        database.project(1).await,
        database.project(2).await,
        database.project(3).await,
    );
    keep(&mut owner, long, 365, 365).await;
    keep(&mut owner, short, 30, 7).await;
    keep(&mut owner, odd, 7, 30).await;
    for days in [1, 6, 8, 29, 31, 300] {
        for project in [long, short, odd] {
            file(&mut owner, project, &days.to_string(), &days_before_now(days)).await;
        }
    }
    file(&mut owner, long, "1970", "1970-01-01T00:00:00Z").await;
    maintain(&database.options, at(NOW)).await.unwrap();
    delete_expired(&database.options, at(NOW)).await.unwrap();
    assert_eq!(
        left(&mut owner, long).await,
        (6, 6),
        "what lies outside every week expires too"
    );
    assert_eq!(left(&mut owner, short).await, (4, 2));
    assert_eq!(
        left(&mut owner, odd).await,
        (2, 2),
        "texts are never kept longer than their runs"
    );
    assert_eq!(delete_expired(&database.options, at(NOW)).await.unwrap().rows, 0);
}

#[tokio::test]
async fn a_users_words_go_with_the_last_prompt_of_their_template() {
    let database = TestDatabase::new().await;
    let mut owner = database.superuser().await;
    let project = database.project(1).await;
    keep(&mut owner, project, 90, 30).await;
    // Last used so many days ago; the third is used to this day.
    for (template, days) in [(1_u8, 31), (2, 29), (3, 31), (3, 1), (4, 100)] {
        let id = format!("{template} {days}");
        file(&mut owner, project, &id, &days_before_now(days)).await;
        sqlx::query("update rollup_days set template_fingerprint = $2 where series_id = md5($1)::uuid")
            .bind(&id)
            .bind(vec![template; 32])
            .execute(&mut owner)
            .await
            .unwrap();
        sqlx::query(
            "insert into prompt_texts (project_id, fingerprint, canonical, first_seen_at)
             values ($1, $2, 'my name is Ada', $3) on conflict do nothing",
        )
        .bind(project.0)
        .bind(vec![template; 32])
        .bind(at(&days_before_now(days)).to_offset_date_time())
        .execute(&mut owner)
        .await
        .unwrap();
    }
    maintain(&database.options, at(NOW)).await.unwrap();
    delete_expired(&database.options, at(NOW)).await.unwrap();
    let texts: Vec<(Vec<u8>, String)> =
        sqlx::query_as("select fingerprint, canonical from prompt_texts order by fingerprint")
            .fetch_all(&mut owner)
            .await
            .unwrap();
    let texts: Vec<(u8, &str)> = texts
        .iter()
        .map(|(print, text)| (print[0], text.as_str()))
        .collect();
    // The first is still known by when it was first seen; the last by nothing.
    assert_eq!(texts, [(1, ""), (2, "my name is Ada"), (3, "my name is Ada")]);
    assert_eq!(delete_expired(&database.options, at(NOW)).await.unwrap().rows, 0);
}

#[tokio::test]
async fn many_rows_are_deleted_in_small_statements() {
    let database = TestDatabase::new().await;
    let mut owner = database.superuser().await;
    let (long, short) = (database.project(1).await, database.project(2).await);
    keep(&mut owner, long, 365, 365).await;
    keep(&mut owner, short, 30, 30).await;
    let when: Timestamp = at(&days_before_now(40));
    sqlx::query(
        "insert into step_payloads (project_id, run_id, step_id, partition_at, input)
         select $1, 'r', i::text, $2, 'text' from generate_series(1, 12000) i",
    )
    .bind(short.0)
    .bind(when.to_offset_date_time())
    .execute(&mut owner)
    .await
    .unwrap();
    maintain(&database.options, at(NOW)).await.unwrap();
    let done = delete_expired(&database.options, at(NOW)).await.unwrap();
    assert_eq!(done.rows, 12_000);
    assert_eq!(count(&mut owner, "step_payloads").await, 0);
}

/// What is summed up by the hour and by the day goes as a whole, with all that it sums up.
#[tokio::test]
async fn sums_at_the_edge_of_retention_are_those_of_what_is_left() {
    let database = TestDatabase::new().await;
    let mut owner = database.superuser().await;
    let (long, short) = (database.project(1).await, database.project(2).await);
    keep(&mut owner, long, 365, 365).await;
    keep(&mut owner, short, 30, 30).await;
    // Thirty days back is a quarter past noon of the 25th.
    let filed = [
        "2026-10-24T23:59:59Z",
        "2026-10-25T00:00:00Z",
        "2026-10-25T11:30:00Z",
        "2026-10-25T12:00:00Z",
        "2026-10-25T12:30:00Z",
        "2026-10-26T00:00:00Z",
    ];
    for when in filed {
        file(&mut owner, short, when, when).await;
    }
    for sum in [
        "update run_counts set hour = date_trunc('hour', hour, 'UTC')",
        "update rollup_days set day = date_trunc('day', day, 'UTC')",
    ] {
        sqlx::query(sum).execute(&mut owner).await.unwrap();
    }
    let now = at("2026-11-24T12:15:00Z");
    maintain(&database.options, now).await.unwrap();
    delete_expired(&database.options, now).await.unwrap();
    // The same number of runs, hours, counts and days.
    assert_eq!(left(&mut owner, short).await, (5, 5));
}

#[tokio::test]
async fn a_value_that_nobody_names_any_more_is_forgotten() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    let mut owner = database.superuser().await;
    // A step `n`, last named a day ago.
    file(&mut owner, project, "r", &days_before_now(1)).await;
    sqlx::query("update run_counts set dimension = 'release', value = 'used'")
        .execute(&mut owner)
        .await
        .unwrap();
    for (dimension, value, days) in [
        ("step", "n", 100),
        ("step", "gone", 100),
        ("model", "gone", 100),
        ("release", "used", 100),
        ("release", "gone", 91),
        ("release", "new", 89),
    ] {
        sqlx::query("insert into first_seen (project_id, dimension, value, at) values ($1, $2, $3, $4)")
            .bind(project.0)
            .bind(dimension)
            .bind(value)
            .bind(at(&days_before_now(days)).to_offset_date_time())
            .execute(&mut owner)
            .await
            .unwrap();
    }
    delete_expired(&database.options, at(NOW)).await.unwrap();
    let left: Vec<String> = sqlx::query_scalar("select dimension || ' ' || value from first_seen order by 1")
        .fetch_all(&mut owner)
        .await
        .unwrap();
    assert_eq!(left, ["release new", "release used", "step n"]);
}
