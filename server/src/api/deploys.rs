//! `POST /api/deploys`, `GET /api/deploys`, `GET` and `DELETE /api/deploys/{id}`: what shipped, and what it moved.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::deploy::{Deploy, DeployRecord, DeployStatus, FirstSeen, is_release_of, parse_sha};
use domain::{Role, Scope, Timestamp};
use engine::rollout::{self, REACH_MICROS, RolloutEffect};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use storage::Db;
use storage::deploys::{self, DeployFilter, MAX_PAGE};
use utoipa::{IntoParams, ToSchema};

use super::query::{Bounded, InPath, Params, ProjectParam, Reader};
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, NotFound, ReadErrors};
use crate::ingest;
use crate::state::AppState;

/// Largest body of a record: a long title and a few names.
const MAX_RECORD_BYTES: usize = 64 * 1024;
/// Longest id, in bytes: it is part of an address.
const MAX_ID_BYTES: usize = 200;
/// Longest of the other texts, in characters.
const MAX_TEXT_CHARS: usize = 500;

/// A page of the list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct DeployList {
    pub(crate) items: Vec<Deploy>,
    /// The parameter `cursor` of the next page; null on the last one.
    pub(crate) next_cursor: Option<String>,
}

/// What shipped. What is left out is not known, or was said before.
#[derive(ToSchema)]
#[schema(as = NewDeploy)]
#[expect(dead_code, reason = "only described; `record_from_json` reads it")]
struct DeployBody {
    /// Identity; made of sha and environment where it is not sent.
    #[schema(max_length = 200)]
    id: Option<String>,
    /// Of the commit, short or full, in any case.
    #[schema(min_length = 7, max_length = 64, pattern = "^[0-9a-fA-F]+$")]
    sha: String,
    /// `success` where nothing was said before.
    status: Option<DeployStatus>,
    #[schema(max_length = 500)]
    title: Option<String>,
    #[schema(minimum = 1)]
    pr_number: Option<i64>,
    #[schema(max_length = 500)]
    author: Option<String>,
    /// Begins with http:// or https://
    #[schema(max_length = 500)]
    url: Option<String>,
    #[schema(max_length = 500)]
    environment: Option<String>,
    /// `owner/name`.
    #[schema(max_length = 500)]
    repo: Option<String>,
    #[schema(max_length = 500)]
    branch: Option<String>,
    /// When its rollout began.
    started_at: Option<Timestamp>,
    /// When it was live everywhere; the time of receipt where it is not sent.
    completed_at: Option<Timestamp>,
}

/// Write down what shipped, or correct it
///
/// The same record twice is one deploy. Needs a key with the scope `deploy`, or a signed-in member of the project.
#[utoipa::path(post, path = "/api/deploys", operation_id = "record_deploy", params(ProjectParam),
    request_body = inline(DeployBody),
    responses((status = 200, description = "What is known of it now", body = Deploy), BodyErrors))]
pub(crate) async fn record(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    body: Body,
) -> HttpResult<Json<Deploy>> {
    let caller = state
        .auth
        .api_caller(&headers, project.as_deref(), Scope::Deploy, Role::Member)
        .await?;
    let body = ingest::read_json(&headers, body, MAX_RECORD_BYTES, &state.body_budget).await?;
    let body: Map<String, Value> = serde_json::from_slice(&body)
        .map_err(|_not_an_object| HttpError::invalid("body", "The body must be a JSON object"))?;
    let record = record_from_json(&body)?;
    let deploy = deploys::record(
        &state.db,
        caller.project_id,
        record,
        &caller.key_label,
        clock::now(),
    )
    .await?;
    Ok(Json(deploy))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeployParams {
    /// Live then or later.
    from: Option<Timestamp>,
    /// Live before.
    to: Option<Timestamp>,
    /// The beginning of its sha, at least 7 digits, or a longer form.
    sha: Option<String>,
    /// How many.
    #[serde(default)]
    #[param(inline)]
    limit: Bounded<100, { MAX_PAGE }>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What shipped, the latest first
#[utoipa::path(get, path = "/api/deploys", operation_id = "deploys", params(DeployParams, Reader),
    responses((status = 200, description = "The deploys", body = inline(DeployList)), ReadErrors))]
