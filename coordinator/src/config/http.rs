//! `[http]`: the API and the pages.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Bounded, Networks, WebOrigin};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// TCP address of the API and the pages.
    pub listen: SocketAddr,
    pub tls: HttpTls,
    /// Whether browsers may send the session cookie over TLS only. Always so with `tls`.
    pub secure_cookies: bool,
    /// The built pages; nothing but the API is served while it does not exist.
    pub ui_dir: PathBuf,
    /// Who may read `/metrics`.
    pub metrics_from: Networks,
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Networks,
    /// Other origins whose pages may use the API with its user's session.
    pub allowed_origins: Vec<WebOrigin>,
    /// Connections at once; more wait.
    pub max_connections: Bounded<1, 100_000>,
    /// Of them from one address; never more than half.
    pub max_connections_per_address: Bounded<1, 100_000>,
    /// How long a request may take until its answer begins.
    pub request_timeout_seconds: Bounded<1, 600>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            tls: HttpTls::default(),
            secure_cookies: false,
            ui_dir: "/usr/share/cctv-coordinator/ui".into(),
            metrics_from: [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
                .into_iter()
                .collect(),
            trusted_proxies: Networks::default(),
            allowed_origins: Vec::new(),
            max_connections: Bounded::new(4096),
            max_connections_per_address: Bounded::new(1024),
            request_timeout_seconds: Bounded::new(60),
        }
    }
}

/// A certificate for browsers, or none. Not the authority's: browsers do not know that one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Files", into = "Files")]
pub struct HttpTls {
    files: Option<(PathBuf, PathBuf)>,
}

impl HttpTls {
    /// Certificate chain and key, both PEM; `None` when browsers talk to us without TLS.
    pub const fn files(&self) -> Option<&(PathBuf, PathBuf)> {
        self.files.as_ref()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Files {
    #[serde(default)]
    certificate: PathBuf,
    #[serde(default)]
    key: PathBuf,
}

impl TryFrom<Files> for HttpTls {
    type Error = &'static str;

    fn try_from(files: Files) -> Result<Self, &'static str> {
        let Files { certificate, key } = files;
        match (
            certificate.as_os_str().is_empty(),
            key.as_os_str().is_empty(),
        ) {
            (true, true) => Ok(Self { files: None }),
            (false, false) => Ok(Self {
                files: Some((certificate, key)),
            }),
            _ => Err("TLS needs both a `certificate` and a `key`, or neither"),
        }
    }
}

impl From<HttpTls> for Files {
    fn from(tls: HttpTls) -> Self {
        let (certificate, key) = tls.files.unwrap_or_default();
        Self { certificate, key }
    }
}
