//! Refusals as a person sees them: a page of a few words, where no page of the dashboard can be shown.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Extensions, HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse as _, Response};

use crate::error::{ErrorReport, HttpError};
use crate::request_id::RequestId;
use crate::site;

/// What a page of words may do.
pub(crate) const PLAIN_PAGE_POLICY: &str =
    "default-src 'none'; style-src 'self'; font-src 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Who reads the answer to a request.
#[derive(Clone, Debug)]
pub(crate) struct Audience {
    wants_page: bool,
    request_id: String,
}

impl Audience {
    /// A browser that asks for a page, or anything else.
    pub(crate) fn of(headers: &HeaderMap, extensions: &Extensions) -> Self {
        let accept = headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok());
        Self {
            wants_page: accept.is_some_and(|accept| accept.contains("text/html")),
            request_id: extensions
                .get::<RequestId>()
                .map(|id| id.0.clone())
                .unwrap_or_default(),
        }
    }

    /// The refusal as this audience reads it.
    pub(crate) fn refuse(&self, error: HttpError) -> Response {
        self.show(error.into_response())
    }

    /// The answer of a handler as this audience reads it: errors become a small page for browsers.
    pub(crate) fn show(&self, mut response: Response) -> Response {
        if !self.wants_page {
            return response;
        }
        // Without the report, the page stays as it is on the way out.
        let Some(report) = response.extensions_mut().remove::<Arc<ErrorReport>>() else {
            return response;
        };
        let status = response.status();
        let request_id = &self.request_id;
        if status.is_server_error() {
            let cause = report
                .cause
                .as_ref()
                .map(|cause| format!("{cause:#}"))
                .unwrap_or_default();
            tracing::error!(
                request_id,
                status = status.as_u16(),
                code = report.code,
                cause,
                "request failed"
            );
        }
        let reference = status.is_server_error().then_some(request_id.as_str());
        *response.body_mut() = Body::from(html(&report.message, reference));
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::WWW_AUTHENTICATE);
        for (name, value) in [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, PLAIN_PAGE_POLICY),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// Middleware of handlers that people's forms reach.
pub(crate) async fn for_people(request: Request, next: Next) -> Response {
    let audience = Audience::of(request.headers(), request.extensions());
    audience.show(next.run(request).await)
}

fn html(message: &str, reference: Option<&str>) -> String {
    let css = site::urls().css;
    let message = escape(message);
    let reference = reference
        .map(|id| format!("<p>Reference <code>{}</code></p>", escape(id)))
        .unwrap_or_default();
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>That did not work · Plumbline</title>\
         <link rel=\"stylesheet\" href=\"{css}\"></head><body><main id=\"main\" class=\"page\"><div class=\"state\">\
         <h1>That did not work</h1><p>{message}.</p>{reference}<p><a class=\"btn\" href=\"/\">Back to the start</a></p>\
         </div></main></body></html>"
    )
}

/// A page that leads on to another site at once. A redirect would not do: browsers hold those that answer a form to what
/// `form-action` allows, at every site that follows. `None` for what is no address.
pub(crate) fn leave_for(url: &str, name: &str) -> Option<Response> {
    let refresh = HeaderValue::from_str(&format!("0; url={url}")).ok()?;
    let css = site::urls().css;
    let (name, url) = (escape(name), escape(url));
    let body = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>Signed out · Plumbline</title>\
         <link rel=\"stylesheet\" href=\"{css}\"></head><body><main id=\"main\" class=\"page\"><div class=\"state\">\
         <h1>Signed out</h1><p>You are signed out here. {name} signs you out next.</p>\
         <p><a class=\"btn\" href=\"{url}\">Sign out at {name}</a></p></div></main></body></html>"
    );
    let mut response = Html(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::REFRESH, refresh);
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, PLAIN_PAGE_POLICY),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Some(response)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn browsers_get_a_page_and_programs_get_json() {
        let check = |accept: &'static str, expected: &str| {
            let request = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            let response = Audience::of(&request, &Extensions::new()).refuse(HttpError::forbidden("<b>"));
            assert_eq!(response.status(), StatusCode::FORBIDDEN);
            assert_eq!(response.headers()[header::CONTENT_TYPE], expected);
        };
        check("text/html,application/xhtml+xml", "text/html; charset=utf-8");
        check("*/*", "application/json");
    }

    #[test]
    fn text_stays_text() {
        assert!(html("<script>", None).contains("<p>&lt;script&gt;.</p>"));
    }
}
