//! Detectors by rule: which runs they judge, what they find, that they do so once, and what people say of it.

use domain::ProjectId;
use domain::detector::{DetectorDraft, Evidence, FoundIn, JudgementState, Template};
use serde_json::{Value, json};
use storage::detectors::{EndedJudgement, NewFinding};

use crate::app::{TestApp, answer, step};
use crate::contract::check;
use crate::people::{audit_log, deeds, default_project};

/// A detector with a finding in the run `theirs`, both with the text in them.
pub(crate) async fn put_finding(app: &TestApp, project: ProjectId, ids: (&str, &str), text: &str) {
    let (detector, finding) = (ids.0.parse().unwrap(), ids.1.parse().unwrap());
    let draft = DetectorDraft {
        name: text.to_owned(),
        every_run: true,
        ..DetectorDraft::of(Template::RepeatedTool)
    };
    let (db, now) = (&app.state.db, server::clock::now());
    // Nothing is said of a run that is not there; it may be there already.
    assert_eq!(app.post("/ingest", &step("theirs", "s1")).await.0, 200);
    storage::detectors::create(db, project, detector, &draft, "mara", now)
        .await
        .unwrap();
    let ended = EndedJudgement {
        detector_id: detector,
        version: 1,
        state: JudgementState::Found,
        reason: None,
        cost: None,
        has_asked: false,
        is_retried: false,
        dropped_quotes: 1,
        finding: Some(NewFinding {
            id: finding,
            summary: text.to_owned(),
            data: json!({ "text": text }),
            evidence: vec![Evidence {
                step_id: "s1".to_owned(),
                step: text.to_owned(),
                text: Some(FoundIn::Output),
                quote: Some(text.to_owned()),
                from_byte: Some(0),
                to_byte: u32::try_from(text.len()).ok(),
            }],
            model: None,
            judged_in: None,
        }),
        begun_at: None,
    };
    storage::detectors::end(db, project, "theirs", vec![(ended, Vec::new())], now)
        .await
        .unwrap();
}

/// What is answered to changes of a detector and a finding is as the document says.
pub(crate) async fn check_detectors(app: &TestApp, document: &Value, ids: (&str, &str)) {
    let (detector_url, finding_url) = (
        format!("/api/detectors/{}", ids.0),
        format!("/api/findings/{}", ids.1),
    );
    let judge = json!({
        "name": "Contradictions", "template": "logic", "schema": { "type": "object" }, "daily_cap_usd": 0.5,
        "conditions": [{ "field": "errors", "op": ">", "value": 0 }, { "field": "model", "op": "=", "value": ["a", "b"] }],
        "model": { "provider": "own", "model": "m" },
    });
    let (status, answered) = app.post("/api/detectors", &judge).await;
    assert_eq!(status, 200, "{answered}");
    check(document, ("post", "/api/detectors", 200), &answered);
    let changed = app
        .client
        .put(app.url(&detector_url))
        .json(&json!({ "sample_percent": 25 }));
    let (status, changed) = answer(changed).await;
    assert_eq!(status, 200, "{changed}");
    check(document, ("put", "/api/detectors/{id}", 200), &changed);
    let (status, answered) = app
        .post(&format!("{detector_url}/try"), &json!({ "runs": 5 }))
        .await;
    assert_eq!(status, 200, "{answered}");
    check(document, ("post", "/api/detectors/{id}/try", 200), &answered);
    let said = json!({ "verdict": "noise" });
    let (status, answered) = app.post(&format!("{finding_url}/feedback"), &said).await;
    assert_eq!(
        (status, &answered["feedback"]),
        (200, &json!("noise")),
        "{answered}"
    );
    check(document, ("post", "/api/findings/{id}/feedback", 200), &answered);
    let (_, answered) = answer(app.client.delete(app.url(&detector_url))).await;
    check(document, ("delete", "/api/detectors/{id}", 200), &answered);
}

/// Judges what is queued, as if nothing had come for a minute.
pub(crate) async fn judge(app: &TestApp) {
    let later = server::clock::now().plus_micros(60_000_000);
    while server::detectors::judge_due(&app.state.judge(), later)
        .await
        .unwrap()
        > 0
    {}
}

