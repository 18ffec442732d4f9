//! A run while its spans come, in whatever order.

use otlp::wire::{Span, Status};
use serde_json::{Value, json};

use crate::app::{TestApp, step};
use crate::otlp::{call, export, fall_quiet, run_id, span};

async fn run(app: &TestApp) -> Value {
    let (status, read) = app.get(&format!("/api/runs/{}", run_id())).await;
    assert_eq!(status, 200, "{read}");
    read
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_there_from_its_first_span_and_open_until_its_root_has_ended() {
    let app = TestApp::new().await;
    // What ends first comes first, before anything that contains it.
    export(&app, vec![call(3, 2, 10, 5)]).await;
    let orphan = run(&app).await;
    assert_eq!(
        (&orphan["run"]["status"], &orphan["run"]["step_count"]),
        (&"running".into(), &1.into())
    );
    assert_eq!(orphan["steps"][0]["parent_step_id"], "02".repeat(8));
    export(&app, vec![span(2, 1, "plan", Vec::new())]).await;
    assert_eq!(run(&app).await["run"]["status"], "running");
    fall_quiet(&app).await;
    assert_eq!(run(&app).await["run"]["status"], "running", "its root is missing");
    export(&app, vec![span(1, 0, "agent", Vec::new())]).await;
    assert_eq!(run(&app).await["run"]["status"], "running", "more may come");
    fall_quiet(&app).await;
    let whole = run(&app).await;
    assert_eq!(
        (&whole["run"]["status"], &whole["run"]["name"]),
        (&"ok".into(), &"agent".into())
    );

    // What comes late opens it again while it goes on.
    let late = Span {
        end_time_unix_nano: 0,
        ..span(4, 1, "still at it", Vec::new())
    };
    export(&app, vec![late]).await;
    fall_quiet(&app).await;
    assert_eq!(run(&app).await["run"]["status"], "running");
    // A second root is another tree of the same run; one that failed makes the run failed.
    let failed = Span {
        status: Some(Status {
            message: "no answer".to_owned(),
            code: Status::ERROR,
        }),
        ..span(5, 0, "retry", Vec::new())
    };
    export(&app, vec![failed]).await;
    let forest = run(&app).await;
    let roots = forest["steps"].as_array().unwrap().iter();
    let roots = roots.filter(|step| step["parent_step_id"].is_null()).count();
    assert_eq!((roots, &forest["run"]["status"]), (2, &"error".into()));
    assert_eq!(forest["run"]["name"], "agent");
}

/// What the API says of the run, how many runs it lists as complete, how many are counted as running, and the run's page.
async fn told(app: &TestApp) -> (Value, usize, i64, String) {
    let (_, listed) = app.get("/api/runs?status=ok").await;
    let complete = listed["items"].as_array().unwrap().len();
    let (_, listed) = app.get("/api/runs").await;
    let project = crate::people::default_project(app).await.id;
    let mut snapshot = app.state.db.snapshot(project).await.unwrap();
    let filter = domain::RunFilter::default();
    let totals = storage::runs::totals(&mut snapshot, project, &filter, server::clock::now())
        .await
        .unwrap();
    let page = app.client.get(app.url(&format!("/p/default/runs/{}", run_id())));
    let page = page.send().await.unwrap().text().await.unwrap();
    (
        listed["items"][0]["status"].clone(),
        complete,
        totals.running,
        page,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_complete_when_nothing_came_for_ten_seconds_and_what_is_late_opens_it_again() {
    let app = TestApp::new().await;
    let root = || vec![span(1, 0, "agent", Vec::new())];
    let check = async |state: &str, complete: usize, running: i64, when: &str| {
        let (status, listed, counted, page) = told(&app).await;
        assert_eq!(
            (status, listed, counted),
            (Value::from(state), complete, running),
            "{when}"
        );
        assert_eq!(page.contains("Completed in"), state == "ok", "{when}");
        assert_eq!(page.contains("Running, "), state == "running", "{when}");
        let (tool, _) = crate::mcp::call(&app, "get_run", json!({ "run_id": run_id() })).await;
        assert!(
            tool.contains(&format!("\"status\":\"{state}\"")),
            "{when}: {tool}"
        );
        // A link shows the run as it is when it is opened.
        let made = crate::shares::make(&app, &run_id(), json!({})).await;
        let opened = crate::people::Browser::new(&app);
        let opened = opened.get(&crate::shares::path_of(&made)).await;
        assert!(opened.text.contains(&format!(">{state}<")), "{when}: {opened:?}");
    };
    let begun = server::clock::now();
    export(&app, root()).await;
    check(
        "running",
        0,
        1,
        "its root has ended, and spans may be on their way",
    )
    .await;
    // A second too early.
    let early = begun.plus_micros(domain::run::QUIET_MICROS - 1_000_000);
    server::waiting_runs::end_due(&app.state.db, &app.state.live, early, &app.shutdown)
        .await
        .unwrap();
    check("running", 0, 1, "not quiet for long enough").await;
    fall_quiet(&app).await;
    check("ok", 1, 0, "quiet").await;
    // The same span again is nothing new.
    export(&app, root()).await;
    check("ok", 1, 0, "sent twice").await;
    export(&app, vec![call(2, 1, 10, 5)]).await;
    check("running", 0, 1, "a late span").await;
    // A step by another way neither ends the waiting nor prolongs it.
    let mut beside = step(&run_id(), "native");
    beside["parent_step_id"] = "01".repeat(8).into();
    app.store(beside).await;
    check("running", 0, 1, "a step of another way").await;
    fall_quiet(&app).await;
    check("ok", 1, 0, "quiet again").await;
    let project = crate::people::default_project(&app).await;
    crate::reprice::assert_recount_agrees(&app, project.id).await;
}
