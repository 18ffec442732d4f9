//! Deleting everything of one end user.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::Role;
use domain::filter::percent_encode;
use storage::projects::deletion::LEGAL_HOLD;

use super::{Failed, Fields, lead, on_conflict};
use crate::auth::Visitor;
use crate::clock;
use crate::error::HttpResult;
use crate::state::AppState;

/// `POST /p/{slug}/users/{id}/delete` {confirm}: the user's id has to be typed.
pub(super) async fn delete(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, user_id)): Path<(String, String)>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = format!("/p/{}/users/{}", project.slug, percent_encode(&user_id));
    let done = async {
        // As it was typed: an id may begin or end with space.
        let is_confirmed = fields.raw("confirm") == user_id || fields.text("confirm") == user_id;
        if !is_confirmed {
            return Err(Failed::Field("confirm_user"));
        }
        let actor = visitor.name_in_log();
        let started = storage::user_data::start(&state.db, project.id, &user_id, &actor, clock::now()).await;
        on_conflict(started, LEGAL_HOLD, "legal_hold")?;
        Ok(format!(
            "/p/{}/settings/retention?done=user_deletion",
            project.slug
        ))
    };
    let done = done.await;
    lead(&page, done)
}
