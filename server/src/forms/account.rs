//! Signing in and out, the first account, a link to set a new password, and the theme.

use app::Theme;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::account::{is_email, slug_from_name};
use domain::{Project, Timestamp};
use storage::Db;
use storage::users::{self, NewUser, User};

use super::{Failed, Fields, lead, on_conflict};
use crate::auth::token::token_sha256;
use crate::auth::{Auth, Client, Visitor, password};
use crate::clock;
use crate::error::HttpResult;
use crate::local_path::{local_path, query_value};
use crate::plain_page::leave_for;
use crate::state::AppState;

/// `POST /login` {email, password, next}
pub(super) async fn login(
    State(state): State<AppState>,
    client: Client,
    headers: HeaderMap,
    fields: Fields,
) -> HttpResult<Response> {
    let now = clock::now();
    let next = local_path(fields.raw("next"));
    let (email, password) = (fields.text("email"), fields.raw("password"));
    match state.auth.check_password(email, password, &client, now).await? {
        Some(user) => {
            let cookie = state.auth.sign_in(user, &headers, &client, now).await?;
            Ok(with_cookie(&next, cookie))
        }
        None => {
            let page = format!("/login?next={}", query_value(&next));
            Ok(lead(&page, Err(Failed::Field("credentials")))?.into_response())
        }
    }
}

/// `POST /logout`: leads on to the provider where the session began at one.
pub(super) async fn logout(State(state): State<AppState>, visitor: Visitor) -> HttpResult<Response> {
    let (cookie, ended) = state.auth.sign_out(&visitor, clock::now()).await?;
    let elsewhere = match &state.openid {
        Some(provider) if ended.is_of_provider => {
            let url = Box::pin(provider.end_session_url(ended.id_token.as_deref())).await;
            url.and_then(|url| leave_for(&url, &provider.config().name))
        }
        _ => None,
    };
    let response = elsewhere.unwrap_or_else(|| Redirect::to("/login?done=signed_out").into_response());
    Ok((cookie.map(|cookie| [(header::SET_COOKIE, cookie)]), response).into_response())
}

/// `POST /setup` {name, email, password, project}: the first account, an admin of every project.
pub(super) async fn setup(
    State(state): State<AppState>,
    visitor: Visitor,
    client: Client,
    headers: HeaderMap,
    fields: Fields,
) -> HttpResult<Response> {
    if !visitor.viewer.open {
        return Ok(Redirect::to("/login?error=already_set_up").into_response());
    }
    let now = clock::now();
    match make_first_account(&state, &visitor, &fields, now).await {
        Ok((user, project)) => {
            let cookie = state.auth.sign_in(user.id, &headers, &client, now).await?;
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
    if !is_email(email) {
        return Err(Failed::Field("email"));
    }
    let about = [email, name];
    let password_hash = checked_password_hash(&state.auth, fields.raw("password"), &about).await?;
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

/// The hash of a new password, when it will do. `about` is what a guesser knows of the person.
pub(super) async fn checked_password_hash(auth: &Auth, new: &str, about: &[&str]) -> Result<String, Failed> {
    match password::problem(new, about) {
        Some(problem) => Err(Failed::Field(problem.code())),
        None => Ok(auth.hash_password(new).await?),
    }
}

/// `POST /reset` {token, password}: sets the password of whoever the link was made for, and ends their sessions. Does
/// not sign in: the new password shows that it was kept. Where passwords do not sign in, the link itself does: it is the
/// way in while the provider is away, made by whoever runs the server.
pub(super) async fn reset_password(
    State(state): State<AppState>,
    client: Client,
    headers: HeaderMap,
    fields: Fields,
) -> HttpResult<Response> {
    let now = clock::now();
    let token = fields.text("token");
    let page = format!("/reset?token={}", query_value(token));
    let done = async {
        let sha256 = token_sha256(token);
        let user = storage::password_resets::find(&state.db, &sha256, now).await?;
        let user = user.ok_or(Failed::Field("link"))?;
        let about = [user.email.as_str(), &user.name];
        let hash = checked_password_hash(&state.auth, fields.raw("password"), &about).await?;
        match storage::password_resets::redeem(&state.db, &sha256, &hash, now).await {
            Err(storage::Error::NotFound) => Err(Failed::Field("link")),
            other => Ok(other?),
        }?;
        state.auth.invalidate();
        Ok(user.id)
    };
    match done.await {
        Ok(user) if !state.auth.takes_passwords() => {
            let cookie = state.auth.sign_in(user, &headers, &client, now).await?;
            Ok(with_cookie("/", cookie))
        }
        done => {
            let done = done.map(|_user| "/login?done=password_reset".to_owned());
            Ok(lead(&page, done)?.into_response())
        }
    }
}

/// `POST /theme` {theme, next}
pub(super) async fn theme(State(state): State<AppState>, fields: Fields) -> Response {
    let theme = Theme::parse(fields.text("theme"));
    match state.auth.theme_cookie(theme) {
        Some(cookie) => with_cookie(&local_path(fields.raw("next")), cookie),
        None => Redirect::to("/").into_response(),
    }
}

pub(super) fn with_cookie(location: &str, cookie: HeaderValue) -> Response {
    ([(header::SET_COOKIE, cookie)], Redirect::to(location)).into_response()
}
