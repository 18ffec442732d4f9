//! Lists of anomalous steps.

use domain::ConditionFilter;
use domain::anomaly::BucketSpan;
use serde_json::json;
use storage::anomalies;

use crate::app::{TestApp, step};
use crate::people::default_project;

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_few_steps_have_is_listed_like_any_other() {
    let app = TestApp::new().await;
    let now = server::clock::now();
    for n in 0..160_i64 {
        let mut sent = step(&format!("r{}", n / 8), &format!("s{n}"));
        sent["started_at"] = json!(now.plus_micros((n - 500) * 1_000_000).to_string());
        sent["output_code"] = json!("Probably, but it depends on the order.");
        if n % 80 == 40 {
            sent["latency_ms"] = json!(-1);
        }
        app.store(sent).await;
    }
    let project = default_project(&app).await.id;
    let to = now.day().plus_micros(86_400_000_000);
    let span = BucketSpan {
        from: to.plus_micros(-2 * 86_400_000_000),
        to,
        bucket_hours: 24,
    };
    let filter = ConditionFilter {
        code: Some(1005),
        ..ConditionFilter::default()
    };
    let mut cursor = None;
    let mut listed = Vec::new();
    loop {
        let mut snapshot = app.state.db.snapshot(project).await.unwrap();
        let page = anomalies::latest(&mut snapshot, project, &filter, span, cursor.as_deref(), 1)
            .await
            .unwrap();
        for step in page.items {
            assert_eq!(step.conditions[0].code, 1005);
            listed.push(step.step_id);
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(listed, ["s120", "s40"]);
}
