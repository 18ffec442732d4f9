//! Projects whose providers hang keep no place from others, in whatever has a model work.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{Project, ProjectId, Scope};
use serde_json::json;
use server::inquiries::{self, Inquiries};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::alerts::put;
use crate::app::{TestApp, answer, step};
use crate::model_stand_in::{KEY, ModelStandIn, Say};
use crate::people::key;

/// Far less than a provider is waited for that says nothing.
const PATIENCE: Duration = Duration::from_secs(40);

async fn projects(app: &TestApp, count: usize) -> Vec<Project> {
    let mut made = Vec::new();
    for n in 0..count {
        let (name, now) = (format!("p{n}"), server::clock::now());
        let project = storage::projects::create(&app.state.db, &name, &name, None, "test", now)
            .await
            .unwrap();
        made.push(project);
    }
    made
}

async fn ask(app: &TestApp, project: ProjectId) {
    let (db, now) = (&app.state.db, server::clock::now());
    let chat = storage::chats::create(db, project, "", "test", now)
        .await
        .unwrap();
    storage::chats::ask(db, project, chat, ("Why?", "Why?"), "test", now)
        .await
        .unwrap();
}

fn counted(taken: &[ProjectId]) -> BTreeMap<ProjectId, usize> {
    let mut counts = BTreeMap::new();
    for project in taken {
        *counts.entry(*project).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_while_the_providers_of_two_projects_hang() {
    let app = TestApp::with(|config| config.allow_private_targets = "127.0.0.0/8".parse().unwrap()).await;
    let hangs = ModelStandIn::saying(vec![Say::Silence; 20]).await;
    let answers = ModelStandIn::saying(Vec::new()).await;
    let projects = projects(&app, 3).await;
    for (project, provider) in projects.iter().zip([&hangs, &hangs, &answers]) {
        let model = json!({ "provider": "own", "model": "claude-haiku-4-5" });
        let settings = json!({
            "providers": [{
                "id": "own", "kind": "openai_compatible", "base_url": format!("{}/v1", provider.origin), "api_key": KEY
            }],
            "uses": { "chat": model },
        });
        let url = format!("/api/settings/models?project={}", project.slug);
        let (status, saved) = put(&app, &url, settings).await;
        assert_eq!(status, 200, "{saved}");
    }
    for project in &projects[..2] {
        for _ in 0..5 {
            ask(&app, project.id).await;
        }
    }
    let inquiries = Inquiries {
        toolbox: app.state.toolbox(),
        models: app.state.models.clone(),
    };
    let wake = Arc::clone(&app.state.inquiries_wake);
    TaskTracker::new().spawn(inquiries::run(inquiries, wake, app.shutdown.child_token()));

    let (status, chat) = answer(app.client.post(app.url("/api/chats?project=p2")).json(&json!({}))).await;
    assert_eq!(status, 200, "{chat}");
    let url = format!("/api/chats/{}/messages?project=p2", chat["id"].as_str().unwrap());
    let asked = app.client.post(app.url(&url)).json(&json!({ "text": "Why?" }));
    let read = async { asked.send().await.unwrap().text().await.unwrap() };
    let said = timeout(PATIENCE, read).await.unwrap();
    assert!(said.contains("pong") && said.contains("event: done"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_project_has_a_place_before_one_has_many() {
    let app = TestApp::new().await;
    let (db, now) = (&app.state.db, server::clock::now());
    let projects = projects(&app, 6).await;
    for project in &projects {
        let key = key(&app, project, &[Scope::Ingest]).await;
        for n in 0..3 {
            let run = format!("r{n}");
            let sent = app.client.post(app.url("/ingest")).json(&step(&run, "s"));
            let (status, body) = answer(sent.bearer_auth(&key.secret)).await;
            assert_eq!(status, 200, "{body}");
            storage::analyses::start(db, project.id, &run, "test", server::clock::now())
                .await
                .unwrap();
            for _ in 0..2 {
                ask(&app, project.id).await;
            }
        }
    }
    let until = now.plus_micros(600_000_000);
    let later = now.plus_micros(1_000_000);
    let mut analyses = Vec::new();
    while let Some(claimed) = storage::analyses::claim(db, later, until).await.unwrap() {
        analyses.push(claimed.project_id);
    }
    let mut inquiries = Vec::new();
    while let Some(taken) = storage::inquiries::take(db, later, until).await.unwrap() {
        inquiries.push(taken.project_id);
    }
    for taken in [&analyses, &inquiries] {
        let counts = counted(taken);
        assert_eq!(counts.len(), projects.len(), "each has one: {counts:?}");
        assert!(counts.values().all(|count| *count <= 2), "{counts:?}");
    }
    // One process has so many places.
    assert!(analyses.len() <= server::analyses::WORKERS.len());
}
