//! Where a request comes from: what the limits of sign-in count by and the audit log names.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};

use super::Auth;
use super::browser::browser_name;
use crate::config::TrustedProxies;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The person's end of a request.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) address: Option<IpAddr>,
    /// It is a proxy's, which does not say whose request it passes on, or is not believed.
    pub(crate) is_of_a_proxy: bool,
    /// `Firefox on Linux`.
    pub(crate) browser: String,
}

impl Client {
    /// The address as the audit log has it.
    pub(crate) fn address_text(&self) -> String {
        self.address
            .map_or_else(|| "unknown".to_owned(), |address| address.to_string())
    }
}

impl<S> FromRequestParts<S> for Client
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
        let auth = Auth::from_ref(state);
        auth.warn_of_an_unlisted_proxy(direct, &parts.headers);
        let settings = &auth.inner.settings;
        let address = client_address(direct, &parts.headers, &settings.trusted_proxies);
        let direct = direct.map(|direct| direct.to_canonical());
        let is_proxy = settings.behind_auth_proxy
            || direct.is_some_and(|direct| settings.trusted_proxies.contains(direct));
        let user_agent = parts.headers.get(header::USER_AGENT);
        Ok(Self {
            address,
            is_of_a_proxy: is_proxy && address == direct,
            browser: browser_name(user_agent.map_or(&b""[..], |value| value.as_bytes())),
        })
    }
}

impl Auth {
    /// Says once that a proxy seems to be in front of the server that nobody listed: everybody who signs in through it
    /// counts as one address.
    fn warn_of_an_unlisted_proxy(&self, direct: Option<IpAddr>, headers: &HeaderMap) {
        let Some(direct) = direct.filter(|direct| is_near(*direct)) else {
            return;
        };
        let is_forwarded = headers.contains_key(FORWARDED_FOR) || headers.contains_key(header::FORWARDED);
        if is_forwarded && !self.inner.settings.trusted_proxies.contains(direct) {
            self.inner.unlisted_proxy.call_once(|| {
                tracing::warn!(
                    %direct,
                    "requests are forwarded by a proxy that is not in trusted_proxies, so whoever signs in through it \
                     counts as one address"
                );
            });
        }
    }
}

/// Whether it is this machine's or of a network that has no way to the outside: where proxies are.
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

/// The first address from the right that is no trusted proxy's: what stands left of it, the client wrote itself. A
/// proxy may set one of two headers and pass the other on as it came, so where both are sent and differ, neither counts.
pub(super) fn client_address(
    direct: Option<IpAddr>,
    headers: &HeaderMap,
    trusted: &TrustedProxies,
) -> Option<IpAddr> {
    let direct = direct?.to_canonical();
    if !trusted.contains(direct) {
        return Some(direct);
    }
    let listed = hops(headers, &FORWARDED_FOR, whole);
    let forwarded = hops(headers, &header::FORWARDED, forwarded_for);
    let found = match (listed.is_empty(), forwarded.is_empty()) {
        (true, true) => direct,
        (false, true) => beyond_proxies(direct, listed, trusted),
        (true, false) => beyond_proxies(direct, forwarded, trusted),
        (false, false) => {
            let one = beyond_proxies(direct, listed, trusted);
            if one == beyond_proxies(direct, forwarded, trusted) {
                one
            } else {
                direct
            }
        }
    };
    Some(found)
}

/// The addresses of a header, the last one first; `None` for what is none.
fn hops(headers: &HeaderMap, name: &HeaderName, node: fn(&str) -> Option<&str>) -> Vec<Option<IpAddr>> {
    let mut hops: Vec<Option<IpAddr>> = headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(|hop| address_of(node(std::str::from_utf8(hop).ok()?)?))
        .collect();
    hops.reverse();
    hops
}

fn beyond_proxies(direct: IpAddr, hops: Vec<Option<IpAddr>>, trusted: &TrustedProxies) -> IpAddr {
    let mut last = direct;
    for hop in hops {
        // What the nearest proxy could not name (`unknown`, a made-up name) is where knowledge ends.
        let Some(address) = hop else { return last };
        last = address;
        if !trusted.contains(address) {
            return address;
        }
    }
    last
}

