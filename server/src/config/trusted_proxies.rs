//! Whose word is taken for where a request came from.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Addresses of proxies in front of the server, single ones and networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Whether requests from this address say for whom they are.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    fn of<'a>(items: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let items = items.into_iter().map(str::trim).filter(|item| !item.is_empty());
        items.map(network).collect::<Result<_, _>>().map(Self)
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address.to_canonical()),
        Err(_) => text
            .parse()
            .map_err(|_neither| format!("`{text}` is no address or network such as 10.0.0.0/8"))?,
    };
    if network.prefix_len() == 0 {
        return Err(format!(
            "`{text}` is everybody: whoever sends the header would be believed"
        ));
    }
    Ok(network.trunc())
}

impl FromStr for TrustedProxies {
    type Err = String;

    /// Reads a list with commas.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::of(text.split(','))
    }
}

impl fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, network) in self.0.iter().enumerate() {
            write!(f, "{}{network}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for TrustedProxies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Vec::<String>::deserialize(deserializer)?;
        Self::of(items.iter().map(String::as_str)).map_err(serde::de::Error::custom)
    }
}

impl Serialize for TrustedProxies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(IpNet::to_string))
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
