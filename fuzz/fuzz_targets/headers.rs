//! Any bytes as headers: cookies, credentials, what is told to the recorder, encodings, paths of the proxy, for whom a
//! request was forwarded.

#![no_main]

#[allow(dead_code, reason = "a part of the server is fuzzed here")]
#[path = "../../server/src/auth"]
mod auth {
    pub(crate) mod cookie;
    pub(crate) mod credentials;
    pub(crate) mod forwarded;

    pub(crate) fn sessions(headers: &axum::http::HeaderMap) -> Vec<String> {
        cookie::sessions(headers, false)
    }
}

#[allow(dead_code, reason = "a part of the configuration is fuzzed here")]
#[path = "../../server/src/config"]
mod config {
    mod networks;
    mod trusted_proxies;

    pub(crate) use networks::Networks;
    pub(crate) use trusted_proxies::TrustedProxies;
}

#[allow(dead_code, reason = "a part of it is needed here")]
#[path = "../../server/src/step_builder.rs"]
mod step_builder;

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

use std::net::IpAddr;

use auth::credentials::{Credentials, looks_like_a_provider_key};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use config::TrustedProxies;
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 10] = [
    "cookie",
    "authorization",
    "x-api-key",
    "x-plumbline-run",
    "x-plumbline-session",
    "x-plumbline-tags",
    "traceparent",
    "connection",
    "x-forwarded-for",
    "forwarded",
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
    forwarded(&headers);
    let text = String::from_utf8_lossy(bytes);
    site::choose(&text);
    let _looks = looks_like_a_provider_key(&text);
    proxy::look_up(&text);
    let uri = text.parse::<Uri>().unwrap_or_default();
    let credentials = Credentials::of(&uri, &headers);
    let hidden = credentials.hide(text.into_owned());
    assert!(!credentials.are_in(&hidden) || hidden.contains("[hidden key]"));
});

/// Only who is trusted is believed, and what is found is no proxy unless there is nothing else.
fn forwarded(headers: &HeaderMap) {
    let direct = IpAddr::from([127, 0, 0, 1]);
    let trusted: TrustedProxies = "127.0.0.1,10.0.0.0/8".parse().unwrap_or_default();
    let unlisted = TrustedProxies::default();
    assert_eq!(
        auth::forwarded::client_address(Some(direct), headers, &unlisted),
        Some(direct)
    );
    let found = auth::forwarded::client_address(Some(direct), headers, &trusted);
    assert!(found.is_some_and(|found| found == found.to_canonical()));
    if !headers.contains_key("x-forwarded-for") && !headers.contains_key("forwarded") {
        assert_eq!(found, Some(direct));
    }
}
