//! For whom a proxy passes a request on, by the headers it sets.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, header};

use crate::config::TrustedProxies;

pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The first address from the right that is no trusted proxy's: what stands left of it, the client wrote itself. A
/// proxy may set one of two headers and pass the other on as it came, so where both are sent and differ, neither counts.
pub(crate) fn client_address(
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
