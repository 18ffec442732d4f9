//! Signing in and out, the first account, and the theme.

use app::Theme;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::account::slug_from_name;
use domain::{Project, Scope, Timestamp};
use serde_json::json;
use storage::users::{self, NewUser, User};

use super::{Failed, Fields, is_email, lead, on_conflict, record};
use crate::auth::local_path::{local_path, query_value};
use crate::auth::visitor::{Peer, sign_in};
use crate::auth::{Auth, Visitor, cookie, password};
use crate::clock;
use crate::error::{HttpError, HttpResult};

/// The label of a project's first key.
const FIRST_KEY_LABEL: &str = "default";

/// `POST /login` {email, password, next}
pub(super) async fn login(
    State(auth): State<Auth>,
    Peer(peer): Peer,
    headers: HeaderMap,
    fields: Fields,
) -> HttpResult<Response> {
    let now = clock::now();
    let next = local_path(fields.raw("next"));
    let email = users::normalise_email(fields.text("email"));
    let mut who = vec![email.clone()];
    who.extend(peer.map(|ip| ip.to_string()));
    auth.inner.attempts.begin(&who, now).map_err(too_many_attempts)?;

    let found = users::by_email(&auth.inner.db, &email).await?;
    let (user, stored) = found.unzip();
    let fits = auth
        .inner
        .passwords
        .verify(fields.raw("password").to_owned(), stored)
        .await;
    match user.filter(|_| matches!(fits, Ok(true))) {
        Some(user) => {
            auth.inner.attempts.succeeded(&who);
            let cookie = sign_in(&auth, user.id, &headers, now).await?;
            Ok(with_cookie(&next, cookie))
        }
        None => {
            fits.map_err(HttpError::internal)?;
            let page = format!("/login?next={}", query_value(&next));
            Ok(lead(&page, Err(Failed::Field("credentials")))?.into_response())
        }
    }
}

fn too_many_attempts(wait_seconds: u32) -> HttpError {
    HttpError {
        retry_after_seconds: Some(wait_seconds),
        ..HttpError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_attempts",
            format!("Too many attempts to sign in; try again in {wait_seconds} seconds"),
        )
    }
}

/// `POST /logout`
pub(super) async fn logout(State(auth): State<Auth>, visitor: Visitor) -> HttpResult<Response> {
    if let Some(session) = visitor.session {
        storage::sessions::delete(&auth.inner.db, &session).await?;
        storage::live::notify_access(&auth.inner.db).await?;
    }
    let response = Redirect::to("/login?done=signed_out").into_response();
    Ok(match cookie::set_session("", 0, auth.inner.settings.is_https()) {
        Some(cookie) => ([(header::SET_COOKIE, cookie)], response).into_response(),
        None => response,
    })
}

/// `POST /setup` {name, email, password, project}: the first account, an admin of every project.
pub(super) async fn setup(
    State(auth): State<Auth>,
    visitor: Visitor,
    headers: HeaderMap,
    fields: Fields,
) -> HttpResult<Response> {
    if !visitor.viewer.open {
        return Ok(Redirect::to("/login?error=already_set_up").into_response());
    }
    let now = clock::now();
    match make_first_account(&auth, &fields, now).await {
        Ok((user, project)) => {
            record(
                &auth,
                &visitor,
                project.id,
                ("account.first", &user.email, json!({})),
                now,
            )
            .await?;
            let cookie = sign_in(&auth, user.id, &headers, now).await?;
            Ok(with_cookie(&format!("/p/{}", project.slug), cookie))
        }
        Err(Failed::Field("already_set_up")) => {
            Ok(Redirect::to("/login?error=already_set_up").into_response())
        }
        Err(failed) => Ok(lead("/setup", Err(failed))?.into_response()),
    }
}

async fn make_first_account(auth: &Auth, fields: &Fields, now: Timestamp) -> Result<(User, Project), Failed> {
    let db = &auth.inner.db;
    let project_name = if fields.text("project").is_empty() {
        None
    } else {
        Some(fields.name("project")?)
    };
    let name = fields.name("name")?;
    let email = fields.text("email");
    let password_hash = checked_password_hash(auth, email, fields.raw("password")).await?;
    let mut project = first_project(auth, project_name, now).await?;
    let new = NewUser {
        email,
        name,
        password_hash: &password_hash,
    };
    let user = on_conflict(
        users::create_first(db, new, now).await,
        "users_exist",
        "already_set_up",
    )?;
    auth.forget();
    if let Some(name) = project_name.filter(|name| *name != project.name) {
        storage::projects::rename(db, project.id, name).await?;
        project.name = name.to_owned();
    }
    make_first_key(auth, &project, now).await?;
    Ok((user, project))
}

/// The project that setup names: the one that was in use until now, or a new one.
async fn first_project(auth: &Auth, name: Option<&str>, now: Timestamp) -> Result<Project, Failed> {
    let db = &auth.inner.db;
    if let Some(project) = storage::projects::keyless(db).await? {
        return Ok(project);
    }
    match name.and_then(|name| Some((name, slug_from_name(name)?))) {
        Some((name, slug)) => Ok(storage::projects::create(db, name, &slug, now).await?),
        None => Ok(storage::projects::ensure_default(db, now).await?),
    }
}

/// Makes the key that the project's empty page shows once, unless somebody made one already.
pub(in crate::auth) async fn make_first_key(
    auth: &Auth,
    project: &Project,
    now: Timestamp,
) -> storage::Result<()> {
    let db = &auth.inner.db;
    if storage::keys::list(db, project.id).await?.is_empty() {
        let made = storage::keys::add(db, project.id, FIRST_KEY_LABEL, Scope::DEFAULT, now).await?;
        auth.reveal
            .put_under(app::first_key_token(project.id), made.secret);
    }
    Ok(())
}

/// The hash of a new account's password, when address and password will do.
pub(super) async fn checked_password_hash(auth: &Auth, email: &str, new: &str) -> Result<String, Failed> {
    if !is_email(email) {
        return Err(Failed::Field("email"));
    }
    if !password::is_long_enough(new) {
        return Err(Failed::Field("password"));
    }
    auth.inner
        .passwords
        .hash(new.to_owned())
        .await
        .map_err(|cause| Failed::Refused(HttpError::internal(cause)))
}

/// `POST /theme` {theme, next}
pub(super) async fn theme(State(auth): State<Auth>, fields: Fields) -> Response {
    let theme = Theme::parse(fields.text("theme"));
    match cookie::set_theme(theme.as_str(), auth.inner.settings.is_https()) {
        Some(cookie) => with_cookie(&local_path(fields.raw("next")), cookie),
        None => Redirect::to("/").into_response(),
    }
}

fn with_cookie(location: &str, cookie: HeaderValue) -> Response {
    ([(header::SET_COOKIE, cookie)], Redirect::to(location)).into_response()
}
