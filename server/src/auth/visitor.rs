//! Who looks at a page: sessions, and the middleware that works them out once per request.

use app::{ApiError, Viewer, ViewerUser};
use axum::extract::{FromRef, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::{Project, Role, Timestamp, UserId};
use leptos::server_fn::error::FromServerFnError as _;

use super::sign_in::SESSION_MICROS;
use super::token::token_sha256;
use super::{Auth, cookie};
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::local_path::query_value;
use crate::plain_page::Audience;
use crate::request_id::RequestId;

/// A session in use is prolonged at most this often: a write per hour, not per request.
const PROLONG_AFTER_MICROS: i64 = 3_600 * 1_000_000;

/// A person with a browser, signed in or not.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// What pages know of them.
    pub viewer: Viewer,
    /// The SHA-256 of their session's token.
    pub(super) session: Option<[u8; 32]>,
    prolonged: Option<HeaderValue>,
}

impl Visitor {
    /// Finds the session of the cookie, or the open server, and what may be seen.
    pub(crate) async fn find(auth: &Auth, headers: &HeaderMap, now: Timestamp) -> HttpResult<Self> {
        let db = &auth.inner.db;
        let anonymous = Self {
            viewer: Viewer {
                ways_in: auth.inner.settings.ways_in.clone(),
                ..Viewer::default()
            },
            session: None,
            prolonged: None,
        };
        if auth.presented(headers).is_meant_as_key() {
            return Ok(anonymous);
        }
        if auth.is_open().await? {
            let projects = storage::projects::list(db).await?;
            let projects = projects
                .into_iter()
                .map(|project| (project, Role::Admin))
                .collect();
            return Ok(Self {
                viewer: Viewer {
                    user: None,
                    projects,
                    open: true,
                    ways_in: anonymous.viewer.ways_in,
                },
                session: None,
                prolonged: None,
            });
        }
        let https = auth.inner.settings.is_https();
        let mut found = None;
        for token in cookie::sessions(headers, https) {
            let sha256 = token_sha256(&token);
            if let Some(session) = storage::sessions::find(db, &sha256, now).await? {
                found = Some((token, sha256, session));
                break;
            }
        }
        let Some((token, sha256, session)) = found else {
            return Ok(anonymous);
        };
        let mut prolonged = None;
        if now.micros() - session.last_seen_at.micros() > PROLONG_AFTER_MICROS {
            let expires_at = now.plus_micros(SESSION_MICROS).min(session.ends_at);
            storage::sessions::touch(db, &sha256, now, expires_at).await?;
            let seconds = (expires_at.micros() - now.micros()).max(0).unsigned_abs() / 1_000_000;
            prolonged = cookie::set_session(&token, seconds, https);
        }
        let projects = storage::members::of_user(db, session.user.id).await?;
        let user = ViewerUser {
            id: session.user.id,
            name: session.user.name,
            email: session.user.email,
            is_instance_admin: session.user.is_instance_admin,
        };
        let viewer = Viewer {
            user: Some(user),
            projects,
            open: false,
            ways_in: anonymous.viewer.ways_in,
        };
        Ok(Self {
            viewer,
            session: Some(sha256),
            prolonged,
        })
    }

    /// The session they are in.
    pub(crate) fn session(&self) -> Option<[u8; 32]> {
        self.session
    }

    /// The account they are signed in to.
    pub(crate) fn user_id(&self) -> HttpResult<UserId> {
        let user = self.viewer.user.as_ref();
        user.map(|user| user.id)
            .ok_or_else(|| HttpError::unauthorized("Sign in first"))
    }

    /// Whether they have to sign in first.
    pub fn is_anonymous(&self) -> bool {
        self.viewer.user.is_none() && !self.viewer.open
    }

    /// The project with this word in its addresses, if they have at least `role` in it.
    pub fn project(&self, slug: &str, role: Role) -> HttpResult<&Project> {
        match self.viewer.project(slug) {
            Some((project, has)) if *has >= role => Ok(project),
            Some(_) => Err(role_is_too_low(role)),
            None => Err(HttpError::not_found("project")),
        }
    }

    /// What the audit log calls them.
    pub(crate) fn name_in_log(&self) -> String {
        self.viewer.name_in_log()
    }
}

pub(crate) fn role_is_too_low(needed: Role) -> HttpError {
    let role = needed.as_str();
    HttpError::forbidden(format!(
        "This needs the role `{role}`; an admin of the project can give it"
    ))
}

impl<S> FromRequestParts<S> for Visitor
where
    Auth: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        if let Some(visitor) = parts.extensions.get::<Self>() {
            return Ok(visitor.clone());
        }
        let auth = Auth::from_ref(state);
        Self::find(&auth, &parts.headers, clock::now())
            .await
            .map_err(|error| Audience::of(&parts.headers, &parts.extensions).refuse(error))
    }
}

/// An error written the way the page's own code reads errors: it tries again later where the database is away.
fn server_function_error(request: &Request, error: &HttpError) -> Response {
    let request_id = request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.0.clone())
        .unwrap_or_default();
    tracing::error!(
        request_id,
        code = error.code,
        cause = ?error.cause,
        "who calls a server function could not be looked up"
    );
    let answer = match error.status {
        StatusCode::SERVICE_UNAVAILABLE => ApiError::Unavailable { request_id },
        _ => ApiError::Internal { request_id },
    };
    (error.status, answer.ser()).into_response()
}

