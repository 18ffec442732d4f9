//! Calls of a step before one of them: what it is compared with.

use domain::{NewStep, StepStatus};
use storage::steps::calls::{StepCall, Wanted, call, call_texts, calls_before};

use crate::batch::{step, write};
use crate::support::{TestDatabase, at};

const OWN: &str = "2026-11-24T12:00:00Z";

fn ids(calls: &[StepCall]) -> Vec<&str> {
    calls.iter().map(|call| call.run_id.as_str()).collect()
}

#[tokio::test]
async fn a_call_finds_those_of_its_name_before_it_and_the_last_good_one() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    let stranger = database.project(2).await;
    let plain = |run: &str, started_at: &str| step(run, "s", at(started_at));
    let failed = |run: &str, started_at: &str| NewStep {
        status: StepStatus::Error,
        error: Some("no brackets".to_owned()),
        output: None,
        ..plain(run, started_at)
    };
    let steps = [
        plain("long ago", "2026-10-20T12:00:00Z"),
        plain("oldest", "2026-11-10T12:00:00Z"),
        NewStep {
            output: Some("good".to_owned()),
            ..plain("good", "2026-11-23T12:00:00Z")
        },
        failed("failed", "2026-11-24T11:00:00Z"),
        NewStep {
            name: "another".to_owned(),
            ..plain("other name", "2026-11-24T11:30:00Z")
        },
        failed("own", OWN),
        plain("later", "2026-11-24T12:00:01Z"),
    ];
    write(&database.db, project, &steps, at("2026-11-24T13:00:00Z"))
        .await
        .unwrap();
    let theirs = [plain("theirs", "2026-11-24T11:59:00Z")];
    write(&database.db, stranger, &theirs, at("2026-11-24T13:00:00Z"))
        .await
        .unwrap();

    let mut snapshot = database.snapshot(project).await;
    let own = call(&mut snapshot, project, "own", "s").await.unwrap();
    assert_eq!((own.name.as_str(), own.status), ("answer", StepStatus::Error));
    let all = calls_before(&mut snapshot, project, &own, Wanted::All, 10)
        .await
        .unwrap();
    assert_eq!(ids(&all), ["failed", "good", "oldest"]);
    let good = calls_before(&mut snapshot, project, &own, Wanted::Good, 1)
        .await
        .unwrap();
    assert_eq!(ids(&good), ["good"]);
    let texts = call_texts(&mut snapshot, project, &good[0], 3).await.unwrap();
    assert_eq!(
        (texts.input.as_deref(), texts.output.as_deref()),
        (Some("que"), Some("goo"))
    );
    let texts = call_texts(&mut snapshot, project, &own, 100).await.unwrap();
    assert_eq!(
        (texts.output, texts.error.as_deref()),
        (None, Some("no brackets"))
    );

    let missing = call(&mut snapshot, project, "theirs", "s").await;
    assert!(matches!(missing, Err(storage::Error::NotFound)), "{missing:?}");
}
