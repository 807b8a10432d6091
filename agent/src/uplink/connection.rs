//! The connection to the coordinator: dialling, TLS, streams of messages and bytes, and staying
//! connected while the network under it changes.
//!
//! The only importer of quinn in the agent. What is said on a stream is decided by the modules
//! beside this one.

mod congestion;
mod dial;
mod socket;
mod stream;
mod tls;
mod tunnel;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use shared::wire::CloseCode;
use tokio::time::{Instant, MissedTickBehavior};

pub(crate) use dial::{Address, Ways, is_revocation, reach};
pub use dial::{DialError, Route};
pub use stream::StreamError;
pub(crate) use stream::{Receiver, Sender};
pub(crate) use tls::{Anchor, Credentials};

/// How often the connection is looked after.
const TEND: Duration = Duration::from_millis(200);

/// How often the route to the coordinator is looked up.
const ROUTE_CHECK: Duration = Duration::from_secs(2);

/// Bytes that may wait or be unacknowledged: at least so many,
const SMALLEST_WINDOW: u64 = 64 * 1024;

/// and at most so many; 450 Mbit/s at 300 ms.
const LARGEST_WINDOW: u64 = 16 * 1024 * 1024;

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The coordinator ended it and said why.
    #[error("the coordinator closed the connection ({code:?}): {reason}")]
    ByPeer { code: CloseCode, reason: String },
    /// It does not accept our certificate.
    #[error("the coordinator does not accept this agent's certificate ({detail}); enrol again")]
    CertificateRefused { detail: String },
    #[error("the coordinator has not been heard of for too long")]
    TimedOut,
    /// The coordinator was started anew and does not know the connection.
    #[error("the coordinator was restarted")]
    Reset,
    #[error("the connection broke: {detail}")]
    Broken { detail: String },
}

impl From<quinn::ConnectionError> for Closed {
    fn from(error: quinn::ConnectionError) -> Self {
        match error {
            quinn::ConnectionError::ApplicationClosed(close) => {
                match CloseCode::from_u64(close.error_code.into_inner()) {
                    Some(code) => Self::ByPeer {
                        code,
                        reason: String::from_utf8_lossy(&close.reason).into_owned(),
                    },
                    None => Self::Broken {
                        detail: format!("unknown code {}", close.error_code),
                    },
                }
            }
            quinn::ConnectionError::ConnectionClosed(close)
                if dial::is_certificate_alert(close.error_code) =>
            {
                Self::CertificateRefused {
                    detail: String::from_utf8_lossy(&close.reason).into_owned(),
                }
            }
            quinn::ConnectionError::TimedOut => Self::TimedOut,
            quinn::ConnectionError::Reset => Self::Reset,
            // We close only by giving the connection away, so this was not us.
            quinn::ConnectionError::LocallyClosed => Self::Broken {
                detail: "its socket failed".to_owned(),
            },
            other => Self::Broken {
                detail: other.to_string(),
            },
        }
    }
}

/// What counters say of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub lost_packets: u64,
}

/// An established connection. Dropping it closes it; [`Connection::shut_down`] says why.
#[derive(Debug)]
pub(crate) struct Connection {
    inner: quinn::Connection,
    endpoint: quinn::Endpoint,
    route: Route,
}

impl Connection {
    /// How it reaches the coordinator.
    pub(crate) const fn route(&self) -> Route {
        self.route
    }

    pub(crate) fn remote(&self) -> SocketAddr {
        self.inner.remote_address()
    }

    /// Opens a stream in both directions; waits while the coordinator allows no more.
    pub(crate) async fn open(&self) -> Result<(Sender, Receiver), Closed> {
        self.opener().open().await
    }

    /// For tasks that open streams by themselves.
    pub(crate) fn opener(&self) -> Opener {
        Opener(self.inner.clone())
    }

    /// The next stream that the coordinator opens.
    pub(crate) async fn accept(&self) -> Result<(Sender, Receiver), Closed> {
        let (send, receive) = self.inner.accept_bi().await?;
        Ok((Sender::new(send), Receiver::new(receive)))
    }

    /// Waits until it has ended.
    pub(crate) async fn closed(&self) -> Closed {
        self.inner.closed().await.into()
    }

    /// Smoothed.
    pub(crate) fn round_trip(&self) -> Duration {
        self.inner.rtt()
    }

    pub(crate) fn traffic(&self) -> Traffic {
        let stats = self.inner.stats();
        Traffic {
            sent_bytes: stats.udp_tx.bytes,
            received_bytes: stats.udp_rx.bytes,
            lost_packets: stats.path.lost_packets,
        }
    }

    /// Ends it and waits a moment until the coordinator can know.
    pub(crate) async fn shut_down(self, code: CloseCode, reason: &str) {
        self.inner.close(code.as_u32().into(), reason.as_bytes());
        let idle = self.endpoint.wait_idle();
        // When nobody acknowledges, the coordinator learns it from its idle time-out.
        let _ = tokio::time::timeout(Duration::from_secs(1), idle).await;
    }

    /// Keeps the connection well; never returns.
    ///
    /// It moves to a new socket whenever the host reaches the coordinator from another address, so
    /// that it survives a change of network. And it lets only half as much wait as the network takes
    /// in a round trip: more would only be memory, a longer way for what is urgent, and bytes to be
    /// sent again after a cut.
    pub(crate) async fn tend(&self) {
        let mut source = local_address_towards(self.remote());
        let mut route_checked = Instant::now();
        let mut every = tokio::time::interval(TEND);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            let window = self.inner.stats().path.cwnd.saturating_mul(3) / 2;
            self.inner
                .set_send_window(window.clamp(SMALLEST_WINDOW, LARGEST_WINDOW));
            if self.route == Route::Udp && route_checked.elapsed() >= ROUTE_CHECK {
                route_checked = Instant::now();
                self.follow_network(&mut source);
            }
        }
    }

    fn follow_network(&self, source: &mut Option<IpAddr>) {
        let Some(address) = local_address_towards(self.remote()) else {
            return;
        };
        if source.replace(address) == Some(address) {
            return;
        }
        match self.rebind() {
            Ok(()) => tracing::info!(%address, "the network changed; the connection moves"),
            Err(error) => tracing::warn!(%error, "cannot move to the new network"),
        }
    }

    /// Goes on from a fresh socket.
    fn rebind(&self) -> std::io::Result<()> {
        self.endpoint
            .rebind(UdpSocket::bind(dial::any_address(self.remote()))?)
    }
}

/// Opens streams on a connection that somebody else holds.
#[derive(Clone, Debug)]
pub(crate) struct Opener(quinn::Connection);

impl Opener {
    /// As [`Connection::open`].
    pub(crate) async fn open(&self) -> Result<(Sender, Receiver), Closed> {
        let (send, receive) = self.0.open_bi().await?;
        Ok((Sender::new(send), Receiver::new(receive)))
    }

    /// Opens a stream towards the coordinator; waits while it allows no more.
    pub(crate) async fn open_one_way(&self) -> Result<Sender, Closed> {
        Ok(Sender::new(self.0.open_uni().await?))
    }
}

/// The address the host would send from; asks the routing table and sends nothing.
fn local_address_towards(remote: SocketAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind(dial::any_address(remote)).ok()?;
    socket.connect(remote).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests;
