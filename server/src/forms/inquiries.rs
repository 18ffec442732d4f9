//! What people have a model look into: an incident, a question in a chat.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::filter::percent_encode;
use domain::{ProjectId, Role};
use storage::{chats, inquiries};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::Fields;
use crate::api::chats::{ask, page, question};
use crate::auth::{Caller, Visitor};
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::inquiries::refusal;
use crate::state::AppState;

/// How long a page without WASM waits for an answer; then it shows what there is.
const MAX_WAIT: Duration = Duration::from_secs(60);
const LOOK_INTERVAL: Duration = Duration::from_millis(300);

/// `POST /p/{slug}/incidents/{id}/investigation`.
pub(super) async fn investigate(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Member)?;
    let id: Uuid = id.parse().map_err(|_no_uuid| HttpError::not_found("incident"))?;
    inquiries::investigate(&state.db, project.id, id, &visitor.name_in_log(), clock::now())
        .await
        .map_err(refusal)?;
    state.inquiries_wake.notify_one();
    storage::live::notify_incidents(&state.db, project.id).await?;
    Ok(Redirect::to(&format!("/p/{}/incidents/{id}", project.slug)))
}

/// `POST /p/{slug}/ask` {chat?, page?, text, waits}: asks in a chat, or begins one.
pub(super) async fn ask_in_chat(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Member)?;
    let caller = Caller {
        project_id: project.id,
        key_label: visitor.name_in_log(),
        key_id: None,
    };
    let question = question(fields.text("text"))?;
    let chat: Uuid = match fields.text("chat") {
        "" => {
            let page = page(fields.text("page"))?;
            chats::create(&state.db, project.id, page, &caller.key_label, clock::now())
                .await
                .map_err(refusal)?
        }
        id => id.parse().map_err(|_no_uuid| HttpError::not_found("chat"))?,
    };
    let id = ask(&state, &caller, chat, question).await?;
    if fields.text("waits") == "yes" {
        wait(&state, project.id, id).await?;
    }
    let chat = percent_encode(&chat.to_string());
    Ok(Redirect::to(&format!("/p/{}/ask?chat={chat}", project.slug)))
}

/// Waits until a question is answered, for a while.
async fn wait(state: &AppState, project: ProjectId, id: Uuid) -> HttpResult<()> {
    let begun = Instant::now();
    while begun.elapsed() < MAX_WAIT {
        let mut snapshot = state.db.snapshot(project).await?;
        if inquiries::get(&mut snapshot, project, id).await?.state.is_over() {
            return Ok(());
        }
        drop(snapshot);
        sleep(LOOK_INTERVAL).await;
    }
    Ok(())
}

/// `POST /p/{slug}/ask/{id}/delete`.
pub(super) async fn delete_chat(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Member)?;
    let id: Uuid = id.parse().map_err(|_no_uuid| HttpError::not_found("chat"))?;
    chats::delete(&state.db, project.id, id, &visitor.name_in_log(), clock::now()).await?;
    Ok(Redirect::to(&format!("/p/{}/ask", project.slug)))
}
