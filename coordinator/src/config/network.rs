//! Addresses and networks in the settings.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

/// Bits of `::ffff:0:0/96`, below which IPv6 repeats the addresses of IPv4.
const MAPPED: u8 = 96;

/// `192.0.2.7`, `10.20.0.0/16` or `2001:db8::/32`. Networks of IPv4-mapped IPv6 addresses are those
/// of IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

impl Network {
    fn canonical(network: IpNet) -> Self {
        let mapped = |net: IpNet| {
            let IpAddr::V4(address) = net.addr().to_canonical() else {
                return None;
            };
            let bits = net.prefix_len().checked_sub(MAPPED)?;
            Ipv4Net::new(address, bits).ok().map(IpNet::V4)
        };
        match network {
            IpNet::V6(_) => Self(mapped(network).unwrap_or(network).trunc()),
            IpNet::V4(_) => Self(network.trunc()),
        }
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical().into())
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = text.parse::<IpAddr>().map(Self::from);
        address
            .or_else(|_| text.parse::<IpNet>().map(Self::canonical))
            .map_err(|_| {
                format!("`{text}` is not an address or a network, such as \"192.0.2.7\" or \"10.20.0.0/16\"")
            })
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(network) = self;
        if network.prefix_len() == network.max_prefix_len() {
            network.addr().fmt(f)
        } else {
            network.fmt(f)
        }
    }
}

/// Some networks, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// An IPv4-mapped IPv6 address counts as the IPv4 address that it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0
            .iter()
            .any(|Network(network)| network.contains(&address))
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<IpAddr> for Networks {
    fn from_iter<T: IntoIterator<Item = IpAddr>>(addresses: T) -> Self {
        Self(addresses.into_iter().map(Network::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Networks {
        Networks(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[test]
    fn addresses_are_in_their_networks_however_they_are_written() {
        let ours = networks(&["10.20.0.0/16", "192.0.2.7", "2001:db8::/32", "::1"]);
        for inside in [
            "10.20.0.0",
            "10.20.255.255",
            "::ffff:10.20.3.4",
            "192.0.2.7",
            "::ffff:192.0.2.7",
            "2001:db8:ffff::1",
            "::1",
        ] {
            assert!(ours.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in [
            "10.21.0.0",
            "192.0.2.8",
            "2001:db9::",
            "::2",
            "127.0.0.1",
            "::10.20.3.4",
        ] {
            assert!(!ours.contains(outside.parse().unwrap()), "{outside}");
        }
        assert!(!Networks::default().contains("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn networks_of_mapped_addresses_are_those_of_ipv4() {
        let mapped = networks(&["::ffff:10.20.0.0/112", "::ffff:192.0.2.7"]);
        assert_eq!(mapped, networks(&["10.20.0.0/16", "192.0.2.7"]));
        // All of IPv6 is not all of IPv4.
        assert!(!networks(&["::/0"]).contains("192.0.2.7".parse().unwrap()));
        assert!(networks(&["::ffff:0:0/96"]).contains("192.0.2.7".parse().unwrap()));
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        for (text, written) in [
            ("10.20.3.4/16", "10.20.0.0/16"),
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7/32", "192.0.2.7"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8::1/32", "2001:db8::/32"),
        ] {
            let network: Network = text.parse().unwrap();
            assert_eq!(network.to_string(), written);
            assert_eq!(written.parse(), Ok(network));
        }
        for bad in ["", "10.0.0.0/33", "10.0.0", "host.example", "10.0.0.0/-1"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
