//! Webhooks of GitHub: heard when the secret fits, once, and only of what counts as a deploy.

use domain::{Project, ProjectId};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use server::github::connection::{self, Draft};
use sha2::Sha256;
use storage::integrations::{self, GITHUB};

use crate::app::{TestApp, answer};
use crate::people::{default_project, other_project};

const SECRET: &str = "a secret of sixteen";
const SHA: &str = "c4e2117a90b3c5d7e9f1a3b5c7d9e1f3a5b7c9d1";

/// Connects a project as the settings do.
async fn connect(app: &TestApp, project: ProjectId, change: impl FnOnce(&mut Draft)) {
    let mut draft = Draft {
        repository: "Acme/Support".to_owned(),
        deployments: true,
        token: Some("ghp_0123456789canarytoken".to_owned()),
        webhook_secret: Some(SECRET.replace(' ', "-")),
        ..Draft::default()
    };
    change(&mut draft);
    let state = &app.state;
    connection::save(
        &state.db,
        &state.secrets,
        &state.outbound,
        project,
        &draft,
        "mara@acme.dev",
    )
    .await
    .unwrap();
}

fn secret() -> String {
    SECRET.replace(' ', "-")
}

fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// A webhook as GitHub sends it, to this path.
fn hook(app: &TestApp, path: &str, event: &str, id: &str, payload: &Value, secret: &str) -> RequestBuilder {
    let body = payload.to_string();
    app.client
        .post(app.url(path))
        .header("user-agent", "GitHub-Hookshot/0a1b2c3")
        .header("content-type", "application/json")
        .header("x-github-event", event)
        .header("x-github-delivery", id)
        .header("x-hub-signature-256", signature(secret, body.as_bytes()))
        .body(body)
}

async fn send(app: &TestApp, event: &str, id: &str, payload: &Value) -> (u16, Value) {
    answer(hook(app, "/hooks/github", event, id, payload, &secret())).await
}

fn state_of_deployment(state: &str, at: &str) -> Value {
    json!({
        "action": "created",
        "deployment_status": { "id": 1, "state": state, "created_at": at, "updated_at": at, "target_url": "",
            "log_url": "https://github.com/acme/support/actions/runs/7", "environment": "production" },
        "deployment": { "id": 42, "sha": SHA, "ref": "main", "environment": "production",
            "creator": { "login": "jonas" }, "created_at": "2026-11-12T14:00:00Z",
            "updated_at": "2026-11-12T14:00:00Z" },
        "workflow_run": { "id": 7, "head_branch": "main", "head_sha": SHA, "display_title": "Switch the model (#2)",
            "created_at": "2026-11-12T13:59:00Z", "pull_requests": [{ "number": 2 }] },
        "repository": { "id": 1, "full_name": "acme/support" }
    })
}

async fn deploys(app: &TestApp) -> Vec<Value> {
    app.get("/api/deploys").await.1["items"]
        .as_array()
        .unwrap()
        .clone()
}

