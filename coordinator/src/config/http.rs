//! `[http]`: the API and the pages.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Bounded;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// TCP address of the API and the pages.
    pub listen: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<HttpTls>,
    /// Whether browsers may send the session cookie over TLS only. Always so with `tls`.
    pub secure_cookies: bool,
    /// The built pages; nothing but the API is served while it does not exist.
    pub ui_dir: PathBuf,
    /// Who may read `/metrics`.
    pub metrics_from: Vec<IpAddr>,
    /// Connections at once; more wait.
    pub max_connections: Bounded<1, 100_000>,
    /// How long a request may take until its answer begins.
    pub request_timeout_seconds: Bounded<1, 600>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            tls: None,
            secure_cookies: false,
            ui_dir: "/usr/share/cctv-coordinator/ui".into(),
            metrics_from: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            max_connections: Bounded::new(4096),
            request_timeout_seconds: Bounded::new(60),
        }
    }
}

/// A certificate for browsers. Not the authority's: browsers do not know that one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpTls {
    /// PEM, leaf first.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
}
