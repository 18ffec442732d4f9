//! Signing in and out, the first account, and the theme.

use app::Theme;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::account::slug_from_name;
use domain::{Project, Timestamp};
use storage::Db;
use storage::users::{self, NewUser, User};

use super::{Failed, Fields, is_email, lead, on_conflict};
use crate::auth::{Auth, Peer, Visitor, password};
use crate::clock;
use crate::error::HttpResult;
use crate::local_path::{local_path, query_value};
use crate::state::AppState;

/// `POST /login` {email, password, next}
pub(super) async fn login(
    State(state): State<AppState>,
    Peer(peer): Peer,
    headers: HeaderMap,
    fields: Fields,
) -> HttpResult<Response> {
    let now = clock::now();
    let next = local_path(fields.raw("next"));
    let (email, password) = (fields.text("email"), fields.raw("password"));
    match state.auth.check_password(email, password, peer, now).await? {
        Some(user) => {
            let cookie = state.auth.sign_in(user, &headers, now).await?;
            Ok(with_cookie(&next, cookie))
        }
        None => {
            let page = format!("/login?next={}", query_value(&next));
            Ok(lead(&page, Err(Failed::Field("credentials")))?.into_response())
        }
    }
}

/// `POST /logout`
pub(super) async fn logout(State(state): State<AppState>, visitor: Visitor) -> HttpResult<Response> {
    let cookie = state.auth.sign_out(&visitor).await?;
    let response = Redirect::to("/login?done=signed_out");
    Ok((cookie.map(|cookie| [(header::SET_COOKIE, cookie)]), response).into_response())
}

/// `POST /setup` {name, email, password, project}: the first account, an admin of every project.
pub(super) async fn setup(
    State(state): State<AppState>,
    visitor: Visitor,
    headers: HeaderMap,
    fields: Fields,
) -> HttpResult<Response> {
    if !visitor.viewer.open {
        return Ok(Redirect::to("/login?error=already_set_up").into_response());
    }
    let now = clock::now();
    match make_first_account(&state, &visitor, &fields, now).await {
        Ok((user, project)) => {
            let cookie = state.auth.sign_in(user.id, &headers, now).await?;
            Ok(with_cookie(&format!("/p/{}", project.slug), cookie))
        }
        Err(Failed::Field("already_set_up")) => {
            Ok(Redirect::to("/login?error=already_set_up").into_response())
        }
        Err(failed) => Ok(lead("/setup", Err(failed))?.into_response()),
    }
}

async fn make_first_account(
    state: &AppState,
    visitor: &Visitor,
    fields: &Fields,
    now: Timestamp,
) -> Result<(User, Project), Failed> {
    let (db, actor) = (&state.db, visitor.name_in_log());
    let project_name = if fields.text("project").is_empty() {
        None
    } else {
        Some(fields.name("project")?)
    };
    let name = fields.name("name")?;
    let email = fields.text("email");
    let password_hash = checked_password_hash(&state.auth, email, fields.raw("password")).await?;
    let mut project = first_project(db, project_name, &actor, now).await?;
    let new = NewUser {
        email,
        name,
        password_hash: &password_hash,
    };
    let user = on_conflict(
        users::create_first(db, new, &actor, now).await,
        "users_exist",
        "already_set_up",
    )?;
    state.auth.invalidate();
    if let Some(name) = project_name.filter(|name| *name != project.name) {
        storage::projects::rename(db, &project, name, &actor, now).await?;
        project.name = name.to_owned();
    }
    state.auth.offer_first_key(&project, now).await?;
    Ok((user, project))
}

/// The project that setup names: the one that was in use until now, or a new one.
async fn first_project(db: &Db, name: Option<&str>, actor: &str, now: Timestamp) -> Result<Project, Failed> {
    if let Some(project) = storage::projects::keyless(db).await? {
        return Ok(project);
    }
    match name.and_then(|name| Some((name, slug_from_name(name)?))) {
        Some((name, slug)) => Ok(storage::projects::create(db, name, &slug, None, actor, now).await?),
        None => Ok(storage::projects::ensure_default(db, now).await?),
    }
}

/// The hash of a new account's password, when address and password will do.
pub(super) async fn checked_password_hash(auth: &Auth, email: &str, new: &str) -> Result<String, Failed> {
    if !is_email(email) {
        return Err(Failed::Field("email"));
    }
    if !password::is_long_enough(new) {
        return Err(Failed::Field("password"));
    }
    Ok(auth.hash_password(new).await?)
}

/// `POST /theme` {theme, next}
pub(super) async fn theme(State(state): State<AppState>, fields: Fields) -> Response {
    let theme = Theme::parse(fields.text("theme"));
    match state.auth.theme_cookie(theme) {
        Some(cookie) => with_cookie(&local_path(fields.raw("next")), cookie),
        None => Redirect::to("/").into_response(),
    }
}

fn with_cookie(location: &str, cookie: HeaderValue) -> Response {
    ([(header::SET_COOKIE, cookie)], Redirect::to(location)).into_response()
}
