//! Reading and writing cookies.

use axum::http::{HeaderMap, HeaderValue, header};

/// The cookie of the theme. Scripts may read it.
pub const THEME: &str = "plumbline_theme";
const SESSION: &str = "plumbline_session";
/// Browsers accept this name only over TLS, for this host, for every path.
const SESSION_OVER_TLS: &str = "__Host-plumbline_session";
/// A sign-in at the provider that has begun.
const OPENID: &str = "plumbline_openid";
const OPENID_OVER_TLS: &str = "__Host-plumbline_openid";
/// How the names of all our cookies begin, after [`HOST_PREFIX`] where they have it.
pub(crate) const OURS: &[u8] = b"plumbline_";
const HOST_PREFIX: &[u8] = b"__Host-";
const YEAR_SECONDS: u64 = 365 * 86_400;

/// How many cookies of one name are looked at.
const MAX_SAME_NAME: usize = 4;

/// The value of the cookie `name`.
pub fn get(headers: &HeaderMap, name: &str) -> Option<String> {
    values(headers, name).next()
}

/// The values of all cookies called `name`. A neighbour on another port or a parent domain can set one that comes first.
fn values<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = String> + 'a {
    let pairs = headers.get_all(header::COOKIE).iter().flat_map(pairs);
    pairs.filter_map(move |pair| {
        let rest = pair.strip_prefix(name.as_bytes())?.trim_ascii_start();
        let value = rest.strip_prefix(b"=")?.trim_ascii();
        std::str::from_utf8(value).ok().map(str::to_owned)
    })
}

/// The pairs `name=value` of a cookie header. They are bytes: the name or value of another site's cookie may be in any
/// encoding, and must neither hide ours nor be changed on its way.
pub(crate) fn pairs(header: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    header
        .as_bytes()
        .split(|byte| *byte == b';')
        .map(<[u8]>::trim_ascii)
}

/// Whether a pair `name=value` is one of the dashboard's own.
pub(crate) fn is_ours(pair: &[u8]) -> bool {
    pair.strip_prefix(HOST_PREFIX).unwrap_or(pair).starts_with(OURS)
}

/// The tokens that may be the session's: one that a neighbour set must not sign anybody out.
pub(super) fn sessions(headers: &HeaderMap, https: bool) -> Vec<String> {
    values(headers, session_name(https)).take(MAX_SAME_NAME).collect()
}

/// Sets the session's cookie for `max_age_seconds`; an empty token and 0 take it away.
pub(super) fn set_session(token: &str, max_age_seconds: u64, https: bool) -> Option<HeaderValue> {
    let name = session_name(https);
    let secure = if https { "; Secure" } else { "" };
    let text = format!("{name}={token}; Path=/; Max-Age={max_age_seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).ok()
}

/// What may be the sign-in at the provider that this browser began.
pub(super) fn openid(headers: &HeaderMap, https: bool) -> Vec<String> {
    values(headers, openid_name(https)).take(MAX_SAME_NAME).collect()
}

/// Sets that for `max_age_seconds`; an empty text and 0 take it away.
pub(super) fn set_openid(sealed: &str, max_age_seconds: u64, https: bool) -> Option<HeaderValue> {
    let name = openid_name(https);
    let secure = if https { "; Secure" } else { "" };
    let text = format!("{name}={sealed}; Path=/; Max-Age={max_age_seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).ok()
}

/// Sets the theme's cookie.
pub(super) fn set_theme(word: &str, https: bool) -> Option<HeaderValue> {
    let secure = if https { "; Secure" } else { "" };
    let text = format!("{THEME}={word}; Path=/; Max-Age={YEAR_SECONDS}; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).ok()
}

const fn openid_name(https: bool) -> &'static str {
    if https { OPENID_OVER_TLS } else { OPENID }
}

const fn session_name(https: bool) -> &'static str {
    if https { SESSION_OVER_TLS } else { SESSION }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_cookies() {
        let check = |lines: &[&str], expected: Option<&str>| {
            let headers: HeaderMap = lines
                .iter()
                .map(|line| (header::COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap()))
                .collect();
            assert_eq!(
                get(&headers, "plumbline_session").as_deref(),
                expected,
                "{lines:?}"
            );
        };
        check(&["plumbline_session=abc"], Some("abc"));
        check(&["a=1; plumbline_session=abc ;b=2"], Some("abc"));
        check(&["a=1", "plumbline_session=abc"], Some("abc"));
        check(&["plumbline_session=a=b"], Some("a=b"));
        check(&["xplumbline_session=abc", "plumbline_session"], None);
        // Not ours to read, and no reason to sign anybody out.
        check(&["é=1; plumbline_session=abc"], Some("abc"));
        check(&["plumbline_session=é"], Some("é"));
        check(&[], None);
    }

    #[test]
    fn over_tls_the_cookie_demands_it() {
        let plain = set_session("t", 60, false).unwrap();
        assert_eq!(
            plain,
            "plumbline_session=t; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"
        );
        let tls = set_session("t", 60, true).unwrap();
        assert_eq!(
            tls,
            "__Host-plumbline_session=t; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
        let headers =
            HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static("plumbline_session=t"))]);
        assert!(sessions(&headers, true).is_empty());
        assert_eq!(sessions(&headers, false), ["t"]);
    }

    #[test]
    fn a_neighbours_cookie_of_the_same_name_hides_nothing() {
        let sent = HeaderValue::from_static("plumbline_session=tossed; a=b; plumbline_session=t");
        let headers = HeaderMap::from_iter([(header::COOKIE, sent)]);
        assert_eq!(sessions(&headers, false), ["tossed", "t"]);
        let many = HeaderValue::from_str(&"plumbline_session=x;".repeat(1_000)).unwrap();
        let headers = HeaderMap::from_iter([(header::COOKIE, many)]);
        assert_eq!(sessions(&headers, false).len(), MAX_SAME_NAME);
    }

    #[test]
    fn a_value_that_would_end_the_header_is_refused() {
        assert_eq!(set_theme("dark\r\nset-cookie: a=b", false), None);
    }
}
