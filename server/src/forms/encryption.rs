//! Switching the encryption of texts on and off.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::Role;

use super::{Failed, Fields, lead};
use crate::api::encryption::switch;
use crate::auth::Visitor;
use crate::error::HttpResult;
use crate::state::AppState;

/// `POST /p/{slug}/settings/encryption` {payloads?}.
pub(super) async fn save(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = format!("/p/{}/settings/retention", project.slug);
    let done = async {
        let is_on = !fields.text("payloads").is_empty();
        let switched = switch(&state, project.id, is_on, &visitor.name_in_log()).await;
        if switched
            .as_ref()
            .is_err_and(|error| error.code == "encryption_key")
        {
            return Err(Failed::Field("encryption_key"));
        }
        switched?;
        let said = if is_on { "encrypted" } else { "not_encrypted" };
        Ok(format!("{page}?done={said}"))
    };
    let done = done.await;
    lead(&page, done)
}
