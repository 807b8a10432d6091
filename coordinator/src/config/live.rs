//! `[live]`: how live pictures reach browsers.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Bounded, TcpListen};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Live {
    /// UDP address of all viewers.
    pub listen: SocketAddr,
    /// For viewers whose networks block UDP.
    pub tcp_listen: TcpListen,
    /// Where browsers reach these ports.
    pub public_addresses: Vec<IpAddr>,
    /// Viewers at once; more are refused.
    pub max_viewers: Bounded<1, 100_000>,
    /// Of them of one person.
    pub max_viewers_per_person: Bounded<1, 10_000>,
    /// Requested receive and send buffer of the UDP socket.
    pub socket_buffer_bytes: Bounded<65_536, 268_435_456>,
    pub relays: Relays,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 7444)),
            tcp_listen: TcpListen::AsUdp,
            public_addresses: Vec::new(),
            max_viewers: Bounded::new(2_000),
            max_viewers_per_person: Bounded::new(256),
            socket_buffer_bytes: Bounded::new(8 << 20),
            relays: Relays::default(),
        }
    }
}

/// STUN and TURN servers, for viewers who do not reach the coordinator directly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Relays {
    pub urls: Vec<RelayUrl>,
    /// Holds the secret that the relays share with us.
    pub secret_file: PathBuf,
    /// How long a viewer's credentials are good for.
    pub credentials_seconds: Bounded<60, 604_800>,
}

impl Default for Relays {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            secret_file: PathBuf::new(),
            credentials_seconds: Bounded::new(86_400),
        }
    }
}

/// `stun:host:port` (RFC 7064), `turn:host:port?transport=udp` or `turns:…` (RFC 7065).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelayUrl(String);

impl TryFrom<String> for RelayUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let host = text.split_once(':').filter(|(scheme, host)| {
            // It stands in a header between < and >.
            let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:[]?=".contains(c);
            matches!(*scheme, "stun" | "stuns" | "turn" | "turns")
                && host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
                && host.chars().all(plain)
        });
        match host {
            Some(_) => Ok(Self(text)),
            None => Err(format!(
                "`{text}` is not a relay, such as \"turn:relay.example:3478?transport=udp\" or \"stun:relay.example:3478\""
            )),
        }
    }
}

impl From<RelayUrl> for String {
    fn from(url: RelayUrl) -> Self {
        url.0
    }
}

impl fmt::Display for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_relays_are_taken() {
        for good in [
            "stun:relay.example",
            "turn:relay.example:3478?transport=udp",
            "turns:relay.example:5349?transport=tcp",
            "turn:[2001:db8::1]:3478",
        ] {
            assert_eq!(
                RelayUrl::try_from(good.to_owned()).unwrap().to_string(),
                good
            );
        }
        for bad in [
            "",
            "relay.example",
            "http://relay.example",
            "turn:",
            "turn:a>; rel=x",
            "turn:a\"b",
        ] {
            assert!(RelayUrl::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
