//! Any bytes as headers: cookies, credentials, what is told to the recorder, encodings, paths of the proxy.

#![no_main]

#[allow(dead_code, reason = "a part of the server is fuzzed here")]
#[path = "../../server/src/auth"]
mod auth {
    pub(crate) mod cookie;
    pub(crate) mod credentials;

    pub(crate) fn sessions(headers: &axum::http::HeaderMap) -> Vec<String> {
        cookie::sessions(headers, false)
    }
}

#[allow(dead_code, reason = "a part of ingest is needed here")]
#[path = "../../server/src/ingest"]
mod ingest {
    pub(crate) mod step;
}

#[allow(dead_code, reason = "a part of the proxy is fuzzed here")]
#[path = "../../server/src/proxy"]
mod proxy {
    pub(crate) mod api;
    pub(crate) mod request_context;
    pub(crate) mod routes;

    pub(crate) fn look_up(path: &str) {
        let _found = routes::find(&axum::http::Method::POST, path);
    }
}

#[allow(dead_code, reason = "a part of the site is fuzzed here")]
#[path = "../../server/src/site"]
mod site {
    pub(crate) mod encoding;

    pub(crate) fn choose(accepted: &str) {
        let _chosen = encoding::choose([accepted].into_iter(), true, true);
    }
}

use auth::credentials::{Credentials, looks_like_a_provider_key};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 8] = [
    "cookie",
    "authorization",
    "x-api-key",
    "x-plumbline-run",
    "x-plumbline-session",
    "x-plumbline-tags",
    "traceparent",
    "connection",
];

fuzz_target!(|bytes: &[u8]| {
    let mut headers = HeaderMap::new();
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(HeaderName::from_static(NAMES[number % NAMES.len()]), value);
        }
    }
    for session in auth::sessions(&headers) {
        assert!(!session.contains(';'));
    }
    let _theme = auth::cookie::get(&headers, "plumbline_theme");
    let _context = proxy::request_context::RequestContext::read(&headers);
    let text = String::from_utf8_lossy(bytes);
    site::choose(&text);
    let _looks = looks_like_a_provider_key(&text);
    proxy::look_up(&text);
    let uri = text.parse::<Uri>().unwrap_or_default();
    let credentials = Credentials::of(&uri, &headers);
    let hidden = credentials.hide(text.into_owned());
    assert!(!credentials.are_in(&hidden) || hidden.contains("[hidden key]"));
});
