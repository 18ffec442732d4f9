//! What happens to incidents by itself, and issues that somebody asks for.

use std::sync::Arc;

use domain::Role;
use serde_json::{Value, json};
use server::watcher::{Actions, Watching};

use crate::app::{TestApp, answer, step};
use crate::github_stand_in::{GithubStandIn, Refusal};
use crate::github_sync::connected;
use crate::incidents::put_incident;
use crate::people::{Browser, audit_log, deeds, default_project, person};

const INCIDENT: &str = "01890000-0000-7000-8000-000000000004";

fn watching(app: &TestApp) -> Watching {
    Watching {
        toolbox: app.state.toolbox(),
        origin: "https://plumbline.example".to_owned(),
        inquiries_wake: Arc::clone(&app.state.inquiries_wake),
    }
}

async fn acts(app: &TestApp, action: &str) -> usize {
    let project = default_project(app).await;
    let rows = audit_log(app, Some(&project)).await;
    deeds(&rows)
        .iter()
        .filter(|(_, known, subject)| *known == action && *subject == INCIDENT)
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_watcher_acts_once_on_each_incident() {
    let github = GithubStandIn::start().await;
    let app = connected(&github, |_| {}).await;
    let project = default_project(&app).await.id;
    // A label that would be a mention, markup and the end of a block.
    app.store(step("r", "1")).await;
    put_incident(&app, project, INCIDENT, "@everyone ``` <b>prod</b>").await;
    let actions = json!({ "critical": "issue", "high": "log", "low": "log" });
    let wanted = json!({ "on": true, "interval_min": 60, "actions": actions });
    let url = app.url("/api/settings/watcher");
    let saved = answer(app.client.put(&url).json(&wanted)).await;
    assert_eq!(saved, (200, wanted.clone()));
    assert_eq!(app.get("/api/settings/watcher").await, (200, wanted));
    for wrong in [
        json!({ "on": true, "interval_min": 1 }),
        json!({ "on": true, "actions": { "low": "page" } }),
    ] {
        assert_eq!(answer(app.client.put(&url).json(&wrong)).await.0, 400, "{wrong}");
    }

    let watching = watching(&app);
    let actions = Actions::stored(&actions);
    for _ in 0..2 {
        watching
            .look(project, actions, server::clock::now())
            .await
            .unwrap();
    }
    let asked = github.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let issue = &asked[0].body;
    // 32 standard deviations.
    assert_eq!(
        issue["labels"],
        json!(["plumbline", "incident", "severity: critical"])
    );
    let body = issue["body"].as_str().unwrap();
    assert_eq!(body.matches("```").count(), 2, "{body}");
    assert!(
        body.contains(&format!(
            "https://plumbline.example/p/default/incidents/{INCIDENT}"
        )),
        "{body}"
    );
    assert_eq!(
        (
            acts(&app, "watcher.act").await,
            acts(&app, "incident.issue").await
        ),
        (1, 1)
    );
    // It is looked into as well.
    let (status, investigation) = app.get(&format!("/api/incidents/{INCIDENT}/investigation")).await;
    assert_eq!(
        (status, &investigation["asked_by"]),
        (200, &json!("watcher")),
        "{investigation}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_on_github_unless_it_is_asked_for() {
    let github = GithubStandIn::start().await;
    let app = connected(&github, |_| {}).await;
    let project = default_project(&app).await.id;
    app.store(step("r", "1")).await;
    put_incident(&app, project, INCIDENT, "prod").await;
    watching(&app)
        .look(project, Actions::default(), server::clock::now())
        .await
        .unwrap();
    assert!(github.asked().is_empty());
    let url = format!("/api/incidents/{INCIDENT}/github");
    for wrong in [json!({}), json!({ "action": "merge" }), Value::Null] {
        assert_eq!(app.post(&url, &wrong).await.0, 400, "{wrong}");
    }
    assert!(github.asked().is_empty());
    let (status, opened) = app.post(&url, &json!({ "action": "issue" })).await;
    assert_eq!((status, &opened["number"]), (200, &json!(41)), "{opened}");
    assert_eq!(acts(&app, "incident.issue").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_button_of_an_incident_opens_one_issue_and_the_page_leads_to_it() {
    let github = GithubStandIn::start().await;
    let app = connected(&github, |_| {}).await;
    let project = default_project(&app).await.id;
    app.store(step("r", "1")).await;
    put_incident(&app, project, INCIDENT, "prod").await;
    let page = format!("/p/default/incidents/{INCIDENT}");
    let browser = Browser::new(&app);
    let shown = browser.get(&page).await.text;
    assert!(shown.contains("Open an issue"), "{shown}");
    assert!(github.asked().is_empty(), "showing the page opens nothing");
    // GitHub refuses: that is said, and it may be tried again.
    github.refuse(&[Refusal {
        status: 403,
        headers: Vec::new(),
        body: json!({ "message": "Resource not accessible by personal access token" }),
    }]);
    let button = format!("{page}/issue");
    let refused = browser.post(&button, &[]).await;
    assert_eq!(refused.status, 502, "{refused:?}");
    for _ in 0..2 {
        let opened = browser.post(&button, &[]).await;
        assert_eq!(
            (opened.status, opened.location.as_str()),
            (303, format!("{page}#fix").as_str())
        );
    }
    assert_eq!(
        acts(&app, "incident.issue").await,
        1,
        "pressed twice, opened once"
    );
    let shown = browser.get(&page).await.text;
    assert!(shown.contains("the issue on GitHub"), "{shown}");
    assert!(!shown.contains("Open an issue"), "{shown}");
}

const PAGE: &str = "/p/default/settings/watcher";

#[tokio::test(flavor = "multi_thread")]
async fn the_page_sets_the_watcher_and_shows_what_it_did() {
    let github = GithubStandIn::start().await;
    let app = connected(&github, |_| {}).await;
    let project = default_project(&app).await;
    app.store(step("r", "1")).await;
    put_incident(&app, project.id, INCIDENT, "prod").await;
    let browser = Browser::new(&app);
    let page = browser.get(PAGE).await.text;
    assert!(page.contains("It has acted on no incident yet"), "{page}");
    let fields = |minutes: &'static str| {
        [
            ("on", "on"),
            ("interval_min", minutes),
            ("critical", "issue"),
            ("high", "log"),
            ("low", "log"),
        ]
    };
    let wrong = browser.post(PAGE, &fields("1")).await;
    assert_eq!(wrong.location, format!("{PAGE}?error=watcher_interval"));
    let saved = browser.post(PAGE, &fields("15")).await;
    assert_eq!(saved.location, format!("{PAGE}?done=saved"));
    let actions = json!({ "critical": "issue", "high": "log", "low": "log" });
    assert_eq!(
        app.get("/api/settings/watcher").await,
        (200, json!({ "on": true, "interval_min": 15, "actions": actions }))
    );
    watching(&app)
        .look(project.id, Actions::stored(&actions), server::clock::now())
        .await
        .unwrap();
    let page = browser.get(PAGE).await.text;
    for part in [
        "looks next",
        "https://github.com/acme/support/issues/41",
        INCIDENT,
        "Critical",
        "No model is chosen for investigations",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let log = audit_log(&app, Some(&project)).await;
    let settings = deeds(&log)
        .into_iter()
        .filter(|(_, action, _)| *action == "watcher.settings");
    assert_eq!(settings.count(), 1);
    // Who is no admin sees it and changes nothing.
    person(&app, "mara@acme.dev", &[(&project, Role::Member)]).await;
    let member = Browser::sign_in(&app, "mara@acme.dev").await;
    assert_eq!(member.get(PAGE).await.status, 200);
    assert_eq!(member.post(PAGE, &fields("30")).await.status, 403);
    let mut snapshot = app.state.db.snapshot(project.id).await.unwrap();
    let stored = storage::watcher::settings(&mut snapshot, project.id)
        .await
        .unwrap();
    assert_eq!(stored.unwrap().interval_min, 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn why_no_issue_could_be_opened_stands_on_the_page() {
    let app = TestApp::new().await;
    let project = default_project(&app).await.id;
    app.store(step("r", "1")).await;
    put_incident(&app, project, INCIDENT, "prod").await;
    let all = json!({ "critical": "issue", "high": "issue", "low": "issue" });
    watching(&app)
        .look(project, Actions::stored(&all), server::clock::now())
        .await
        .unwrap();
    let page = Browser::new(&app).get(PAGE).await.text;
    assert!(
        page.contains("no issue: No GitHub repository is connected"),
        "{page}"
    );
}
