//! From an address to a connection, by UDP or, where that is blocked, through TLS over TCP; and
//! from what goes wrong to a sentence that says what to check.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use shared::wire::{CloseCode, SERVER_NAME};

use super::congestion::TolerantConfig;
use super::socket::{self, Ear};
use super::tls::{self, Anchor, Credentials, Refusal};
use super::tunnel;
use super::{Closed, Connection, SMALLEST_WINDOW};
use crate::config::TcpFallback;

/// How long a silent address is waited for.
const DIAL_TIMEOUT: Duration = Duration::from_secs(8);

/// TLS alert numbers (RFC 8446 section 6) become QUIC error codes above this (RFC 9001 section
/// 4.8).
const CRYPTO_ERROR: u64 = 0x100;
const NO_APPLICATION_PROTOCOL: u64 = CRYPTO_ERROR + 120;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Name or address, without brackets.
    pub host: String,
    pub port: u16,
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

/// What carries the QUIC packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    Udp,
    /// Through TLS over TCP.
    Tcp,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        })
    }
}

/// Why there is no connection. Each says what to check.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("cannot find the host of {address}: {error}; check the name and this host's DNS")]
    Lookup { address: String, error: io::Error },
    #[error("cannot open a socket for {address}: {error}; check this host's network")]
    Socket { address: String, error: io::Error },
    #[error(
        "nothing answers at {address} by {route}; check the address, that the coordinator runs, \
         and that no firewall blocks the port"
    )]
    Silent { address: String, route: Route },
    #[error(
        "something answers at {address} by {route}, but it is not a CCTV coordinator; check the \
         address and the port"
    )]
    Foreign { address: String, route: Route },
    #[error(
        "the certificate of {address} cannot be trusted: {detail}; check the address, and if the \
         coordinator was installed anew, enrol again with a new code"
    )]
    Untrusted { address: String, detail: String },
    /// UDP is silent, and TCP leads to something else.
    #[error("nothing answers at {address} by UDP, and {tcp}")]
    Neither { address: String, tcp: Box<Self> },
    #[error("{address} ended the connection: {closed}")]
    Closed { address: String, closed: Closed },
    #[error("the keys and certificates of this agent cannot be used: {detail}")]
    Credentials { detail: String },
}

impl DialError {
    /// Whether something else answers where the coordinator should.
    pub(crate) const fn is_somebody_else(&self) -> bool {
        matches!(
            self,
            Self::Foreign { .. } | Self::Untrusted { .. } | Self::Neither { .. }
        )
    }
}

/// Whether a QUIC close code is a TLS alert about our certificate.
pub(super) fn is_certificate_alert(code: quinn::TransportErrorCode) -> bool {
    let code = u64::from(code);
    // bad_certificate to certificate_unknown, unknown_ca, access_denied, decrypt_error (a signature
    // that does not fit), certificate_required.
    matches!(
        code.checked_sub(CRYPTO_ERROR),
        Some(42..=46 | 48 | 49 | 51 | 116)
    )
}

/// The unspecified address of the family of `remote`.
pub(super) fn any_address(remote: SocketAddr) -> SocketAddr {
    if remote.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    }
}

/// Where a coordinator is to be found by either route.
#[derive(Debug)]
pub(crate) struct Ways {
    pub udp: Address,
    pub tcp: Address,
    pub fallback: TcpFallback,
}

/// Connects by UDP or, as far as the settings want that, through TCP.
///
/// # Errors
/// What keeps it from both, where both were tried.
pub(crate) async fn reach(
    ways: &Ways,
    anchor: &Anchor,
    credentials: Option<&Credentials>,
    alpn: &[u8],
) -> Result<Connection, DialError> {
    let by_tcp = || dial(&ways.tcp, Route::Tcp, anchor, credentials, alpn);
    let by_udp = || dial(&ways.udp, Route::Udp, anchor, credentials, alpn);
    match ways.fallback {
        TcpFallback::Always => by_tcp().await,
        TcpFallback::Never => by_udp().await,
        TcpFallback::Auto => match by_udp().await {
            Err(silence @ DialError::Silent { .. }) => {
                by_tcp().await.map_err(|tcp| match tcp.is_somebody_else() {
                    true => DialError::Neither {
                        address: ways.udp.to_string(),
                        tcp: Box::new(tcp),
                    },
                    // Then the trouble is not the kind of packet.
                    false => silence,
                })
            }
            other => other,
        },
    }
}

