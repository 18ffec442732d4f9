//! Making and revoking keys.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::{KeyId, Project, Role, Scope};

use super::{Failed, Fields, lead, on_conflict};
use crate::auth::Visitor;
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::local_path::local_path;
use crate::state::AppState;

/// `POST /p/{slug}/settings/keys` {label, scope…, next?}: leads to the page that shows the key once, the list of keys
/// unless `next` names another page of the project.
pub(super) async fn make(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = format!("/p/{}/settings/keys", project.slug);
    let next = local_path(fields.raw("next"));
    let is_of_project = next.starts_with(&format!("/p/{}/", project.slug)) && !next.contains('?');
    let shows = if is_of_project { next } else { page.clone() };
    let done = make_key(&state, &visitor, project, &fields).await;
    lead(&page, done.map(|token| format!("{shows}?made={token}")))
}

async fn make_key(
    state: &AppState,
    visitor: &Visitor,
    project: &Project,
    fields: &Fields,
) -> Result<String, Failed> {
    let now = clock::now();
    let scopes: Vec<Scope> = Scope::ALL
        .iter()
        .copied()
        .filter(|scope| fields.all("scope").any(|word| word == scope.as_str()))
        .collect();
    if scopes.is_empty() {
        return Err(Failed::Field("scope"));
    }
    let (label, actor) = (fields.text("label"), visitor.name_in_log());
    let made = storage::keys::add(&state.db, project.id, label, &scopes, &actor, now).await;
    let made = on_conflict(made, "api_keys_label", "label")?;
    state.auth.invalidate();
    let no_randomness = || Failed::Refused(HttpError::internal(anyhow::anyhow!("no randomness for a token")));
    state
        .auth
        .reveal
        .put(project.id, made.secret)
        .ok_or_else(no_randomness)
}

/// `POST /p/{slug}/settings/keys/{id}/revoke`
pub(super) async fn revoke(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let now = clock::now();
    let key: KeyId = id.parse().map_err(|_malformed| HttpError::not_found("key"))?;
    storage::keys::revoke(&state.db, project.id, key, &visitor.name_in_log(), now).await?;
    state.auth.invalidate();
    Ok(Redirect::to(&format!(
        "/p/{}/settings/keys?done=revoked",
        project.slug
    )))
}
