//! What the configuration says about access.

use app::WaysIn;

use crate::config::{Config, TrustedProxies};

/// What the configuration says about access.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The server listens on this machine's own address only.
    pub loopback: bool,
    /// A proxy in front of the server lets only people through who may do everything.
    pub behind_auth_proxy: bool,
    /// Where visitors reach the server, when that is not what requests say themselves.
    pub public_url: Option<String>,
    /// Proxies in front of the server that say for whom they ask.
    pub trusted_proxies: TrustedProxies,
    /// The metrics of a server with accounts are read without a key.
    pub metrics_without_key: bool,
    /// How people sign in.
    pub ways_in: WaysIn,
}

impl Settings {
    /// As the configuration says.
    pub fn of(config: &Config) -> Self {
        Self {
            loopback: config.addr.ip().is_loopback(),
            behind_auth_proxy: config.behind_auth_proxy,
            public_url: config.public_url.clone(),
            trusted_proxies: config.trusted_proxies.clone(),
            metrics_without_key: config.metrics_without_key,
            ways_in: WaysIn {
                provider: config.openid.as_ref().map(|openid| openid.name.clone()),
                passwords_off: !config.local_accounts,
            },
        }
    }

    /// Whether visitors come over TLS, so that cookies may demand it.
    pub fn is_https(&self) -> bool {
        self.public_url
            .as_deref()
            .is_some_and(|url| url.starts_with("https://"))
    }
}
