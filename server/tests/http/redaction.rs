//! What a project hides is hidden on every way in, before anything is stored, sent or logged.

use serde_json::{Value, json};

use crate::alert_receiver::Receiver;
use crate::alerts::{connect, failed, put, telling_app};
use crate::app::{TestApp, answer, step};
use crate::otlp::{call, pair, request, send};
use crate::people::{Browser, audit_log, default_project};
use crate::proxy::{proxied, recorded};
use crate::proxy_secrets::{MARK, files, holds, logged, watch_the_log};
use crate::upstream::Upstream;

const API: &str = "/api/settings/redaction";
const PAGE: &str = "/p/default/settings/redaction";

/// A key by its form: what it begins with is watched for in the log.
fn canary(nth: u32) -> String {
    format!("{MARK}0a1b2c3d4e5f6a7b8c{nth}")
}

async fn hide(app: &TestApp, settings: Value) -> Value {
    let (status, saved) = put(app, API, settings).await;
    assert_eq!(status, 200, "{saved}");
    saved
}

/// A step with a value in everything that a sender may say.
fn speaking(run: &str, value: &str) -> Value {
    let mut step = step(run, &format!("step {value}"));
    for field in [
        "step_name",
        "model",
        "user_id",
        "session_id",
        "environment",
        "release",
        "tool_name",
        "stop_reason",
        "parent_span_id",
        "prompt_template",
    ] {
        step[field] = json!(format!("{field} {value}"));
    }
    let content = format!("my key\n{value}, please");
    step["prompt"] = json!(json!({ "messages": [{ "role": "user", "content": content }] }).to_string());
    step["output_code"] = json!(format!("I keep {value} in mind"));
    step["status_success"] = json!(false);
    step["error"] = json!(format!("refused: {value}"));
    step["tags"] = json!([value]);
    step["attributes"] = json!({ "a": { value: [value] } });
    step["events"] = json!([{ "at": "2026-11-30T10:00:00Z", "name": value, "attributes": { "b": value } }]);
    step
}

