//! `GET /api/sessions`, `/api/sessions/{id}`, `/api/users`, `/api/users/{id}`: runs grouped by the application's own ids.

use axum::Json;
use axum::extract::State;
use domain::run::{GroupOrder, RunGroup, RunGrouping};
use domain::{NanoUsd, RunFilter, Severity, Timestamp, TokenUsage};
use serde::{Deserialize, Serialize};
use storage::Db;
use storage::runs::groups::{self, GroupQuery};
use utoipa::{IntoParams, ToSchema};

use super::query::{Bounded, InPath, InQuery, Params, Reader};
use super::runs::{Run, RunFilterParams, absent};
use crate::auth::Caller;
use crate::clock;
use crate::error::{HttpError, HttpResult, NotFound, ReadErrors};

/// The most runs of one answer; `runs` of the session or user says how many there are.
const MAX_RUNS: u32 = 1_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct GroupParams {
    /// How many.
    #[serde(default)]
    #[param(inline)]
    limit: Bounded<50, { storage::runs::MAX_PAGE }>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// The last seen first, or the most expensive; sessions begin with the last seen, users with the most expensive.
    order: Option<GroupOrder>,
}

/// A page of sessions or users.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GroupList {
    items: Vec<Group>,
    /// The parameter `cursor` of the next page; null on the last one.
    next_cursor: Option<String>,
    /// Set where the window has more runs than are grouped: everything is about those that began since then.
    grouped_since: Option<Timestamp>,
}

/// What the runs of one session or one user are together.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Group {
    /// The application's id of the session or the user.
    id: String,
    /// The user of a session; of a user the same as `id`.
    user_id: Option<String>,
    /// How many sessions a user has; of a session 1.
    sessions: i64,
    /// Label of the key that sent it.
    key: String,
    /// How many runs.
    runs: i64,
    /// Runs of which a top-level step failed.
    failed_runs: i64,
    /// Runs that are not complete.
    running_runs: i64,
    /// Steps of all kinds.
    steps: i64,
    /// Failed steps.
    errors: i64,
    /// Model calls.
    calls: i64,
    tokens: TokenUsage,
    /// The sum of what is known, in dollars, as a decimal text; null when nothing is.
    cost_usd: Option<String>,
    /// The same in billionths of a dollar.
    cost_nano_usd: Option<NanoUsd>,
    /// Steps that cost something nobody knows.
    unpriced_steps: i64,
    /// The worst of its steps.
    severity: Severity,
    /// Start of its first run in the window.
    first_seen_at: Timestamp,
    /// End of what ended last in the window.
    last_seen_at: Timestamp,
}

impl From<RunGroup> for Group {
    fn from(group: RunGroup) -> Self {
        Self {
            cost_usd: group.cost_nano_usd.map(NanoUsd::to_decimal),
            id: group.id,
            user_id: group.user_id,
            sessions: group.sessions,
            key: group.key_label,
            runs: group.runs,
            failed_runs: group.failed_runs,
            running_runs: group.running_runs,
            steps: group.steps,
            errors: group.errors,
            calls: group.calls,
            tokens: group.tokens,
            cost_nano_usd: group.cost_nano_usd,
            unpriced_steps: group.unpriced_steps,
            severity: group.severity,
            first_seen_at: group.first_seen_at,
            last_seen_at: group.last_seen_at,
        }
    }
}

/// A session or a user with its runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GroupWithRuns {
    /// Over all runs that are kept.
    group: Group,
    /// Its runs from the first, at most 1,000; `/api/runs` pages through all.
    runs: Vec<Run>,
}

/// Sessions
///
/// The runs that the parameters leave, grouped by session; `status` and `severity` narrow the sessions instead: those with
/// a run in that state, those whose worst step has that severity.
#[utoipa::path(get, path = "/api/sessions", operation_id = "list_sessions", params(GroupParams, RunFilterParams, Reader),
    responses((status = 200, description = "A page", body = inline(GroupList)), ReadErrors))]
