//! What calls used beside the four buckets, in hours that were written before anybody counted it.

use sqlx::{ConnectOptions as _, Executor as _};
use storage::{Db, jobs, usage_parts};
use uuid::Uuid;

use crate::support::TestDatabase;

const PROJECT: Uuid = Uuid::from_u128(17);

/// Steps of two series in one hour: one with sound and searches, one whose usage another step tells, and one of text.
const HISTORY: [&str; 4] = [
    "insert into projects (project_id, slug, name, created_at) values ($1, 'old', 'Old', now())",
    "insert into steps (project_id, partition_at, started_at, received_at, sequence, severity, run_id, step_id, kind, name,
       status, key_label, usage_semantics, usage_details, web_searches, cache_write_1h)
     select $1, date_trunc('hour', now()), date_trunc('hour', now()), now(), nextval('batches'), 0, 'r', s.id, 'llm', s.name,
       'ok', 'key', s.semantics, s.details::jsonb, s.searches, s.hour_writes
     from (values
       ('1', 'speak', 'total', '{\"output\": {\"audio\": 482}, \"tools\": {\"file_search\": 2, \"x\": 1, \"y\": -4}}', 3, 0),
       ('2', 'speak', 'total', '{\"output\": {\"audio\": 18, \"image\": -5}}', null, 1000),
       ('3', 'speak', null, '{\"output\": {\"audio\": 500}}', 3, 1000),
       ('4', 'write', 'total', null, null, 0)
     ) s (id, name, semantics, details, searches, hour_writes)",
    "insert into rollups (project_id, hour, calls, errors, anomalies, unpriced, series_id, cost_squares, input_squares,
       output_squares, key_label, step_name, output_shapes, finish_reasons, conditions)
     select $1, date_trunc('hour', now()), s.calls, 0, 0, 0, gen_random_uuid(), 0, 0, 0, 'key', s.name, '{}', '{}', '{}'
     from (values (3, 'speak'), (1, 'write')) s (calls, name)",
    "insert into jobs (project_id, job_id, kind, deduplicated, arguments, state, run_after, created_at)
     values ($1, gen_random_uuid(), 'count_usage_parts', false, '{}', 'waiting', now(), now())",
];

#[tokio::test(flavor = "multi_thread")]
async fn hours_of_before_are_counted_from_their_steps() {
    let database = TestDatabase::new().await;
    let options = database.empty("usage_parts").await;
    storage::migrate(&options).await.unwrap();
    let mut owner = options.connect().await.unwrap();
    owner.execute("set plumbline.scope = 'all'").await.unwrap();
    for statement in HISTORY {
        sqlx::query(statement)
            .bind(PROJECT)
            .execute(&mut owner)
            .await
            .unwrap();
    }
    let db = Db::connect_lazy(options.clone(), 2);
    let now = storage::probe(&options).await.unwrap().now.plus_micros(1_000_000);
    let mut chunks = 0;
    while let Some(chunk) = jobs::take(&db, &[usage_parts::KIND], None, now).await.unwrap() {
        usage_parts::count_chunk(chunk, now).await.unwrap();
        chunks += 1;
    }
    assert_eq!(chunks, 1, "two hours of series are one chunk");
    let counted: Vec<(String, Option<String>)> =
        sqlx::query_as("select step_name, usage_parts::text from rollups order by 1")
            .fetch_all(&mut owner)
            .await
            .unwrap();
    let parts = counted[0]
        .1
        .as_deref()
        .map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap());
    assert_eq!(
        parts,
        Some(serde_json::json!({
            "cache_write_1h": 1_000, "file_search": 2, "other_tool": 1, "output_audio": 500, "web_search": 3,
        }))
    );
    assert_eq!(
        counted[1],
        ("write".to_owned(), None),
        "nothing beside the buckets takes no room"
    );
    db.close().await;
}