/// Makes a detector and returns its id.
pub(crate) async fn make(app: &TestApp, detector: Value) -> String {
    let (status, made) = app.post("/api/detectors", &detector).await;
    assert_eq!(status, 200, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

async fn change(app: &TestApp, id: &str, change: Value) -> Value {
    let sent = app.client.put(app.url(&format!("/api/detectors/{id}")));
    let (status, changed) = answer(sent.json(&change)).await;
    assert_eq!(status, 200, "{changed}");
    changed
}

pub(crate) async fn findings(app: &TestApp, query: &str) -> Vec<Value> {
    let (status, found) = app.get(&format!("/api/findings{query}")).await;
    assert_eq!(status, 200, "{found}");
    found["items"].as_array().unwrap().clone()
}

/// A call of a tool.
pub(crate) fn call(run: &str, id: &str, input: &str) -> Value {
    let mut call = step(run, id);
    call["kind"] = "tool".into();
    call["tool_name"] = "orders.fetch".into();
    call["prompt"] = input.into();
    call
}

/// A run that calls a tool three times with the same input.
pub(crate) async fn repeat(app: &TestApp, run: &str) {
    for id in ["a", "b", "c"] {
        app.store(call(run, id, "order 4711")).await;
    }
}

pub(crate) fn repeated() -> Value {
    json!({ "name": "Same tool, same input", "template": "repeated_tool", "every_run": true })
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_a_busy_project_are_left_in_the_queue() {
    let app = TestApp::new().await;
    make(&app, repeated()).await;
    repeat(&app, "r1").await;
    let project = default_project(&app).await.id;
    let (db, later) = (&app.state.db, server::clock::now().plus_micros(60_000_000));
    let none = storage::detectors::take(db, later, later, &[project])
        .await
        .unwrap();
    assert_eq!(none, None);
    let taken = storage::detectors::take(db, later, later, &[]).await.unwrap();
    assert_eq!(taken.unwrap().run_id, "r1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_finds_and_people_say_whether_it_is_real() {
    let app = TestApp::new().await;
    let id = make(&app, repeated()).await;
    repeat(&app, "r1").await;
    app.store(call("r2", "a", "order 4711")).await;
    judge(&app).await;

    let found = findings(&app, "").await;
    assert_eq!(found.len(), 1, "{found:?}");
    let finding = &found[0];
    assert_eq!(
        finding["summary"],
        "orders.fetch was called 3 times with one input"
    );
    assert_eq!(
        (&finding["run_id"], &finding["detector_id"]),
        (&json!("r1"), &json!(id))
    );
    let steps: Vec<&Value> = finding["evidence"]
        .as_array()
        .unwrap()
        .iter()
        .map(|evidence| &evidence["step_id"])
        .collect();
    assert_eq!(steps, ["a", "b", "c"]);
    assert_eq!(findings(&app, "?run=r2").await, [] as [Value; 0]);
    assert_eq!(findings(&app, &format!("?detector={id}")).await.len(), 1);

    let feedback = format!("/api/findings/{}/feedback", finding["id"].as_str().unwrap());
    for (verdict, precision) in [("real", json!(1.0)), ("noise", json!(0.0))] {
        let (status, marked) = app.post(&feedback, &json!({ "verdict": verdict })).await;
        assert_eq!((status, &marked["feedback"]), (200, &json!(verdict)), "{marked}");
        let (_, detector) = app.get(&format!("/api/detectors/{id}")).await;
        assert_eq!(detector["week"]["precision"], precision, "{detector}");
        assert_eq!(
            (&detector["today"]["judged"], &detector["today"]["found"]),
            (&json!(2), &json!(1))
        );
    }
    let (status, _) = app.post(&feedback, &json!({ "verdict": "maybe" })).await;
    assert_eq!(status, 400);
    let rows = audit_log(&app, Some(&default_project(&app).await)).await;
    let done = deeds(&rows);
    for action in ["detector.create", "finding.mark"] {
        assert!(done.iter().any(|(_, done, _)| *done == action), "{done:?}");
    }
    let page = app
        .client
        .get(app.url("/p/default/runs/r1"))
        .send()
        .await
        .unwrap();
    let page = page.text().await.unwrap();
    assert!(
        page.contains("orders.fetch was called 3 times with one input"),
        "the run says it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_judges_a_run_once_whoever_does_it() {
    let app = TestApp::new().await;
    let other = app.another_process().await;
    let id = make(&app, repeated()).await;
    repeat(&app, "r1").await;
    tokio::join!(judge(&app), judge(&other));
    assert_eq!(findings(&app, "").await.len(), 1);

    // Another step queues the run again; another name is no other version.
    assert_eq!(
        change(&app, &id, json!({ "name": "Again and again" })).await["version"],
        1
    );
    app.store(call("r1", "d", "order 4711")).await;
    tokio::join!(judge(&app), judge(&other));
    assert_eq!(findings(&app, "").await.len(), 1);

    let condition = json!([{ "field": "environment", "op": "!=", "value": "staging" }]);
    let changed = change(&app, &id, json!({ "conditions": condition })).await;
    assert_eq!(
        (&changed["version"], &changed["every_run"]),
        (&json!(2), &json!(false))
    );
    app.store(call("r1", "e", "order 4711")).await;
    judge(&app).await;
    let found = findings(&app, "").await;
    let versions: Vec<&Value> = found.iter().map(|finding| &finding["version"]).collect();
    assert_eq!(versions, [2, 1]);

    // Off, it judges nothing.
    change(&app, &id, json!({ "enabled": false })).await;
    repeat(&app, "r2").await;
    judge(&app).await;
    assert_eq!(findings(&app, "?run=r2").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_samples_and_own_runs_decide_what_is_judged() {
    let app = TestApp::new().await;
    let with = |changes: Value| {
        let mut detector = repeated();
        for (name, value) in changes.as_object().unwrap() {
            detector[name] = value.clone();
        }
        detector
    };
    let none = make(&app, with(json!({ "sample_percent": 0 }))).await;
    let acme = json!([{ "field": "metadata.customer", "op": "=", "value": "acme" }]);
    let acme = make(&app, with(json!({ "conditions": acme }))).await;
    repeat(&app, "plain").await;
    for id in ["a", "b", "c"] {
        let mut call = call("acme", id, "order 4711");
        call["attributes"] = json!({ "customer": "acme" });
        app.store(call).await;
        let mut own = self::call("own", id, "order 4711");
        own["attributes"] = json!({ "customer": "acme", "source": "plumbline" });
        app.store(own).await;
    }
    judge(&app).await;
    let found = findings(&app, "").await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (&found[0]["run_id"], &found[0]["detector_id"]),
        (&json!("acme"), &json!(acme))
    );
    let (_, none) = app.get(&format!("/api/detectors/{none}")).await;
    assert_eq!(none["week"]["judged"], 0);

    let (status, tried) = app.post(&format!("/api/detectors/{acme}/try"), &json!({})).await;
    assert_eq!(status, 200, "{tried}");
    assert_eq!(
        (&tried["runs"], &tried["matching"], &tried["judged"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert_eq!(tried["sentence"], "would have found 1 in the last 2 runs");
    assert_eq!(findings(&app, "").await.len(), 1, "a trial stores nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_rules_find_what_they_are_for() {
    let app = TestApp::new().await;
    make(
        &app,
        json!({ "name": "Swallowed", "template": "swallowed_error", "every_run": true }),
    )
    .await;
    make(
        &app,
        json!({ "name": "Guard", "template": "required_step", "required_step": "guard-output", "every_run": true }),
    )
    .await;
    let schema = json!({ "type": "object", "required": ["answer"] });
    make(
        &app,
        json!({ "name": "Shape", "template": "schema", "schema": schema, "every_run": true }),
    )
    .await;
    let mut failed = step("r", "fetch");
    failed["step_name"] = "fetch-order".into();
    failed["status_success"] = false.into();
    failed["error"] = "timeout after 30 s".into();
    failed["parent_step_id"] = "root".into();
    app.store(failed).await;
    let mut root = step("r", "root");
    root["output_code"] = r#"{"other": 1}"#.into();
    app.store(root).await;
    judge(&app).await;
    let mut found = findings(&app, "?run=r").await;
    found.sort_by_key(|finding| finding["detector"].as_str().unwrap().to_owned());
    let summaries: Vec<&str> = found
        .iter()
        .map(|finding| finding["summary"].as_str().unwrap())
        .collect();
    assert_eq!(
        summaries,
        [
            "The run ended without guard-output",
            "The run’s last output breaks the schema at the top: no key “answer” instead of the key “answer”",
            "fetch-order failed, nothing retried it, and the run succeeded all the same: timeout after 30 s",
        ]
    );
    let quote = &found[2]["evidence"][0];
    assert_eq!(
        (&quote["step_id"], &quote["text"], &quote["quote"]),
        (&json!("fetch"), &json!("error"), &json!("timeout after 30 s"))
    );
    for finding in &found {
        let url = app.url(&format!(
            "/p/default/findings/{}",
            finding["id"].as_str().unwrap()
        ));
        assert_eq!(app.client.get(url).send().await.unwrap().status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_and_named() {
    let app = TestApp::new().await;
    for (field, detector) in [
        ("template", json!({ "name": "x" })),
        ("template", json!({ "name": "x", "template": "magic" })),
        ("every_run", json!({ "name": "x", "template": "logic" })),
        ("name", json!({ "template": "logic", "every_run": true })),
        (
            "required_step",
            json!({ "name": "x", "template": "required_step", "every_run": true }),
        ),
        (
            "schema",
            json!({ "name": "x", "template": "schema", "every_run": true }),
        ),
        (
            "sample_percent",
            json!({ "name": "x", "template": "logic", "every_run": true, "sample_percent": 101 }),
        ),
        (
            "daily_cap_usd",
            json!({ "name": "x", "template": "logic", "every_run": true, "daily_cap_usd": "much" }),
        ),
        (
            "conditions",
            json!({ "name": "x", "template": "logic", "conditions": [{ "field": "colour", "op": "=", "value": 1 }] }),
        ),
        (
            "conditions",
            json!({ "name": "x", "template": "logic", "conditions": [{ "field": "cost_usd", "op": ">", "value": "much" }] }),
        ),
    ] {
        let (status, refused) = app.post("/api/detectors", &detector).await;
        assert_eq!(
            (status, &refused["error"]["field"]),
            (400, &json!(field)),
            "{detector} {refused}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_detector_takes_its_findings_along() {
    let app = TestApp::new().await;
    let id = make(&app, repeated()).await;
    repeat(&app, "r1").await;
    judge(&app).await;
    assert_eq!(findings(&app, "").await.len(), 1);
    let path = format!("/api/detectors/{id}");
    assert_eq!(answer(app.client.delete(app.url(&path))).await.0, 200);
    assert_eq!(app.get(&path).await.0, 404);
    assert_eq!(findings(&app, "").await.len(), 0);
    let rows = audit_log(&app, Some(&default_project(&app).await)).await;
    assert!(deeds(&rows).iter().any(|(_, done, _)| *done == "detector.delete"));
}
