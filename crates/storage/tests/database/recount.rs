//! A recount sees every kind of figure that a series can have wrong.

use domain::NewStep;
use serde_json::{Map, json};
use sqlx::{AssertSqlSafe, PgConnection};
use storage::recount::{Latencies, recount};

use crate::batch::{step, write};
use crate::support::{TestDatabase, at};

const NOW: &str = "2026-11-20T12:30:00Z";
const HOUR: &str = "2026-11-20 12:00:00+00";
const CONDITIONS: &str = "2026-11-20 00:00:00+00 (conditions)";
const DAY: &str = "2026-11-20 00:00:00+00 (day)";

/// As a histogram here: how many values it holds.
fn agree(found: &Latencies) -> bool {
    found.latency_us == [found.latency_ms.len() as u8] && found.ttft_us == [found.ttft_ms.len() as u8]
}

async fn run(connection: &mut PgConnection, statement: String) {
    sqlx::query(AssertSqlSafe(statement))
        .execute(connection)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_hour_in_which_anything_differs_is_named() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    let mut owner = database.superuser().await;
    for statement in [
        "insert into run_keys (project_id, run_id, partition_at) values ($project, 'r', $hour)",
        "insert into steps (project_id, run_id, step_id, partition_at, kind, name, started_at, received_at, status, key_label,
           severity, sequence, latency_ms, ttft_ms, output_shape, stop_reason)
         select $project, 'r', 's' || n, $hour, 'llm', 'answer', $hour, $hour, 'ok', 'k', 2, n, 640, 120, 'json', 'length'
         from generate_series(1, 2) n",
        "insert into first_seen (project_id, dimension, value, at) values ($project, 'step', 'answer', $hour)",
        "insert into step_conditions (project_id, run_id, step_id, partition_at, code, layer, points, message, observed,
           expected, rule_version) values ($project, 'r', 's1', $hour, 2001, 2, 40, '', '', '', 1)",
        "insert into rollups (project_id, hour, series_id, key_label, step_name, calls, errors, anomalies, unpriced,
           cost_squares, input_squares, output_squares, latency_us, ttft_us, output_shapes, finish_reasons, conditions)
         values ($project, $hour, $project, 'k', 'answer', 2, 0, 2, 0, 0, 0, 0, '\\x02', '\\x02', '{\"json\": 2}', '{\"length\": 2}',
           '{\"2001\": 1}')",
        "insert into rollup_days (project_id, day, first_hour, last_hour, calls, errors, anomalies, unpriced, priced_hours,
           series_id, key_label, step_name)
         values ($project, date_trunc('day', $hour, 'UTC'), $hour, $hour, 2, 0, 2, 0, 0, $project, 'k', 'answer')",
        "insert into condition_days (project_id, day, ok, warning, critical, code, key_label, step_name, model)
         select $project, date_trunc('day', $hour, 'UTC'), 0, 0, 1, code, 'k', 'answer', ''
         from unnest(array[0, 2, 2001]) code",
    ] {
        let statement = statement
            .replace("$project", &format!("'{project}'::uuid"))
            .replace("$hour", &format!("'{HOUR}'::timestamptz"));
        run(&mut owner, statement).await;
    }
    let wrong_hours = async || {
        let found = recount(&database.db, project, at(NOW), agree).await.unwrap();
        assert_eq!(found.steps, 2);
        found.wrong_hours
    };
    assert_eq!(wrong_hours().await, Vec::<String>::new());

    for (column, right, wrong) in [
        ("calls", "2", "3"),
        ("errors", "0", "1"),
        ("anomalies", "2", "1"),
        ("cost_squares", "0", "1"),
        ("input_squares", "0", "1"),
        ("output_squares", "0", "1"),
        ("cost_nano_usd", "null", "0"),
        ("conditions", r#"'{"2001": 1}'"#, "'{}'"),
        ("conditions", r#"'{"2001": 1}'"#, r#"'{"2001": 1, "1001": 1}'"#),
        ("output_shapes", r#"'{"json": 2}'"#, r#"'{"text": 2}'"#),
        ("finish_reasons", r#"'{"length": 2}'"#, r#"'{"length": 1}'"#),
        ("latency_us", r"'\x02'", r"'\x01'"),
        ("ttft_us", r"'\x02'", r"'\x03'"),
    ] {
        run(&mut owner, format!("update rollups set {column} = {wrong}")).await;
        let is_in_day = matches!(
            column,
            "calls"
                | "errors"
                | "anomalies"
                | "cost_nano_usd"
                | "cost_squares"
                | "input_squares"
                | "output_squares"
        );
        let expected: &[&str] = if is_in_day { &[DAY, HOUR] } else { &[HOUR] };
        assert_eq!(wrong_hours().await, expected, "{column} = {wrong}");
        run(&mut owner, format!("update rollups set {column} = {right}")).await;
    }
    assert_eq!(wrong_hours().await, Vec::<String>::new());

    // The day's histograms, once they are worked out.
    for (latency, ttft, expected) in [
        (r"'\x02'", r"'\x02'", &[][..]),
        (r"'\x01'", r"'\x02'", &[DAY]),
        (r"'\x02'", r"'\x03'", &[DAY]),
        ("null", "null", &[]),
    ] {
        run(
            &mut owner,
            format!("update rollup_days set latency_us = {latency}, ttft_us = {ttft}"),
        )
        .await;
        assert_eq!(wrong_hours().await, expected, "{latency} {ttft}");
    }

    for code in [0, 2, 2001] {
        run(
            &mut owner,
            format!("update condition_days set warning = 1, critical = 0 where code = {code}"),
        )
        .await;
        assert_eq!(wrong_hours().await, [CONDITIONS], "{code}");
        run(
            &mut owner,
            format!("update condition_days set warning = 0, critical = 1 where code = {code}"),
        )
        .await;
    }
    assert_eq!(wrong_hours().await, Vec::<String>::new());
}

#[tokio::test]
async fn attributes_that_runs_are_found_by_are_bounded_and_the_same_in_any_order() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    let with_customer = |run_id: &str, n: usize| NewStep {
        attributes: Map::from_iter([("customer".to_owned(), json!(format!("c{n}")))]),
        ..step(run_id, &format!("s{n}"), at(NOW))
    };
    let there: Vec<usize> = (0..500).collect();
    let back: Vec<usize> = (0..500).rev().collect();
    for (run_id, order) in [("a", there), ("b", back)] {
        for some in order.chunks(300) {
            let steps: Vec<NewStep> = some.iter().map(|n| with_customer(run_id, *n)).collect();
            write(&database.db, project, &steps, at(NOW)).await.unwrap();
        }
    }
    let mut owner = database.superuser().await;
    let kept: Vec<Vec<i32>> = sqlx::query_scalar("select attribute_hashes from runs order by run_id")
        .fetch_all(&mut owner)
        .await
        .unwrap();
    assert_eq!(kept[0].len(), 256);
    assert_eq!(kept[0], kept[1]);
    let wrong_runs = async || {
        recount(&database.db, project, at(NOW), |_| true)
            .await
            .unwrap()
            .wrong_runs
    };
    assert_eq!(wrong_runs().await, Vec::<String>::new());
    run(
        &mut owner,
        "update runs set attribute_hashes = '{7}' where run_id = 'a'".to_owned(),
    )
    .await;
    assert_eq!(wrong_runs().await, ["a (attributes)"]);
}
