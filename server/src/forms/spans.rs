//! Which spans of OpenTelemetry a project keeps.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::Role;

use super::{Fields, lead};
use crate::auth::Visitor;
use crate::clock;
use crate::error::HttpResult;
use crate::state::AppState;

/// `POST /p/{slug}/settings/spans` {keep_plain?}: a box that is not ticked is not sent.
pub(super) async fn save(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = format!("/p/{}/settings", project.slug);
    let keeps = !fields.text("keep_plain").is_empty();
    let actor = visitor.name_in_log();
    storage::spans::save_keeps_plain(&state.db, project.id, keeps, &actor, clock::now()).await?;
    lead(&page, Ok(format!("{page}?done=saved")))
}
