//! What travels and what does not: hop-by-hop headers and our own stay here, everything else goes on as it came.

use axum::http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, COOKIE, HOST, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD as STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;
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
/// Headers of an answer that would change what browsers do with this server's other addresses: they speak of the
/// provider's host and would be taken to speak of ours.
const ABOUT_THE_HOST: [&str; 8] = [
    "alt-svc",
    "clear-site-data",
    "nel",
    "origin-agent-cluster",
    "report-to",
    "reporting-endpoints",
    "service-worker-allowed",
    "strict-transport-security",
];
/// A page that a provider answers with is shown without scripts and without access to this server's origin.
const ANSWER_POLICY: HeaderValue =
    HeaderValue::from_static("sandbox; default-src 'none'; frame-ancestors 'none'");

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

/// The headers of an answer on their way to the caller. Where bytes are taken out of it, its length is another one. An
/// answer may be opened in a browser, at an address of this server: what would let it act there is added or left out.
pub fn to_caller(headers: &HeaderMap, is_shortened: bool) -> HeaderMap {
    let named = named_by_connection(headers);
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let is_replaced = is_shortened && *name == CONTENT_LENGTH;
        let is_about_us =
            ABOUT_THE_HOST.contains(&name.as_str()) || (*name == SET_COOKIE && sets_ours(value));
        if !is_replaced && !is_about_us && !is_hop_by_hop(name, &named) {
            kept.append(name.clone(), value.clone());
        }
    }
    // Beside the provider's own policy, if it has one: browsers hold to all of them.
    kept.append(CONTENT_SECURITY_POLICY, ANSWER_POLICY);
    kept.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    kept
}

/// Whether a cookie could be taken for one of the dashboard's. Browsers drop blanks and, of a cookie without a name, the
/// sign before its value.
fn sets_ours(cookie: &HeaderValue) -> bool {
    let pair = cookie
        .as_bytes()
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    contains(pair, cookie::OURS)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Whether a key of ours stands where it would be forwarded: in any header that is not ours, as it is or in the base64
/// of `Basic`, or in the query.
pub fn has_misplaced_key(uri: &Uri, headers: &HeaderMap) -> bool {
    let prefix = secret::PREFIX.as_bytes();
    let is_in_header = headers
        .iter()
        .filter(|(name, _)| !is_ours(name))
        .any(|(_, value)| contains(value.as_bytes(), prefix) || contains(&decoded(value.as_bytes()), prefix));
    let query = uri.query().unwrap_or_default();
    is_in_header || contains(&percent_decode_str(query).collect::<Vec<u8>>(), prefix)
}

/// What stands behind a scheme in base64, as in `Basic dTpw`.
fn decoded(value: &[u8]) -> Vec<u8> {
    let word = value
        .trim_ascii()
        .split(|byte| *byte == b' ')
        .next_back()
        .unwrap_or_default();
    let word = word
        .strip_suffix(b"==")
        .or(word.strip_suffix(b"="))
        .unwrap_or(word);
    STANDARD_NO_PAD
        .decode(word)
        .or_else(|_other_alphabet| URL_SAFE_NO_PAD.decode(word))
        .unwrap_or_default()
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
            ("set-cookie", "plumbline_session=theirs; Path=/"),
            ("set-cookie", " =plumbline_theme=theirs"),
            ("set-cookie", "__Host-plumbline_session=theirs; Secure; Path=/"),
            ("clear-site-data", "*"),
            ("strict-transport-security", "max-age=1"),
            ("content-security-policy", "sandbox allow-scripts"),
        ]);
        let expected = [
            ("x-request-id", "theirs"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("content-security-policy", "sandbox allow-scripts"),
            (
                "content-security-policy",
                "sandbox; default-src 'none'; frame-ancestors 'none'",
            ),
            ("x-content-type-options", "nosniff"),
        ];
        let kept = to_caller(&answered, true);
        let kept: Vec<_> = lines(&kept)
            .into_iter()
            .filter(|(name, _)| *name != "content-length")
            .collect();
        assert_eq!(kept, expected);
        assert_eq!(to_caller(&answered, false)["content-length"], "5");
        assert!(!to_caller(&answered, true).contains_key("content-length"));
    }

    #[test]
    fn our_key_in_the_providers_place() {
        let check = |name: &str, value: &str, expected: bool| {
            assert_eq!(
                has_misplaced_key(&Uri::from_static("/v1/models"), &headers(&[(name, value)])),
                expected,
                "{name}: {value}"
            );
        };
        check("authorization", "Bearer pl_live_abc", true);
        check("x-api-key", "pl_live_abc", true);
        check("x-goog-api-key", "pl_live_abc", true);
        check("authorization", "pl_live_abc", true);
        check("authorization", "Token pl_live_abc", true);
        // u:pl_live_abc and pl_live_abc:
        check("authorization", "Basic dTpwbF9saXZlX2FiYw==", true);
        check("authorization", "Basic cGxfbGl2ZV9hYmM6", true);
        check("cookie", "a=pl_live_abc", true);
        check("authorization", "Basic dTpw", false);
        check("authorization", "Bearer sk-abc", false);
        check("x-plumbline-key", "pl_live_abc", false);
        let none = HeaderMap::new();
        assert!(has_misplaced_key(
            &Uri::from_static("/v1/models?key=pl_live_abc"),
            &none
        ));
        assert!(has_misplaced_key(
            &Uri::from_static("/v1/models?key=pl%5Flive_abc"),
            &none
        ));
        assert!(!has_misplaced_key(
            &Uri::from_static("/v1/models?key=AIza"),
            &none
        ));
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
