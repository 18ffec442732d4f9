//! How much one person may ask, and how much of a project may wait, has a bound, and whoever is at it is told so.

use domain::{ProjectId, Scope};
use serde_json::json;
use storage::inquiries::{MOST_AN_HOUR, MOST_WAITING, TOO_MANY_WAITING};
use storage::{Db, Error, chats};
use uuid::Uuid;

use crate::app::{TestApp, answer, step};
use crate::incidents::put_incident;
use crate::people::{Browser, default_project, key};

const HOUR_MICROS: i64 = 3_600 * 1_000_000;

/// Begins a chat and asks in it as often as `actor` may.
async fn use_up(db: &Db, project: ProjectId, actor: &str, now: domain::Timestamp) -> Uuid {
    let chat = chats::create(db, project, "", actor, now).await.unwrap();
    for _ in 1..MOST_AN_HOUR {
        chats::ask(db, project, chat, ("Why?", "Why?"), actor, now)
            .await
            .unwrap();
    }
    chat
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_have_a_rate_and_a_queue_has_an_end() {
    let app = TestApp::new().await;
    let (db, project) = (&app.state.db, default_project(&app).await);
    let key = key(&app, &project, &[Scope::Admin]).await;
    let incident = "01890000-0000-7000-8000-000000000005";
    app.store(step("r", "1")).await;
    put_incident(&app, project.id, incident, "prod").await;
    let now = server::clock::now();
    let actor = key.key.label.as_str();
    let chat = use_up(db, project.id, actor, now).await;

    let post = async |path: &str| {
        let body = json!({ "text": "Why?" });
        let body = if path.ends_with("messages") {
            body
        } else {
            json!({})
        };
        let request = app.client.post(app.url(path)).bearer_auth(&key.secret);
        answer(request.json(&body)).await
    };
    for path in [
        format!("/api/chats/{chat}/messages"),
        "/api/chats".to_owned(),
        format!("/api/incidents/{incident}/investigation"),
    ] {
        let (status, refused) = post(&path).await;
        assert_eq!(
            (status, &refused["error"]["code"]),
            (429, &json!("too_many_questions")),
            "{path} {refused}"
        );
    }
    // Others go on, by the page as well, until they are at it too.
    let of_page = use_up(db, project.id, "local", now).await.to_string();
    let form = [("chat", of_page.as_str()), ("text", "Why?")];
    let refused = Browser::new(&app).post("/p/default/ask", &form).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.text.contains("within an hour"), "{refused:?}");

    let asked = 2 * (MOST_AN_HOUR - 1);
    let last = chats::create(db, project.id, "", "third", now).await.unwrap();
    let ask = |now| chats::ask(db, project.id, last, ("Why?", "Why?"), "third", now);
    for _ in asked..MOST_WAITING {
        ask(now).await.unwrap();
    }
    let refused = ask(now).await;
    assert!(
        matches!(refused, Err(Error::Conflict(TOO_MANY_WAITING))),
        "{refused:?}"
    );
    let refused = chats::create(db, project.id, "", "fourth", now).await;
    assert!(
        matches!(refused, Err(Error::Conflict(TOO_MANY_WAITING))),
        "no chat that would stay empty: {refused:?}"
    );

    // Whoever deletes what they asked has asked all the same; an hour later they may again.
    chats::delete(db, project.id, chat, actor, now).await.unwrap();
    assert_eq!(post("/api/chats").await.0, 429);
    let later = now.plus_micros(HOUR_MICROS + 1);
    let again = chats::create(db, project.id, "", actor, later).await.unwrap();
    chats::ask(db, project.id, again, ("Why?", "Why?"), actor, later)
        .await
        .unwrap();
}
