//! Re-pricing history after a price was added, changed or taken away.

use domain::{ProjectId, Timestamp};
use serde::Deserialize as _;
use serde_json::{Value, json};
use server::jobs::{Worked, Worker};
use server::reprice::{self, Request, Totals};
use storage::jobs::{self, Job, JobState};
use storage::prices::NewOverride;
use storage::reprice::Which;
use uuid::Uuid;

use crate::app::{TestApp, step};
use crate::people::{default_project, key, other_project};

/// A call of a model that no list knows.
pub(crate) fn unknown(run: &str, id: &str) -> Value {
    let mut call = step(run, id);
    call["model"] = json!("private-7b");
    call["provider"] = json!("basement");
    call["cost"] = Value::Null;
    call["started_at"] = json!("2026-11-20T10:20:00Z");
    call["input_tokens"] = json!(1_000);
    call["output_tokens"] = json!(500);
    call
}

/// A price of the project's own for it, from a day on.
pub(crate) async fn add_price(app: &TestApp, project: ProjectId, input_dollars: i64, from: &str) -> String {
    let price = NewOverride {
        provider: "basement".to_owned(),
        model_match: "prefix".to_owned(),
        model: "private-".to_owned(),
        valid_from: Timestamp::parse_rfc3339(from).unwrap(),
        rates: json!({ "input": input_dollars * 1_000_000_000, "output": 2_000_000_000_i64 }),
        context_window: None,
        source: "our own accounts".to_owned(),
    };
    storage::prices::save_override(
        &app.state.db,
        project,
        &price,
        "mara@acme.dev",
        server::clock::now(),
    )
    .await
    .unwrap()
}

pub(crate) async fn start(app: &TestApp, project: ProjectId, request: &Request) -> Uuid {
    reprice::start(
        &app.state.db,
        project,
        request,
        "mara@acme.dev",
        server::clock::now(),
    )
    .await
    .unwrap()
}

/// Works until nothing is left, as the background does.
pub(crate) async fn work(app: &TestApp) {
    let mut worker = Worker::new(app.state.db.clone());
    while worker.work(None).await.unwrap() == Worked::Chunk {}
}

pub(crate) async fn repriced(app: &TestApp, project: ProjectId, request: &Request) -> Totals {
    let job_id = start(app, project, request).await;
    work(app).await;
    let job = jobs::get(&app.state.db, project, job_id).await.unwrap();
    assert_eq!((job.state, &job.error), (JobState::Done, &None), "{job:?}");
    totals(&job)
}

pub(crate) fn totals(job: &Job) -> Totals {
    Totals::deserialize(job.result.as_ref().unwrap()).unwrap()
}

pub(crate) async fn assert_recount_agrees(app: &TestApp, project: ProjectId) {
    let now = server::clock::now();
    let recount = storage::recount::recount(&app.state.db, project, now, server::pipeline::histograms_agree)
        .await
        .unwrap();
    assert_eq!(
        (recount.wrong_runs.as_slice(), recount.wrong_hours.as_slice()),
        (&[][..], &[][..])
    );
}

