//! The list of everything that detectors found.

use domain::detector::{DetectorDraft, Evidence, FoundIn, JudgementState, Template};
use domain::{ProjectId, Timestamp};
use serde_json::{Value, json};
use storage::detectors::{EndedJudgement, NewFinding};
use uuid::Uuid;

use crate::app::{TestApp, step};
use crate::people::{Browser, default_project};

const DAY_MICROS: i64 = 86_400_000_000;

async fn detector(app: &TestApp, project: ProjectId, name: &str) -> Uuid {
    let id = Uuid::now_v7();
    let draft = DetectorDraft {
        name: name.to_owned(),
        every_run: true,
        ..DetectorDraft::of(Template::RepeatedTool)
    };
    storage::detectors::create(&app.state.db, project, id, &draft, "mara", server::clock::now())
        .await
        .unwrap();
    id
}

/// Something that is found in a run of its own, and its id.
async fn found(app: &TestApp, project: ProjectId, detector: Uuid, nth: u32, at: Timestamp) -> Uuid {
    let id = Uuid::now_v7();
    let run = format!("run-{nth}");
    app.store(step(&run, "s 1")).await;
    let ended = EndedJudgement {
        detector_id: detector,
        version: 1,
        state: JudgementState::Found,
        reason: None,
        cost: None,
        has_asked: false,
        is_retried: false,
        dropped_quotes: 0,
        finding: Some(NewFinding {
            id,
            summary: format!("it is number {nth}."),
            data: json!({}),
            evidence: vec![Evidence {
                step_id: "s 1".to_owned(),
                step: "answer".to_owned(),
                text: Some(FoundIn::Output),
                quote: Some(format!("words of {nth}.")),
                from_byte: Some(0),
                to_byte: Some(8),
            }],
            model: None,
            judged_in: None,
        }),
        begun_at: None,
    };
    storage::detectors::end(&app.state.db, project, &run, vec![(ended, Vec::new())], at)
        .await
        .unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_of_all_detectors_are_listed_narrowed_paged_and_marked() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    let browser = Browser::new(&app);
    let list = async |query: &str| browser.get(&format!("/p/default/findings{query}")).await.text;
    assert!(list("").await.contains("Nothing found"));
    let (often, rarely) = (
        detector(&app, project, "Often").await,
        detector(&app, project, "Rarely").await,
    );
    let now = server::clock::now();
    found(&app, project, rarely, 0, now.plus_micros(-20 * DAY_MICROS)).await;
    let mut ids = Vec::new();
    for nth in 1..=50 {
        ids.push(found(&app, project, often, nth, now).await);
    }

    // The latest fifty, each with its words and its step, and a link to the rest.
    let first = list("").await;
    for part in [
        "it is number 50.",
        "it is number 1.",
        "words of 50.",
        "/p/default/runs/run-50?step=s%201",
        "Earlier findings",
    ] {
        assert!(first.contains(part), "{part}: {first}");
    }
    assert!(!first.contains("it is number 0."), "{first}");
    let earlier = format!("?cursor={}", ids[0]);
    assert!(
        first.contains(&format!("/p/default/findings{earlier}")),
        "{first}"
    );
    let second = list(&earlier).await;
    assert!(
        second.contains("it is number 0.") && !second.contains("it is number 1."),
        "{second}"
    );
    assert!(!second.contains("Earlier findings"), "{second}");

    let of_rarely = list(&format!("?detector={rarely}")).await;
    assert!(
        of_rarely.contains("it is number 0.") && !of_rarely.contains("it is number 9."),
        "{of_rarely}"
    );
    let of_week = list(&format!("?detector={rarely}&days=7")).await;
    assert!(of_week.contains("Show all findings"), "{of_week}");

    // A mark leads back to the list as it was narrowed, and nowhere else.
    let mark = async |next: &str| {
        let fields = [("verdict", "real"), ("next", next)];
        browser
            .post(&format!("/p/default/findings/{}/feedback", ids[8]), &fields)
            .await
    };
    let marked = mark("findings?days=7").await;
    assert_eq!(marked.location, "/p/default/findings?days=7");
    assert_eq!(mark("findings/../../evil").await.status, 404);
    let real = list("?mark=real").await;
    assert!(
        real.contains("it is number 9.") && !real.contains("it is number 8."),
        "{real}"
    );
    assert!(!list("?mark=unmarked").await.contains("it is number 9."));

    let api = async |query: &str| app.get(&format!("/api/findings{query}")).await.1;
    let count = |answer: &Value| answer["items"].as_array().map(Vec::len);
    assert_eq!(count(&api("?mark=real").await), Some(1));
    assert_eq!(count(&api("?mark=noise").await), Some(0));
    let since = domain::filter::percent_encode(&now.plus_micros(-DAY_MICROS).to_string());
    assert_eq!(count(&api(&format!("?from={since}")).await), Some(50));
    assert_eq!(app.get("/api/findings?mark=maybe").await.0, 400);
}
