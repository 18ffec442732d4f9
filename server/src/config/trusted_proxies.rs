//! Whose word is taken for where a request came from.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use super::Networks;

/// Addresses of proxies in front of the server, single ones and networks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TrustedProxies(Networks);

impl TrustedProxies {
    /// Whether requests from this address say for whom they are.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(address)
    }

    fn checked(networks: Networks) -> Result<Self, String> {
        match networks.of_everybody() {
            Some(all) => Err(format!(
                "`{all}` is everybody: whoever sends the header would be believed"
            )),
            None => Ok(Self(networks)),
        }
    }
}

impl FromStr for TrustedProxies {
    type Err = String;

    /// Reads a list with commas.
    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().and_then(Self::checked)
    }
}

impl fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for TrustedProxies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::checked(Networks::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks_are_read() {
        let proxies: TrustedProxies = "127.0.0.1, 10.1.2.3/8,::1, fd00::/8,".parse().unwrap();
        assert_eq!(proxies.to_string(), "127.0.0.1/32, 10.0.0.0/8, ::1/128, fd00::/8");
        let check = |address: &str, expected: bool| {
            assert_eq!(proxies.contains(address.parse().unwrap()), expected, "{address}");
        };
        check("127.0.0.1", true);
        check("::ffff:127.0.0.1", true);
        check("127.0.0.2", false);
        check("10.255.0.1", true);
        check("fd12::1", true);
        check("2001:db8::1", false);
        assert!(!TrustedProxies::default().contains([127, 0, 0, 1].into()));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        let check = |text: &str, part: &str| {
            let problem = text.parse::<TrustedProxies>().unwrap_err();
            assert!(problem.contains(part), "{problem}");
        };
        check("nginx", "`nginx` is no address");
        check("10.0.0.0/33", "no address or network");
        check("0.0.0.0/0", "everybody");
        check("127.0.0.1,::/0", "everybody");
    }
}
