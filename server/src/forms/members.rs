//! What members of a project may do, and for how long. New ones are invited: see `invitations.rs`.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::{Role, UserId};
use storage::members::LAST_ADMIN;

use super::{Failed, Fields, lead, on_conflict};
use crate::auth::Visitor;
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::state::AppState;

/// `POST /p/{slug}/settings/members/{id}/role` {role}
pub(super) async fn set_role(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let user = user_id(&id)?;
    let page = format!("/p/{}/settings/members", project.slug);
    let done = async {
        let role = Role::parse(fields.text("role")).ok_or(Failed::Field("role"))?;
        let actor = visitor.name_in_log();
        let changed =
            storage::members::set_role(&state.db, project.id, user, role, &actor, clock::now()).await;
        on_conflict(changed, LAST_ADMIN, "last_admin")?;
        state.auth.invalidate();
        Ok(format!("{page}?done=saved"))
    };
    let done = done.await;
    lead(&page, done)
}

/// `POST /p/{slug}/settings/members/{id}/remove`
pub(super) async fn remove(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let user = user_id(&id)?;
    let page = format!("/p/{}/settings/members", project.slug);
    let done = async {
        let actor = visitor.name_in_log();
        let removed = storage::members::remove(&state.db, project.id, user, &actor, clock::now()).await;
        on_conflict(removed, LAST_ADMIN, "last_admin")?;
        state.auth.invalidate();
        Ok(format!("{page}?done=removed"))
    };
    let done = done.await;
    lead(&page, done)
}

fn user_id(text: &str) -> HttpResult<UserId> {
    text.parse().map_err(|_malformed| HttpError::not_found("member"))
}
