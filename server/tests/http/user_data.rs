//! Everything of one user goes out as steps that can be sent again, and is deleted as if it had never been there.

use serde_json::{Value, json};
use server::jobs::{Worked, Worker};

use crate::alerts::put;
use crate::app::{TestApp, answer, step};
use crate::people::{Browser, default_project};

const DAY_MICROS: i64 = 86_400_000_000;
const RETENTION: &str = "/p/default/settings/retention";

/// A step of a user, or of nobody that it names.
fn said_by(run: &str, id: &str, user: Option<&str>) -> Value {
    let mut one = step(run, id);
    one["user_id"] = json!(user);
    one["session_id"] = json!(run);
    one["attributes"] = json!({ "tier": user.unwrap_or("none") });
    one
}

/// What is shown of the project, but for what says when it was read.
async fn shown(app: &TestApp, window: &str) -> Vec<Value> {
    let mut shown = Vec::new();
    for path in [
        "/api/runs?range=all",
        "/api/runs/hers",
        "/api/users",
        "/api/sessions",
        "/api/cost?from=2020-01-01T00:00:00Z",
        "/api/ledger?from=2020-01-01T00:00:00Z",
        &format!("/api/stats?by=step&{window}"),
        &format!("/api/stats?by=key&{window}"),
        &format!("/api/series?metric=latency_p95&by=step&bucket=1h&{window}"),
        &format!("/api/series?metric=calls&by=key&bucket=1d&{window}"),
    ] {
        let (status, answer) = app.get(path).await;
        assert_eq!(status, 200, "{path} {answer}");
        shown.push(answer);
    }
    shown
}

async fn export(app: &TestApp, user: &str) -> (u16, Vec<Value>) {
    let url = app.url(&format!("/api/users/{user}/export"));
    let response = app.client.get(url).send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let lines = text.lines().filter(|_| status == 200);
    (
        status,
        lines.map(|line| serde_json::from_str(line).unwrap()).collect(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_data_is_exported_and_then_gone_from_every_sum() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    let now = server::clock::now();
    let at = now.to_string();
    let (from, to) = (now.plus_micros(-DAY_MICROS), now.plus_micros(DAY_MICROS));
    let window = format!("from={from}&to={to}");
    let sent = async |mut one: Value| {
        one["started_at"] = json!(at);
        app.store(one).await;
    };
    sent(said_by("hers", "s1", Some("mara"))).await;
    sent(said_by("both", "s1", Some("mara"))).await;
    let before = shown(&app, &window).await;
    let both = app.get("/api/runs/both").await.1;

    // A slow step of a name of its own, one that names nobody in a run of theirs, and one in a run of two.
    let mut slow = said_by("theirs", "s1", Some("u/1 é"));
    slow["latency_ms"] = json!(90_000);
    slow["step_name"] = json!("only-theirs");
    slow["model"] = json!("claude-opus-4-5");
    sent(slow).await;
    sent(said_by("theirs", "s2", None)).await;
    let mut nested = said_by("both", "s2", Some("u/1 é"));
    nested["parent_step_id"] = json!("s1");
    nested["session_id"] = json!("another");
    nested["status_success"] = json!(false);
    nested["error"] = json!("refused");
    sent(nested).await;
    assert_ne!(shown(&app, &window).await, before);

    let user = domain::filter::percent_encode("u/1 é");
    let (status, lines) = export(&app, &user).await;
    let ids: Vec<_> = lines
        .iter()
        .map(|line| format!("{} {}", line["run_id"], line["step_id"]))
        .collect();
    assert_eq!(status, 200);
    assert_eq!(ids, ["\"both\" \"s2\"", "\"theirs\" \"s1\"", "\"theirs\" \"s2\""]);
    assert!(lines.iter().all(|line| line["user_id"] == "u/1 é"), "{lines:#?}");
    assert_eq!(lines[1]["prompt"], step("", "")["prompt"]);
    let printed = String::from_utf8(app.command(&["users", "export", "u/1 é"])).unwrap();
    let printed: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(printed, lines);
    let another = TestApp::new().await;
    let (_, taken) = another.post("/ingest/batch", &json!({ "steps": lines })).await;
    assert_eq!(taken["stored"], 3, "{taken}");

    let delete = || app.client.delete(app.url(&format!("/api/users/{user}/data")));
    let hold = |is_held: bool| json!({ "runs_days": 90, "payloads_days": 30, "legal_hold": is_held });
    put(&app, "/api/settings/retention", hold(true)).await;
    let (status, refused) = answer(delete()).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (409, &json!("legal_hold")),
        "{refused}"
    );
    put(&app, "/api/settings/retention", hold(false)).await;
    let (status, started) = answer(delete()).await;
    assert_eq!(status, 202, "{started}");
    let document: Value = serde_json::from_str(&server::router::openapi::OPENAPI).unwrap();
    crate::contract::check(&document, ("delete", "/api/users/{user_id}/data", 202), &started);
    let job = started["job_id"].as_str().unwrap().to_owned();
    let mut worker = Worker::new(app.state.db.clone());
    while worker.work(Some((project, job.parse().unwrap()))).await.unwrap() == Worked::Chunk {}
    let (_, done) = app.get(&format!("/api/jobs/{job}")).await;
    assert_eq!(
        (
            &done["state"],
            &done["done"],
            &done["unit"],
            &done["result"]["rows"]["steps"]
        ),
        (&json!("done"), &json!(3), &json!("steps"), &json!(3)),
        "{done:#}"
    );

    for (before, after) in before.iter().zip(&shown(&app, &window).await) {
        assert_eq!(before, after);
    }
    assert_eq!(app.get("/api/runs/both").await.1, both);
    assert_eq!(app.get("/api/runs/theirs").await.0, 404);
    assert_eq!(export(&app, &user).await.0, 404);
    assert_eq!(answer(delete()).await.0, 404, "there is nothing left");
    let agree = server::pipeline::histograms_agree;
    let recount = storage::recount::recount(&app.state.db, project, server::clock::now(), agree)
        .await
        .unwrap();
    assert_eq!(
        (
            recount.steps,
            recount.wrong_runs.as_slice(),
            recount.wrong_hours.as_slice()
        ),
        (2, &[][..], &[][..])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_deletes_when_the_id_is_typed_and_shows_the_receipt() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    let browser = Browser::new(&app);
    app.store(said_by("r", "s1", Some("u-1"))).await;
    let page = browser.get("/p/default/users/u-1").await.text;
    assert!(
        page.contains("/p/default/users/u-1/delete")
            && page.contains("/api/users/u-1/export?project=default"),
        "{page}"
    );
    let form = "/p/default/users/u-1/delete";
    let mistyped = browser.post(form, &[("confirm", "u-2")]).await;
    assert_eq!(mistyped.location, "/p/default/users/u-1?error=confirm_user");
    let typed = browser.post(form, &[("confirm", "u-1")]).await;
    assert_eq!(typed.location, format!("{RETENTION}?done=user_deletion"));
    let waiting = browser.get(&typed.location).await.text;
    assert!(waiting.contains("not done"), "{waiting}");
    let jobs = storage::jobs::list(&app.state.db, project, storage::user_data::KIND, 1)
        .await
        .unwrap();
    let mut worker = Worker::new(app.state.db.clone());
    while worker.work(Some((project, jobs[0].job_id))).await.unwrap() == Worked::Chunk {}
    let receipt = browser.get(RETENTION).await.text;
    let hash = storage::user_data::user_sha256("u-1");
    assert!(
        receipt.contains(&hash) && receipt.contains("steps 1") && !receipt.contains("not done"),
        "{receipt}"
    );
}
