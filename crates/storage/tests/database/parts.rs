//! A run that goes on for days may use the id of a step again: two parts, two steps.

use domain::anomaly::BucketSpan;
use domain::{ConditionFilter, CostSource, NanoUsd, NewStep, ProjectId, StepEvent, Timestamp, TokenUsage};
use serde_json::{Map, json};
use sqlx::Connection as _;
use storage::jobs::{self, JobChunk, NewJob};
use storage::reprice::{self, Delta, NewCost, PricedStep};
use storage::{anomalies, backtest, steps};
use uuid::Uuid;

use crate::batch::{step, write};
use crate::support::{TestDatabase, at};

const FIRST: &str = "2026-11-20T12:00:00Z";
const SECOND: &str = "2026-11-23T13:00:00Z";

/// Step `s` of run `prod` on two days; its texts say which.
async fn store_two(database: &TestDatabase, project: ProjectId) {
    for (started_at, text) in [(FIRST, "first"), (SECOND, "second")] {
        let one = NewStep {
            input: Some(text.to_owned()),
            events: vec![StepEvent {
                at: at(started_at),
                name: text.to_owned(),
                attributes: Map::new(),
            }],
            ..step("prod", "s", at(started_at))
        };
        let is_new = write(&database.db, project, &[one], at(started_at))
            .await
            .unwrap();
        assert_eq!(is_new, [true]);
    }
}

/// The first chunk of a job that re-prices.
async fn chunk(database: &TestDatabase, project: ProjectId) -> JobChunk {
    let new = NewJob {
        kind: "reprice",
        deduplicated: true,
        arguments: &json!({}),
    };
    jobs::start(&database.db, project, &new, "test", at(SECOND))
        .await
        .unwrap();
    let chunk = jobs::take(&database.db, &["reprice"], None, at(SECOND)).await;
    chunk.unwrap().unwrap()
}

#[tokio::test]
async fn each_has_its_own_conditions_texts_and_events() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    store_two(&database, project).await;
    let mut snapshot = database.snapshot(project).await;
    let of_run = steps::of_run(&mut snapshot, project, "prod", 10).await.unwrap();
    let conditions: Vec<usize> = of_run.iter().map(|step| step.conditions.len()).collect();
    assert_eq!(conditions, [1, 1]);
    // By its id alone the one that is listed first is meant, in everything.
    let payload = steps::payload(&mut snapshot, project, "prod", "s").await.unwrap();
    let events: Vec<&str> = payload.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!((payload.input.as_deref(), events), (Some("first"), vec!["first"]));

    let span = BucketSpan {
        from: at("2026-11-20T00:00:00Z"),
        to: at("2026-11-24T00:00:00Z"),
        bucket_hours: 1,
    };
    let filter = ConditionFilter::default();
    let latest = anomalies::latest(&mut snapshot, project, &filter, span, None, 10)
        .await
        .unwrap();
    let conditions: Vec<usize> = latest.items.iter().map(|step| step.conditions.len()).collect();
    assert_eq!(conditions, [1, 1]);

    let back = backtest::steps(&mut snapshot, project, at(FIRST), 10)
        .await
        .unwrap();
    let mut texts: Vec<(Timestamp, Option<&str>)> = back
        .texts
        .iter()
        .map(|text| (back.steps[text.step].started_at, text.input.as_deref()))
        .collect();
    texts.sort_unstable();
    assert_eq!(texts, [(at(FIRST), Some("first")), (at(SECOND), Some("second"))]);
}

#[tokio::test]
async fn a_new_cost_is_counted_for_the_one_that_has_it() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    store_two(&database, project).await;
    let mut chunk = chunk(&database, project).await;
    // The second was priced by somebody else meanwhile.
    for (started_at, source) in [(FIRST, "unknown"), (SECOND, "computed")] {
        sqlx::query("update steps set cost_source = $2 where started_at = $1")
            .bind(at(started_at).to_offset_date_time())
            .bind(source)
            .execute(&mut database.superuser().await)
            .await
            .unwrap();
    }
    let old = |partition_at: &str| PricedStep {
        run_id: "prod".to_owned(),
        partition_at: at(partition_at),
        step_id: "s".to_owned(),
        started_at: at(partition_at),
        provider: None,
        model: None,
        request_model: None,
        tokens: TokenUsage::default(),
        service_tier: None,
        usage_details: Default::default(),
        web_searches: None,
        cost: None,
        source: CostSource::Unknown,
        price_version: None,
        reported: None,
        key_label: "k".to_owned(),
        environment: None,
        name: "answer".to_owned(),
        template_fingerprint: None,
        other_series: None,
        release: None,
    };
    let (first, second) = (old(FIRST), old("2026-11-23T12:00:00Z"));
    let new = || NewCost {
        cost: Some(NanoUsd(7)),
        source: CostSource::Computed,
        price_version: None,
    };
    let written = reprice::update_steps(&mut chunk, &[(&first, new()), (&second, new())]).await;
    assert_eq!(written.unwrap(), [true, false]);
}

/// Whoever stores steps of the project waits while sums are changed: nothing is counted again there.
#[tokio::test]
async fn a_cost_that_is_lost_is_taken_from_the_sums_without_reading_steps() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    store_two(&database, project).await;
    let mut owner = database.superuser().await;
    let partition_at = at(FIRST).to_offset_date_time();
    for price in [
        "update runs set cost_nano_usd = 12, priced_steps = 2 where partition_at = $1",
        "update rollups set cost_nano_usd = 12, priced = 2 where hour = $1",
    ] {
        sqlx::query(price)
            .bind(partition_at)
            .execute(&mut owner)
            .await
            .unwrap();
    }
    let mut chunk = chunk(&database, project).await;
    let mut others = owner.begin().await.unwrap();
    sqlx::query("lock table steps in access exclusive mode")
        .execute(&mut *others)
        .await
        .unwrap();
    let series = Uuid::from_u128(1);
    let lose = Delta {
        cost: -5,
        cost_squares: -25,
        unpriced: 1,
        priced: -1,
    };
    let costs = async |chunk: &mut JobChunk, delta: Delta| {
        let changed = async {
            let runs = [((at(FIRST), "prod".to_owned()), delta)];
            reprice::add_to_runs(chunk, &runs).await.unwrap();
            reprice::add_to_rollups(chunk, &[((at(FIRST), series), delta)])
                .await
                .unwrap();
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), changed)
            .await
            .expect("steps are read");
    };
    costs(&mut chunk, lose).await;
    costs(&mut chunk, Delta { cost: -7, ..lose }).await;
    let progress = jobs::Progress {
        next: None,
        done: 1,
        total: None,
        result: json!({}),
    };
    chunk.commit(&progress, at(SECOND)).await.unwrap();
    for sum in [
        "select cost_nano_usd, unpriced_steps::bigint from runs where partition_at = $1",
        "select cost_nano_usd, unpriced from rollups where hour = $1",
    ] {
        let found: (Option<i64>, i64) = sqlx::query_as(sum)
            .bind(partition_at)
            .fetch_one(&mut *others)
            .await
            .unwrap();
        assert_eq!(found, (None, 2), "nothing that is known is left: {sum}");
    }
}
