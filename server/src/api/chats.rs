//! `/api/chats`: questions about a project that a model answers by looking things up.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use domain::inquiry::MAX_QUESTION_CHARS;
use domain::{Role, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use storage::chats::{self, Chat, MAX_QUESTIONS};
use storage::inquiries::{self, Subject};
use utoipa::ToSchema;
use uuid::Uuid;

use super::query::{InPath, Params, ProjectParam, Reader};
use crate::auth::Caller;
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, NotFound, ReadErrors};
use crate::ingest;
use crate::inquiries::answer::InquiryAnswer;
use crate::inquiries::refusal;
use crate::inquiries::stream::{self, Asker};
use crate::read_limits::reader_of;
use crate::state::AppState;

/// Largest body: a question.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// Longest path of a page, in characters.
const MAX_PAGE_CHARS: usize = 300;
/// The most chats of one answer.
const MAX_CHATS: u32 = 100;
/// How much of the first question a chat is called by.
const MAX_TITLE_CHARS: usize = 80;

/// A chat as lists show it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChatAnswer {
    id: String,
    created_at: Timestamp,
    /// When something was asked last.
    updated_at: Timestamp,
    created_by: String,
    /// The path of the page that it was begun on, without the project.
    page: String,
    /// The beginning of its first question.
    title: String,
}

impl From<Chat> for ChatAnswer {
    fn from(chat: Chat) -> Self {
        Self {
            id: chat.id.to_string(),
            created_at: chat.created_at,
            updated_at: chat.updated_at,
            created_by: chat.created_by,
            page: chat.page,
            title: chat.title,
        }
    }
}

/// Chats, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChatList {
    items: Vec<ChatAnswer>,
    /// Always null: the latest hundred.
    next_cursor: Option<String>,
}

/// A chat with everything that was said.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChatWithMessages {
    #[serde(flatten)]
    chat: ChatAnswer,
    /// The earliest first.
    messages: Vec<MessageAnswer>,
}

/// A question and how it is answered.
#[derive(Debug, Serialize, ToSchema)]
struct MessageAnswer {
    question: String,
    #[serde(flatten)]
    answer: InquiryAnswer,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewChat {
    /// The path of the page that it is about, without the project, such as `incidents/0198…`; empty for the overview.
    #[serde(default)]
    #[schema(max_length = 300)]
    page: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMessage {
    #[schema(min_length = 1, max_length = 4_000)]
    text: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CreatedChat {
    id: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletedChat {
    id: String,
    /// Always true.
    deleted: bool,
}

fn parse_id(text: &str) -> HttpResult<Uuid> {
    text.parse().map_err(|_no_uuid| HttpError::not_found("chat"))
}

/// The path of a page, as somebody sent it.
pub(crate) fn page(text: &str) -> HttpResult<&str> {
    let text = text.trim();
    if text.chars().count() > MAX_PAGE_CHARS || text.contains(char::is_control) {
        let message = format!("page must be a path of at most {MAX_PAGE_CHARS} characters");
        return Err(HttpError::invalid("page", message));
    }
    Ok(text)
}

/// A question, as somebody wrote it.
pub(crate) fn question(text: &str) -> HttpResult<&str> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_QUESTION_CHARS || text.contains('\0') {
        let message = format!("text must be a question of at most {MAX_QUESTION_CHARS} characters");
        return Err(HttpError::invalid("text", message));
    }
    Ok(text)
}

/// Asks in a chat, and wakes who works at it.
pub(crate) async fn ask(state: &AppState, caller: &Caller, chat: Uuid, question: &str) -> HttpResult<Uuid> {
    let title = domain::text::first_line(question, MAX_TITLE_CHARS);
    let actor = &caller.key_label;
    let id = chats::ask(
        &state.db,
        caller.project_id,
        chat,
        (question, &title),
        actor,
        clock::now(),
    )
    .await
    .map_err(|cause| match cause {
        storage::Error::NotFound => HttpError::not_found(&format!(
            "chat, or it has {MAX_QUESTIONS} questions and takes no more"
        )),
        other => refusal(other),
    })?;
    state.inquiries_wake.notify_one();
    Ok(id)
}

async fn member(state: &AppState, headers: &HeaderMap, project: Option<&str>) -> HttpResult<Caller> {
    state
        .auth
        .api_caller(headers, project, Scope::Admin, Role::Member)
        .await
}

/// Begin a chat
///
/// Needs a key with the scope `admin`, or a signed-in member of the project.
#[utoipa::path(post, path = "/api/chats", operation_id = "create_chat", params(ProjectParam),
    request_body = inline(NewChat),
    responses((status = 200, description = "The chat", body = inline(CreatedChat)), BodyErrors))]
pub(crate) async fn create(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    body: Body,
) -> HttpResult<Json<CreatedChat>> {
    let caller = member(&state, &headers, project.as_deref()).await?;
    let body = ingest::read_json(&headers, body, MAX_BODY_BYTES, &state.body_budget).await?;
    let new: NewChat = serde_json::from_slice(&body)
        .map_err(|_other_shape| HttpError::invalid("page", "The body must be {\"page\": \"…\"}"))?;
    let page = page(&new.page)?;
    let id = chats::create(
        &state.db,
        caller.project_id,
        page,
        &caller.key_label,
        clock::now(),
    )
    .await
    .map_err(refusal)?;
    Ok(Json(CreatedChat { id: id.to_string() }))
}

/// Ask in a chat; the answer comes as server-sent events
///
/// `tool` and `text` as they happen, `error` where there is no answer, then `done`. A reader that goes away misses nothing:
/// the chat keeps it. Needs a key with the scope `admin`, or a signed-in member of the project.
#[utoipa::path(post, path = "/api/chats/{id}/messages", operation_id = "ask_in_chat",
    params(("id" = String, Path), ProjectParam), request_body = inline(NewMessage),
    responses((status = 200, description = "The answer", body = String, content_type = "text/event-stream"), NotFound, BodyErrors))]
