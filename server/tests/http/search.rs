//! What a filter finds, and how many there are of it, however it is found: by the hourly counts, by search, in weeks of
//! their own and in the default partition.

use std::collections::BTreeSet;

use domain::RunFilter;
use serde_json::{Value, json};
use server::clock;

use crate::app::{TestApp, step};

/// One step of run `i`, begun `i` minutes before now.
fn numbered(i: i64) -> Value {
    let at = clock::now().plus_micros(-(i + 30) * 60_000_000);
    let mut one = step(
        &format!("run-{i:03}-{}", if i % 2 == 0 { "even" } else { "odd" }),
        "s",
    );
    one["started_at"] = json!(at.to_string());
    one["step_name"] = json!(format!("step-{}", i % 4));
    one["model"] = json!(format!("model-{}", i % 3));
    one["environment"] = json!(["production", "staging"][(i % 5 / 4) as usize]);
    one["release"] = json!(format!("9be{}a7", i % 6));
    one["session_id"] = json!(format!("session-{}", i / 10));
    one["user_id"] = json!(format!("user-{}", i % 7));
    one["tags"] = json!([format!("tag-{}", i % 8)]);
    one["attributes"] = json!({"customer": format!("c{}", i % 9), "size": i % 2, "nested": {"a": 1}});
    one["latency_ms"] = json!(100 * (i + 1));
    one["cost"] = json!((i + 1) as f64 / 1_000.0);
    one["input_tokens"] = json!(100 + i);
    one["output_tokens"] = json!(0);
    if i % 10 == 3 {
        one["status_success"] = json!(false);
        one["error"] = json!(format!("TimeoutError: no answer within {i} ms"));
    }
    one
}

const RUNS: i64 = 60;

fn id(run: i64) -> String {
    numbered(run)["run_id"].as_str().unwrap_or_default().to_owned()
}