/// An element of `X-Forwarded-For` is an address and nothing else.
fn whole(element: &str) -> Option<&str> {
    Some(element)
}

/// The `for` of one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
    })
}

/// An address with or without quotes, brackets and port.
fn address_of(node: &str) -> Option<IpAddr> {
    let node = node.trim().trim_matches('"');
    if let Ok(address) = node.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let host = match node.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => node.rsplit_once(':')?.0,
    };
    Some(host.parse::<IpAddr>().ok()?.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn found(trusted: &str, direct: &str, headers: &[(&'static str, &str)]) -> String {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                (HeaderName::from_static(name), value)
            })
            .collect();
        client_address(direct.parse().ok(), &headers, &trusted.parse().unwrap())
            .unwrap()
            .to_string()
    }

    #[test]
    fn only_a_trusted_proxy_says_whose_request_it_forwards() {
        let check = |trusted: &str, direct: &str, list: &str, expected: &str| {
            let answer = found(trusted, direct, &[("x-forwarded-for", list)]);
            assert_eq!(answer, expected, "{trusted} {direct} {list}");
        };
        check("", "127.0.0.1", "1.2.3.4", "127.0.0.1");
        check("127.0.0.1", "9.9.9.9", "1.2.3.4", "9.9.9.9");
        check("127.0.0.1", "127.0.0.1", "1.2.3.4", "1.2.3.4");
        check("127.0.0.1", "::ffff:127.0.0.1", "1.2.3.4", "1.2.3.4");
        // What the client sent stands left of what the proxy added.
        check("127.0.0.1", "127.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4");
        check(
            "127.0.0.1,10.0.0.0/8",
            "127.0.0.1",
            "6.6.6.6, 1.2.3.4, 10.0.0.2",
            "1.2.3.4",
        );
        check("127.0.0.1", "127.0.0.1", "1.2.3.4, 10.0.0.2", "10.0.0.2");
        check(
            "127.0.0.1,10.0.0.0/8",
            "127.0.0.1",
            "10.0.0.3, 10.0.0.2",
            "10.0.0.3",
        );
        check("127.0.0.1", "127.0.0.1", "6.6.6.6, unknown", "127.0.0.1");
        check(
            "127.0.0.1,10.0.0.0/8",
            "127.0.0.1",
            "6.6.6.6, é, 10.0.0.2",
            "10.0.0.2",
        );
        check("127.0.0.1", "127.0.0.1", "", "127.0.0.1");
        check("127.0.0.1", "127.0.0.1", "1.2.3.4:5678", "1.2.3.4");
        check("127.0.0.1", "127.0.0.1", "[2001:db8::1]:443", "2001:db8::1");
        check("127.0.0.1", "127.0.0.1", "2001:db8::1", "2001:db8::1");
    }

    #[test]
    fn the_standard_header_is_read_in_the_same_way() {
        let check = |value: &str, expected: &str| {
            assert_eq!(
                found("127.0.0.1", "127.0.0.1", &[("forwarded", value)]),
                expected,
                "{value}"
            );
        };
        check("for=1.2.3.4", "1.2.3.4");
        check(
            "for=6.6.6.6, proto=https;For=\"[2001:db8::1]:80\";by=x",
            "2001:db8::1",
        );
        check("proto=https", "127.0.0.1");
        check("for=_hidden", "127.0.0.1");
    }

    #[test]
    fn a_header_that_the_proxy_only_passed_on_is_not_believed() {
        let both = [("forwarded", "for=6.6.6.6"), ("x-forwarded-for", "1.2.3.4")];
        assert_eq!(found("127.0.0.1", "127.0.0.1", &both), "127.0.0.1");
        let agreed = [("forwarded", "for=1.2.3.4"), ("x-forwarded-for", "1.2.3.4")];
        assert_eq!(found("127.0.0.1", "127.0.0.1", &agreed), "1.2.3.4");
        let several = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.2.3.4")];
        assert_eq!(found("127.0.0.1", "127.0.0.1", &several[1..]), "1.2.3.4");
    }
}
