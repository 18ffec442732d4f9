//! What is passed on, and as what.
//!
//! Looked up before the router of everything else and not by it: through that one a call takes 0.04 ms longer
//! (ADR 0006).

use axum::http::{HeaderMap, Method};

use super::api::{Api, Provider};

#[derive(Debug)]
pub struct Route {
    pub method: &'static str,
    /// Its path; `{id}` stands for one segment.
    pub path: &'static str,
    speaks: Speaks,
    /// What its calls are recorded as, if they are.
    pub api: Option<Api>,
    /// What it is, for the API's description.
    pub summary: &'static str,
}

/// Whose words a route speaks.
#[derive(Debug)]
enum Speaks {
    Anthropic,
    OpenAi,
    /// Its headers say.
    Either,
}

/// Everything that is passed on.
#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    route("POST",   "/v1/messages",                    Speaks::Anthropic,  Some(Api::Messages),     "Anthropic's Messages, recorded"),
    route("POST",   "/v1/messages/count_tokens",       Speaks::Anthropic,  None,                    "Anthropic's token counting"),
    route("POST",   "/v1/chat/completions",            Speaks::OpenAi,     Some(Api::Chat),         "OpenAI's Chat Completions, recorded"),
    route("POST",   "/v1/responses",                   Speaks::OpenAi,     Some(Api::Responses),    "OpenAI's Responses, recorded"),
    route("GET",    "/v1/responses/{id}",              Speaks::OpenAi,     None,                    "A stored response of OpenAI's"),
    route("DELETE", "/v1/responses/{id}",              Speaks::OpenAi,     None,                    "Deletes a stored response of OpenAI's"),
    route("POST",   "/v1/responses/{id}/cancel",       Speaks::OpenAi,     None,                    "Cancels a response of OpenAI's"),
    route("GET",    "/v1/responses/{id}/input_items",  Speaks::OpenAi,     None,                    "The input of a response of OpenAI's"),
    route("POST",   "/v1/completions",                 Speaks::OpenAi,     Some(Api::Completions),  "OpenAI's Completions, recorded"),
    route("POST",   "/v1/embeddings",                  Speaks::OpenAi,     Some(Api::Embeddings),   "OpenAI's Embeddings, recorded"),
    route("GET",    "/v1/models",                      Speaks::Either,     None,                    "The models of Anthropic or OpenAI, by the request's headers"),
    route("GET",    "/v1/models/{id}",                 Speaks::Either,     None,                    "A model of Anthropic's or OpenAI's"),
];

/// Paths that begin like a provider's and are OpenTelemetry's.
const OTHERS: [&str; 3] = ["/v1/traces", "/v1/logs", "/v1/metrics"];

const fn route(
    method: &'static str,
    path: &'static str,
    speaks: Speaks,
    api: Option<Api>,
    summary: &'static str,
) -> Route {
    Route {
        method,
        path,
        speaks,
        api,
        summary,
    }
}

/// What became of looking for a route.
#[derive(Debug)]
pub(super) enum Found {
    Route(&'static Route),
    /// There is none with this method, but with these.
    OtherMethods(Vec<&'static str>),
    Nothing,
}

impl Route {
    /// Whose words it speaks.
    pub fn provider(&self, headers: &HeaderMap) -> Provider {
        match self.speaks {
            Speaks::Anthropic => Provider::Anthropic,
            Speaks::OpenAi => Provider::OpenAi,
            Speaks::Either => Provider::of(headers),
        }
    }

    fn has_path(&self, path: &str) -> bool {
        let mut segments = path.split('/');
        let fits = |wanted: &str| {
            segments
                .next()
                .is_some_and(|segment| segment == wanted || (wanted == "{id}" && !segment.is_empty()))
        };
        self.path.split('/').all(fits) && segments.next().is_none()
    }

    /// Its methods: what can be read can be asked for without its body.
    fn methods(&self) -> impl Iterator<Item = &'static str> {
        let head = (self.method == "GET").then_some("HEAD");
        std::iter::once(self.method).chain(head)
    }
}

/// Whether a path is the proxy's, be it one that it passes on or not. With two slashes it comes from a base URL that
/// ends with one too many.
pub fn is_ours(path: &str) -> bool {
    (path == "/v1" || path.starts_with("/v1/") || path.starts_with("//v1/")) && !OTHERS.contains(&path)
}

/// The route of a request.
pub(super) fn find(method: &Method, path: &str) -> Found {
    let has_path = || ROUTES.iter().filter(|route| route.has_path(path));
    if let Some(route) = has_path().find(|route| route.methods().any(|takes| *method == takes)) {
        return Found::Route(route);
    }
    let methods: Vec<_> = has_path().flat_map(Route::methods).collect();
    if methods.is_empty() {
        Found::Nothing
    } else {
        Found::OtherMethods(methods)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found() {
        let check = |method: Method, path: &str, expected: Option<&str>| {
            let found = match find(&method, path) {
                Found::Route(route) => Some(route.path),
                Found::OtherMethods(_) | Found::Nothing => None,
            };
            assert_eq!(found, expected, "{method} {path}");
            assert!(is_ours(path), "{path}");
        };
        for route in ROUTES {
            let path = route.path.replace("{id}", "resp_1%2F..");
            check(route.method.parse().unwrap(), &path, Some(route.path));
        }
        check(Method::HEAD, "/v1/models", Some("/v1/models"));
        check(Method::HEAD, "/v1/messages", None);
        check(Method::OPTIONS, "/v1/models", None);
        for path in [
            "/v1",
            "/v1/",
            "//v1/models",
            "/v1/models/",
            "/v1/models/a/b",
            "/v1/responses//cancel",
            "/v1/{id}",
        ] {
            check(Method::GET, path, None);
        }
        assert!(!is_ours("/v1/traces") && is_ours("/v1/traces/"));
        assert!(!is_ours("/v1x") && !is_ours("/") && !is_ours("/p/v1/models"));
    }

    #[test]
    fn another_method_is_answered_with_the_allowed_ones() {
        let Found::OtherMethods(methods) = find(&Method::PUT, "/v1/responses/resp_1") else {
            panic!("the path is known");
        };
        assert_eq!(methods, ["GET", "HEAD", "DELETE"]);
        assert!(matches!(find(&Method::PUT, "/v1/files"), Found::Nothing));
    }
}
