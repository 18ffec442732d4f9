//! Fixes that a model proposes for an incident: shown first, and pushed to a branch of their own only on request.

use domain::Role;
use serde_json::{Value, json};
use server::router::openapi::OPENAPI;

use crate::app::{TestApp, answer, step};
use crate::contract::check;
use crate::github_stand_in::{GithubStandIn, Refusal};
use crate::github_sync::connected;
use crate::incidents::put_incident;
use crate::model_stand_in::{KEY, ModelStandIn, Say};
use crate::people::{Browser, audit_log, deeds, default_project, person};

const INCIDENT: &str = "01890000-0000-7000-8000-000000000005";
const PAGE: &str = "/p/default/incidents/01890000-0000-7000-8000-000000000005";

/// A project with an incident that people blame on PR 2, a repository, and a model.
async fn blamed(github: &GithubStandIn, model: &ModelStandIn) -> TestApp {
    let app = connected(github, |_| {}).await;
    let project = default_project(&app).await.id;
    app.store(step("r", "1")).await;
    put_incident(&app, project, INCIDENT, "prod").await;
    let deploy =
        json!({ "id": "d2", "sha": "c4e2117", "pr_number": 2, "completed_at": "2026-11-12T14:12:00Z" });
    assert_eq!(app.post("/api/deploys", &deploy).await.0, 200);
    let confirmed = Browser::new(&app)
        .post(&format!("{PAGE}/state"), &[("confirm", "d2")])
        .await;
    assert_eq!(confirmed.status, 303, "{confirmed:?}");
    let settings = json!({
        "providers": [{ "id": "own", "kind": "openai_compatible", "base_url": format!("{}/v1", model.origin), "api_key": KEY }],
        "uses": { "investigation": { "provider": "own", "model": "claude-haiku-4-5" } }, "budget_usd": "25"
    });
    let saved = answer(app.client.put(app.url("/api/settings/models")).json(&settings)).await;
    assert_eq!(saved.0, 200, "{saved:?}");
    app
}

fn proposes(find: &str) -> Say {
    let edit = json!({ "path": "config/models.json", "find": find, "replace": "claude-haiku-4-5" });
    let fix = json!({ "title": "Return summaries to haiku", "explanation": "Thanks @everyone ``` it is cheaper", "edits": [edit] });
    Say::call("propose_fix", fix)
}

/// What was written to the repository: path and what was sent.
fn written(github: &GithubStandIn) -> Vec<(String, Value)> {
    github
        .asked()
        .into_iter()
        .filter(|asked| asked.body != Value::Null)
        .map(|asked| (asked.path, asked.body))
        .collect()
}

