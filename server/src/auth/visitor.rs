//! Who looks at a page: sessions, and the middleware that works them out once per request.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use app::{ApiError, Viewer, ViewerUser};
use axum::extract::{ConnectInfo, FromRef, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::{Project, Role, Timestamp};
use leptos::server_fn::error::FromServerFnError as _;

use super::sign_in::{SESSION_MICROS, SESSION_SECONDS, token_sha256};
use super::{Auth, cookie};
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::local_path::query_value;
use crate::plain_page::Audience;
use crate::router::RequestId;

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
            viewer: Viewer::default(),
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
                },
                session: None,
                prolonged: None,
            });
        }
        let https = auth.inner.settings.is_https();
        let Some(token) = cookie::session(headers, https) else {
            return Ok(anonymous);
        };
        let sha256 = token_sha256(&token);
        let Some(session) = storage::sessions::find(db, &sha256, now).await? else {
            return Ok(anonymous);
        };
        let mut prolonged = None;
        if now.micros() - session.last_seen_at.micros() > PROLONG_AFTER_MICROS {
            storage::sessions::touch(db, &sha256, now, now.plus_micros(SESSION_MICROS)).await?;
            prolonged = cookie::set_session(&token, SESSION_SECONDS, https);
        }
        let projects = storage::members::of_user(db, session.user.id).await?;
        let user = ViewerUser {
            id: session.user.id,
            name: session.user.name,
            email: session.user.email,
        };
        let viewer = Viewer {
            user: Some(user),
            projects,
            open: false,
        };
        Ok(Self {
            viewer,
            session: Some(sha256),
            prolonged,
        })
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
        self.viewer
            .user
            .as_ref()
            .map_or_else(|| "local".to_owned(), |user| user.email.clone())
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

/// The answer instead of the page for those who have to sign in first, and for pages that are of no use any more.
fn sign_in_response(visitor: &Visitor, method: &Method, uri: &Uri) -> Option<Response> {
    let path = uri.path();
    if !visitor.viewer.open && path == "/setup" {
        return Some(Redirect::to("/login?error=already_set_up").into_response());
    }
    if visitor.viewer.user.is_some() && path == "/login" && method == Method::GET {
        return Some(Redirect::to("/").into_response());
    }
    if !visitor.is_anonymous() || matches!(path, "/login" | "/logout" | "/theme") {
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

/// The address a request came from. A proxy on this machine, or one that signs people in, says whose it forwards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) Option<IpAddr>);

impl<S> FromRequestParts<S> for Peer
where
    Auth: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let direct = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(peer)| peer.ip());
        let trusts = Auth::from_ref(state).inner.settings.behind_auth_proxy;
        Ok(Self(peer(direct, &parts.headers, trusts)))
    }
}

fn peer(direct: Option<IpAddr>, headers: &HeaderMap, trusts_every_proxy: bool) -> Option<IpAddr> {
    let is_proxy = trusts_every_proxy || direct.is_some_and(|ip| ip.to_canonical().is_loopback());
    // The last entry is the one that the proxy wrote itself.
    let forwarded = headers
        .get("x-forwarded-for")
        .and_then(|list| list.to_str().ok()?.rsplit(',').next());
    match forwarded.and_then(|ip| ip.trim().parse().ok()) {
        Some(ip) if is_proxy => Some(ip),
        _ => direct,
    }
}

#[cfg(test)]
mod tests {
    use domain::UserId;

    use super::*;

    fn visitor(signed_in: bool, open: bool) -> Visitor {
        let user = signed_in.then(|| ViewerUser {
            id: UserId(uuid::Uuid::nil()),
            name: "Mara".to_owned(),
            email: "mara@acme.dev".to_owned(),
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

    #[test]
    fn only_a_proxy_says_whose_request_it_forwards() {
        let check = |direct: &str, forwarded: &'static str, trusts: bool, expected: &str| {
            let headers = HeaderMap::from_iter([(
                "x-forwarded-for".parse().unwrap(),
                HeaderValue::from_static(forwarded),
            )]);
            let found = peer(direct.parse().ok(), &headers, trusts);
            assert_eq!(
                found.map(|ip| ip.to_string()).as_deref(),
                Some(expected),
                "{direct} {forwarded}"
            );
        };
        check("127.0.0.1", "6.6.6.6, 1.2.3.4", false, "1.2.3.4");
        check("::1", "1.2.3.4", false, "1.2.3.4");
        check("127.0.0.1", "unknown", false, "127.0.0.1");
        check("9.9.9.9", "1.2.3.4", false, "9.9.9.9");
        check("9.9.9.9", "1.2.3.4", true, "1.2.3.4");
    }
}