pub(crate) async fn message(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    InPath(id): InPath<String>,
    request: Request,
) -> HttpResult<Response> {
    let caller = member(&state, &headers, project.as_deref()).await?;
    let chat = parse_id(&id)?;
    let (reader, request) = reader_of(&state.auth, request).await?;
    let body = request.into_body();
    let body = ingest::read_json(&headers, body, MAX_BODY_BYTES, &state.body_budget).await?;
    let new: NewMessage = serde_json::from_slice(&body)
        .map_err(|_other_shape| HttpError::invalid("text", "The body must be {\"text\": \"…\"}"))?;
    let id = ask(&state, &caller, chat, question(&new.text)?).await?;
    let asker = Asker::new(
        &state.auth,
        &headers,
        project.as_deref(),
        (Scope::Admin, Role::Member),
    );
    Ok(stream::events(
        (&state.db, &state.live),
        (reader, asker),
        caller.project_id,
        (id, 0),
    )?
    .into_response())
}

/// Chats, the latest first
#[utoipa::path(get, path = "/api/chats", operation_id = "chats", params(Reader),
    responses((status = 200, description = "The chats", body = inline(ChatList)), ReadErrors))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Reader(caller): Reader,
) -> HttpResult<Json<ChatList>> {
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    let found = chats::list(&mut snapshot, caller.project_id, MAX_CHATS).await?;
    Ok(Json(ChatList {
        items: found.into_iter().map(ChatAnswer::from).collect(),
        next_cursor: None,
    }))
}

/// One chat with everything that was said
#[utoipa::path(get, path = "/api/chats/{id}", operation_id = "chat", params(("id" = String, Path), Reader),
    responses((status = 200, description = "The chat", body = inline(ChatWithMessages)), NotFound, ReadErrors))]
pub(crate) async fn get(
    State(state): State<AppState>,
    Reader(caller): Reader,
    InPath(id): InPath<String>,
) -> HttpResult<Json<ChatWithMessages>> {
    let (project, chat) = (caller.project_id, parse_id(&id)?);
    let mut snapshot = state.db.snapshot(project).await?;
    let found = chats::get(&mut snapshot, project, chat).await?;
    let asked = inquiries::of_chat(&mut snapshot, project, chat, MAX_QUESTIONS).await?;
    let mut messages = Vec::new();
    for inquiry in asked {
        let events = inquiries::shown_events(&mut snapshot, project, inquiry.id, 0).await?;
        let Subject::Chat { question, .. } = &inquiry.subject else {
            continue;
        };
        messages.push(MessageAnswer {
            question: question.clone(),
            answer: InquiryAnswer::of(&inquiry, &events),
        });
    }
    Ok(Json(ChatWithMessages {
        chat: found.into(),
        messages,
    }))
}

/// Delete a chat with everything that was said
///
/// Needs a key with the scope `admin`, or a signed-in member of the project.
#[utoipa::path(delete, path = "/api/chats/{id}", operation_id = "delete_chat",
    params(("id" = String, Path), ProjectParam),
    responses((status = 200, description = "It is gone", body = inline(DeletedChat)), NotFound, ReadErrors))]
pub(crate) async fn delete(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    InPath(id): InPath<String>,
) -> HttpResult<Json<DeletedChat>> {
    let caller = member(&state, &headers, project.as_deref()).await?;
    let (project, chat) = (caller.project_id, parse_id(&id)?);
    chats::delete(&state.db, project, chat, &caller.key_label, clock::now()).await?;
    Ok(Json(DeletedChat { id, deleted: true }))
}