/// Middleware of everything people look at: puts the [`Visitor`] and the [`Viewer`] into the request. Anonymous visitors
/// is led to the sign-in.
pub async fn viewer(State(auth): State<Auth>, mut request: Request, next: Next) -> Response {
    let visitor = match Visitor::find(&auth, request.headers(), clock::now()).await {
        Ok(visitor) => visitor,
        Err(error) if request.uri().path().starts_with("/ui/") => {
            return server_function_error(&request, &error);
        }
        Err(error) => return Audience::of(request.headers(), request.extensions()).refuse(error),
    };
    if let Some(answer) = sign_in_response(&visitor, request.method(), request.uri()) {
        return answer;
    }
    let prolonged = visitor.prolonged.clone();
    request.extensions_mut().insert(visitor.viewer.clone());
    request.extensions_mut().insert(visitor);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    // Signing in or out has set a cookie of its own.
    if let Some(cookie) = prolonged
        && !headers.contains_key(header::SET_COOKIE)
    {
        headers.insert(header::SET_COOKIE, cookie);
    }
    response
}

/// What works before one is signed in: the way in, and what links of one's own lead to.
const NEEDS_NO_ACCOUNT: [&str; 9] = [
    "/login",
    "/logout",
    "/theme",
    "/invite",
    "/reset",
    "/ui/invitations/get",
    "/ui/account/reset_link",
    "/ui/shares/opened",
    "/ui/shares/opened_step",
];

/// The answer instead of the page for those who have to sign in first, and for pages that are of no use any more.
fn sign_in_response(visitor: &Visitor, method: &Method, uri: &Uri) -> Option<Response> {
    let path = uri.path();
    if !visitor.viewer.open && path == "/setup" {
        return Some(Redirect::to("/login?error=already_set_up").into_response());
    }
    if visitor.viewer.user.is_some() && path == "/login" && method == Method::GET {
        return Some(Redirect::to("/").into_response());
    }
    if !visitor.is_anonymous() || NEEDS_NO_ACCOUNT.contains(&path) {
        return None;
    }
    if path.starts_with("/ui/") {
        // Written the way the page's own code reads errors.
        return Some((StatusCode::UNAUTHORIZED, ApiError::Unauthorized.ser()).into_response());
    }
    if path.starts_with("/live/") {
        return Some(HttpError::unauthorized("Your session has ended. Sign in again").into_response());
    }
    let next = if method == Method::GET {
        uri.path_and_query().map_or("/", |path| path.as_str())
    } else {
        "/"
    };
    let login = if next == "/" {
        "/login".to_owned()
    } else {
        format!("/login?next={}", query_value(next))
    };
    Some(Redirect::to(&login).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor(signed_in: bool, open: bool) -> Visitor {
        let user = signed_in.then(|| ViewerUser {
            id: UserId(uuid::Uuid::nil()),
            name: "Mara".to_owned(),
            email: "mara@acme.dev".to_owned(),
            is_instance_admin: false,
        });
        Visitor {
            viewer: Viewer {
                user,
                open,
                ..Viewer::default()
            },
            session: None,
            prolonged: None,
        }
    }

    #[test]
    fn anonymous_visitors_are_led_to_the_sign_in() {
        let check = |method: Method, uri: &'static str, expected: Option<(u16, &str)>| {
            let answer = sign_in_response(&visitor(false, false), &method, &Uri::from_static(uri));
            let seen = answer.as_ref().map(|answer| {
                let location = answer.headers().get(header::LOCATION);
                (
                    answer.status().as_u16(),
                    location.map_or("", |location| location.to_str().unwrap()),
                )
            });
            assert_eq!(seen, expected, "{uri}");
        };
        check(Method::GET, "/", Some((303, "/login")));
        check(
            Method::GET,
            "/p/a/runs?x=1&y=2",
            Some((303, "/login?next=/p/a/runs%3Fx%3D1%26y%3D2")),
        );
        check(Method::POST, "/p/a/settings/keys", Some((303, "/login")));
        check(Method::GET, "/setup", Some((303, "/login?error=already_set_up")));
        check(Method::POST, "/setup", Some((303, "/login?error=already_set_up")));
        check(Method::GET, "/ui/runs/list?slug=a", Some((401, "")));
        check(Method::GET, "/live/a", Some((401, "")));
        check(Method::GET, "/login", None);
        check(Method::POST, "/login", None);
        check(Method::POST, "/theme", None);
        check(Method::GET, "/invite?token=x", None);
        check(Method::POST, "/reset", None);
        check(Method::GET, "/invite/x", Some((303, "/login?next=/invite/x")));
        check(Method::GET, "/account", Some((303, "/login?next=/account")));
        check(Method::POST, "/account/password", Some((303, "/login")));
        check(Method::GET, "/ui/account/sessions", Some((401, "")));
    }

    #[test]
    fn others_pass() {
        let check = |signed_in: bool, open: bool, uri: &'static str, passes: bool| {
            let answer = sign_in_response(&visitor(signed_in, open), &Method::GET, &Uri::from_static(uri));
            assert_eq!(answer.is_none(), passes, "{uri}");
        };
        check(true, false, "/p/a/runs", true);
        check(true, false, "/login", false);
        check(true, false, "/setup", false);
        check(false, true, "/p/a/runs", true);
        check(false, true, "/setup", true);
        check(false, true, "/ui/runs/list", true);
    }
}
