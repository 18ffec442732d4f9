//! What people do with their own account. Each of them proves with the password that it is theirs, but for ending
//! sessions.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::Timestamp;
use storage::users::{self, Indispensable, PasswordChange, User};

use super::{Failed, Fields, lead};
use crate::auth::{Client, Visitor, password};
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::state::AppState;

const PAGE: &str = "/account";

/// `POST /account/password` {current, password}: ends the other sessions.
pub(super) async fn change_password(
    State(state): State<AppState>,
    visitor: Visitor,
    client: Client,
    fields: Fields,
) -> HttpResult<Redirect> {
    let now = clock::now();
    let user = signed_in(&state, &visitor).await?;
    let kept_session = visitor
        .session()
        .ok_or_else(|| HttpError::unauthorized("Sign in first"))?;
    let done = async {
        let new = fields.raw("password");
        // Looked at first: it costs no guess at the current one.
        if let Some(problem) = password::problem(new, &[&user.email, &user.name]) {
            return Err(Failed::Field(problem.code()));
        }
        prove(&state, &user, fields.raw("current"), &client, now).await?;
        let hash = state.auth.hash_password(new).await?;
        let how = PasswordChange::Own {
            kept_session: &kept_session,
        };
        users::set_password(&state.db, &user, &hash, how, now).await?;
        Ok(format!("{PAGE}?done=password"))
    };
    lead(PAGE, done.await)
}

/// `POST /account/sessions/{id}/end`
pub(super) async fn end_session(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> HttpResult<Redirect> {
    let user = signed_in(&state, &visitor).await?;
    let session = id.parse().map_err(|_malformed| HttpError::not_found("session"))?;
    storage::sessions::end(&state.db, &user, session, clock::now()).await?;
    Ok(Redirect::to(&format!("{PAGE}?done=session_ended")))
}

/// `POST /account/sessions/end`: signs out everywhere, here as well.
pub(super) async fn end_all_sessions(
    State(state): State<AppState>,
    visitor: Visitor,
) -> HttpResult<Response> {
    let user = signed_in(&state, &visitor).await?;
    storage::sessions::end_all(&state.db, &user, clock::now()).await?;
    Ok(signed_out(&state, "/login?done=signed_out_everywhere"))
}

/// `POST /account/remove` {current}: refused where nobody would be left to answer for the server or for a project.
pub(super) async fn remove(
    State(state): State<AppState>,
    visitor: Visitor,
    client: Client,
    fields: Fields,
) -> HttpResult<Response> {
    let now = clock::now();
    let user = signed_in(&state, &visitor).await?;
    let done = async {
        prove(&state, &user, fields.raw("current"), &client, now).await?;
        match users::remove(&state.db, &user, false, &user.email, now).await? {
            Ok(()) => Ok(()),
            Err(Indispensable::InstanceAdmin) => Err(Failed::Field("last_instance_admin")),
            Err(Indispensable::AdminOf(_)) => Err(Failed::Field("last_admin_somewhere")),
        }
    };
    match done.await {
        Ok(()) => {
            state.auth.invalidate();
            Ok(signed_out(&state, "/login?done=account_removed"))
        }
        Err(failed) => Ok(lead(PAGE, Err(failed))?.into_response()),
    }
}

async fn signed_in(state: &AppState, visitor: &Visitor) -> HttpResult<User> {
    Ok(users::get(&state.db, visitor.user_id()?).await?)
}

/// Fails unless `current` is the person's password. Guessing it here is limited like at the sign-in.
async fn prove(
    state: &AppState,
    user: &User,
    current: &str,
    client: &Client,
    now: Timestamp,
) -> Result<(), Failed> {
    match state
        .auth
        .check_password(&user.email, current, client, now)
        .await?
    {
        Some(found) if found == user.id => Ok(()),
        _ => Err(Failed::Field("current_password")),
    }
}

fn signed_out(state: &AppState, location: &str) -> Response {
    let cookie = state.auth.no_session_cookie();
    let cookie = cookie.map(|cookie| [(header::SET_COOKIE, cookie)]);
    (cookie, Redirect::to(location)).into_response()
}
