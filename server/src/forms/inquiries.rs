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

/// The page that something was asked beside, as its form says it: its path below the project and its query. `None` where
/// it was asked on the page of chats, and for what is no such page.
fn page_beside(text: &str) -> Option<(&str, &str)> {
    let (path, query) = text.split_once('?')?;
    let is_address = text
        .chars()
        .all(|c| c.is_ascii_graphic() && !matches!(c, '#' | '\\'));
    let has_drawer = match path.split_once('/') {
        None => path.is_empty(),
        Some((page, id)) => {
            matches!(page, "runs" | "incidents") && !id.contains('/') && !matches!(id, "" | "." | "..")
        }
    };
    (is_address && has_drawer).then_some((path, query))
}

/// The page that something was asked beside, with a chat open; `None` as above.
fn back_to(slug: &str, beside: &str, chat: &str) -> Option<String> {
    let (path, query) = page_beside(beside)?;
    let below = if path.is_empty() { "" } else { "/" };
    let joint = if query.is_empty() { "" } else { "&" };
    Some(format!("/p/{slug}{below}{path}?{query}{joint}ask={chat}"))
}

/// `POST /p/{slug}/ask` {chat?, page?, beside?, text, waits}: asks in a chat, or begins one. Leads back to the page that it
/// was asked beside.
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
    let chat = chat_of(&state, project.id, &fields, &caller.key_label).await?;
    let id = ask(&state, &caller, chat, question).await?;
    if fields.text("waits") == "yes" {
        wait(&state, project.id, id).await?;
    }
    Ok(lead_to_chat(&project.slug, fields.text("beside"), chat))
}

/// The chat that a form names, or a new one about its page where it names none.
pub(super) async fn chat_of(
    state: &AppState,
    project: ProjectId,
    fields: &Fields,
    actor: &str,
) -> HttpResult<Uuid> {
    match fields.text("chat") {
        "" => {
            let page = page(fields.text("page"))?;
            chats::create(&state.db, project, page, actor, clock::now())
                .await
                .map_err(refusal)
        }
        id => id.parse().map_err(|_no_uuid| HttpError::not_found("chat")),
    }
}

/// Where a form leads whose chat is to be seen: beside the page that it was sent from, or on the page of chats.
pub(super) fn lead_to_chat(slug: &str, beside: &str, chat: Uuid) -> Redirect {
    let chat = percent_encode(&chat.to_string());
    let back = back_to(slug, beside, &chat);
    Redirect::to(&back.unwrap_or_else(|| format!("/p/{slug}/ask?chat={chat}")))
}

/// Waits until a question is answered, for a while.
pub(super) async fn wait(state: &AppState, project: ProjectId, id: Uuid) -> HttpResult<()> {
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

/// `POST /p/{slug}/ask/{id}/delete` {beside?}.
pub(super) async fn delete_chat(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Member)?;
    let id: Uuid = id.parse().map_err(|_no_uuid| HttpError::not_found("chat"))?;
    chats::delete(&state.db, project.id, id, &visitor.name_in_log(), clock::now()).await?;
    let back = back_to(&project.slug, fields.text("beside"), "1");
    Ok(Redirect::to(
        &back.unwrap_or_else(|| format!("/p/{}/ask", project.slug)),
    ))
}

#[cfg(test)]
mod tests {
    use super::back_to;

    #[test]
    fn a_question_leads_back_to_the_page_it_was_asked_beside() {
        let check = |beside: &str, expected: Option<&str>| {
            assert_eq!(back_to("acme", beside, "c1").as_deref(), expected, "{beside}");
        };
        check("?", Some("/p/acme?ask=c1"));
        check("?range=7d&key=a%26b", Some("/p/acme?range=7d&key=a%26b&ask=c1"));
        check("runs/a%2Fb?step=s1", Some("/p/acme/runs/a%2Fb?step=s1&ask=c1"));
        check("incidents/0193?", Some("/p/acme/incidents/0193?ask=c1"));
        for elsewhere in [
            "",
            "runs/r1",
            "runs/../settings?",
            "runs/..?",
            "runs?",
            "settings/keys?",
            "//evil.example?",
            "runs/\\evil?",
            "runs/r1?a\r\nset-cookie: x",
            "runs/r1?#x",
        ] {
            check(elsewhere, None);
        }
    }
}