pub(crate) async fn sessions(
    State(db): State<Db>,
    Reader(caller): Reader,
    Params(params): Params<GroupParams>,
    InQuery(filter): InQuery,
) -> HttpResult<Json<GroupList>> {
    list(&db, &caller, RunGrouping::Session, &params, &filter).await
}

/// Users
///
/// The end users of the application: the runs that the parameters leave, grouped by user; `status` and `severity` narrow
/// the users instead, as they do sessions.
#[utoipa::path(get, path = "/api/users", operation_id = "list_users", params(GroupParams, RunFilterParams, Reader),
    responses((status = 200, description = "A page", body = inline(GroupList)), ReadErrors))]
pub(crate) async fn users(
    State(db): State<Db>,
    Reader(caller): Reader,
    Params(params): Params<GroupParams>,
    InQuery(filter): InQuery,
) -> HttpResult<Json<GroupList>> {
    list(&db, &caller, RunGrouping::User, &params, &filter).await
}

async fn list(
    db: &Db,
    caller: &Caller,
    grouping: RunGrouping,
    params: &GroupParams,
    filter: &RunFilter,
) -> HttpResult<Json<GroupList>> {
    let cursor = params.cursor.as_deref();
    if cursor.is_some_and(|cursor| !groups::is_cursor(cursor)) {
        return Err(HttpError::invalid(
            "cursor",
            "cursor must be the next_cursor of an earlier answer",
        ));
    }
    if filter.attribute.is_some() {
        return Err(HttpError::invalid(
            "attribute",
            "attribute narrows runs only: ask /api/runs",
        ));
    }
    let wanted = GroupQuery {
        grouping,
        filter,
        order: params.order.unwrap_or(match grouping {
            RunGrouping::Session => GroupOrder::Latest,
            RunGrouping::User => GroupOrder::Costliest,
        }),
        cursor,
        limit: params.limit.0,
    };
    let now = clock::now();
    let project = caller.project_id;
    let mut snapshot = db.snapshot(project).await?;
    let (page, totals) = groups::list(&mut snapshot, project, wanted, now).await?;
    Ok(Json(GroupList {
        items: page.items.into_iter().map(Group::from).collect(),
        next_cursor: page.next_cursor,
        grouped_since: totals.grouped_since,
    }))
}

/// One session with its runs
#[utoipa::path(get, path = "/api/sessions/{session_id}", operation_id = "get_session",
    params(("session_id" = String, Path, description = "The application's session id"), Reader),
    responses((status = 200, description = "The session", body = inline(GroupWithRuns)), NotFound, ReadErrors))]
pub(crate) async fn session(
    State(db): State<Db>,
    Reader(caller): Reader,
    InPath(id): InPath<String>,
) -> HttpResult<Json<GroupWithRuns>> {
    get(&db, &caller, RunGrouping::Session, &id).await
}

/// One user with their runs
#[utoipa::path(get, path = "/api/users/{user_id}", operation_id = "get_user",
    params(("user_id" = String, Path, description = "The application's user id"), Reader),
    responses((status = 200, description = "The user", body = inline(GroupWithRuns)), NotFound, ReadErrors))]
pub(crate) async fn user(
    State(db): State<Db>,
    Reader(caller): Reader,
    InPath(id): InPath<String>,
) -> HttpResult<Json<GroupWithRuns>> {
    get(&db, &caller, RunGrouping::User, &id).await
}

async fn get(db: &Db, caller: &Caller, grouping: RunGrouping, id: &str) -> HttpResult<Json<GroupWithRuns>> {
    let project = caller.project_id;
    let mut snapshot = db.snapshot(project).await?;
    let group = groups::get(&mut snapshot, project, grouping, id, clock::now())
        .await
        .map_err(|cause| absent(cause, grouping.as_str()))?;
    let runs = groups::runs(&mut snapshot, project, grouping, id, MAX_RUNS).await?;
    Ok(Json(GroupWithRuns {
        group: group.into(),
        runs: runs.into_iter().map(Run::from).collect(),
    }))
}
