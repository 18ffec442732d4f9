//! `GET /api/audit`: who did what, as JSON or CSV.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use domain::audit::{AuditCursor, AuditFilter, AuditRow};
use domain::{Role, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use storage::audit;
use utoipa::{IntoParams, ToSchema};

use super::csv::{self, Format};
use super::query::{Bounded, Flag, Params};
use crate::error::{HttpError, HttpResult, ReadErrors};
use crate::state::AppState;

const DEFAULT_ROWS: u32 = 100;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditParams {
    /// Part of who did it, or of to whom it was done.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    who: String,
    /// An action such as `key.revoke`, or a group such as `sign_in`.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    what: String,
    /// Not before.
    from: Option<Timestamp>,
    /// Before.
    to: Option<Timestamp>,
    /// As CSV 10,000 where it is not given.
    #[param(inline)]
    limit: Option<Bounded<{ DEFAULT_ROWS }, { audit::MAX_ROWS }>>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// `csv` for a file: its header `x-next-cursor` says where rows follow that are not in it.
    #[serde(default)]
    #[param(inline, value_type = Option<Format>)]
    format: Format,
    /// `true` for the server and all projects, also deleted ones; for admins of the server.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    instance: Flag,
    /// Slug of the project, for signed-in people; a key knows its own.
    project: Option<String>,
}

/// Newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditPage {
    items: Vec<AuditRow>,
    /// The parameter `cursor` of the next page; null on the last one. With `who` or `what` a page looks through 100,000
    /// rows at most, so that one with few rows, or none, may have a next one.
    next_cursor: Option<String>,
}

/// Who did what: sign-ins, accounts, members, keys, settings, deletions; newest first
///
/// Of a project for its admins and for keys with the scope `admin`. With `instance=true` of the server and of all
/// projects, also deleted ones, for admins of the server.
#[utoipa::path(get, path = "/api/audit", operation_id = "audit", params(AuditParams),
    responses(
        (status = 200, description = "The rows", content(
            (inline(AuditPage) = "application/json"),
            (String = "text/csv"),
        )),
        ReadErrors,
    ))]
pub(crate) async fn list(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(params): Params<AuditParams>,
) -> HttpResult<Response> {
    let Flag(of_instance) = params.instance;
    let project = if of_instance {
        state.auth.instance_admin(&headers).await?;
        None
    } else {
        let slug = params.project.as_deref();
        let caller = state
            .auth
            .api_caller(&headers, slug, Scope::Admin, Role::Admin)
            .await?;
        Some(caller.project_id)
    };
    let cursor = params.cursor.as_deref().map(str::parse).transpose();
    let cursor: Option<AuditCursor> = cursor
        .map_err(|_invalid| HttpError::invalid("cursor", "cursor must be a next_cursor of this list"))?;
    let filter = AuditFilter {
        who: params.who,
        what: params.what,
        from: params.from,
        to: params.to,
    };
    let default = match params.format {
        Format::Csv => audit::MAX_ROWS,
        Format::Json => DEFAULT_ROWS,
    };
    let limit = params.limit.map_or(default, |Bounded(limit)| limit);
    let mut snapshot = match project {
        Some(project) => state.db.snapshot(project).await?,
        None => state.db.snapshot_of_everything().await?,
    };
    let page = audit::page(&mut snapshot, project, &filter, cursor, limit).await?;
    let next = page.next.map(|next| next.to_string());
    let mut response = match params.format {
        Format::Csv => csv_response(&page.rows, next.as_deref()),
        Format::Json => Json(AuditPage {
            items: page.rows,
            next_cursor: next,
        })
        .into_response(),
    };
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// A file. Where rows follow that are not in it, `x-next-cursor` says where they begin.
fn csv_response(rows: &[AuditRow], next: Option<&str>) -> Response {
    let mut text = "at,project,who,what,to_what,details\r\n".to_owned();
    for row in rows {
        let cells = [
            row.at.to_string(),
            row.project.clone().unwrap_or_default(),
            row.actor.clone(),
            row.action.clone(),
            row.subject.clone(),
            row.details.to_string(),
        ];
        text.push_str(&cells.map(|cell| csv::quoted(&cell)).join(","));
        text.push_str("\r\n");
    }
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(csv::CONTENT_TYPE));
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"plumbline-audit.csv\""),
    );
    if let Some(next) = next.and_then(|next| HeaderValue::from_str(next).ok()) {
        headers.insert("x-next-cursor", next);
    }
    response
}
