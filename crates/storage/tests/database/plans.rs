//! How the batch writer's statements find their rows. Plans are made, and kept, while a week is new and nobody has
//! counted what is in it. One that reads all of a project to find one step looks as good then, and costs a second per
//! batch an hour later.

use domain::NewStep;
use sqlx::AssertSqlSafe;
use storage::partitions::maintain;
use storage::{Db, Scope};

use crate::batch::{step, write};
use crate::support::{TestDatabase, at};

const NOW: &str = "2026-11-24T12:00:00Z";
const TABLES: [&str; 10] = [
    "run_keys",
    "runs",
    "steps",
    "step_payloads",
    "step_events",
    "step_conditions",
    "rollups",
    "condition_days",
    "ledger",
    "prompt_texts",
];

#[tokio::test]
async fn rows_are_found_by_their_keys_in_a_new_week_with_many() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    maintain(&database.options, at(NOW)).await.unwrap();
    let mut superuser = database.superuser().await;
    for table in ["steps_2026w48", "runs_2026w48", "run_keys"] {
        let never = format!("alter table {table} set (autovacuum_enabled = off)");
        sqlx::query(AssertSqlSafe(never))
            .execute(&mut superuser)
            .await
            .unwrap();
    }
    // One connection, so that what was prepared can be asked about.
    let db = Db::connect_lazy(database.options.clone(), 1);
    let steps = |run: i32| -> Vec<NewStep> {
        let id = |n: i32| step(&format!("r{run}"), &format!("s{n}"), at(NOW));
        (0..1_000).map(id).collect()
    };
    for run in 0..20 {
        write(&db, project, &steps(run), at(NOW)).await.unwrap();
    }
    // Runs that are known take other ways than new ones.
    for run in 0..6 {
        write(&db, project, &steps(run), at(NOW)).await.unwrap();
    }
    let mut tx = db.begin(Scope::Project(project)).await.unwrap();
    let prepared: Vec<(String, String, i32)> =
        sqlx::query_as("select name, statement, cardinality(parameter_types) from pg_prepared_statements")
            .fetch_all(&mut *tx)
            .await
            .unwrap();
    sqlx::query("set local plan_cache_mode = force_generic_plan")
        .execute(&mut *tx)
        .await
        .unwrap();
    let mut asked = 0;
    for (name, statement, parameters) in prepared {
        if !TABLES.iter().any(|table| statement.contains(table)) || statement.contains("pg_") {
            continue;
        }
        let nulls = vec!["null"; usize::try_from(parameters).unwrap()].join(", ");
        let explain = format!("explain (costs off) execute {name}({nulls})");
        let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(explain))
            .fetch_all(&mut *tx)
            .await
            .unwrap();
        let is_of_table = |line: &&String| TABLES.iter().any(|table| line.contains(&format!(" on {table}")));
        let scans = plan
            .iter()
            .filter(|line| line.contains("Scan") && !line.contains("Bitmap Heap Scan"))
            .filter(is_of_table)
            // Nothing lies there.
            .filter(|line| !line.contains("_default"));
        for scan in scans {
            assert!(scan.contains("_pkey"), "{statement}\n{plan:#?}");
        }
        asked += 1;
    }
    assert!(asked >= 12, "{asked} statements of the writer were found");
}
