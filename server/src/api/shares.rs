//! `POST`, `GET /api/runs/{run_id}/shares`, `GET /api/shares`, `DELETE /api/shares/{id}`: links that show one run to people
//! without an account.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::share::{DEFAULT_SHARE_DAYS, MAX_SHARE_DAYS};
use domain::{Role, Scope, Share, ShareContent, Timestamp};
use serde::{Deserialize, Serialize};
use storage::Db;
use storage::shares::{self, NewShare};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::query::{Bounded, InPath, Params, ProjectParam, Reader};
use crate::auth::token::{random_token, token_sha256};
use crate::clock;
use crate::error::{BodyErrors, HttpError, HttpResult, NotFound, ReadErrors};
use crate::state::AppState;
use crate::web;

const DAY_MICROS: i64 = 86_400 * 1_000_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ShareParams {
    /// How many links.
    #[serde(default)]
    #[param(inline)]
    limit: Bounded<100, { shares::MAX_ROWS }>,
}

/// What a new link is to show, and for how long.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShareWish {
    /// Of prompts, answers, attributes, events and errors.
    #[serde(default = "masked")]
    #[schema(default = "masked")]
    content: ShareContent,
    /// Days, from 1 to 365.
    #[serde(default = "default_days")]
    #[schema(minimum = 1, maximum = 365, default = 7)]
    expires_in_days: u32,
    /// Leave out session, user and tags.
    #[serde(default = "yes")]
    #[schema(default = true)]
    without_people: bool,
    /// Leave out the key's label.
    #[serde(default = "yes")]
    #[schema(default = true)]
    without_key: bool,
}

const fn masked() -> ShareContent {
    ShareContent::Masked
}

const fn default_days() -> u32 {
    DEFAULT_SHARE_DAYS
}

const fn yes() -> bool {
    true
}

/// Links, newest first; those that open nothing any more as well.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShareList {
    items: Vec<ShareAnswer>,
}

/// A link to a run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShareAnswer {
    #[schema(value_type = String, format = "uuid")]
    id: Uuid,
    run_id: String,
    content: ShareContent,
    /// Session, user and tags are left out.
    without_people: bool,
    /// The key's label is left out.
    without_key: bool,
    /// `works`, `expired` or `revoked`.
    #[schema(value_type = String)]
    state: &'static str,
    created_by: String,
    created_at: Timestamp,
    expires_at: Timestamp,
    revoked_at: Option<Timestamp>,
    /// Null when nobody has opened it.
    last_opened_at: Option<Timestamp>,
    /// How often it was opened.
    open_count: i64,
}

impl ShareAnswer {
    fn of(share: Share, now: Timestamp) -> Self {
        Self {
            state: share.state(now).as_str(),
            id: share.id,
            run_id: share.run_id,
            content: share.content,
            without_people: share.leaves_out_people,
            without_key: share.leaves_out_key,
            created_by: share.created_by,
            created_at: share.created_at,
            expires_at: share.expires_at,
            revoked_at: share.revoked_at,
            last_opened_at: share.last_opened_at,
            open_count: share.open_count,
        }
    }
}

/// The link that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MadeShare {
    /// The link itself, which is answered this once: only its hash is kept.
    url: String,
    share: ShareAnswer,
}

/// That a link opens nothing any more.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RevokedShare {
    #[schema(value_type = String, format = "uuid")]
    id: Uuid,
    revoked: bool,
}

/// Make a link to a run
///
/// For people without an account: read only, this run alone. By a key with the scope `admin` or a member of the project.
#[utoipa::path(post, path = "/api/runs/{run_id}/shares", operation_id = "share_run",
    params(("run_id" = String, Path, description = "The client's run id"), ProjectParam),
    request_body = ShareWish,
    responses((status = 200, description = "The link", body = inline(MadeShare)), NotFound, BodyErrors))]