/// Everything that this server says of what it has.
async fn everything(app: &TestApp) -> String {
    let mut said = String::from_utf8(app.command(&["export", "steps"])).unwrap();
    let (_, runs) = app.get("/api/runs?limit=100").await;
    for run in runs["items"].as_array().unwrap() {
        let id = domain::filter::percent_encode(run["run_id"].as_str().unwrap());
        let (_, run) = app.get(&format!("/api/runs/{id}")).await;
        said.push_str(&run.to_string());
        for step in run["steps"].as_array().unwrap() {
            let step = domain::filter::percent_encode(step["step_id"].as_str().unwrap());
            let (_, payload) = app.get(&format!("/api/runs/{id}/steps/{step}/payload")).await;
            said.push_str(&payload.to_string());
        }
    }
    for path in [
        "/api/runs",
        "/api/ledger",
        "/api/alerts",
        "/api/audit",
        "/api/stats?by=model",
        API,
    ] {
        said.push_str(&app.get(path).await.1.to_string());
    }
    let browser = Browser::new(app);
    for page in [
        "runs",
        "prompts",
        "anomalies",
        "settings/ledger",
        "settings/alerts",
    ] {
        said.push_str(&browser.get(&format!("/p/default/{page}")).await.text);
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_by_every_way_in_is_found_nowhere() {
    watch_the_log();
    let mut slack = Receiver::answering(Vec::new()).await;
    let app = telling_app().await;
    connect(
        &app,
        "slack",
        json!({ "webhook_url": format!("{}/told", slack.origin) }),
    )
    .await;
    hide(&app, json!({ "kinds": { "key": "mask" } })).await;

    app.store(speaking("native", &canary(1))).await;
    let batch = json!({ "steps": [speaking("batch", &canary(2)), speaking("batch 2", &canary(3))] });
    let (_, stored) = app.post("/ingest/batch", &batch).await;
    assert_eq!(stored["stored"], 2, "{stored}");
    let mut span = call(1, 0, 10, 5);
    span.name = format!("chat {}", canary(4));
    for attribute in ["gen_ai.input.messages", "gen_ai.output.messages", "user.id"] {
        span.attributes.retain(|found| found.key != attribute);
        let text =
            json!([{ "role": "user", "parts": [{ "type": "text", "content": canary(4) }] }]).to_string();
        span.attributes
            .push(pair(attribute, otlp::wire::Any::String(text)));
    }
    let body = prost::Message::encode_to_vec(&request(vec![span]));
    assert_eq!(
        send(&app, "/v1/traces", crate::otlp::PROTOBUF, body).await.status,
        200
    );
    let file = app.data.join("steps.jsonl");
    std::fs::write(&file, speaking("imported", &canary(5)).to_string()).unwrap();
    app.command(&["import", file.to_str().unwrap()]);
    std::fs::remove_file(&file).unwrap();
    let mut told = failed("told", &format!("parse {}", canary(6)));
    told["error"] = json!(format!("timeout with {}", canary(6)));
    app.store(told).await;

    let message = slack.next().await.json().to_string();
    let said = everything(&app).await;
    for run in ["native", "batch", "batch 2", "imported", "told"] {
        assert!(said.contains(&format!("\"{run}\"")), "{run} is not stored");
    }
    assert!(said.contains("[hidden key]"), "{said}");
    for text in [&said, &message] {
        let found = text
            .find(&MARK[..10])
            .map(|at| &text[at.saturating_sub(200)..(at + 40).min(text.len())]);
        assert_eq!(found, None);
    }
    assert!(
        !holds(&files(&app.data), MARK),
        "a file of the data folder holds it"
    );
    assert_eq!(logged("0a1b2c3d4e5f6a7b8c"), Vec::<String>::new());
}

/// A call whose request and answer hold a value.
async fn pass(app: &TestApp, upstream: &mut Upstream, run: &str, value: &str) {
    let sent = app
        .client
        .post(app.url("/v1/messages"))
        .header("x-plumbline-run", run)
        .header("x-plumbline-user", value)
        .body(json!({ "model": "m", "messages": [{ "role": "user", "content": value }] }).to_string());
    let said = json!({ "type": "message", "model": "m", "content": [{ "type": "text", "text": value }] })
        .to_string();
    let (answered, ()) = tokio::join!(sent.send(), async {
        let arrived = upstream.next().await;
        arrived.json("200 OK", &said).await;
    });
    // What passes is not touched.
    assert!(answered.unwrap().text().await.unwrap().contains(value));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_through_the_proxy_are_hidden_in_the_database_and_in_the_spool() {
    watch_the_log();
    let (app, mut upstream) = proxied().await;
    hide(&app, json!({ "kinds": { "key": "mask", "email": "hash" } })).await;
    pass(&app, &mut upstream, "recorded", &canary(7)).await;
    let step = recorded(&app, "recorded").await;
    let said = everything(&app).await + &step.to_string();
    assert!(said.contains("[hidden key]") && !said.contains(MARK), "{said}");

    // From here on the database is away.
    app.state.db.close().await;
    pass(&app, &mut upstream, "run-of-the-spool", &canary(8)).await;
    app.state.recorder.settled().await;
    let kept = files(&app.data);
    assert!(
        holds(&kept, "run-of-the-spool") && holds(&kept, "[hidden key"),
        "nothing is in the spool"
    );
    assert!(!holds(&kept, MARK), "the spool holds a value");
    assert_eq!(logged("0a1b2c3d4e5f6a7b8c"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_values_stay_equal_and_are_counted_once() {
    let app = TestApp::new().await;
    hide(&app, json!({ "kinds": { "email": "hash" } })).await;
    let sent = |run: &str, user: &str| {
        let mut sent = step(run, "s1");
        sent["user_id"] = json!(user);
        sent["prompt"] = json!(format!("Answer {user} politely."));
        sent
    };
    app.store(sent("r1", "mara@acme.dev")).await;
    app.store(sent("r2", "mara@acme.dev")).await;
    app.store(sent("r3", "tom@acme.dev")).await;
    // The same step again changes no count.
    assert_eq!(
        app.post("/ingest", &sent("r3", "tom@acme.dev")).await.1["status"],
        "duplicate"
    );
    let user = async |run: &str| app.get(&format!("/api/runs/{run}")).await.1["run"]["user_id"].clone();
    assert_eq!(user("r1").await, user("r2").await);
    assert_ne!(user("r1").await, user("r3").await);
    let (_, now) = app.get(API).await;
    assert_eq!(now["days"][0]["kind"], "email", "{now}");
    assert_eq!(
        (&now["days"][0]["values"], &now["days"][0]["steps"]),
        (&json!(6), &json!(3))
    );
    // Another process uses the settings too, and knows the same hashes.
    let other = app
        .another_process_with(|config| config.data.clone_from(&app.data))
        .await;
    other.store(sent("r4", "mara@acme.dev")).await;
    assert_eq!(user("r1").await, user("r4").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_previews_saves_and_counts() {
    let app = TestApp::new().await;
    let browser = Browser::new(&app);
    let mut sent = step("r1", "s1");
    sent["prompt"] = json!("Write to mara@acme.dev and tom@acme.dev about ACME-1042.");
    app.store(sent.clone()).await;
    let typed = [
        ("email", "mask"),
        ("own", r"ticket hash ACME-\d+"),
        ("preview", "1"),
    ];
    let query = domain::filter::encode_query(typed);
    let page = browser.get(&format!("{PAGE}?{query}")).await.text;
    assert!(
        page.contains("This would have hidden 3 values in 1 step of the last 1 step: email 2, ticket 1."),
        "{page}"
    );
    assert!(!page.contains("mara@acme.dev and"), "a preview names no value");
    assert_eq!(
        app.get(API).await.1["kinds"]["email"],
        "off",
        "looking changes nothing"
    );

    let refused = browser
        .post(PAGE, &[("email", "mask"), ("own", "ticket hash (")])
        .await;
    assert!(
        refused.location.ends_with("&preview=1&error=redaction"),
        "{refused:?}"
    );
    let page = browser.get(&refused.location).await.text;
    assert!(
        page.contains("is no regular expression that can be used"),
        "{page}"
    );
    let saved = browser.post(PAGE, &typed).await;
    assert_eq!(
        (saved.status, saved.location),
        (303, format!("{PAGE}?done=redaction"))
    );
    let log = audit_log(&app, Some(&default_project(&app).await)).await;
    assert_eq!(log[0].action, "redaction.change");

    sent["step_id"] = json!("s2");
    app.store(sent).await;
    let (_, texts) = app.get("/api/runs/r1/steps/s2/payload").await;
    let input = texts["input"].as_str().unwrap();
    assert!(
        input.starts_with("Write to [hidden email] and [hidden email] about [hidden ticket "),
        "{input}"
    );
    let page = browser.get(PAGE).await.text;
    assert!(
        page.contains("What was hidden") && page.contains("ticket"),
        "{page}"
    );
    let unusable = json!({ "own": [{ "name": "a b", "pattern": "x", "treatment": "mask" }] });
    let (status, refused) = answer(app.client.put(app.url(API)).json(&unusable)).await;
    assert_eq!(
        (status, &refused["error"]["field"]),
        (400, &json!("own")),
        "{refused}"
    );
}