/// What everything that shows costs says of run `r`: its page, the list, its window by the hour, `/api/cost`.
async fn shown(app: &TestApp) -> [(Value, Value); 4] {
    let (_, run) = app.get("/api/runs/r").await;
    let (_, list) = app.get("/api/runs?q=r").await;
    let (_, hours) = app
        .get("/api/cost?from=2026-11-20T10:00:00Z&to=2026-11-20T11:00:00Z")
        .await;
    let (_, cost) = app.get("/api/cost?run=r").await;
    let of_run = |run: &Value| (run["cost_usd"].clone(), run["unpriced_steps"].clone());
    let of_cost = |cost: &Value| (cost["cost_usd"].clone(), cost["unpriced_calls"].clone());
    [
        of_run(&run["run"]),
        of_run(&list["items"][0]),
        of_cost(&hours),
        of_cost(&cost),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_was_missing_is_added_and_history_follows_exactly() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    app.store(unknown("r", "a")).await;
    app.store(unknown("r", "b")).await;
    assert_eq!(
        shown(&app).await,
        std::array::from_fn(|_| (Value::Null, json!(2)))
    );

    // $4 and $2 a million: 0.004 + 0.001 a call.
    let price_id = add_price(&app, project, 4, "2026-01-01T00:00:00Z").await;
    let preview = repriced(
        &app,
        project,
        &Request {
            dry_run: true,
            ..Request::default()
        },
    )
    .await;
    assert_eq!((preview.all.steps, preview.all.changed), (2, 2));
    assert_eq!(
        (preview.all.before_nano_usd, preview.all.unpriced_before),
        (None, 2)
    );
    assert_eq!(preview.all.after_nano_usd.unwrap().to_decimal(), "0.01");
    assert_eq!(preview.models["private-7b"], preview.all);
    assert_eq!(
        shown(&app).await,
        std::array::from_fn(|_| (Value::Null, json!(2))),
        "a preview changes nothing"
    );

    let done = repriced(&app, project, &Request::default()).await;
    assert_eq!(done, preview);
    assert_eq!(
        shown(&app).await,
        std::array::from_fn(|_| (json!("0.01"), json!(0)))
    );
    let (_, run) = app.get("/api/runs/r").await;
    for step in run["steps"].as_array().unwrap() {
        assert_eq!(
            (&step["cost_usd"], &step["cost_source"]),
            (&json!("0.005"), &json!("computed")),
            "{step}"
        );
    }
    let steps = storage::steps::of_run(
        &mut app.state.db.snapshot(project).await.unwrap(),
        project,
        "r",
        10,
    )
    .await
    .unwrap();
    assert!(
        steps
            .iter()
            .all(|step| step.price_version.as_deref() == Some(price_id.as_str()))
    );
    assert_recount_agrees(&app, project).await;

    let again = repriced(&app, project, &Request::default()).await;
    assert_eq!(
        (again.all.steps, again.all.changed),
        (2, 0),
        "a second time changes nothing"
    );

    storage::prices::delete_override(
        &app.state.db,
        project,
        &price_id,
        "mara@acme.dev",
        server::clock::now(),
    )
    .await
    .unwrap();
    repriced(&app, project, &Request::default()).await;
    assert_eq!(
        shown(&app).await,
        std::array::from_fn(|_| (Value::Null, json!(2))),
        "without its price it is unknown again, and not 0"
    );
    assert_recount_agrees(&app, project).await;
    let of = storage::projects::get(&app.state.db, project).await.unwrap();
    let actions: Vec<_> = crate::people::audit_log(&app, Some(&of))
        .await
        .into_iter()
        .map(|row| row.action)
        .collect();
    for action in ["price.save", "price.delete", "job.start"] {
        assert!(actions.iter().any(|done| done == action), "{action}: {actions:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_client_said_counts_until_a_price_matches() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    let mut reported = unknown("r", "a");
    reported["cost"] = json!(0.75);
    app.store(reported).await;
    app.store(unknown("r", "b")).await;
    assert_eq!(shown(&app).await[0], (json!("0.75"), json!(1)));
    let price_id = add_price(&app, project, 4, "2026-01-01T00:00:00Z").await;
    repriced(&app, project, &Request::default()).await;
    assert_eq!(
        shown(&app).await,
        std::array::from_fn(|_| (json!("0.01"), json!(0)))
    );
    storage::prices::delete_override(&app.state.db, project, &price_id, "local", server::clock::now())
        .await
        .unwrap();
    repriced(&app, project, &Request::default()).await;
    assert_eq!(
        shown(&app).await,
        std::array::from_fn(|_| (json!("0.75"), json!(1)))
    );
    assert_recount_agrees(&app, project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_has_the_price_of_its_time_and_only_those_asked_for_change() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    let mut early = unknown("early", "a");
    early["started_at"] = json!("2026-11-18T23:59:59Z");
    app.store(early).await;
    app.store(unknown("r", "a")).await;
    let mut other = unknown("other", "a");
    other["model"] = json!("private-70b");
    app.store(other).await;
    add_price(&app, project, 4, "2026-01-01T00:00:00Z").await;
    add_price(&app, project, 8, "2026-11-19T00:00:00Z").await;
    let cost = async |run: &str| app.get(&format!("/api/runs/{run}")).await.1["run"]["cost_usd"].clone();
    let which = Which {
        model: Some("private-7b".to_owned()),
        from: Timestamp::parse_rfc3339("2026-11-20T00:00:00Z"),
        to: None,
    };
    let done = repriced(
        &app,
        project,
        &Request {
            which,
            dry_run: false,
        },
    )
    .await;
    assert_eq!((done.all.steps, done.all.changed), (1, 1));
    assert_eq!(
        [cost("early").await, cost("r").await, cost("other").await],
        [Value::Null, json!("0.009"), Value::Null]
    );
    repriced(&app, project, &Request::default()).await;
    assert_eq!(
        [cost("early").await, cost("r").await, cost("other").await],
        [json!("0.005"), json!("0.009"), json!("0.009")]
    );
    assert_recount_agrees(&app, project).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_project_is_left_alone() {
    let app = TestApp::new().await;
    let (own, other) = (default_project(&app).await, other_project(&app).await);
    let others_key = key(&app, &other, domain::Scope::ALL).await.secret;
    app.store(unknown("r", "a")).await;
    let theirs = app
        .client
        .post(app.url("/ingest"))
        .bearer_auth(&others_key)
        .json(&unknown("r", "a"));
    assert_eq!(theirs.send().await.unwrap().status(), 200);
    add_price(&app, own.id, 4, "2026-01-01T00:00:00Z").await;
    let job_id = start(&app, own.id, &Request::default()).await;
    let now = server::clock::now();
    assert!(matches!(
        jobs::get(&app.state.db, other.id, job_id).await,
        Err(storage::Error::NotFound)
    ));
    assert!(matches!(
        jobs::cancel(&app.state.db, other.id, job_id, "eve@acme.dev", now).await,
        Err(storage::Error::NotFound)
    ));
    work(&app).await;
    repriced(&app, other.id, &Request::default()).await;
    let run = async |project| {
        storage::runs::get(&mut app.state.db.snapshot(project).await.unwrap(), project, "r").await
    };
    assert_eq!(
        run(own.id).await.unwrap().cost_nano_usd.unwrap().to_decimal(),
        "0.005"
    );
    let theirs = run(other.id).await.unwrap();
    assert_eq!((theirs.cost_nano_usd, theirs.unpriced_steps), (None, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_just_received_has_the_price_it_would_get_again() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    app.bring_in_shipped_prices().await;
    let calls = [
        ("anthropic", "claude-sonnet-4-5-20250929", "batch", 250_000),
        ("openai", "gpt-5", "priority", 4_000),
        ("google", "gemini-2.5-pro", "flex", 300_000),
        ("basement", "private-7b", "standard", 10),
        (
            "aws.bedrock",
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            "",
            77,
        ),
    ];
    for (i, (provider, model, tier, input)) in calls.into_iter().enumerate() {
        let mut call = step("r", &format!("s{i}"));
        call["provider"] = json!(provider);
        call["model"] = json!(model);
        call["service_tier"] = json!(tier);
        call["input_tokens"] = json!(input);
        call["cache_read_tokens"] = json!(11);
        call["cache_write_tokens"] = json!(7);
        call["cache_write_1h_tokens"] = json!(3);
        app.store(call).await;
    }
    let (_, run) = app.get("/api/runs/r").await;
    let sources: Vec<_> = run["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| &step["cost_source"])
        .collect();
    assert_eq!(
        sources,
        ["computed", "computed", "computed", "reported", "computed"]
    );
    let done = repriced(&app, project, &Request::default()).await;
    assert_eq!((done.all.steps, done.all.changed), (5, 0), "{done:?}");
}
