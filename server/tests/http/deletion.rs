//! Deleting a project: refused to everybody at once, in every process, and gone when the job is done.

use domain::{Role, Scope};
use serde_json::{Value, json};
use server::jobs::{Worked, Worker};

use crate::app::{TestApp, answer, step};
use crate::people::{Browser, default_project, key, other_project, person};

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_project_is_refused_everywhere_and_its_rows_go_in_the_background() {
    let app = TestApp::new().await;
    let (default, doomed) = (default_project(&app).await, other_project(&app).await);
    person(
        &app,
        "mara@acme.dev",
        &[(&default, Role::Admin), (&doomed, Role::Admin)],
    )
    .await;
    person(&app, "eve@acme.dev", &[(&default, Role::Admin)]).await;
    let key = key(&app, &doomed, &[Scope::Ingest, Scope::Read, Scope::Proxy]).await;
    let another = app.another_process().await;
    let send = |app: &TestApp| {
        let request = app.client.post(app.url("/ingest")).json(&step("r", "s"));
        answer(request.bearer_auth(&key.secret))
    };
    assert_eq!(send(&app).await.0, 200);
    assert_eq!(send(&another).await.0, 200);

    let mara = Browser::sign_in(&app, "mara@acme.dev").await;
    let delete = format!("/p/{}/settings/delete", doomed.slug);
    let done = mara.post(&delete, &[("confirm", &doomed.slug)]).await;
    assert_eq!((done.status, done.location.as_str()), (303, "/?done=deleted"));
    for app in [&app, &another] {
        app.hears_everything().await;
        assert_eq!(send(app).await.0, 401);
        let call = app
            .client
            .post(app.url("/v1/messages"))
            .header("x-plumbline-key", &key.secret)
            .body("{}");
        assert_eq!(answer(call).await.0, 401);
        let read = app.client.get(app.url("/api/runs/r")).bearer_auth(&key.secret);
        assert_eq!(answer(read).await.0, 401);
    }
    assert_eq!(mara.get(&format!("/p/{}/runs", doomed.slug)).await.status, 404);
    assert_eq!(mara.post(&delete, &[("confirm", &doomed.slug)]).await.status, 404);

    let settings = mara.get("/p/default/settings").await.text;
    assert!(
        settings.contains("Projects being deleted") && settings.contains(&doomed.name),
        "{settings}"
    );
    let listed = async |who: &Browser<'_>| who.get("/api/jobs?project=default").await.json()["items"].clone();
    let waiting = listed(&mara).await;
    assert_eq!(
        (
            &waiting[0]["kind"],
            &waiting[0]["project"],
            &waiting[0]["state"],
            &waiting[0]["total"]
        ),
        (
            &json!("delete_project"),
            &json!(doomed.slug),
            &json!("waiting"),
            &Value::Null
        ),
        "{waiting:#}"
    );
    let eve = Browser::sign_in(&app, "eve@acme.dev").await;
    assert_eq!(listed(&eve).await, json!([]), "a stranger sees it");
    let job = format!(
        "/api/jobs/{}?project=default",
        waiting[0]["job_id"].as_str().unwrap()
    );
    assert_eq!(eve.get(&job).await.status, 404);
    let settings = eve.get("/p/default/settings").await.text;
    assert!(
        !settings.contains("Projects being deleted"),
        "a stranger sees it: {settings}"
    );

    let mut worker = Worker::new(app.state.db.clone());
    assert_eq!(worker.work(None).await.unwrap(), Worked::Chunk);
    let running = mara.get(&job).await.json();
    let (done, total) = (
        running["done"].as_i64().unwrap(),
        running["total"].as_i64().unwrap(),
    );
    assert!(0 < done && done <= total, "{running:#}");
    assert_eq!(
        (&running["state"], &running["unit"], &running["total_is_estimate"]),
        (&json!("running"), &json!("rows"), &json!(true))
    );
    let settings = mara.get("/p/default/settings").await.text;
    assert!(
        settings.contains(&format!(
            "{} rows deleted",
            domain::text::progress(done, Some(total), true)
        )),
        "{settings}"
    );
    while worker.work(None).await.unwrap() == Worked::Chunk {}
    assert_eq!(mara.get(&job).await.status, 404);
    let settings = mara.get("/p/default/settings").await.text;
    assert!(!settings.contains("Projects being deleted"), "{settings}");
    assert!(
        storage::projects::deletion::under_way(&app.state.db, None)
            .await
            .unwrap()
            .is_empty()
    );
}
