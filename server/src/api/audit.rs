//! `GET /api/audit`: who did what, as JSON or CSV.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use domain::audit::{AuditCursor, AuditFilter, AuditRow};
use domain::{Role, Scope};
use serde_json::json;
use storage::audit;

use super::query::Params;
use crate::error::{HttpError, HttpResult};
use crate::state::AppState;

const DEFAULT_ROWS: u32 = 100;

/// The rows of a project, for its admins and for keys with the scope `admin`; with `instance=true` those of the server
/// and of all projects, for admins of the server.
pub(crate) async fn list(
    State(state): State<AppState>,
    headers: HeaderMap,
    params: Params,
) -> HttpResult<Response> {
    let project = match params.get("instance") {
        Some("true") => {
            state.auth.instance_admin(&headers).await?;
            None
        }
        Some("false") | None => {
            let slug = params.get("project");
            let caller = state
                .auth
                .api_caller(&headers, slug, Scope::Admin, Role::Admin)
                .await?;
            Some(caller.project_id)
        }
        Some(_) => return Err(HttpError::invalid("instance", "instance must be true or false")),
    };
    let as_csv = match params.get("format") {
        Some("csv") => true,
        Some("json") | None => false,
        Some(_) => return Err(HttpError::invalid("format", "format must be json or csv")),
    };
    let cursor = params.get("cursor").map(str::parse).transpose();
    let cursor: Option<AuditCursor> = cursor
        .map_err(|_invalid| HttpError::invalid("cursor", "cursor must be a next_cursor of this list"))?;
    let filter = AuditFilter {
        who: params.get("who").unwrap_or_default().to_owned(),
        what: params.get("what").unwrap_or_default().to_owned(),
        from: params.time("from")?,
        to: params.time("to")?,
    };
    let default = if as_csv { audit::MAX_ROWS } else { DEFAULT_ROWS };
    let limit = params.limit(default, audit::MAX_ROWS)?;
    let mut snapshot = match project {
        Some(project) => state.db.snapshot(project).await?,
        None => state.db.snapshot_of_everything().await?,
    };
    let rows = audit::page(&mut snapshot, project, &filter, cursor, limit).await?;
    let is_full = u32::try_from(rows.len()).is_ok_and(|rows| rows >= limit);
    let next = rows.last().filter(|_| is_full).map(|last| {
        AuditCursor {
            at: last.at,
            id: last.id,
        }
        .to_string()
    });
    let mut response = if as_csv {
        csv_response(&rows, next.as_deref())
    } else {
        Json(json!({ "items": rows, "next_cursor": next })).into_response()
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
        for (i, cell) in cells.iter().enumerate() {
            if i > 0 {
                text.push(',');
            }
            push_cell(&mut text, cell);
        }
        text.push_str("\r\n");
    }
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/csv; charset=utf-8"),
    );
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"plumbline-audit.csv\""),
    );
    if let Some(next) = next.and_then(|next| HeaderValue::from_str(next).ok()) {
        headers.insert("x-next-cursor", next);
    }
    response
}

/// Quoted, and never a formula: spreadsheets run what begins like one, and names and addresses come from anybody.
fn push_cell(text: &mut String, cell: &str) {
    text.push('"');
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        text.push('\'');
    }
    text.push_str(&cell.replace('"', "\"\""));
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formulas() {
        let check = |cell: &str, expected: &str| {
            let mut text = String::new();
            push_cell(&mut text, cell);
            assert_eq!(text, expected);
        };
        check("a,b", "\"a,b\"");
        check("say \"x\"\r\n", "\"say \"\"x\"\"\r\n\"");
        check("=HYPERLINK(1)", "\"'=HYPERLINK(1)\"");
        check("@x", "\"'@x\"");
    }
}
