//! Changing what is hidden before anything is stored.

use app::RedactionDraft;
use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::Role;

use super::{Failed, Fields, lead};
use crate::api::redaction::replace;
use crate::auth::Visitor;
use crate::error::HttpResult;
use crate::state::AppState;

/// `POST /p/{slug}/settings/redaction`: all of the settings. What can't be used leads back to what was typed.
pub(super) async fn save(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = format!("/p/{}/settings/redaction", project.slug);
    let pairs = fields
        .0
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let settings = RedactionDraft::settings(pairs);
    let typed = format!("{page}?{}", RedactionDraft::query(&settings));
    let done = async {
        settings
            .check()
            .map_err(|_said_on_the_page| Failed::Field("redaction"))?;
        replace(&state, project.id, &visitor.name_in_log(), &settings).await?;
        Ok(format!("{page}?done=redaction"))
    };
    let done = done.await;
    lead(&typed, done)
}
