//! What people say about conditions: real or noise, and which code is to be silent.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::{Role, Verdict};
use storage::feedback::{self, ConditionRef};

use super::Fields;
use crate::api::scoring;
use crate::auth::Visitor;
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::local_path::local_path;
use crate::state::AppState;

/// `POST /p/{slug}/conditions/feedback` {run, step, code, verdict, next}: `real`, `noise`, or `none` to take it back.
pub(super) async fn mark(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Member)?;
    let db = &state.db;
    let condition = ConditionRef {
        run_id: fields.raw("run"),
        step_id: fields.raw("step"),
        code: code(&fields)?,
    };
    let actor = visitor.name_in_log();
    match fields.text("verdict") {
        // Taken back already, from another page: nothing is left to do.
        "none" => match feedback::clear(db, project.id, condition, &actor, clock::now()).await {
            Ok(()) | Err(storage::Error::NotFound) => {}
            Err(error) => return Err(error.into()),
        },
        word => {
            let verdict = Verdict::parse(word)
                .ok_or_else(|| HttpError::invalid("verdict", "verdict is real, noise or none"))?;
            feedback::set(db, project.id, condition, verdict, &actor, clock::now()).await?;
        }
    }
    Ok(Redirect::to(&back(project.slug.as_str(), &fields)))
}

/// `POST /p/{slug}/conditions/mute` {code, muted, next}: `muted` is 1, or 0 to undo it. Steps that come from now on
/// are judged without the code; what is stored stays.
pub(super) async fn mute(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let code = code(&fields)?;
    let is_muted = match fields.text("muted") {
        "1" => true,
        "0" => false,
        _ => return Err(HttpError::invalid("muted", "muted is 0 or 1")),
    };
    scoring::mute(&state, project.id, visitor.name_in_log(), code, is_muted).await?;
    let next = back(project.slug.as_str(), &fields);
    let (path, fragment) = next.split_once('#').unwrap_or((&next, ""));
    let joint = if path.contains('?') { '&' } else { '?' };
    let word = if is_muted { "muted" } else { "unmuted" };
    let fragment = if fragment.is_empty() {
        String::new()
    } else {
        format!("#{fragment}")
    };
    Ok(Redirect::to(&format!("{path}{joint}{word}={code}{fragment}")))
}

fn code(fields: &Fields) -> HttpResult<u16> {
    let code = fields.text("code").parse().ok();
    code.filter(|code| engine::codes::find(*code).is_some())
        .ok_or_else(|| HttpError::invalid("code", "code is the number of a rule, such as 2001"))
}

/// Where the form was sent from, else the anomalies page.
fn back(slug: &str, fields: &Fields) -> String {
    match local_path(fields.raw("next")).as_str() {
        "/" => format!("/p/{slug}/anomalies"),
        next => next.to_owned(),
    }
}