/// The id in the hidden field of the page's form.
fn fix_id(page: &str) -> &str {
    let (_, rest) = page.split_once("name=\"fix\" value=\"").unwrap();
    rest.split_once('"').unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fix_is_shown_first_and_opened_once_on_a_branch_of_its_own() {
    let github = GithubStandIn::start().await;
    let model = ModelStandIn::saying(vec![proposes("claude-sonnet-4-6")]).await;
    let app = blamed(&github, &model).await;
    let browser = Browser::new(&app);
    assert!(browser.get(PAGE).await.text.contains("Draft a fix"));
    let drafted = browser.post(&format!("{PAGE}/fix"), &[]).await;
    assert_eq!(drafted.location, format!("{PAGE}#fix"), "{drafted:?}");
    // The model sees the file as it is, as data, and nothing is written.
    let told = model.asked()[0].body["messages"].to_string();
    assert!(told.contains("⟦data file config/models.json⟧"), "{told}");
    assert!(written(&github).is_empty());
    let page = browser.get(PAGE).await.text;
    for part in [
        "Return summaries to haiku",
        "config/models.json",
        "data-change=\"removed\"",
        "data-change=\"added\"",
        "Open a draft pull request",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }

    // GitHub refuses: the page says so, and it may be tried again.
    let id = fix_id(&page).to_owned();
    let refusal = Refusal {
        status: 403,
        headers: Vec::new(),
        body: json!({ "message": "Resource not accessible by personal access token" }),
    };
    github.refuse(&[refusal]);
    let open = format!("{PAGE}/pull");
    assert_eq!(browser.post(&open, &[("fix", &id)]).await.status, 303);
    assert!(
        browser
            .get(PAGE)
            .await
            .text
            .contains("No pull request was opened: GitHub refuses")
    );
    assert!(written(&github).is_empty());

    assert_eq!(browser.post(&open, &[("fix", &id)]).await.status, 303);
    let written = written(&github);
    let paths: Vec<&str> = written
        .iter()
        .map(|(path, _)| path.trim_start_matches("/repos/acme/support"))
        .collect();
    assert_eq!(paths, ["/git/refs", "/contents/config/models.json", "/pulls"]);
    let branch = written[1].1["branch"].as_str().unwrap();
    assert!(branch.starts_with("plumbline/incident-01890000-"), "{branch}");
    assert_eq!(
        written[0].1,
        json!({ "ref": format!("refs/heads/{branch}"), "sha": "ba5e" })
    );
    // The text that was shown, in place of the text that was read.
    assert_eq!(
        (&written[1].1["sha"], &written[1].1["content"]),
        (
            &json!("b10b"),
            &json!("eyJzdW1tYXJ5IjogImNsYXVkZS1oYWlrdS00LTUifQ==")
        )
    );
    let pull = &written[2].1;
    assert_eq!(
        (&pull["head"], &pull["base"], &pull["draft"]),
        (&json!(branch), &json!("main"), &json!(true))
    );
    let body = pull["body"].as_str().unwrap();
    assert!(body.matches("```").count() == 2 && body.contains(PAGE), "{body}");
    let page = browser.get(PAGE).await.text;
    assert!(
        page.contains("https://github.com/acme/support/pull/42") && page.contains(branch),
        "{page}"
    );
    // Once: whoever presses again opens nothing.
    assert_eq!(browser.post(&open, &[("fix", &id)]).await.status, 409);
    assert!(github.asked().is_empty());

    let project = default_project(&app).await;
    let log = audit_log(&app, Some(&project)).await;
    let done: Vec<&str> = deeds(&log)
        .into_iter()
        .map(|(_, action, _)| action)
        .filter(|action| action.starts_with("incident.fix"))
        .collect();
    assert_eq!(done, ["incident.fix_draft", "incident.fix_pr"]);
    // Who may only look opens nothing.
    person(&app, "vera@acme.dev", &[(&project, Role::Viewer)]).await;
    let viewer = Browser::sign_in(&app, "vera@acme.dev").await;
    assert_eq!(viewer.post(&format!("{PAGE}/fix"), &[]).await.status, 403);
    assert_eq!(viewer.post(&open, &[("fix", &id)]).await.status, 403);
    assert!(github.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_are_shown_a_fix_before_they_open_it() {
    let github = GithubStandIn::start().await;
    let model = ModelStandIn::saying(vec![proposes("claude-sonnet-4-6")]).await;
    let app = blamed(&github, &model).await;
    let document: Value = serde_json::from_str(&OPENAPI).unwrap();
    let url = format!("/api/incidents/{INCIDENT}/github");
    let (status, shown) = app.post(&url, &json!({ "action": "fix_pr" })).await;
    assert_eq!(status, 200, "{shown}");
    check(&document, ("post", "/api/incidents/{id}/github", 200), &shown);
    let file = &shown["fix"]["files"][0];
    assert_eq!(
        (&file["path"], &file["after"], &shown["url"]),
        (
            &json!("config/models.json"),
            &json!("{\"summary\": \"claude-haiku-4-5\"}"),
            &Value::Null
        )
    );
    assert!(written(&github).is_empty());
    let wish = json!({ "action": "fix_pr", "fix_id": shown["fix"]["id"] });
    let (status, opened) = app.post(&url, &wish).await;
    assert_eq!(
        (status, &opened["url"]),
        (200, &json!("https://github.com/acme/support/pull/42")),
        "{opened}"
    );
    assert_eq!(written(&github).len(), 3);
    assert_eq!(app.post(&url, &wish).await.0, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_does_not_fit_the_file_is_no_fix() {
    let github = GithubStandIn::start().await;
    let model = ModelStandIn::saying(vec![proposes("gpt-5")]).await;
    let app = blamed(&github, &model).await;
    let browser = Browser::new(&app);
    let refused = browser.post(&format!("{PAGE}/fix"), &[]).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(
        refused.text.contains("does not stand there once"),
        "{}",
        refused.text
    );
    assert!(!browser.get(PAGE).await.text.contains("Open a draft pull request"));
    assert!(written(&github).is_empty());
}
