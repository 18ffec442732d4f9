//! An address as somebody typed it, checked as far as its text tells.

use std::fmt;
use std::net::IpAddr;

use axum::http::Uri;

use super::is_permitted;
use crate::config::Networks;

/// Longest address, in bytes.
const MAX_BYTES: usize = 2_048;

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetUrl {
    uri: Uri,
    /// Plain http, to a private address that is allowed.
    is_plain: bool,
}

/// Why an address can't be called. The text may hold a password, so it is not quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    #[error("The address must look like https://host/path, without a user, a password or a fragment")]
    Malformed,
    #[error(
        "The address must begin with https://; http:// is for private addresses of allow_private_targets \
         (PLUMBLINE_ALLOW_PRIVATE_TARGETS)"
    )]
    NotHttps,
    #[error(
        "That is no public address. allow_private_targets (PLUMBLINE_ALLOW_PRIVATE_TARGETS) names private ones that may \
         be called"
    )]
    Private,
}

impl TargetUrl {
    pub(super) fn parse(text: &str, allowed: &Networks) -> Result<Self, BadTarget> {
        let text = text.trim();
        // A fragment is not part of what `Uri` reads.
        if text.len() > MAX_BYTES || text.contains(['#', '\\', '@']) {
            return Err(BadTarget::Malformed);
        }
        let uri: Uri = text.parse().map_err(|_unreadable| BadTarget::Malformed)?;
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or(BadTarget::Malformed)?;
        let is_plain = match uri.scheme_str() {
            Some("https") => false,
            Some("http") if !allowed.is_empty() => true,
            Some("http") => return Err(BadTarget::NotHttps),
            _ => return Err(BadTarget::Malformed),
        };
        // Connectors ask no resolver for an address.
        if let Some(address) = literal(host)
            && !is_permitted(address, allowed, is_plain)
        {
            return Err(BadTarget::Private);
        }
        if is_this_machine(host) && !allowed.contains(IpAddr::from([127, 0, 0, 1])) {
            return Err(BadTarget::Private);
        }
        Ok(Self { uri, is_plain })
    }

    /// Another path below the same address: `/repos/…` below `https://github.acme.dev/api/v3`.
    pub fn below(&self, path_and_query: &str) -> Result<Self, BadTarget> {
        let begin = self.uri.path().trim_end_matches('/');
        let uri = Uri::builder()
            .scheme(self.uri.scheme_str().unwrap_or("https"))
            .authority(self.uri.authority().map_or("", |authority| authority.as_str()))
            .path_and_query(format!("{begin}{path_and_query}"))
            .build()
            .map_err(|_unreadable| BadTarget::Malformed)?;
        Ok(Self {
            uri,
            is_plain: self.is_plain,
        })
    }

    /// Another address that the called one named, where it is of the same host: what is sent with a call is for no
    /// other one.
    pub fn same_host(&self, url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let is_same = uri.scheme() == self.uri.scheme() && uri.authority() == self.uri.authority();
        is_same.then_some(Self {
            uri,
            is_plain: self.is_plain,
        })
    }

    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Its host, for words.
    pub fn host(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }

    pub(super) fn is_plain(&self) -> bool {
        self.is_plain
    }
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.uri.to_string().trim_end_matches('/'))
    }
}

/// The address that a host is, where it is no name.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    bare.parse().ok()
}

/// A name that leads here everywhere; said at once rather than at the first call.
fn is_this_machine(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, allowed: &str) -> Result<String, BadTarget> {
        TargetUrl::parse(text, &allowed.parse().unwrap()).map(|target| target.to_string())
    }

    #[test]
    fn only_public_https_addresses_are_called() {
        let check = |text: &str, expected: Result<&str, BadTarget>| {
            assert_eq!(parse(text, ""), expected.map(str::to_owned), "{text}");
        };
        check("https://api.github.com", Ok("https://api.github.com"));
        check(
            " https://github.acme.dev/api/v3/ ",
            Ok("https://github.acme.dev/api/v3"),
        );
        check("https://1.1.1.1:8443/x?y=1", Ok("https://1.1.1.1:8443/x?y=1"));
        for malformed in [
            "",
            "api.github.com",
            "ftp://api.github.com",
            "file:///etc/passwd",
            "https://",
            "https://token@api.github.com",
            "https://user:secret@api.github.com",
            "https://api.github.com@10.0.0.1/",
            "https://api.github.com/#x",
            "https:\\\\api.github.com",
            "https://api.github.com/ x",
        ] {
            check(malformed, Err(BadTarget::Malformed));
        }
        check("http://api.github.com", Err(BadTarget::NotHttps));
        for private in [
            "https://127.0.0.1",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://10.0.0.1:443",
            "https://localhost",
            "https://LOCALHOST./",
            "https://x.localhost:8080",
        ] {
            check(private, Err(BadTarget::Private));
        }
        assert!(parse(&format!("https://a.dev/{}", "x".repeat(3_000)), "").is_err());
    }

    #[test]
    fn allowed_private_ones_may_be_called_without_tls() {
        let check = |text: &str, is_ok: bool| {
            assert_eq!(parse(text, "127.0.0.0/8, 10.0.0.0/8").is_ok(), is_ok, "{text}");
        };
        check("http://127.0.0.1:8080", true);
        check("https://10.1.2.3", true);
        check("http://localhost:8080", true);
        check("https://192.168.0.1", false);
        // Plain text does not go out into the world.
        check("http://1.1.1.1", false);
    }

    #[test]
    fn what_an_answer_names_has_to_be_of_the_same_host() {
        let target = TargetUrl::parse("https://github.acme.dev/api/v3", &Networks::default()).unwrap();
        assert_eq!(
            target.below("/repos/a/b?page=2").unwrap().to_string(),
            "https://github.acme.dev/api/v3/repos/a/b?page=2"
        );
        let check =
            |url: &str, expected: bool| assert_eq!(target.same_host(url).is_some(), expected, "{url}");
        check("https://github.acme.dev/api/v3/repositories/1?page=2", true);
        check("http://github.acme.dev/x", false);
        check("https://github.acme.dev:8443/x", false);
        check("https://evil.dev/x", false);
        check("/x", false);
    }
}
