//! Letting people into a project.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::{Project, Role, UserId};
use storage::members::LAST_ADMIN;
use storage::users::{self, NewUser};

use super::account::checked_password_hash;
use super::{Failed, Fields, lead, on_conflict};
use crate::auth::Visitor;
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::state::AppState;

/// `POST /p/{slug}/settings/members` {email, name, role, password}: name and password are for addresses without an
/// account; an account that exists is left as it is.
pub(super) async fn add(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    if visitor.viewer.open {
        // The first account must be an admin, or there would be none.
        return Ok(Redirect::to("/setup"));
    }
    let page = format!("/p/{}/settings/members", project.slug);
    let done = add_member(&state, &visitor, project, &fields).await;
    lead(&page, done.map(|()| format!("{page}?done=added")))
}

async fn add_member(
    state: &AppState,
    visitor: &Visitor,
    project: &Project,
    fields: &Fields,
) -> Result<(), Failed> {
    let db = &state.db;
    let now = clock::now();
    let role = Role::parse(fields.text("role")).ok_or(Failed::Field("role"))?;
    let email = fields.text("email");
    let user = match users::by_email(db, email).await? {
        Some((user, _)) => user,
        None => {
            let name = fields.name("name")?;
            let password_hash = checked_password_hash(&state.auth, email, fields.raw("password")).await?;
            let new = NewUser {
                email,
                name,
                password_hash: &password_hash,
            };
            on_conflict(
                users::create(db, new, now).await,
                "users_email_key",
                "email_exists",
            )?
        }
    };
    let actor = visitor.name_in_log();
    let added = storage::members::add(db, project.id, &user, role, &actor, now).await;
    on_conflict(added, "memberships_pkey", "email_exists")?;
    state.auth.invalidate();
    Ok(())
}

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
