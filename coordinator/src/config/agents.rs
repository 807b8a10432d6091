//! `[agents]`: how agents reach this coordinator.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Bounded, TcpListen};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Agents {
    /// UDP address of the QUIC listener.
    pub listen: SocketAddr,
    /// The tunnel for sites where UDP is blocked.
    pub tunnel_listen: TcpListen,
    /// What enrolment codes tell agents to dial.
    #[serde(with = "maybe")]
    pub public_address: Option<Address>,
    /// Further names and addresses in the coordinator's certificate.
    pub names: Vec<String>,
    /// How often agents say how they are.
    pub heartbeat_ms: Bounded<500, 60_000>,
    /// Agents connected at once; more are turned away.
    pub max_connections: Bounded<1, 100_000>,
    /// Connections that have not finished their handshake; more are turned away.
    pub max_handshakes: Bounded<8, 10_000>,
    /// How long a connection may take to say who it is.
    pub handshake_timeout_seconds: Bounded<1, 60>,
    /// Requested receive and send buffer of the UDP socket.
    pub socket_buffer_bytes: Bounded<65_536, 268_435_456>,
}

impl Default for Agents {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 7443)),
            tunnel_listen: TcpListen::AsUdp,
            public_address: None,
            names: Vec::new(),
            heartbeat_ms: Bounded::new(2_000),
            max_connections: Bounded::new(2_000),
            max_handshakes: Bounded::new(256),
            handshake_timeout_seconds: Bounded::new(10),
            socket_buffer_bytes: Bounded::new(8 << 20),
        }
    }
}

impl Agents {
    /// Where the tunnel listens, if it does.
    pub const fn tunnel_address(&self) -> Option<SocketAddr> {
        self.tunnel_listen.address(self.listen)
    }

    /// What agents dial when nothing else was said: the address we listen on, or this host's
    /// loopback where that is every address.
    pub fn advertised(&self, bound: SocketAddr) -> Address {
        self.public_address.clone().unwrap_or_else(|| {
            let ip = match bound.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
                ip => ip,
            };
            Address {
                host: ip.to_string(),
                port: bound.port(),
            }
        })
    }
}

/// An address that may be left empty.
mod maybe {
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    use super::Address;

    pub(super) fn serialize<S: Serializer>(
        address: &Option<Address>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let text = address.as_ref().map(ToString::to_string);
        serializer.serialize_str(&text.unwrap_or_default())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Address>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(de::Error::custom)
    }
}

/// `host:port`, where the host is a name or an address; an IPv6 address stands in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    /// Without brackets.
    pub host: String,
    pub port: u16,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{text}` is not an address such as centre.example:7443, 192.0.2.7:7443 or [2001:db8::7]:7443"
)]
pub struct AddressError {
    text: String,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError { text: text.into() };
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(wrong)?;
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let valid = match bare {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => {
                rustls::pki_types::ServerName::try_from(host).is_ok_and(|_| !host.contains(':'))
            }
        };
        let host = bare.unwrap_or(host).to_owned();
        valid.then_some(Self { host, port }).ok_or_else(wrong)
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_round_trip_and_nonsense_is_refused() {
        for text in ["centre.example:7443", "192.0.2.7:1", "[2001:db8::7]:65535"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in [
            "",
            ":7443",
            "a",
            "a:0",
            "a:70000",
            "2001:db8::7:1",
            "[a]:1",
            "a b:1",
            "https://a:1",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_agents_dial_is_the_public_address_or_one_that_can_be_dialled() {
        let mut agents = Agents::default();
        let every = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 7000));
        assert_eq!(agents.advertised(every).to_string(), "127.0.0.1:7000");
        agents.public_address = Some("centre.example:7443".parse().unwrap());
        assert_eq!(agents.advertised(every).to_string(), "centre.example:7443");
    }

    #[test]
    fn the_tunnel_listens_beside_the_agents_elsewhere_or_not_at_all() {
        let read = |text: &str| TcpListen::try_from(text.to_owned());
        let mut agents = Agents::default();
        assert_eq!(agents.tunnel_address(), Some(agents.listen));
        agents.tunnel_listen = read("192.0.2.7:443").unwrap();
        assert_eq!(agents.tunnel_address(), "192.0.2.7:443".parse().ok());
        agents.tunnel_listen = read("off").unwrap();
        assert_eq!(agents.tunnel_address(), None);
        assert!(read("443").unwrap_err().contains("off"));
    }
}
