//! A run while its spans come, in whatever order.

use otlp::wire::{Span, Status};
use serde_json::Value;

use crate::app::TestApp;
use crate::otlp::{call, export, run_id, span};

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
    export(&app, vec![span(1, 0, "agent", Vec::new())]).await;
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
