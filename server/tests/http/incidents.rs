//! Incidents end to end: the demo's month in, one incident out, with the deploy that caused it.

use domain::{ProjectId, Timestamp};
use engine::incidents::attribution::{Verdict, VerdictKind};
use engine::incidents::decomposition::{Term, TermKind};
use engine::incidents::incident::{Amount, Decomposition, IncidentDay, Moved};
use engine::incidents::onset::Onset;
use engine::incidents::{Door, Incident, Metric, Status};
use serde_json::{Value, json};
use server::config::Config;
use server::demo;
use server::incidents::judge_project;
use server::jobs::{Worked, Worker};
use storage::incidents::{Finished, JudgedIncident, Judging};

use crate::app::{TestApp, answer, step};
use crate::people::{Browser, default_project};

const DAY_MICROS: i64 = 86_400_000_000;

/// A server with the demo's month, judged once.
pub(crate) async fn seeded() -> (TestApp, ProjectId, Timestamp) {
    seeded_with(|_| {}).await
}

/// The same with another configuration.
pub(crate) async fn seeded_with(change: impl FnOnce(&mut Config)) -> (TestApp, ProjectId, Timestamp) {
    let app = TestApp::with(change).await;
    app.bring_in_shipped_prices().await;
    let project = default_project(&app).await.id;
    let now = server::clock::now();
    let amount = demo::Amount {
        days: 30,
        runs_a_day: 320,
        until: now,
    };
    let job = demo::start(&app.state.db, project, amount, "test").await.unwrap();
    let mut worker = Worker::new(app.state.db.clone());
    while worker.work(Some((project, job))).await.unwrap() == Worked::Chunk {}
    let now = server::clock::now();
    assert!(judge_project(&app.state.db, project, now).await.unwrap());
    (app, project, now)
}

