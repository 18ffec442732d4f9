//! `GET /api/backtest`: what a back-test reads is what was stored.

use domain::{Scope, Severity, Verdict};
use engine::Rules;
use engine::backtest::{Backtest, Mark, Recording, Report};
use serde_json::json;
use storage::feedback::ConditionRef;

use crate::app::{TestApp, step};
use crate::people::{default_project, key, other_project};

async fn recording(app: &TestApp, query: &str) -> Recording {
    let answer = app
        .client
        .get(app.url(&format!("/api/backtest{query}")))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/octet-stream");
    Recording::decode(&answer.bytes().await.unwrap()).unwrap()
}

/// A mixed bag: good answers, broken JSON, failures, slow ones, two keys' worth of names.
async fn store_steps(app: &TestApp, steps: usize) {
    for i in 0..steps {
        let mut one = step(&format!("run-{}", i / 3), &format!("s{i}"));
        one["latency_ms"] = json!(600 + i * 7 % 90);
        match i % 9 {
            0 => {
                one["prompt"] = json!("Return JSON with the key \"intent\".");
                one["output_code"] = json!("{\"intent\": [");
            }
            4 => {
                one["status_success"] = json!(false);
                one["error"] = json!("timeout");
            }
            6 => one["latency_ms"] = json!(19_000),
            _ => one["output_tokens"] = json!(1),
        }
        app.store(one).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_holds_every_step_with_its_figures_and_texts() {
    let app = TestApp::new().await;
    store_steps(&app, 40).await;
    let mut tool = step("run-tool", "t");
    tool["kind"] = json!("tool");
    tool["model"] = json!("");
    app.store(tool).await;
    let recording = recording(&app, "").await;
    assert_eq!((recording.lead_in, recording.steps_in_window), (0, 41));
    assert_eq!(recording.steps.len(), 41);
    assert!(!recording.is_sample());
    assert_eq!(recording.keys, ["default"]);
    let broken = &recording.steps[0];
    assert_eq!(recording.runs[broken.run as usize], "run-0");
    assert_eq!(
        recording.series[broken.series as usize].step_name,
        "classify-intent"
    );
    assert_eq!(
        (
            broken.latency_us,
            broken.input_tokens,
            broken.output_tokens,
            broken.cost_nano_usd
        ),
        (Some(600_000), Some(48), Some(11), Some(1_400_000))
    );
    assert!(broken.codes.contains(&2001), "{broken:?}");
    let failed = &recording.steps[4];
    assert_eq!((failed.is_failed, failed.severity), (true, Severity::Critical));
    assert_eq!(failed.stopped_at_layer, Some(1));
    // Only model calls have an instruction; all of them have texts here.
    assert_eq!(recording.texts.len(), 40);
    let text = recording.texts.iter().find(|text| text.step == 0).unwrap();
    assert_eq!(text.output.as_deref(), Some("{\"intent\": ["));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_in_force_say_again_what_was_stored() {
    let app = TestApp::new().await;
    store_steps(&app, 130).await;
    let recording = recording(&app, "?days=1").await;
    let backtest = Backtest::new(&recording.rows());
    let in_force = backtest.run(&Rules::default());
    let stored: Vec<Severity> = recording.steps.iter().map(|step| step.severity).collect();
    assert_eq!(in_force.severities, stored);
    // Every step of a run has its total in the API; they are the same ones.
    for run in 0..3 {
        let (_, read) = app.get(&format!("/api/runs/run-{run}")).await;
        for step in read["steps"].as_array().unwrap() {
            let index: usize = step["step_id"].as_str().unwrap()[1..].parse().unwrap();
            assert_eq!(step["score"], in_force.totals[index], "{step}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_was_too_large_to_keep_is_not_missed_again() {
    let app = TestApp::new().await;
    let mut large = step("r", "s");
    large["output_code"] = json!(null);
    large["attributes"] = json!({ "output_not_kept": true });
    app.store(large).await;
    let recording = recording(&app, "").await;
    assert_eq!(recording.steps[0].codes, Vec::<u16>::new());
    assert_eq!(recording.texts, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_says_whether_an_alert_was_real() {
    let app = TestApp::new().await;
    store_steps(&app, 10).await;
    let project = default_project(&app).await;
    let marked = |step_id: &'static str, code: u16, verdict: Verdict| {
        let (db, id) = (app.state.db.clone(), project.id);
        async move {
            let condition = ConditionRef {
                run_id: if step_id == "s4" { "run-1" } else { "run-0" },
                step_id,
                code,
            };
            storage::feedback::set(&db, id, condition, verdict, "mara", server::clock::now())
                .await
                .unwrap();
        }
    };
    marked("s0", 2001, Verdict::Noise).await;
    marked("s4", 1001, Verdict::Noise).await;
    marked("s4", 1002, Verdict::Real).await;
    let recording = recording(&app, "").await;
    let marks: Vec<_> = [0, 1, 4].map(|index: usize| recording.steps[index].mark).to_vec();
    assert_eq!(marks, [Some(Mark::Noise), None, Some(Mark::Real)]);
    let before = Backtest::new(&recording.rows()).run(&Rules::default());
    let mut mute = Rules::default();
    mute.muted.extend([1001, 1002]);
    let after = Backtest::new(&recording.rows()).run(&mute);
    let report = Report::of(&recording, &before, &after, None);
    assert_eq!((report.quiet_real, report.quiet_noise), (1, 0), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn others_find_nothing_and_long_windows_are_refused() {
    let app = TestApp::new().await;
    store_steps(&app, 3).await;
    let other = other_project(&app).await;
    let theirs = key(&app, &other, &[Scope::Read]).await;
    let answer = app
        .client
        .get(app.url("/api/backtest"))
        .bearer_auth(&theirs.secret)
        .send()
        .await
        .unwrap();
    let recording = Recording::decode(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(
        (recording.steps.len(), recording.texts.len(), recording.runs.len()),
        (0, 0, 0)
    );
    for days in ["0", "91", "many"] {
        let (status, body) = app.get(&format!("/api/backtest?days={days}")).await;
        assert_eq!(
            (status, body["error"]["field"].as_str()),
            (400, Some("days")),
            "{body}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_compressed_for_those_who_can_read_that() {
    let app = TestApp::new().await;
    store_steps(&app, 30).await;
    let plain = app
        .client
        .get(app.url("/api/backtest"))
        .header("accept-encoding", "identity");
    let plain = plain.send().await.unwrap();
    assert!(plain.headers().get("content-encoding").is_none());
    let plain = plain.bytes().await.unwrap();
    for encoding in ["gzip", "br"] {
        let as_it_came = reqwest::Client::builder().no_gzip().build().unwrap();
        let asked = as_it_came
            .get(app.url("/api/backtest"))
            .header("accept-encoding", encoding);
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.headers()["content-encoding"], encoding);
        assert!(answer.bytes().await.unwrap().len() < plain.len() / 2);
    }
}