pub(crate) async fn make(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    InPath(run_id): InPath<String>,
    body: Bytes,
) -> HttpResult<Json<MadeShare>> {
    let caller = state
        .auth
        .api_caller(&headers, project.as_deref(), Scope::Admin, Role::Member)
        .await?;
    let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
    let wish: ShareWish = serde_json::from_slice(body)
        .map_err(|error| HttpError::invalid("body", format!("The body is no wish for a link: {error}")))?;
    if !(1..=MAX_SHARE_DAYS).contains(&wish.expires_in_days) {
        let message = format!("expires_in_days must be from 1 to {MAX_SHARE_DAYS}");
        return Err(HttpError::invalid("expires_in_days", message));
    }
    let token =
        random_token().ok_or_else(|| HttpError::internal(anyhow::anyhow!("no randomness for a token")))?;
    let now = clock::now();
    let new = NewShare {
        token_sha256: &token_sha256(&token),
        run_id: &run_id,
        content: wish.content,
        leaves_out_people: wish.without_people,
        leaves_out_key: wish.without_key,
        expires_at: now.plus_micros(i64::from(wish.expires_in_days) * DAY_MICROS),
    };
    let share = match shares::make(&state.db, caller.project_id, new, &caller.key_label, now).await {
        Err(storage::Error::NotFound) => return Err(HttpError::not_found("run")),
        made => made?,
    };
    Ok(Json(MadeShare {
        url: format!("{}/s/{token}", web::origin(&state, &headers)),
        share: ShareAnswer::of(share, now),
    }))
}

/// Links to one run
#[utoipa::path(get, path = "/api/runs/{run_id}/shares", operation_id = "shares_of_run",
    params(("run_id" = String, Path, description = "The client's run id"), ShareParams, Reader),
    responses((status = 200, description = "The links", body = inline(ShareList)), NotFound, ReadErrors))]
pub(crate) async fn of_run(
    State(db): State<Db>,
    Reader(caller): Reader,
    InPath(run_id): InPath<String>,
    Params(params): Params<ShareParams>,
) -> HttpResult<Json<ShareList>> {
    let Bounded(limit) = params.limit;
    let project = caller.project_id;
    let mut snapshot = db.snapshot(project).await?;
    match storage::runs::get(&mut snapshot, project, &run_id).await {
        Err(storage::Error::NotFound) => return Err(HttpError::not_found("run")),
        found => found?,
    };
    let items = shares::list(&mut snapshot, project, Some(&run_id), limit).await?;
    Ok(list_of(items))
}

/// Links to all runs
#[utoipa::path(get, path = "/api/shares", operation_id = "shares", params(ShareParams, Reader),
    responses((status = 200, description = "The links", body = inline(ShareList)), ReadErrors))]
pub(crate) async fn list(
    State(db): State<Db>,
    Reader(caller): Reader,
    Params(params): Params<ShareParams>,
) -> HttpResult<Json<ShareList>> {
    let Bounded(limit) = params.limit;
    let mut snapshot = db.snapshot(caller.project_id).await?;
    let items = shares::list(&mut snapshot, caller.project_id, None, limit).await?;
    Ok(list_of(items))
}

fn list_of(items: Vec<Share>) -> Json<ShareList> {
    let now = clock::now();
    let items = items
        .into_iter()
        .map(|share| ShareAnswer::of(share, now))
        .collect();
    Json(ShareList { items })
}

/// Take a link back
#[utoipa::path(delete, path = "/api/shares/{id}", operation_id = "revoke_share",
    params(("id" = String, Path), ProjectParam),
    responses((status = 200, description = "It opens nothing any more", body = inline(RevokedShare)), NotFound, ReadErrors))]
pub(crate) async fn revoke(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(ProjectParam { project }): Params<ProjectParam>,
    InPath(id): InPath<String>,
) -> HttpResult<Json<RevokedShare>> {
    let caller = state
        .auth
        .api_caller(&headers, project.as_deref(), Scope::Admin, Role::Member)
        .await?;
    let id: Uuid = id.parse().map_err(|_malformed| HttpError::not_found("link"))?;
    match shares::revoke(&state.db, caller.project_id, id, &caller.key_label, clock::now()).await {
        Err(storage::Error::NotFound) => Err(HttpError::not_found("link")),
        done => Ok(done?),
    }?;
    Ok(Json(RevokedShare { id, revoked: true }))
}