/// Connects to whichever address of the host answers first in order.
///
/// # Errors
/// That of the last address tried.
pub(crate) async fn dial(
    address: &Address,
    route: Route,
    anchor: &Anchor,
    credentials: Option<&Credentials>,
    alpn: &[u8],
) -> Result<Connection, DialError> {
    let name = address.to_string();
    let lookup = |error| DialError::Lookup {
        address: name.clone(),
        error,
    };
    let found: Vec<_> = tokio::net::lookup_host((address.host.as_str(), address.port))
        .await
        .map_err(lookup)?
        .collect();
    let mut last = lookup(io::Error::other("the name has no address"));
    for remote in found {
        let attempt = Attempt {
            address: name.clone(),
            remote,
            route,
            anchor,
        };
        let result = match route {
            Route::Udp => attempt.by_udp(credentials, alpn).await,
            Route::Tcp => attempt.by_tcp(credentials, alpn).await,
        };
        match result {
            Ok(connection) => return Ok(connection),
            Err(error) => last = error,
        }
    }
    Err(last)
}

struct Attempt<'a> {
    address: String,
    remote: SocketAddr,
    route: Route,
    anchor: &'a Anchor,
}

impl Attempt<'_> {
    async fn by_udp(
        &self,
        credentials: Option<&Credentials>,
        alpn: &[u8],
    ) -> Result<Connection, DialError> {
        let ear = Ear::default();
        let socket = UdpSocket::bind(any_address(self.remote))
            .and_then(|socket| socket::listen(socket, ear.clone()))
            .and_then(endpoint)
            .map_err(|source| self.socket_error(source))?;
        self.handshake(socket, &ear, credentials, alpn).await
    }

    async fn by_tcp(
        &self,
        credentials: Option<&Credentials>,
        alpn: &[u8],
    ) -> Result<Connection, DialError> {
        let (config, refusal) = tls::client_config(self.anchor, None, tunnel::ALPN)
            .map_err(|error| credentials_error(&error))?;
        let opening = tunnel::open(self.remote, config);
        let socket = match tokio::time::timeout(DIAL_TIMEOUT, opening).await {
            Err(_) => return Err(self.silent()),
            Ok(Err(tunnel::OpenError::Refused(error))) => {
                tracing::debug!(address = %self.address, %error, "no TCP connection");
                return Err(self.silent());
            }
            Ok(Err(tunnel::OpenError::Tls(error))) => {
                return Err(refusal
                    .take()
                    .map_or_else(|| self.foreign(&error), |detail| self.untrusted(detail)));
            }
            Ok(Ok(socket)) => socket,
        };
        let endpoint = endpoint(socket).map_err(|source| self.socket_error(source))?;
        let ear = Ear::default();
        // TLS has proven already that a coordinator is there.
        ear.hear();
        self.handshake(endpoint, &ear, credentials, alpn).await
    }

    async fn handshake(
        &self,
        endpoint: quinn::Endpoint,
        ear: &Ear,
        credentials: Option<&Credentials>,
        alpn: &[u8],
    ) -> Result<Connection, DialError> {
        let (config, refusal) = tls::client_config(self.anchor, credentials, alpn)
            .map_err(|error| credentials_error(&error))?;
        let crypto =
            QuicClientConfig::try_from(config).map_err(|error| DialError::Credentials {
                detail: error.to_string(),
            })?;
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        config.transport_config(Arc::new(transport(self.route)));
        let connecting = endpoint
            .connect_with(config, self.remote, SERVER_NAME)
            .map_err(|error| self.socket_error(io::Error::other(error)))?;
        match tokio::time::timeout(DIAL_TIMEOUT, connecting).await {
            Ok(Ok(inner)) => Ok(Connection {
                inner,
                endpoint,
                route: self.route,
            }),
            Ok(Err(error)) => Err(self.explain(error, &refusal, ear)),
            Err(_) if ear.has_heard() => Err(self.foreign(&"no QUIC")),
            Err(_) => Err(self.silent()),
        }
    }

    fn explain(&self, error: quinn::ConnectionError, refusal: &Refusal, ear: &Ear) -> DialError {
        if let Some(detail) = refusal.take() {
            return self.untrusted(detail);
        }
        match error {
            quinn::ConnectionError::TimedOut if !ear.has_heard() => self.silent(),
            quinn::ConnectionError::TimedOut | quinn::ConnectionError::VersionMismatch => {
                self.foreign(&error)
            }
            quinn::ConnectionError::ConnectionClosed(ref close)
                if u64::from(close.error_code) == NO_APPLICATION_PROTOCOL =>
            {
                self.foreign(&error)
            }
            other => DialError::Closed {
                address: self.address.clone(),
                closed: other.into(),
            },
        }
    }

    fn silent(&self) -> DialError {
        DialError::Silent {
            address: self.address.clone(),
            route: self.route,
        }
    }

    fn foreign(&self, detail: &dyn fmt::Display) -> DialError {
        tracing::debug!(address = %self.address, %detail, "not a coordinator");
        DialError::Foreign {
            address: self.address.clone(),
            route: self.route,
        }
    }

    fn untrusted(&self, detail: String) -> DialError {
        DialError::Untrusted {
            address: self.address.clone(),
            detail,
        }
    }

    fn socket_error(&self, error: io::Error) -> DialError {
        DialError::Socket {
            address: self.address.clone(),
            error,
        }
    }
}