async fn check(app: &TestApp, query: &str, is_meant: impl Fn(i64) -> bool) {
    let expected: BTreeSet<String> = (0..RUNS).filter(|i| is_meant(*i)).map(id).collect();
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let (status, page) = app.get(&format!("/api/runs?limit=7&{query}{cursor}")).await;
        assert_eq!(status, 200, "{query}: {page}");
        let items = page["items"].as_array().unwrap();
        found.extend(items.iter().map(|run| run["run_id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(
        found.iter().cloned().collect::<BTreeSet<_>>(),
        expected,
        "{query}"
    );
    assert_eq!(found.len(), expected.len(), "{query}: a run twice");
    assert!(
        found.is_sorted(),
        "{query}: newest first, which here is in order of the ids"
    );

    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let filter = RunFilter::from_query(pairs).unwrap();
    let project = storage::projects::by_slug(&app.state.db, "default")
        .await
        .unwrap()
        .id;
    let mut snapshot = app.state.db.snapshot(project).await.unwrap();
    let totals = storage::runs::totals(&mut snapshot, project, &filter, clock::now())
        .await
        .unwrap();
    // The sums leave status and severity aside.
    if filter.status.is_none() && filter.severity.is_none() {
        assert_eq!(totals.runs, expected.len() as i64, "{query}");
        assert_eq!(totals.steps, expected.len() as i64, "{query}");
        assert_eq!(totals.counted_since, None, "{query}");
        let cost: i64 = (0..RUNS)
            .filter(|i| is_meant(*i))
            .map(|i| (i + 1) * 1_000_000)
            .sum();
        assert_eq!(totals.cost_nano_usd.map_or(0, |cost| cost.0), cost, "{query}");
    }
    let (from, to) = (
        clock::now().plus_micros(-48 * 3_600_000_000).hour(),
        clock::now().hour(),
    );
    let to = to.plus_micros(3_600_000_000);
    let strip = storage::runs::Strip {
        from,
        to,
        buckets: 49,
    };
    let (_, strip) = storage::runs::summary(&mut snapshot, project, &filter, clock::now(), strip)
        .await
        .unwrap();
    let in_strip: i64 = strip
        .iter()
        .map(|bucket| bucket.ok + bucket.warning + bucket.critical)
        .sum();
    assert_eq!(in_strip, expected.len() as i64, "{query}");
}

async fn check_all(app: &TestApp) {
    check(app, "range=24h", |_| true).await;
    check(app, "status=error", |i| i % 10 == 3).await;
    check(app, "model=model-1", |i| i % 3 == 1).await;
    check(app, "step=step-2", |i| i % 4 == 2).await;
    check(app, "environment=staging", |i| i % 5 == 4).await;
    check(app, "environment=staging&status=ok", |i| {
        i % 5 == 4 && i % 10 != 3
    })
    .await;
    check(app, "release=9be3a7", |i| i % 6 == 3).await;
    check(app, "release=9be", |_| true).await;
    check(app, "session=session-2", |i| i / 10 == 2).await;
    check(app, "user=user-5", |i| i % 7 == 5).await;
    check(app, "tag=tag-6", |i| i % 8 == 6).await;
    check(app, "attribute=customer=c4", |i| i % 9 == 4).await;
    check(app, "attributes.size=1", |i| i % 2 == 1).await;
    check(app, "attribute=customer=c44", |_| false).await;
    check(app, "cost_min=0.0405", |i| i >= 40).await;
    check(app, "cost_max=0.0405", |i| i < 40).await;
    check(app, "latency_min=2050&latency_max=3050", |i| {
        (20..30).contains(&i)
    })
    .await;
    check(app, "tokens_min=150", |i| i >= 50).await;
    check(app, "q=TIMEOUTerror", |i| i % 10 == 3).await;
    check(app, "q=within 23", |i| i == 23).await;
    check(app, "q=tep-1", |i| i % 4 == 1).await;
    check(app, "q=run-017", |i| i == 17).await;
    check(app, "q=100%25", |_| false).await;
    check(app, "model=model-1&step=step-2", |i| i % 3 == 1 && i % 4 == 2).await;
    check(app, "tag=tag-3&user=user-2&status=error", |i| {
        i % 8 == 3 && i % 7 == 2 && i % 10 == 3
    })
    .await;
    check(app, "model=nobody&step=step-2", |_| false).await;
    check(app, "model=model-1&cost_min=0.0405", |i| i % 3 == 1 && i >= 40).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_finds_and_counts_what_it_names() {
    let app = TestApp::new().await;
    let steps: Vec<Value> = (0..RUNS).map(numbered).collect();
    let (status, answer) = app.post("/ingest/batch", &json!({ "steps": steps })).await;
    assert_eq!(status, 200, "{answer}");
    check_all(&app).await;
    storage::partitions::maintain(&app.options(), clock::now())
        .await
        .unwrap();
    check_all(&app).await;
}

/// Figures are found by powers of two: those that are one lie on the border of what is looked through.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_lies_exactly_at_a_limit_is_found() {
    let app = TestApp::new().await;
    let sized = |name: &str, size: i64| {
        let mut one = step(name, "s");
        one["input_tokens"] = json!(size);
        one["output_tokens"] = json!(0);
        one["latency_ms"] = json!(size);
        one
    };
    // Few among many, so that they are searched for and not met by reading the newest.
    let mut steps: Vec<Value> = (0..400).map(|i| sized(&format!("small-{i}"), 3)).collect();
    let sizes = [64, 128, 4_096, 8_192, 16_384];
    steps.extend(sizes.map(|size| sized(&format!("of-{size}"), size)));
    let (status, answer) = app.post("/ingest/batch", &json!({ "steps": steps })).await;
    assert_eq!(status, 200, "{answer}");
    for fact in ["tokens", "latency"] {
        for size in sizes {
            let url = format!("/api/runs?{fact}_min={size}&{fact}_max={size}");
            let (_, page) = app.get(&url).await;
            let items = page["items"].as_array().unwrap();
            assert_eq!(items.len(), 1, "{url}: {page}");
            assert_eq!(items[0]["run_id"], format!("of-{size}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_to_count_is_said_to_be() {
    let app = TestApp::new().await;
    for first in [0, 600] {
        let steps: Vec<Value> = (first..first + 600)
            .map(|i| {
                let mut one = step(&format!("r{i}"), "s");
                one["tags"] = json!(["busy"]);
                one
            })
            .collect();
        let (status, answer) = app.post("/ingest/batch", &json!({ "steps": steps })).await;
        assert_eq!(status, 200, "{answer}");
    }
    let project = storage::projects::by_slug(&app.state.db, "default")
        .await
        .unwrap()
        .id;
    let mut snapshot = app.state.db.snapshot(project).await.unwrap();
    let filter = RunFilter::from_query([("tag", "busy")]).unwrap();
    let totals = storage::runs::totals(&mut snapshot, project, &filter, clock::now())
        .await
        .unwrap();
    assert_eq!(totals.runs, storage::runs::MAX_COUNTED + 1);
    assert!(totals.counted_since.is_some());
    let all = storage::runs::totals(&mut snapshot, project, &RunFilter::default(), clock::now())
        .await
        .unwrap();
    assert_eq!((all.runs, all.counted_since), (1_200, None));
    let page = app
        .client
        .get(app.url("/p/default/runs?tag=busy"))
        .send()
        .await
        .unwrap();
    let text = page.text().await.unwrap();
    assert!(text.contains("at least 1,001 runs"), "{text}");
}
