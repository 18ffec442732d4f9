//! Projects are kept apart at every way into the server: each is, tried with the key and the session of someone
//! else. A way in that is missing from the tables of these tests fails them.

#[path = "tenancy/forms.rs"]
mod forms;
#[path = "tenancy/functions.rs"]
mod functions;
#[path = "tenancy/programs.rs"]
mod programs;

use domain::{Role, Scope};
use serde_json::json;

use crate::app::{TestApp, step};
use crate::detectors::put_finding;
use crate::incidents::put_incident;
use crate::people::{Answer, Browser, default_project, key, other_project, person};

/// A text that only steps of the project `default` hold.
const CANARY: &str = "canary-7f3a";
const RUN: &str = "/api/runs/theirs";
const INCIDENT_ID: &str = "01890000-0000-7000-8000-000000000001";
const DETECTOR_ID: &str = "01890000-0000-7000-8000-00000000000d";
const FINDING_ID: &str = "01890000-0000-7000-8000-00000000000f";

/// The template of that step's prompt.
fn fingerprint() -> String {
    let template = engine::fingerprint::fingerprints(CANARY, None).template;
    hex::encode(template)
}

/// The server with a run of `default`, and Eve, who is admin of `other`.
async fn server_with_two_projects() -> (TestApp, String) {
    let app = TestApp::new().await;
    let mut theirs = step("theirs", "s1");
    for field in ["session_id", "user_id"] {
        theirs[field] = "theirs".into();
    }
    for field in ["step_name", "prompt", "output_code", "environment", "release"] {
        theirs[field] = CANARY.into();
    }
    app.store(theirs).await;
    let shipped = json!({ "id": "theirs", "sha": "c4e2117", "title": CANARY });
    assert_eq!(app.post("/api/deploys", &shipped).await.0, 200);
    let (default, other) = (default_project(&app).await, other_project(&app).await);
    put_incident(&app, default.id, INCIDENT_ID, CANARY).await;
    put_finding(&app, default.id, (DETECTOR_ID, FINDING_ID), CANARY).await;
    let (db, now) = (&app.state.db, server::clock::now());
    let incident = INCIDENT_ID.parse().unwrap();
    storage::inquiries::investigate(db, default.id, incident, CANARY, now)
        .await
        .unwrap();
    storage::chats::create(db, default.id, CANARY, "mara", now)
        .await
        .unwrap();
    person(&app, "mara@acme.dev", &[(&default, Role::Admin)]).await;
    person(&app, "eve@acme.dev", &[(&other, Role::Admin)]).await;
    let key = key(&app, &other, Scope::ALL).await;
    (app, key.secret)
}

fn assert_nothing_is_shown(what: &str, answer: &Answer) {
    assert!(
        !answer.text.contains(CANARY),
        "{what} shows another project: {answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_sent_with_a_key_lands_in_the_keys_project() {
    let (app, eves_key) = server_with_two_projects().await;
    let mara = Browser::sign_in(&app, "mara@acme.dev").await;
    let before = mara.get(RUN).await.json();
    for path in ["/ingest", "/ingest/batch"] {
        let mut forged = step("theirs", "s1");
        forged["project_id"] = default_project(&app).await.id.to_string().into();
        forged["project"] = "default".into();
        let body = if path == "/ingest" {
            forged
        } else {
            json!({ "steps": [forged] })
        };
        Answer::of(app.client.post(app.url(path)).bearer_auth(&eves_key).json(&body)).await;
    }
    assert_eq!(mara.get(RUN).await.json(), before);
    let eves = Answer::of(app.client.get(app.url("/api/runs")).bearer_auth(&eves_key))
        .await
        .json();
    assert_eq!(eves["items"][0]["run_id"], "theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_live_changes_are_for_members_only() {
    let (app, eves_key) = server_with_two_projects().await;
    let eve = Browser::sign_in(&app, "eve@acme.dev").await;
    let mara = Browser::sign_in(&app, "mara@acme.dev").await;
    let pages: Vec<String> = server::web::page_paths()
        .filter(|path| path.starts_with("/p/"))
        .map(|path| {
            path.replace("{project}", "default")
                .replace("{run}", "theirs")
                .replace("{deploy}", "theirs")
                .replace("{session}", "theirs")
                .replace("{user}", "theirs")
                .replace("{incident}", INCIDENT_ID)
                .replace("{detector}", DETECTOR_ID)
                .replace("{finding}", FINDING_ID)
                .replace("{name}", "theirs")
                .replace("{fingerprint}", &fingerprint())
        })
        .collect();
    assert!(pages.len() > 3, "{pages:?}");
    for page in &pages {
        assert!(!page.contains('{'), "{page}: say what stands for this part");
        let own = mara.get(page).await;
        assert!(own.status < 400, "{page} {own:?}");
        let strangers = eve.get(page).await;
        assert_eq!(strangers.status, 404, "{page} {strangers:?}");
        assert_nothing_is_shown(page, &strangers);
        for anonymous in [
            Browser::new(&app).get(page).await,
            Answer::of(app.client.get(app.url(page)).bearer_auth(&eves_key)).await,
        ] {
            assert_eq!(anonymous.status, 303, "{page} {anonymous:?}");
            assert!(
                anonymous.location.starts_with("/login?next=/p/default"),
                "{anonymous:?}"
            );
        }
    }
    assert_eq!(eve.get("/live/default").await.status, 404);
    assert_eq!(Browser::new(&app).get("/live/default").await.status, 401);
}
