//! The page of a link to a run. Its token is all that counts: neither session nor key is looked at, and whoever has none
//! that is good gets the same page, whether it is wrong, expired, taken back, or its run is gone.

use app::{ApiError, OpenedShare};
use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts as _, Path, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use leptos::server_fn::error::FromServerFnError as _;

use crate::auth::Client;
use crate::clock;
use crate::error::HttpError;
use crate::plain_page::Audience;
use crate::plain_page::PLAIN_PAGE_POLICY;
use crate::site;
use crate::state::AppState;

/// The page, as the pages' own list has it.
pub(crate) const PATH: &str = "/s/{token}";
/// How the paths of the functions begin that the page's code calls.
const FUNCTIONS: &str = "/ui/shares/opened";
const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// The page alone.
pub(crate) fn routes() -> Router<AppState> {
    Router::new().route(PATH, get(page))
}

/// A path as logs may have it: who reads one must not be able to open what it names.
pub(crate) fn without_token(path: &str) -> &str {
    if path.starts_with("/s/") { "/s/…" } else { path }
}

async fn page(
    State(state): State<AppState>,
    token: Result<Path<String>, PathRejection>,
    client: Client,
    mut request: Request,
) -> Response {
    let audience = Audience::of(request.headers(), request.extensions());
    // What can't be decoded is no token.
    let token = token.map(|Path(token)| token).unwrap_or_default();
    let now = clock::now();
    let opened = match state.auth.open_share(&token, &client, now).await {
        Ok(Some(opened)) => opened,
        Ok(None) => return private(opens_nothing()),
        Err(error) => return private(audience.refuse(error)),
    };
    if is_opening(&request) {
        let noted = storage::shares::note_opened(&state.db, opened.project, opened.share.id, now).await;
        if let Err(error) = noted {
            return private(audience.refuse(error.into()));
        }
    }
    request.extensions_mut().insert(opened);
    private(super::render(&state, request).await)
}

/// Whether a request opens the link, rather than leading from one part of its page to another.
fn is_opening(request: &Request) -> bool {
    let from_its_page = request
        .headers()
        .get("sec-fetch-site")
        .is_some_and(|site| site == "same-origin");
    *request.method() == Method::GET && !from_its_page
}

/// Middleware of server functions: those of the page need its token, and nothing else.
pub(crate) async fn functions(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with(FUNCTIONS) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let Ok(client) = Client::from_request_parts(&mut parts, &state).await;
    let query = parts.uri.query().unwrap_or_default();
    let token = form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "token")
        .map(|(_, token)| token.into_owned())
        .unwrap_or_default();
    match state.auth.open_share(&token, &client, clock::now()).await {
        Ok(Some(opened)) => {
            parts.extensions.insert::<OpenedShare>(opened);
            private(next.run(Request::from_parts(parts, body)).await)
        }
        Ok(None) => private((StatusCode::NOT_FOUND, ApiError::NotFound.ser()).into_response()),
        Err(HttpError {
            status: status @ StatusCode::TOO_MANY_REQUESTS,
            ..
        }) => private(super::busy_function(status)),
        Err(error) => private(error.into_response()),
    }
}

/// For one reader alone: no cache, no search engine, no address handed on.
fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (ROBOTS, "noindex, nofollow, noarchive"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The one answer to every token that opens nothing.
fn opens_nothing() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, PLAIN_PAGE_POLICY),
    ];
    let css = site::urls().css;
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><meta name=\"robots\" content=\"noindex, nofollow\">\
         <title>This link opens nothing · Plumbline</title><link rel=\"stylesheet\" href=\"{css}\"></head>\
         <body><div class=\"outer\"><header class=\"outer-top\"><span class=\"brand\">{LOGO}<b>Plumbline</b></span></header>\
         <main id=\"main\" class=\"outer-main\"><div class=\"state dead-link\">{DASHED_BOB}\
         <h1>This link opens nothing</h1>\
         <p>It may be mistyped, expired or revoked; the page does not say which. Ask the person who sent it for a new one.</p>\
         <p><a class=\"btn\" href=\"/login\">Sign in</a></p>\
         <p class=\"dim\">Members of the project find the run under its ordinary address.</p>\
         </div></main></div></body></html>"
    );
    (StatusCode::NOT_FOUND, headers, page).into_response()
}

const LOGO: &str = "<svg class=\"logo\" width=\"16\" height=\"16\" viewBox=\"0 0 16 16\" aria-hidden=\"true\">\
    <path class=\"logo-line\" d=\"M8 0v6\"/><path class=\"logo-bob\" d=\"M8 16 4.3 9.2 8 5.8l3.7 3.4z\"/></svg>";
const DASHED_BOB: &str = "<svg class=\"no-bob\" width=\"48\" height=\"96\" viewBox=\"0 0 48 96\" aria-hidden=\"true\">\
    <path d=\"M24 0v54\"/><path class=\"dashed\" d=\"M24 94 8 66l16-12 16 12z\"/></svg>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_name_no_token() {
        assert_eq!(without_token("/s/9vK2mQ7d"), "/s/…");
        assert_eq!(without_token("/p/default/runs"), "/p/default/runs");
    }
}