pub(crate) async fn list(
    State(db): State<Db>,
    Reader(caller): Reader,
    Params(params): Params<DeployParams>,
) -> HttpResult<Json<DeployList>> {
    let sha = params
        .sha
        .map(|text| parse_sha(&text).ok_or_else(|| HttpError::invalid("sha", SHA_MESSAGE)))
        .transpose()?;
    let filter = DeployFilter {
        from: params.from,
        to: params.to,
        sha,
    };
    let Bounded(limit) = params.limit;
    let mut snapshot = db.snapshot(caller.project_id).await?;
    let cursor = params.cursor.as_deref();
    let page = deploys::list(&mut snapshot, caller.project_id, &filter, cursor, limit).await?;
    Ok(Json(DeployList {
        items: page.items,
        next_cursor: page.next_cursor,
    }))
}

/// A deploy with what it moved.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct DeployAnswer {
    #[serde(flatten)]
    pub(crate) deploy: Deploy,
    #[serde(flatten)]
    pub(crate) effect: RolloutEffect,
    /// The releases that ran around it.
    releases: Vec<ReleaseAnswer>,
    /// What calls named for the first time since its rollout began.
    first_seen: Vec<FirstSeen>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct ReleaseAnswer {
    release: String,
    /// Whether it is this deploy.
    is_this: bool,
    calls: i64,
    errors: i64,
    cost_per_call_nano_usd: Option<i64>,
    first_hour: Timestamp,
    last_hour: Timestamp,
}

/// One deploy: every measure before and after, by key and step, and what ran around it
#[utoipa::path(get, path = "/api/deploys/{id}", operation_id = "deploy", params(("id" = String, Path), Reader),
    responses((status = 200, description = "The deploy", body = inline(DeployAnswer)), NotFound, ReadErrors))]
pub(crate) async fn get(
    State(db): State<Db>,
    Reader(caller): Reader,
    InPath(id): InPath<String>,
) -> HttpResult<Json<DeployAnswer>> {
    let project = caller.project_id;
    let mut snapshot = db.snapshot(project).await?;
    let deploy = deploys::get(&mut snapshot, project, &id).await?;
    let neighbours = deploys::around(&mut snapshot, project, &deploy, REACH_MICROS).await?;
    let windows = rollout::windows(&deploy, &neighbours, clock::now());
    let rows = storage::series::windows(&mut snapshot, project, &windows.sides()).await?;
    let effect = rollout::rollout_effect(windows, &rows);
    let (from, to) = (windows.before_from, windows.after_to);
    let releases = deploys::releases(&mut snapshot, project, from, to, &deploy.sha).await?;
    let releases = releases.into_iter().map(|release| ReleaseAnswer {
        is_this: is_release_of(&release.release, &deploy.sha),
        cost_per_call_nano_usd: release.cost_per_call().map(|cost| cost.0),
        release: release.release,
        calls: release.calls,
        errors: release.errors,
        first_hour: release.first_hour,
        last_hour: release.last_hour,
    });
    let first_seen = deploys::first_seen(&mut snapshot, project, deploy.began_at(), windows.after_to).await?;
    Ok(Json(DeployAnswer {
        first_seen,
        releases: releases.collect(),
        deploy,
        effect,
    }))
}

/// Which deploy is forgotten.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletedDeploy {
    id: String,
    /// Always true.
    deleted: bool,
}

/// Forget a deploy
///
/// Needs a key with the scope `deploy`, or a signed-in member of the project.
#[utoipa::path(delete, path = "/api/deploys/{id}", operation_id = "delete_deploy",
    params(("id" = String, Path), ProjectParam),
    responses((status = 200, description = "It is forgotten", body = inline(DeletedDeploy)), NotFound, ReadErrors))]
