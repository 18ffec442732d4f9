//! Where a request comes from: what the limits of sign-in count by and the audit log names.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::Auth;
use super::browser::browser_name;
use super::forwarded::{FORWARDED_FOR, client_address};

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
