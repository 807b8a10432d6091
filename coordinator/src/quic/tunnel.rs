//! QUIC through TCP, for sites where UDP is blocked: each tunnel is a TLS connection that carries
//! the datagrams of one agent, and an endpoint of its own that believes it has a UDP socket.
//!
//! Nothing is trusted for having come this way; the QUIC connection inside is served as any other.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Endpoint, EndpointConfig, UdpPoller};
use rustls::version::TLS13;
use shared::wire::CloseCode;
use shared::wire::tunnel::{ALPN_TUNNEL, put_datagram, take_datagram};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::{CancellationToken, PollSender};
use tokio_util::task::TaskTracker;

use super::admission::{Admission, Place, Verdict};
use super::{Context, ListenError, code, serve};
use crate::ca::Authority;
use crate::metrics::Outcome;

/// Datagrams waiting for TCP: more would only be delay that QUIC cannot see.
const OUTGOING: usize = 32;
/// Datagrams waiting for QUIC.
const INCOMING: usize = 256;
/// Bytes read at once.
const READ: usize = 64 * 1024;
/// After an error of accept, such as too many open files.
const BREATHER: Duration = Duration::from_millis(100);

/// The listening side.
pub(super) struct Tunnels {
    pub(super) listener: TcpListener,
    pub(super) tls: TlsAcceptor,
    pub(super) quic: quinn::ServerConfig,
    pub(super) admission: Arc<Admission>,
}

/// TLS of the tunnel itself: our certificate, and none of the agent's.
pub(super) fn tls(authority: &Authority) -> Result<TlsAcceptor, ListenError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| ListenError::Tls {
            message: error.to_string(),
        })?
        .with_no_client_auth()
        .with_cert_resolver(authority.server_certificate());
    config.alpn_protocols = vec![ALPN_TUNNEL.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

impl Tunnels {
    pub(super) async fn run(self, context: Arc<Context>, stop: CancellationToken) {
        let tunnels = TaskTracker::new();
        let this = Arc::new(self);
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = this.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => match this.admission.judge(peer.ip(), true) {
                    Verdict::Accept(place) => {
                        let carry = this.clone().carry(stream, peer, place, context.clone());
                        tunnels.spawn(stop.clone().run_until_cancelled_owned(carry));
                    }
                    Verdict::Validate | Verdict::TurnAway => {
                        context.meters.connection(Outcome::TurnedAway);
                    }
                },
                Err(error) => {
                    tracing::warn!(%error, "could not accept a tunnel");
                    tokio::time::sleep(BREATHER).await;
                }
            }
        }
        tunnels.close();
        tunnels.wait().await;
    }

    /// One tunnel, until the connection in it ends.
    async fn carry(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        place: Place,
        context: Arc<Context>,
    ) {
        let opened = timeout(context.handshake_timeout, self.open(stream, peer)).await;
        let endpoint = match opened {
            Ok(Ok(endpoint)) => Closing(endpoint),
            Ok(Err(error)) => {
                context.meters.connection(Outcome::NoHandshake);
                return tracing::debug!(%peer, %error, "a tunnel could not be opened");
            }
            Err(_) => {
                context.meters.connection(Outcome::NoHandshake);
                return tracing::debug!(%peer, "a tunnel took too long to open");
            }
        };
        let knock = timeout(context.handshake_timeout, endpoint.0.accept()).await;
        let Ok(Some(incoming)) = knock else {
            return tracing::debug!(%peer, "nobody came through a tunnel");
        };
        // The place of the tunnel's handshake becomes that of the connection in it.
        serve(incoming, place, context).await;
    }

    async fn open(&self, stream: TcpStream, peer: SocketAddr) -> io::Result<Endpoint> {
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        let stream = self.tls.accept(stream).await?;
        if stream.get_ref().1.alpn_protocol() != Some(ALPN_TUNNEL) {
            return Err(io::Error::other("the peer does not want a tunnel"));
        }
        let socket = Arc::new(TunnelSocket::new(stream, local, peer));
        let server = Some(self.quic.clone());
        let runtime = Arc::new(quinn::TokioRuntime);
        Endpoint::new_with_abstract_socket(EndpointConfig::default(), server, socket, runtime)
    }
}