/// Action and subject of what the audit log has of deploys, the oldest first.
async fn audited(app: &TestApp) -> Vec<(String, String)> {
    let (_, log) = app.get("/api/audit?what=deploy").await;
    let row = |row: &Value| {
        (
            row["action"].as_str().unwrap().to_owned(),
            row["subject"].as_str().unwrap().to_owned(),
        )
    };
    log["items"].as_array().unwrap().iter().rev().map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_heard_once_in_whatever_order_its_states_come() {
    let app = TestApp::new().await;
    connect(&app, default_project(&app).await.id, |_| {}).await;
    let done = state_of_deployment("success", "2026-11-12T14:12:00Z");
    let (status, said) = send(&app, "deployment_status", "d-1", &done).await;
    assert_eq!(
        (status, &said["status"], &said["deploys"]),
        (200, &json!("recorded"), &json!(["github-deployment-42"])),
        "{said}"
    );
    let began = state_of_deployment("in_progress", "2026-11-12T14:05:00Z");
    let (status, said) = send(&app, "deployment_status", "d-2", &began).await;
    assert_eq!((status, &said["status"]), (200, &json!("unchanged")), "{said}");
    // GitHub sends one again, and somebody does so by hand under another id.
    for (id, expected) in [("d-1", "duplicate"), ("d-3", "unchanged")] {
        let (status, said) = send(&app, "deployment_status", id, &done).await;
        assert_eq!((status, &said["status"]), (200, &json!(expected)), "{said}");
    }
    let all = deploys(&app).await;
    assert_eq!(all.len(), 1);
    let expected = json!({
        "id": "github-deployment-42", "sha": SHA, "status": "success", "title": "Switch the model (#2)",
        "pr_number": 2, "author": "jonas", "url": "https://github.com/acme/support/actions/runs/7",
        "environment": "production", "repo": "Acme/Support", "branch": "main",
        "started_at": "2026-11-12T14:00:00Z", "completed_at": "2026-11-12T14:12:00Z",
        "received_at": all[0]["received_at"]
    });
    assert_eq!(all[0], expected);
    // What changes nothing is written down nowhere.
    let recorded = ("deploy.record".to_owned(), "github-deployment-42".to_owned());
    assert_eq!(audited(&app).await, std::slice::from_ref(&recorded));
    let failed = state_of_deployment("failure", "2026-11-12T14:20:00Z");
    send(&app, "deployment_status", "d-4", &failed).await;
    let corrected = ("deploy.correct".to_owned(), "github-deployment-42".to_owned());
    assert_eq!(audited(&app).await, [recorded, corrected]);
    assert_eq!(deploys(&app).await[0]["status"], "failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_hands_and_programs_are_in_the_audit_log() {
    let app = TestApp::new().await;
    let record = json!({ "sha": SHA, "title": "one" });
    for body in [&record, &record, &json!({ "sha": SHA, "title": "two" })] {
        assert_eq!(app.post("/api/deploys", body).await.0, 200);
    }
    let delete = app.client.delete(app.url(&format!("/api/deploys/{SHA}")));
    assert_eq!(answer(delete).await.0, 200);
    let seen = audited(&app).await;
    let actions: Vec<&str> = seen.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(actions, ["deploy.record", "deploy.correct", "deploy.delete"]);
    let (_, log) = app.get("/api/audit?what=deploy.correct").await;
    assert_eq!(log["items"][0]["details"]["changed"], json!(["title"]), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_heard() {
    let app = TestApp::new().await;
    let project = default_project(&app).await;
    connect(&app, project.id, |_| {}).await;
    let payload = state_of_deployment("success", "2026-11-12T14:12:00Z");
    let with_secret = |path: &str, secret: &str| hook(&app, path, "deployment_status", "d", &payload, secret);
    let mut elsewhere = payload.clone();
    elsewhere["repository"]["full_name"] = json!("acme/another");
    let refused = [
        with_secret("/hooks/github", "another-secret"),
        with_secret("/hooks/github", ""),
        with_secret("/hooks/github?project=nonesuch", &secret()),
        hook(
            &app,
            "/hooks/github",
            "deployment_status",
            "d",
            &elsewhere,
            &secret(),
        ),
        // The right signature of another body.
        with_secret("/hooks/github", &secret()).body("{}"),
    ];
    for request in refused {
        let (status, said) = answer(request).await;
        assert_eq!(
            (status, &said["error"]["code"]),
            (401, &json!("bad_signature")),
            "{said}"
        );
    }
    let unsigned = app
        .client
        .post(app.url("/hooks/github"))
        .header("x-github-event", "deployment_status")
        .header("x-github-delivery", "d")
        .json(&payload);
    let (status, said) = answer(unsigned).await;
    assert_eq!((status, &said["error"]["code"]), (401, &json!("bad_signature")));
    let nameless = app.client.post(app.url("/hooks/github")).json(&payload);
    let (status, said) = answer(nameless).await;
    assert_eq!((status, &said["error"]["field"]), (400, &json!("x-github-event")));
    let large = with_secret("/hooks/github", &secret()).body("x".repeat(1024 * 1024 + 1));
    assert_eq!(answer(large).await.0, 413);
    let odd = json!({ "deployment": 5, "repository": { "full_name": "acme/support" } });
    let (status, said) = send(&app, "deployment_status", "d", &odd).await;
    assert_eq!((status, &said["error"]["field"]), (400, &json!("body")), "{said}");
    assert!(deploys(&app).await.is_empty());
    // A tunnel leads to a server on loopback under a name of its own.
    let tunnelled = with_secret("/hooks/github", &secret()).header("host", "tunnel.example");
    assert_eq!(answer(tunnelled).await.0, 200);
    // With the connection its secret is gone.
    integrations::remove(&app.state.db, project.id, GITHUB, "mara", server::clock::now())
        .await
        .unwrap();
    assert_eq!(answer(with_secret("/hooks/github", &secret())).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_deploy_is_answered_with_a_word() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    connect(&app, project, |draft| {
        draft.environments = "production".to_owned()
    })
    .await;
    let repository = json!({ "full_name": "acme/support" });
    let of = |rest: Value| {
        let mut payload = rest;
        payload["repository"] = repository.clone();
        payload
    };
    let (status, said) = send(&app, "ping", "p", &of(json!({ "zen": "Design for failure." }))).await;
    assert_eq!(status, 200, "{said}");
    assert!(
        said["message"].as_str().unwrap().contains("secret fits"),
        "{said}"
    );
    let mut staging = state_of_deployment("success", "2026-11-12T14:12:00Z");
    staging["deployment"]["environment"] = json!("staging");
    for (event, payload) in [
        ("star", of(json!({ "action": "created" }))),
        ("push", of(json!({ "ref": "refs/heads/main" }))),
        ("deployment_status", staging),
        (
            "release",
            of(json!({ "action": "published", "release": { "id": 1, "tag_name": "v1" } })),
        ),
    ] {
        let (status, said) = send(&app, event, event, &payload).await;
        assert_eq!(
            (status, &said["status"]),
            (202, &json!("ignored")),
            "{event} {said}"
        );
        assert!(said["message"].as_str().unwrap().len() > 10, "{said}");
    }
    let mut snapshot = app.state.db.snapshot(project).await.unwrap();
    let shown = integrations::get(&mut snapshot, project, GITHUB)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(shown.last_event.as_deref(), Some("release"));
    connect(&app, project, |draft| draft.is_paused = true).await;
    let done = state_of_deployment("success", "2026-11-12T14:12:00Z");
    let (status, said) = send(&app, "deployment_status", "x", &done).await;
    assert_eq!((status, &said["status"]), (202, &json!("ignored")), "{said}");
    assert!(deploys(&app).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_read_too_and_a_release_is_asked_for() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    connect(&app, project, |draft| draft.releases = true).await;
    let payload = state_of_deployment("success", "2026-11-12T14:12:00Z");
    let encoded: String = payload
        .to_string()
        .bytes()
        .map(|byte| format!("%{byte:02X}"))
        .collect();
    let body = format!("payload={encoded}");
    let form = hook(
        &app,
        "/hooks/github",
        "deployment_status",
        "f",
        &payload,
        &secret(),
    )
    .header("content-type", "application/x-www-form-urlencoded")
    .header("x-hub-signature-256", signature(&secret(), body.as_bytes()))
    .body(body);
    // A header that is set twice is two headers: say each once.
    let mut form = form.build().unwrap();
    for name in ["content-type", "x-hub-signature-256"] {
        let last = form.headers().get_all(name).iter().next_back().unwrap().clone();
        form.headers_mut().insert(name, last);
    }
    let response = app.client.execute(form).await.unwrap();
    assert_eq!(response.status().as_u16(), 200, "{:?}", response.text().await);
    assert_eq!(deploys(&app).await.len(), 1);

    let release = json!({
        "action": "published",
        "release": { "id": 3, "tag_name": "v1.2", "target_commitish": "main", "published_at": "2026-11-12T14:00:00Z" },
        "repository": { "full_name": "acme/support" }
    });
    let (status, said) = send(&app, "release", "r", &release).await;
    assert_eq!((status, &said["status"]), (202, &json!("accepted")), "{said}");
}

/// Two projects of one repository: each webhook is heard by those whose secret it is signed with.
#[tokio::test(flavor = "multi_thread")]
async fn projects_of_one_repository_are_kept_apart_by_their_secrets() {
    let app = TestApp::new().await;
    let (default, other): (Project, Project) = (default_project(&app).await, other_project(&app).await);
    connect(&app, default.id, |_| {}).await;
    connect(&app, other.id, |draft| {
        draft.webhook_secret = Some("of-the-other-project".to_owned());
    })
    .await;
    let payload = state_of_deployment("success", "2026-11-12T14:12:00Z");
    let count = async |project: &Project| {
        let mut snapshot = app.state.db.snapshot(project.id).await.unwrap();
        let filter = storage::deploys::DeployFilter::default();
        let page = storage::deploys::list(&mut snapshot, project.id, &filter, None, 10).await;
        page.unwrap().items.len()
    };
    let other_hook = |path: &str, id: &str| {
        hook(
            &app,
            path,
            "deployment_status",
            id,
            &payload,
            "of-the-other-project",
        )
    };
    assert_eq!(answer(other_hook("/hooks/github", "1")).await.0, 200);
    assert_eq!((count(&default).await, count(&other).await), (0, 1));
    assert_eq!(
        answer(other_hook("/hooks/github?project=default", "2")).await.0,
        401
    );
    assert_eq!(
        answer(other_hook("/hooks/github?project=other", "3")).await.0,
        200
    );
    assert_eq!((count(&default).await, count(&other).await), (0, 1));
    // The same delivery is another one's first.
    let own = hook(
        &app,
        "/hooks/github",
        "deployment_status",
        "1",
        &payload,
        &secret(),
    );
    assert_eq!(answer(own).await.1["status"], "recorded");
    assert_eq!((count(&default).await, count(&other).await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_stored_sealed_for_their_project() {
    let app = TestApp::new().await;
    let (default, other) = (default_project(&app).await.id, other_project(&app).await.id);
    connect(&app, default, |_| {}).await;
    let db = &app.state.db;
    let sealed = integrations::sealed(db, default, GITHUB, "token")
        .await
        .unwrap()
        .unwrap();
    assert!(!sealed.windows(6).any(|part| part == b"canary"));
    let open = |project, field: &str| app.state.secrets.open(project, field, &sealed);
    assert_eq!(
        open(default, "github.token").as_deref(),
        Ok("ghp_0123456789canarytoken")
    );
    // Whoever writes into the database moves no secret to another project or field.
    assert!(open(other, "github.token").is_err() && open(default, "github.webhook_secret").is_err());
    // What is not said stays; what is said empty goes.
    connect(&app, default, |draft| {
        draft.token = None;
        draft.webhook_secret = Some(String::new());
    })
    .await;
    assert!(
        integrations::sealed(db, default, GITHUB, "token")
            .await
            .unwrap()
            .is_some()
    );
    let gone = integrations::sealed(db, default, GITHUB, "webhook_secret")
        .await
        .unwrap();
    assert_eq!(gone, None);
    let (_, log) = app.get("/api/audit?what=integration").await;
    let text = log.to_string();
    assert!(!text.contains("canary") && !text.contains(&secret()), "{text}");
    assert_eq!(log["items"][0]["action"], "integration.change", "{log}");
    assert_eq!(
        log["items"][0]["details"]["secrets_changed"],
        json!(["webhook_secret"])
    );
    // The key is this server's own, and its owner's alone.
    use std::os::unix::fs::PermissionsExt as _;
    let key = std::fs::metadata(app.data.join("secret.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}
