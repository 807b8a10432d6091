//! The agents' door: QUIC connections, who may use them for what, and what they carry. The only
//! importer of quinn.
//!
//! One file per stream kind (`control`, `metadata`, `upload`, `fetch`), each translating between
//! bytes and one service; `agent_session` owns a connection, `sessions` knows them all. No business
//! here: what a report means and what is done with bytes is decided in `services`.
//!
//! Nothing a peer sends is trusted before `enrol` or `agent_session` has admitted it, and until
//! then it may hold one place of `admission`, two streams, a quarter of a megabyte and a few
//! seconds.

mod admission;
mod agent_session;
mod control;
mod enrol;
mod fetch;
mod live;
mod message;
mod metadata;
mod sessions;
mod transport;
mod tunnel;
mod upload;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::HandshakeData;
use quinn::{Connection, Endpoint, Incoming, VarInt};
use rustls::pki_types::CertificateDer;
use shared::clock::Clock;
use shared::wire::{ALPN, ALPN_ENROL, CloseCode};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::admission::{Admission, Place, Verdict};
pub use self::sessions::Sessions;
use crate::ca::Authority;
use crate::config;
use crate::metrics::{Meters, Outcome};
use crate::services::Services;
use crate::sockets;

/// How long connections may say goodbye when the program ends.
const GOODBYE: Duration = Duration::from_secs(3);

/// What every connection works with.
pub struct Context {
    pub services: Arc<Services>,
    pub authority: Arc<Authority>,
    pub sessions: Arc<Sessions>,
    pub meters: Meters,
    pub clock: Arc<dyn Clock>,
    pub handshake_timeout: Duration,
    pub heartbeat_interval: Duration,
}

/// Sockets that agents connect to.
pub struct Listener {
    endpoint: Endpoint,
    tunnels: Option<tunnel::Tunnels>,
    admission: Arc<Admission>,
}

impl Listener {
    /// # Errors
    /// An address cannot be bound, or TLS does not take our certificate.
    pub async fn bind(
        config: &config::Agents,
        authority: &Authority,
        meters: Meters,
    ) -> Result<Self, ListenError> {
        let server = transport::server_config(authority)?;
        let socket = sockets::udp(config.listen, config.socket_buffer_bytes.as_usize()).map_err(
            |source| ListenError::Bind {
                what: "UDP",
                address: config.listen,
                source,
            },
        )?;
        let endpoint = Endpoint::new(
            transport::endpoint_config(authority),
            Some(server.clone()),
            socket,
            Arc::new(quinn::TokioRuntime),
        )
        .map_err(ListenError::Endpoint)?;
        let admission = Arc::new(Admission::new(
            config.max_handshakes.as_usize(),
            config.max_connections.as_usize(),
            meters,
        ));
        let tunnels = match config.tunnel_address() {
            Some(address) => Some(tunnel::Tunnels {
                listener: tunnel_socket(address).await?,
                tls: tunnel::tls(authority)?,
                quic: server,
                admission: admission.clone(),
            }),
            None => None,
        };
        Ok(Self {
            endpoint,
            tunnels,
            admission,
        })
    }

    /// # Errors
    /// The socket is gone.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// # Errors
    /// The socket is gone.
    pub fn tunnel_address(&self) -> io::Result<Option<SocketAddr>> {
        let listener = self.tunnels.as_ref().map(|tunnels| &tunnels.listener);
        listener.map(TcpListener::local_addr).transpose()
    }

    /// Serves agents until `stop`, then tells them to come back.
    pub async fn run(self, context: Arc<Context>, stop: CancellationToken) {
        let connections = TaskTracker::new();
        if let Some(tunnels) = self.tunnels {
            connections.spawn(tunnels.run(context.clone(), stop.clone()));
        }
        accept(
            &self.endpoint,
            &self.admission,
            &context,
            &connections,
            &stop,
        )
        .await;
        self.endpoint.close(
            code(CloseCode::ShuttingDown),
            b"the coordinator is stopping",
        );
        connections.close();
        let goodbye = async {
            connections.wait().await;
            self.endpoint.wait_idle().await;
        };
        if tokio::time::timeout(GOODBYE, goodbye).await.is_err() {
            tracing::debug!("some agents did not say goodbye");
        }
    }
}

async fn tunnel_socket(address: SocketAddr) -> Result<TcpListener, ListenError> {
    sockets::tcp(address)
        .await
        .map_err(|source| ListenError::Bind {
            what: "TCP",
            address,
            source,
        })
}

/// Takes connections in until `stop` or the end of the endpoint.
async fn accept(
    endpoint: &Endpoint,
    admission: &Arc<Admission>,
    context: &Arc<Context>,
    connections: &TaskTracker,
    stop: &CancellationToken,
) {
    loop {
        let incoming = tokio::select! {
            () = stop.cancelled() => return,
            incoming = endpoint.accept() => match incoming {
                Some(incoming) => incoming,
                None => return,
            },
        };
        let address = incoming.remote_address();
        match admission.judge(address.ip(), incoming.remote_address_validated()) {
            Verdict::Accept(place) => {
                connections.spawn(serve(incoming, place, context.clone()));
            }
            // Costs no memory here, and whoever answers has shown that the address is theirs.
            Verdict::Validate => {
                let _ = incoming.retry();
            }
            Verdict::TurnAway => {
                context.meters.connection(Outcome::TurnedAway);
                incoming.refuse();
            }
        }
    }
}

async fn serve(incoming: Incoming, place: Place, context: Arc<Context>) {
    let peer = incoming.remote_address();
    let handshake = async { incoming.accept()?.await };
    let connection = match tokio::time::timeout(context.handshake_timeout, handshake).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => {
            context.meters.connection(Outcome::NoHandshake);
            return tracing::debug!(%peer, %error, "a handshake failed");
        }
        Err(_) => {
            context.meters.connection(Outcome::NoHandshake);
            return tracing::debug!(%peer, "a handshake took too long");
        }
    };
    match protocol(&connection).as_deref() {
        Some(ALPN) => agent_session::serve(connection, place, context).await,
        Some(ALPN_ENROL) => enrol::serve(connection, place, context).await,
        // TLS agrees on none but these two.
        _ => connection.close(code(CloseCode::ProtocolError), b"unknown protocol"),
    }
}

fn protocol(connection: &Connection) -> Option<Vec<u8>> {
    let data = connection
        .handshake_data()?
        .downcast::<HandshakeData>()
        .ok()?;
    data.protocol
}

/// The certificate the peer proved to hold the key of; TLS has verified it against our authority.
fn certificate(connection: &Connection) -> Option<CertificateDer<'static>> {
    let identity = connection.peer_identity()?;
    let chain = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    chain.into_iter().next()
}

fn code(code: CloseCode) -> VarInt {
    VarInt::from_u32(code.as_u32())
}

/// What a peer says of itself, as it may be shown to people and logged.
fn brief(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// Why agents cannot be listened for.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("cannot listen for agents on {what} {address}; is another program using it?")]
    Bind {
        what: &'static str,
        address: SocketAddr,
        source: io::Error,
    },
    #[error("cannot use the agents' UDP socket")]
    Endpoint(#[source] io::Error),
    #[error("TLS for agents cannot be set up: {message}")]
    Tls { message: String },
}
