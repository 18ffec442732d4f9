//! A stream of an inquiry is over within seconds when its reader may not read any more, and goes on for everybody else.

use std::time::Duration;

use domain::{Role, Scope, WorkState};
use serde_json::json;
use tokio::time::timeout;

use crate::app::{TestApp, step};
use crate::incidents::put_incident;
use crate::people::{Browser, default_project, key, person};

/// Far less than a stream lasts.
const PATIENCE: Duration = Duration::from_secs(20);

async fn opened(request: reqwest::RequestBuilder) -> reqwest::Response {
    let stream = request
        .header("accept", "text/event-stream")
        .send()
        .await
        .unwrap();
    assert_eq!(stream.status().as_u16(), 200);
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inquirys_stream_ends_with_the_right_to_read_it() {
    let app = TestApp::new().await;
    let (db, project) = (&app.state.db, default_project(&app).await);
    let id = "01890000-0000-7000-8000-000000000005";
    app.store(step("r", "1")).await;
    put_incident(&app, project.id, id, "prod").await;
    let url = format!("/api/incidents/{id}/investigation");
    // Nobody works at it, so that nothing ends by itself.
    assert_eq!(app.post(&url, &json!({})).await.0, 202);
    person(&app, "mara@acme.dev", &[(&project, Role::Admin)]).await;
    let removed = person(&app, "noor@acme.dev", &[(&project, Role::Viewer)]).await;
    person(&app, "eve@acme.dev", &[(&project, Role::Viewer)]).await;
    let reads = key(&app, &project, &[Scope::Read]).await;
    app.hears_everything().await;

    let url = format!("{url}?project=default");
    let [mara, noor, eve] = [
        Browser::sign_in(&app, "mara@acme.dev").await,
        Browser::sign_in(&app, "noor@acme.dev").await,
        Browser::sign_in(&app, "eve@acme.dev").await,
    ];
    let stays = opened(mara.request("GET", &url)).await;
    let of_removed = opened(noor.request("GET", &url)).await;
    let of_signed_out = opened(eve.request("GET", &url)).await;
    let of_key = opened(app.client.get(app.url(&url)).bearer_auth(&reads.secret)).await;

    let now = server::clock::now();
    storage::keys::revoke(db, project.id, reads.key.id, "test", now)
        .await
        .unwrap();
    timeout(PATIENCE, of_key.text()).await.unwrap().unwrap();
    storage::members::remove(db, project.id, removed.id, "test", now)
        .await
        .unwrap();
    timeout(PATIENCE, of_removed.text()).await.unwrap().unwrap();
    assert_eq!(eve.post("/logout", &[]).await.status, 303);
    timeout(PATIENCE, of_signed_out.text()).await.unwrap().unwrap();

    let until = now.plus_micros(60_000_000);
    let taken = storage::inquiries::take(db, now, until).await.unwrap().unwrap();
    storage::inquiries::finish(db, &taken, WorkState::Done, now)
        .await
        .unwrap();
    let told = timeout(PATIENCE, stays.text()).await.unwrap().unwrap();
    assert!(told.contains("event: done"), "{told}");
}
