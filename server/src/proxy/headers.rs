//! What travels and what does not: hop-by-hop headers and our own stay here, everything else goes on as it came.

use axum::http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, COOKIE, HOST};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use storage::keys::secret;

use crate::auth::cookie;

/// RFC 9110, 7.6.1, and what older proxies say.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Headers in which a key of ours is sent by mistake, because providers have theirs there.
const PROVIDER_KEYS: [&str; 3] = ["authorization", "x-api-key", "api-key"];

/// The headers of a request on their way to `host`. `identity` asks for an answer that is not compressed.
pub fn to_upstream(headers: &HeaderMap, host: &HeaderValue, identity: bool) -> HeaderMap {
    let mut kept = HeaderMap::with_capacity(headers.len() + 1);
    kept.append(HOST, host.clone());
    let named = named_by_connection(headers);
    for (name, value) in headers {
        let replaced = *name == HOST || (identity && *name == ACCEPT_ENCODING);
        if replaced || is_ours(name) || is_hop_by_hop(name, &named) {
            continue;
        }
        if *name != COOKIE {
            kept.append(name.clone(), value.clone());
        } else if let Some(value) = without_our_cookies(value) {
            kept.append(name.clone(), value);
        }
    }
    if identity {
        kept.append(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    kept
}

/// The headers of an answer on their way to the caller. Where bytes are taken out of it, its length is another one.
pub fn to_caller(headers: &HeaderMap, is_shortened: bool) -> HeaderMap {
    let named = named_by_connection(headers);
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let is_replaced = is_shortened && *name == CONTENT_LENGTH;
        if !is_replaced && !is_hop_by_hop(name, &named) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

/// Whether a key of ours stands where the provider's belongs.
pub fn has_misplaced_key(headers: &HeaderMap) -> bool {
    let is_ours = |value: &HeaderValue| {
        value
            .as_bytes()
            .windows(secret::PREFIX.len())
            .any(|window| window == secret::PREFIX.as_bytes())
    };
    PROVIDER_KEYS
        .iter()
        .any(|name| headers.get_all(*name).iter().any(is_ours))
}

fn is_ours(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-plumbline-") || name.as_str().starts_with("x-llmtrace-")
}

fn is_hop_by_hop(name: &HeaderName, named: &[HeaderName]) -> bool {
    HOP_BY_HOP.contains(&name.as_str()) || named.contains(name)
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // A `connection` header cannot remove these.
        .filter(|name| *name != HOST && *name != CONTENT_LENGTH)
        .collect()
}

/// The cookies that are not the dashboard's: a session is nothing that a provider should see.
fn without_our_cookies(value: &HeaderValue) -> Option<HeaderValue> {
    if !cookie::pairs(value).any(cookie::is_ours) {
        return Some(value.clone());
    }
    let others: Vec<&[u8]> = cookie::pairs(value)
        .filter(|pair| !cookie::is_ours(pair))
        .collect();
    if others.is_empty() {
        return None;
    }
    HeaderValue::from_bytes(&others.join(&b"; "[..])).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                (
                    name.parse::<HeaderName>().unwrap(),
                    HeaderValue::from_bytes(value.as_bytes()).unwrap(),
                )
            })
            .collect()
    }

    fn lines(headers: &HeaderMap) -> Vec<(&str, &str)> {
        headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect()
    }

    #[test]
    fn what_goes_to_the_provider() {
        let sent = headers(&[
            ("host", "localhost:3000"),
            ("authorization", "Bearer sk-1"),
            ("connection", "keep-alive, x-hop, host"),
            ("keep-alive", "timeout=5"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("proxy-authorization", "Basic eA=="),
            ("anthropic-beta", "a"),
            ("x-plumbline-key", "pl_live_1"),
            ("x-plumbline-anything", "1"),
            ("X-Llmtrace-Session", "1"),
            ("anthropic-beta", "b"),
            ("accept-encoding", "gzip, br"),
            ("traceparent", "00-1-2-01"),
            ("cookie", "plumbline_session=abc; theirs=1"),
            ("cookie", "__Host-plumbline_session=abc"),
        ]);
        let host = HeaderValue::from_static("api.example.com");
        let kept = to_upstream(&sent, &host, false);
        let expected = [
            ("host", "api.example.com"),
            ("authorization", "Bearer sk-1"),
            ("anthropic-beta", "a"),
            ("anthropic-beta", "b"),
            ("accept-encoding", "gzip, br"),
            ("traceparent", "00-1-2-01"),
            ("cookie", "theirs=1"),
        ];
        assert_eq!(lines(&kept), expected);
        let plain = to_upstream(&sent, &host, true);
        assert_eq!(
            plain.get_all("accept-encoding").iter().collect::<Vec<_>>(),
            ["identity"]
        );
    }

    #[test]
    fn what_comes_back() {
        let answered = headers(&[
            ("x-request-id", "theirs"),
            ("set-cookie", "a=1"),
            ("content-length", "5"),
            ("transfer-encoding", "chunked"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("set-cookie", "b=2"),
        ]);
        let expected = [
            ("x-request-id", "theirs"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("content-length", "5"),
        ];
        assert_eq!(lines(&to_caller(&answered, false)), expected);
        assert_eq!(lines(&to_caller(&answered, true)), expected[..3]);
    }

    #[test]
    fn our_key_in_the_providers_place() {
        let check = |name: &str, value: &str, expected: bool| {
            assert_eq!(
                has_misplaced_key(&headers(&[(name, value)])),
                expected,
                "{name}: {value}"
            );
        };
        check("authorization", "Bearer pl_live_abc", true);
        check("x-api-key", "pl_live_abc", true);
        check("authorization", "Bearer sk-abc", false);
        check("x-plumbline-key", "pl_live_abc", false);
    }

    #[test]
    fn our_session_stays_here_beside_a_cookie_in_any_encoding() {
        let check = |sent: &[u8], expected: Option<&[u8]>| {
            let kept = without_our_cookies(&HeaderValue::from_bytes(sent).unwrap());
            assert_eq!(kept.as_ref().map(HeaderValue::as_bytes), expected, "{sent:?}");
        };
        check(b"plumbline_session=abc; name=\xff", Some(b"name=\xff"));
        check(
            b"name=\xc3\xa9;__Host-plumbline_session=abc",
            Some(b"name=\xc3\xa9"),
        );
        check(b"a=\xff;b", Some(b"a=\xff;b"));
        check(b"plumbline_theme=dark", None);
    }
}
