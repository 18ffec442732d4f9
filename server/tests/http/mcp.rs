//! Look-ups for models over `/mcp`, as a client of the Model Context Protocol asks for them.

use domain::Scope;
use serde_json::{Value, json};

use crate::app::{TestApp, answer, step};
use crate::github_stand_in::{GithubStandIn, Refusal};
use crate::github_sync::connected;
use crate::people::{key, other_project};

async fn ask(app: &TestApp, method: &str, params: Value) -> Value {
    let message = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
    let (status, answer) = app.post("/mcp", &message).await;
    assert_eq!((status, &answer["id"]), (200, &json!(7)), "{answer}");
    answer
}

pub(crate) async fn call(app: &TestApp, name: &str, arguments: Value) -> (String, bool) {
    let answer = ask(app, "tools/call", json!({ "name": name, "arguments": arguments })).await;
    let result = &answer["result"];
    let text = result["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"));
    (text.to_owned(), result["isError"] == true)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_initializes_lists_and_calls() {
    let app = TestApp::new().await;
    app.store(step("r1", "s1")).await;
    let hello = ask(
        &app,
        "initialize",
        json!({ "protocolVersion": "2025-03-26", "capabilities": {} }),
    )
    .await;
    assert_eq!(hello["result"]["protocolVersion"], "2025-03-26", "{hello}");
    assert!(hello["result"]["capabilities"]["tools"].is_object(), "{hello}");
    let heard = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(app.post("/mcp", &heard).await, (202, Value::Null));
    assert_eq!(ask(&app, "ping", Value::Null).await["result"], json!({}));

    let listed = ask(&app, "tools/list", Value::Null).await;
    let names: Vec<&str> = listed["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    for name in [
        "query_daily_cost",
        "get_deploys_in_window",
        "list_runs",
        "forecast",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    // Every tool answers, or says what is missing.
    for name in &names {
        let (text, _) = call(&app, name, json!({})).await;
        assert!(!text.is_empty(), "{name}");
    }

    let (runs, failed) = call(&app, "list_runs", json!({ "limit": 5 })).await;
    assert!(!failed && runs.contains("\"run_id\":\"r1\""), "{runs}");
    let (run, failed) = call(&app, "get_run", json!({ "run_id": "r1" })).await;
    assert!(!failed && run.contains("classify-intent"), "{run}");
    let (text, failed) = call(&app, "get_step", json!({ "run_id": "r1", "step_id": "s1" })).await;
    assert!(!failed && text.contains("is this a refund request"), "{text}");
    let (cost, failed) = call(&app, "query_daily_cost", json!({ "by": "model", "days": 2 })).await;
    assert!(
        !failed && cost.contains("claude-haiku-4-5") && cost.contains("$0.0014"),
        "{cost}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_to_the_model_or_to_the_client() {
    let app = TestApp::new().await;
    let (words, failed) = call(&app, "query_daily_cost", json!({ "days": 4000 })).await;
    assert!(
        failed && words.contains("days must be an integer from 1 to 90"),
        "{words}"
    );
    let (words, failed) = call(&app, "get_run", json!({ "run_id": "nothing" })).await;
    assert!(failed && words.contains("no such run"), "{words}");
    let (words, failed) = call(&app, "fetch_pr_diff", json!({ "pr": 2 })).await;
    assert!(
        failed && words.contains("No GitHub repository is connected"),
        "{words}"
    );

    let unknown = ask(&app, "tools/call", json!({ "name": "delete_project" })).await;
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    let unknown = ask(&app, "resources/list", Value::Null).await;
    assert_eq!(unknown["error"]["code"], -32601, "{unknown}");
    let (_, wrong) = app.post("/mcp", &json!({ "id": 1, "method": "ping" })).await;
    assert_eq!(wrong["error"]["code"], -32600, "{wrong}");
    let spoken = app
        .client
        .post(app.url("/mcp"))
        .header("mcp-protocol-version", "1999-01-01");
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    assert_eq!(answer(spoken.json(&ping)).await.0, 400);
    // There is no stream to open.
    assert_eq!(app.get("/mcp").await.0, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn pull_requests_and_files_come_from_the_connected_repository() {
    let github = GithubStandIn::start().await;
    let app = connected(&github, |_| {}).await;
    let (pull, failed) = call(&app, "fetch_pr_diff", json!({ "pr": 2 })).await;
    assert!(
        !failed && pull.contains("claude-sonnet-4-6") && pull.contains("config/models.json"),
        "{pull}"
    );
    let (file, failed) = call(&app, "fetch_file", json!({ "path": "config/models.json" })).await;
    assert!(
        !failed && file.contains("{\\\"summary\\\": \\\"claude-sonnet-4-6\\\"}"),
        "{file}"
    );
    let (words, failed) = call(&app, "fetch_file", json!({ "path": "../../user" })).await;
    assert!(failed && words.contains("path must be"), "{words}");
    // It is waited for, where that is not for long.
    github.refuse(&[Refusal {
        status: 429,
        headers: vec![("retry-after", "1".to_owned())],
        body: json!({ "message": "slow down" }),
    }]);
    let (_, failed) = call(&app, "fetch_pr_diff", json!({ "pr": 2 })).await;
    assert!(!failed);
    assert!(
        github.asked().iter().all(|asked| asked.body.is_null()),
        "nothing is sent to it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_looks_into_its_own_project_only() {
    let app = TestApp::new().await;
    app.store(step("theirs", "s1")).await;
    let other = other_project(&app).await;
    let reads = key(&app, &other, &[Scope::Read]).await.secret;
    let sends = key(&app, &other, &[Scope::Ingest]).await.secret;
    let ask = async |secret: &str, name: &str, arguments: Value| {
        let params = json!({ "name": name, "arguments": arguments });
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        answer(
            app.client
                .post(app.url("/mcp"))
                .bearer_auth(secret)
                .json(&message),
        )
        .await
    };
    let (status, listed) = ask(&reads, "list_runs", json!({})).await;
    assert_eq!(status, 200, "{listed}");
    assert!(!listed.to_string().contains("theirs"), "{listed}");
    let (_, run) = ask(&reads, "get_run", json!({ "run_id": "theirs" })).await;
    assert_eq!(run["result"]["isError"], true, "{run}");
    assert_eq!(ask(&sends, "list_runs", json!({})).await.0, 403);
    assert_eq!(ask("pl_live_nothing", "list_runs", json!({})).await.0, 401);
}
