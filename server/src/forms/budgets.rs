//! What a month may cost.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::{NanoUsd, Role};

use super::{Failed, Fields, lead};
use crate::auth::Visitor;
use crate::clock;
use crate::error::HttpResult;
use crate::state::AppState;
use crate::step_builder::MAX_WORD_BYTES;

/// `POST /p/{slug}/settings/budgets`: sets the budget of the project, or of the key whose label is said.
pub(super) async fn set(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = format!("/p/{}/settings/budgets", project.slug);
    let done = async {
        let monthly = fields.text("monthly").trim_start_matches('$');
        let monthly = NanoUsd::parse_decimal(monthly).filter(|monthly| monthly.0 > 0);
        let monthly = monthly.ok_or(Failed::Field("budget"))?;
        let label = label(&fields)?;
        let (actor, now) = (visitor.name_in_log(), clock::now());
        storage::budgets::set(&state.db, project.id, label, Some(monthly), &actor, now).await?;
        Ok(format!("{page}?done=saved"))
    };
    let done = done.await;
    lead(&page, done)
}

/// `POST /p/{slug}/settings/budgets/remove`: takes one away.
pub(super) async fn remove(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = format!("/p/{}/settings/budgets", project.slug);
    let done = async {
        let label = label(&fields)?;
        let (actor, now) = (visitor.name_in_log(), clock::now());
        match storage::budgets::set(&state.db, project.id, label, None, &actor, now).await {
            Err(storage::Error::NotFound) => Err(Failed::Field("not_found")),
            done => Ok(done?),
        }?;
        Ok(format!("{page}?done=budget_removed"))
    };
    let done = done.await;
    lead(&page, done)
}

/// The label of a key; none is the project.
fn label(fields: &Fields) -> Result<Option<&str>, Failed> {
    let label = fields.text("label");
    if label.len() > MAX_WORD_BYTES || label.chars().any(char::is_control) {
        return Err(Failed::Field("label"));
    }
    Ok(Some(label).filter(|label| !label.is_empty()))
}
