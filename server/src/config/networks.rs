//! Lists of addresses and networks, as the configuration writes them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Single addresses and networks such as `10.0.0.0/8`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Whether an address is in one of them; an IPv4 address also where it is written as an IPv6 one.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The networks of which everybody is part, as they are written.
    pub(super) fn of_everybody(&self) -> Option<String> {
        let all = self.0.iter().find(|network| network.prefix_len() == 0);
        all.map(IpNet::to_string)
    }

    pub(super) fn of<'a>(items: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
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
    Ok(network.trunc())
}

impl FromStr for Networks {
    type Err = String;

    /// Reads a list with commas.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::of(text.split(','))
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, network) in self.0.iter().enumerate() {
            write!(f, "{}{network}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Vec::<String>::deserialize(deserializer)?;
        Self::of(items.iter().map(String::as_str)).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Networks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(IpNet::to_string))
    }
}