pub(crate) async fn delete(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    InPath(id): InPath<String>,
) -> HttpResult<Json<DeletedDeploy>> {
    let caller = state
        .auth
        .api_caller(&headers, project.as_deref(), Scope::Deploy, Role::Member)
        .await?;
    deploys::delete(&state.db, caller.project_id, &id, &caller.key_label, clock::now()).await?;
    Ok(Json(DeletedDeploy { id, deleted: true }))
}

const SHA_MESSAGE: &str = "sha must be 7 to 64 hexadecimal digits";

fn record_from_json(body: &Map<String, Value>) -> HttpResult<DeployRecord> {
    let sha = text(body, "sha")?.ok_or_else(|| HttpError {
        code: "missing_field",
        ..HttpError::invalid("sha", "sha is missing")
    })?;
    let sha = parse_sha(&sha).ok_or_else(|| HttpError::invalid("sha", SHA_MESSAGE))?;
    let id = text(body, "id")?;
    if id.as_ref().is_some_and(|id| id.len() > MAX_ID_BYTES) {
        return Err(HttpError::invalid(
            "id",
            format!("id must be at most {MAX_ID_BYTES} bytes"),
        ));
    }
    let status = match text(body, "status")? {
        None => None,
        Some(word) => Some(DeployStatus::parse(&word).ok_or_else(|| {
            let words: Vec<_> = DeployStatus::ALL.iter().map(|status| status.as_str()).collect();
            HttpError::invalid("status", format!("status must be one of {}", words.join(", ")))
        })?),
    };
    let url = text(body, "url")?;
    // It becomes a link on a page.
    let is_web = |url: &String| url.starts_with("https://") || url.starts_with("http://");
    if url.as_ref().is_some_and(|url| !is_web(url)) {
        return Err(HttpError::invalid(
            "url",
            "url must begin with https:// or http://",
        ));
    }
    let pr_number = match body.get("pr_number").filter(|value| !value.is_null()) {
        None => None,
        Some(value) => Some(
            value
                .as_i64()
                .filter(|number| *number > 0)
                .ok_or_else(|| HttpError::invalid("pr_number", "pr_number must be a positive integer"))?,
        ),
    };
    let (started_at, completed_at) = (time(body, "started_at")?, time(body, "completed_at")?);
    if let (Some(started), Some(completed)) = (started_at, completed_at)
        && completed < started
    {
        return Err(HttpError::invalid(
            "completed_at",
            "completed_at lies before started_at",
        ));
    }
    Ok(DeployRecord {
        id,
        sha,
        status,
        title: text(body, "title")?,
        pr_number,
        author: text(body, "author")?,
        url,
        environment: text(body, "environment")?,
        repo: text(body, "repo")?,
        branch: text(body, "branch")?,
        started_at,
        completed_at,
    })
}

/// A text; `None` when absent, null or blank.
fn text(body: &Map<String, Value>, name: &'static str) -> HttpResult<Option<String>> {
    let text = match body.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.trim(),
        Some(_) => return Err(HttpError::invalid(name, format!("{name} must be a string"))),
    };
    if text.chars().count() > MAX_TEXT_CHARS || text.contains('\0') {
        let message = format!("{name} must be at most {MAX_TEXT_CHARS} characters, none of them NUL");
        return Err(HttpError::invalid(name, message));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn time(body: &Map<String, Value>, name: &'static str) -> HttpResult<Option<Timestamp>> {
    let Some(text) = text(body, name)? else {
        return Ok(None);
    };
    let message = || format!("{name} must be an RFC 3339 time such as 2026-11-21T09:00:00Z");
    Timestamp::parse_rfc3339(&text)
        .map(Some)
        .ok_or_else(|| HttpError::invalid(name, message()))
}
