//! Making, renaming and deleting projects.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::Role;
use domain::account::slug_from_name;
use storage::projects::deletion::LEGAL_HOLD;

use super::{Failed, Fields, lead, on_conflict};
use crate::auth::{Visitor, role_is_too_low};
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::state::AppState;

/// `POST /projects` {name}: for admins of any project. Its creator becomes its admin.
pub(super) async fn create(
    State(state): State<AppState>,
    visitor: Visitor,
    fields: Fields,
) -> HttpResult<Redirect> {
    if visitor.is_anonymous() {
        return Err(HttpError::unauthorized("Sign in first"));
    }
    let is_admin = visitor
        .viewer
        .projects
        .iter()
        .any(|(_, role)| *role == Role::Admin);
    // Where the last project was deleted, a new one has to be possible.
    if !is_admin && storage::projects::keyless(&state.db).await?.is_some() {
        return Err(role_is_too_low(Role::Admin));
    }
    let done = create_project(&state, &visitor, &fields).await;
    lead("/projects/new", done.map(|slug| format!("/p/{slug}")))
}

async fn create_project(state: &AppState, visitor: &Visitor, fields: &Fields) -> Result<String, Failed> {
    let db = &state.db;
    let now = clock::now();
    let name = fields.name("name")?;
    let slug = slug_from_name(name).ok_or(Failed::Field("name"))?;
    let admin = visitor.viewer.user.as_ref().map(|user| user.id);
    let project = storage::projects::create(db, name, &slug, admin, &visitor.name_in_log(), now).await;
    let project = on_conflict(project, "projects_slug_key", "exists")?;
    state.auth.invalidate();
    state.auth.offer_first_key(&project, now).await?;
    Ok(project.slug)
}

/// `POST /p/{slug}/settings/general` {name}
pub(super) async fn rename(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = format!("/p/{}/settings", project.slug);
    let done = async {
        let name = fields.name("name")?;
        let actor = visitor.name_in_log();
        storage::projects::rename(&state.db, project, name, &actor, clock::now()).await?;
        state.auth.invalidate();
        Ok(format!("{page}?done=saved"))
    };
    let done = done.await;
    lead(&page, done)
}

/// `POST /p/{slug}/settings/delete` {confirm}: the project's word has to be typed.
pub(super) async fn delete(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    if fields.text("confirm") != project.slug {
        return lead(
            &format!("/p/{}/settings", project.slug),
            Err(Failed::Field("confirm")),
        );
    }
    let actor = visitor.name_in_log();
    let started = storage::projects::deletion::start(&state.db, project.id, &actor, clock::now()).await;
    if let Err(failed) = on_conflict(started, LEGAL_HOLD, "legal_hold") {
        return lead(&format!("/p/{}/settings", project.slug), Err(failed));
    }
    state.auth.invalidate();
    tracing::info!(actor, project = project.slug, id = %project.id, "project deleted");
    Ok(Redirect::to("/?done=deleted"))
}