pub(crate) async fn items(app: &TestApp, path: &str) -> Vec<Value> {
    let (status, answer) = app.get(path).await;
    assert_eq!(status, 200, "{answer}");
    answer["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_has_one_incident_and_pr_2_caused_it() {
    let (app, project, now) = seeded().await;
    let found = items(&app, "/api/incidents").await;
    let short: Vec<_> = found
        .iter()
        .map(|item| {
            json!({ "key": item["key"], "step": item["step"], "metric": item["metric"], "status": item["status"],
                "onset": item["onset"], "verdict": item["verdict"], "door": item["door"], "delta": item["delta_usd"] })
        })
        .collect();
    let id = found
        .first()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .unwrap_or_default();
    let (_, incident) = app.get(&format!("/api/incidents/{id}")).await;
    assert_eq!(found.len(), 1, "{short:#?}\n{incident:#}");
    let one = &found[0];
    assert_eq!(
        (&one["key"], &one["status"]),
        (&json!("prod-frontend"), &json!("accepted")),
        "{short:#?}"
    );

    // Since that afternoon.
    let shipping_day = now.plus_micros(-8 * DAY_MICROS).day();
    let time = |value: &Value| Timestamp::parse_rfc3339(value.as_str().unwrap()).unwrap();
    let onset = time(&one["onset"]["at"]);
    let hour = |hour: i64| shipping_day.plus_micros(hour * 3_600_000_000);
    assert!(onset >= hour(13) && onset <= hour(16), "{short:#?}");

    // PR 2; the deploys before and after it are cleared.
    assert_eq!(one["verdict"]["kind"], "deploy", "{incident:#}");
    assert!(
        one["verdict"]["sentence"].as_str().unwrap().starts_with("PR 2 "),
        "{incident:#}"
    );
    assert_eq!(one["verdict"]["deploy_id"], "demo-pr-2", "{incident:#}");
    let candidates = incident["attributions"].as_array().unwrap();
    let confidence = |id: &str| {
        let own = candidates.iter().find(|candidate| candidate["deploy_id"] == id);
        own.map(|own| own["confidence"].as_f64().unwrap())
    };
    let all = ["demo-pr-1", "demo-pr-2", "demo-pr-3"].map(confidence);
    assert_eq!(all, [Some(0.05), Some(0.55), Some(0.05)], "{incident:#}");
    for candidate in candidates {
        let is_cleared = candidate["cleared_because"].is_string();
        assert_eq!(is_cleared, candidate["deploy_id"] != "demo-pr-2", "{candidate:#}");
    }
    // The parts add up to the nano-dollar.
    let parts: i64 = incident["decomposition"]
        .as_array()
        .unwrap()
        .iter()
        .map(|term| term["nano_usd"].as_i64().unwrap())
        .sum();
    assert_eq!(parts, incident["delta"].as_i64().unwrap(), "{incident:#}");

    // Once more without news: the same under the same id.
    let later = |minutes: i64| now.plus_micros(minutes * 60_000_000);
    judge_project(&app.state.db, project, later(2)).await.unwrap();
    let (_, same) = app.get(&format!("/api/incidents/{id}")).await;
    assert_eq!(same["onset"], incident["onset"]);

    // The predecessor's question: which incident is this commit blamed for?
    let (_, blamed) = app.get("/api/attribution?sha=C4E2117").await;
    assert_eq!(blamed["matched"], true);
    assert_eq!(blamed["deploy"]["id"], "demo-pr-2");
    assert_eq!(blamed["attribution"]["confidence"], 0.55, "{blamed:#}");
    assert_eq!(
        blamed["attribution"]["evidence"][0]["kind"], "model_change",
        "{blamed:#}"
    );
    assert_eq!(app.get("/api/attribution").await.0, 400);
    assert_eq!(app.get("/api/attribution?sha=c4e2117&days=0").await.0, 400);
    assert_eq!(app.get("/api/attribution?sha=abcdef1").await.1["matched"], false);

    // A deploy that is not known is not blamed; one that is recorded late is, by the same incident.
    let (_, deploy) = app.get("/api/deploys/demo-pr-2").await;
    let forgotten = app.client.delete(app.url("/api/deploys/demo-pr-2"));
    assert_eq!(answer(forgotten).await.0, 200);
    judge_project(&app.state.db, project, later(4)).await.unwrap();
    let (_, without) = app.get(&format!("/api/incidents/{id}")).await;
    assert_ne!(without["verdict"]["deploy_id"], "demo-pr-2");
    let mut record = json!({});
    for field in [
        "id",
        "sha",
        "title",
        "pr_number",
        "environment",
        "started_at",
        "completed_at",
        "status",
    ] {
        record[field] = deploy[field].clone();
    }
    assert_eq!(app.post("/api/deploys", &record).await.0, 200);
    judge_project(&app.state.db, project, later(6)).await.unwrap();
    let (_, again) = app.get(&format!("/api/incidents/{id}")).await;
    assert_eq!(again["verdict"]["deploy_id"], "demo-pr-2", "{again:#}");
    let kinds: Vec<_> = again["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["kind"].clone())
        .collect();
    assert_eq!(kinds, ["verdict", "verdict"]);

    // The page answers it in one sentence, without a script.
    let page = app
        .client
        .get(app.url(&format!("/p/default/incidents/{id}")))
        .send()
        .await
        .unwrap();
    let html = page.text().await.unwrap();
    assert!(
        html.contains("PR 2 “switch summary endpoint to claude-sonnet” raised the cost of prod-frontend"),
        "{html}"
    );
    assert!(html.contains("dominant model shifted from"), "{html}");
    let overview = app
        .client
        .get(app.url("/p/default"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(overview.contains(&format!("/p/default/incidents/{id}")));
    let deploy = app
        .client
        .get(app.url("/p/default/deploys/demo-pr-2"))
        .send()
        .await
        .unwrap();
    assert!(
        deploy
            .text()
            .await
            .unwrap()
            .contains(&format!("/p/default/incidents/{id}"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_is_judged_by_one_process_at_a_time() {
    let app = TestApp::new().await;
    let db = &app.state.db;
    let project = default_project(&app).await.id;
    let now = server::clock::now();
    let later = |seconds: i64| now.plus_micros(seconds * 1_000_000);
    app.store(step("r", "1")).await;
    assert_eq!(storage::incidents::due(db, now).await.unwrap(), [project]);

    // Another process is at it, and dies.
    let lease = uuid::Uuid::now_v7();
    let taken = storage::incidents::take(db, project, lease, now, later(180), now)
        .await
        .unwrap();
    assert!(taken.is_some());
    assert!(storage::incidents::due(db, later(60)).await.unwrap().is_empty());
    assert!(!judge_project(db, project, later(60)).await.unwrap());
    assert_eq!(storage::incidents::due(db, later(181)).await.unwrap(), [project]);
    assert!(judge_project(db, project, later(181)).await.unwrap());
    // What it writes too late is not written.
    assert!(Judging::begin(db, project, lease).await.unwrap().is_none());

    // What comes in while a project rests is judged when it has rested.
    app.store(step("r", "2")).await;
    assert!(storage::incidents::due(db, later(182)).await.unwrap().is_empty());
    assert_eq!(storage::incidents::due(db, later(240)).await.unwrap(), [project]);
    assert!(judge_project(db, project, later(240)).await.unwrap());
    assert!(
        storage::incidents::due(db, later(300)).await.unwrap().is_empty(),
        "nothing changed"
    );
    // A duplicate changes nothing; a deploy does.
    assert_eq!(app.post("/ingest", &step("r", "2")).await.0, 200);
    assert!(storage::incidents::due(db, later(300)).await.unwrap().is_empty());
    assert_eq!(
        app.post("/api/deploys", &json!({ "sha": "9be04a7" })).await.0,
        200
    );
    assert_eq!(storage::incidents::due(db, later(300)).await.unwrap(), [project]);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_say_what_it_was_with_plain_forms() {
    const ID: &str = "01890000-0000-7000-8000-000000000003";
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    app.store(step("r", "s")).await;
    assert_eq!(
        app.post("/api/deploys", &json!({ "id": "d1", "sha": "9be04a7" }))
            .await
            .0,
        200
    );
    put_incident(&app, project, ID, "prod-frontend").await;
    let send = async |fields: &[(&str, &str)]| {
        let path = format!("/p/default/incidents/{ID}/state");
        Browser::new(&app).post(&path, fields).await.status
    };
    let state = async || {
        let (_, incident) = app.get(&format!("/api/incidents/{ID}")).await;
        let of = |name: &str| incident[name].clone();
        (
            of("status"),
            of("answer"),
            of("confirmed_deploy_id"),
            incident["history"].clone(),
        )
    };
    assert_eq!(
        send(&[("acknowledge", "1"), ("note", "we look at it")]).await,
        303
    );
    assert_eq!(send(&[("confirm", "d1")]).await, 303);
    let (status, answer, deploy, history) = state().await;
    assert_eq!(
        (status, answer, deploy),
        (json!("open"), json!("confirmed"), json!("d1"))
    );
    let kinds: Vec<_> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["kind"].clone())
        .collect();
    assert_eq!(kinds, ["acknowledged", "note", "confirmed"]);
    assert_eq!(history[1]["note"], "we look at it");
    assert_eq!(send(&[("status", "accepted"), ("refuse", "1")]).await, 303);
    let (status, answer, deploy, _) = state().await;
    assert_eq!(
        (status, answer, deploy),
        (json!("accepted"), json!("refused"), Value::Null)
    );
    assert_eq!(send(&[("status", "open")]).await, 303);
    assert_eq!(state().await.0, "open");
    // All of it or nothing.
    assert_eq!(send(&[("status", "closed"), ("confirm", "nonesuch")]).await, 404);
    assert_eq!(state().await.0, "open");
    for wrong in [&[("status", "gone")][..], &[]] {
        assert_eq!(send(wrong).await, 400, "{wrong:?}");
    }
    // What nobody has touched would be gone with the data that showed it; this one stays.
    let now = server::clock::now();
    judge_project(&app.state.db, project, now.plus_micros(60_000_000))
        .await
        .unwrap();
    assert_eq!(state().await.0, "open");
    let (_, list) = app.get("/api/incidents?status=closed").await;
    assert_eq!(list["items"], json!([]));
}

/// Puts an incident of a key into a project under an id, as if it had been judged.
pub(crate) async fn put_incident(app: &TestApp, project: ProjectId, id: &str, key: &str) {
    let now = server::clock::now();
    let judgement = judged_incident(key, now);
    let (lease, until) = (uuid::Uuid::now_v7(), now.plus_micros(60_000_000));
    let db = &app.state.db;
    storage::incidents::take(db, project, lease, now, until, now)
        .await
        .unwrap();
    let mut judging = Judging::begin(db, project, lease).await.unwrap().unwrap();
    let incident = JudgedIncident {
        key: Some(key.to_owned()),
        step: None,
        metric: "cost",
        status: "open",
        onset_at: judgement.onset.at,
        onset_from: judgement.onset.from,
        onset_to: judgement.onset.to,
        opened_at: judgement.opened_at,
        last_at: judgement.last_at,
        ended_at: None,
        verdict: "unclear",
        deploy_id: None,
        release: None,
        null_cause: None,
        probability: 0.3,
        candidates: Vec::new(),
        judgement: serde_json::to_value(&judgement).unwrap(),
    };
    judging.put(id.parse().unwrap(), &incident, now).await.unwrap();
    let finished = Finished {
        now,
        not_before: now,
        again_at: None,
        whole: None,
    };
    judging.finish(finished).await.unwrap();
}

fn judged_incident(key: &str, now: Timestamp) -> Incident {
    let from = now.plus_micros(-DAY_MICROS);
    Incident {
        key: Some(key.to_owned()),
        step: None,
        model: None,
        metric: Metric::Cost,
        status: Status::Open,
        is_provisional: false,
        door: Door::Evidence,
        onset: Onset {
            at: from,
            from,
            to: from,
            parts: Vec::new(),
        },
        opened_at: from,
        last_at: now,
        ended_at: None,
        flaps: 0,
        flagged_on: None,
        days: vec![IncidentDay {
            date: from.day(),
            actual: Amount::Whole(17_400_000_000),
            baseline: Amount::Whole(4_260_000_000),
            sigma: Some(32.0),
            samples: 812,
        }],
        decomposition: Decomposition::NanoUsd(vec![Term {
            kind: TermKind::Volume,
            step: None,
            model: None,
            amount: domain::NanoUsd(13_140_000_000),
        }]),
        also_moved: vec![Moved {
            key: key.to_owned(),
            step: Some("summarize".to_owned()),
            metric: Metric::LatencyP95,
            onset: from,
            change: 1.1,
        }],
        verdict: Verdict {
            kind: VerdictKind::Unclear,
            deploy_id: None,
            release: None,
            null_cause: None,
            probability: 0.3,
            sentence: format!("It is unclear what raised the cost of {key}."),
            weights_version: "0".to_owned(),
        },
        attributions: Vec::new(),
        nulls: Vec::new(),
    }
}
