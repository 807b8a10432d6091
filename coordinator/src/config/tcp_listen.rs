//! Where TCP stands in for UDP, in networks that block the one and not the other.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// TCP address beside a UDP one: empty in the file for the same address, `off` for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TcpListen {
    AsUdp,
    Off,
    At(SocketAddr),
}

impl TryFrom<String> for TcpListen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "" => Ok(Self::AsUdp),
            "off" => Ok(Self::Off),
            other => other.parse().map(Self::At).map_err(|_| {
                format!("`{other}` is not \"off\", \"\" or an address such as \"[::]:7443\"")
            }),
        }
    }
}

impl From<TcpListen> for String {
    fn from(listen: TcpListen) -> Self {
        match listen {
            TcpListen::AsUdp => Self::new(),
            TcpListen::Off => "off".to_owned(),
            TcpListen::At(address) => address.to_string(),
        }
    }
}

impl TcpListen {
    /// Where to listen, beside `udp`.
    pub const fn address(self, udp: SocketAddr) -> Option<SocketAddr> {
        match self {
            Self::AsUdp => Some(udp),
            Self::Off => None,
            Self::At(address) => Some(address),
        }
    }
}