/// An endpoint that says goodbye when it is let go.
struct Closing(Endpoint);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close(
            code(CloseCode::ShuttingDown),
            b"the coordinator is stopping",
        );
    }
}

/// A TLS connection in the guise of a UDP socket with one peer.
struct TunnelSocket {
    outgoing: mpsc::Sender<BytesMut>,
    incoming: Mutex<mpsc::Receiver<Bytes>>,
    local: SocketAddr,
    peer: SocketAddr,
}

impl TunnelSocket {
    /// The tasks end with the TLS connection; the writing one also with the socket.
    fn new(stream: TlsStream<TcpStream>, local: SocketAddr, peer: SocketAddr) -> Self {
        let (outgoing, to_send) = mpsc::channel(OUTGOING);
        let (received, incoming) = mpsc::channel(INCOMING);
        let (reader, writer) = tokio::io::split(stream);
        tokio::spawn(read(reader, received));
        tokio::spawn(write(writer, to_send));
        Self {
            outgoing,
            incoming: Mutex::new(incoming),
            local,
            peer,
        }
    }
}

/// Waits when QUIC does not take what came, so that TCP slows the peer down.
async fn read(mut reader: ReadHalf<TlsStream<TcpStream>>, received: mpsc::Sender<Bytes>) {
    let mut arrived = BytesMut::with_capacity(READ);
    loop {
        while let Some(datagram) = take_datagram(&mut arrived) {
            if received.send(datagram).await.is_err() {
                return;
            }
        }
        arrived.reserve(READ);
        let read = tokio::select! {
            read = reader.read_buf(&mut arrived) => read,
            () = received.closed() => return,
        };
        if !matches!(read, Ok(1..)) {
            return;
        }
    }
}

async fn write(mut writer: WriteHalf<TlsStream<TcpStream>>, mut to_send: mpsc::Receiver<BytesMut>) {
    while let Some(mut frames) = to_send.recv().await {
        while frames.len() < READ
            && let Ok(more) = to_send.try_recv()
        {
            frames.extend_from_slice(&more);
        }
        if writer.write_all(&frames).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
    let _ = writer.shutdown().await;
}

impl fmt::Debug for TunnelSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunnelSocket")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

fn gone() -> io::Error {
    // Not ConnectionReset: QUIC takes that for an attacker's doing.
    io::Error::new(io::ErrorKind::BrokenPipe, "the tunnel has ended")
}

impl AsyncUdpSocket for TunnelSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Room(PollSender::new(self.outgoing.clone())))
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let mut frame = BytesMut::new();
        if !put_datagram(&mut frame, transmit.contents) {
            return Ok(());
        }
        self.outgoing.try_send(frame).map_err(|error| match error {
            TrySendError::Full(_) => io::ErrorKind::WouldBlock.into(),
            TrySendError::Closed(_) => gone(),
        })
    }

    fn poll_recv(
        &self,
        context: &mut TaskContext<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut incoming = self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let Some(datagram) = ready!(incoming.poll_recv(context)) else {
                return Poll::Ready(Err(gone()));
            };
            let (Some(buffer), Some(meta)) = (buffers.first_mut(), metas.first_mut()) else {
                return Poll::Ready(Ok(0));
            };
            // One that is longer than QUIC's buffers is no datagram of QUIC.
            if let Some(room) = buffer.get_mut(..datagram.len()) {
                room.copy_from_slice(&datagram);
                *meta = RecvMeta {
                    addr: self.peer,
                    len: datagram.len(),
                    stride: datagram.len(),
                    ecn: None,
                    dst_ip: None,
                };
                return Poll::Ready(Ok(1));
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

/// Waits for room among the datagrams that wait for TCP.
#[derive(Debug)]
struct Room(PollSender<BytesMut>);

impl UdpPoller for Room {
    fn poll_writable(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.0.poll_reserve(context)).map_err(|_| gone())?;
        // Only to know that there is room; sending takes it by itself.
        self.0.abort_send();
        Poll::Ready(Ok(()))
    }
}