fn credentials_error(error: &rustls::Error) -> DialError {
    DialError::Credentials {
        detail: error.to_string(),
    }
}

fn endpoint(socket: Arc<dyn quinn::AsyncUdpSocket>) -> io::Result<quinn::Endpoint> {
    quinn::Endpoint::new_with_abstract_socket(
        quinn::EndpointConfig::default(),
        None,
        socket,
        Arc::new(quinn::TokioRuntime),
    )
}

/// Streams that the coordinator may have open: fetches, and a pull for each stream that is watched.
const COORDINATOR_STREAMS: u32 = 320;

/// Little memory on small hosts, and no traffic to speak of when there is nothing to say. The send
/// window grows with the network ([`Connection::tend`]).
fn transport(route: Route) -> quinn::TransportConfig {
    let mut config = quinn::TransportConfig::default();
    config
        .keep_alive_interval(Some(Duration::from_secs(8)))
        .max_idle_timeout(Some(quinn::VarInt::from_u32(30_000).into()))
        .send_window(SMALLEST_WINDOW)
        .stream_receive_window(quinn::VarInt::from_u32(1024 * 1024))
        .receive_window(quinn::VarInt::from_u32(4 * 1024 * 1024))
        .max_concurrent_bidi_streams(quinn::VarInt::from_u32(COORDINATOR_STREAMS))
        .max_concurrent_uni_streams(quinn::VarInt::from_u32(0))
        .datagram_receive_buffer_size(None);
    match route {
        Route::Udp => config.congestion_controller_factory(Arc::new(TolerantConfig)),
        // TCP below retransmits and slows down by itself.
        Route::Tcp => config.mtu_discovery_config(None),
    };
    config
}

impl From<DialError> for Closed {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Closed { closed, .. } => closed,
            other => Self::Broken {
                detail: other.to_string(),
            },
        }
    }
}

/// Whether the peer ended the dialogue because it does not know our certificate (any more).
pub(crate) const fn is_revocation(closed: &Closed) -> bool {
    matches!(
        closed,
        Closed::CertificateRefused { .. }
            | Closed::ByPeer {
                code: CloseCode::Revoked,
                ..
            }
    )
}
