//! QUIC's datagrams through TLS over TCP, where UDP is blocked; the framing is
//! [`shared::wire::tunnel`].
//!
//! To quinn it is a socket. Both directions are bounded: when TCP cannot take more, quinn is told
//! to wait; when quinn does not take what arrived, reading stops and TCP slows the peer down.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use rustls::pki_types::ServerName;
use shared::wire::{SERVER_NAME, tunnel};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::PollSender;

pub(super) const ALPN: &[u8] = tunnel::ALPN_TUNNEL;

/// Datagrams of one transmission; also how many quinn may hand over at once.
const SEGMENTS: usize = 10;

/// Transmissions that wait for TCP: more would only be delay.
const OUTGOING: usize = 16;

/// Datagrams that wait for quinn.
const INCOMING: usize = 256;

/// Why there is no tunnel.
#[derive(Debug)]
pub(super) enum OpenError {
    /// No TCP connection.
    Refused(io::Error),
    /// A TCP connection, but not to a coordinator.
    Tls(io::Error),
}

/// Opens the tunnel; it closes when the socket is dropped.
pub(super) async fn open(
    remote: SocketAddr,
    config: rustls::ClientConfig,
) -> Result<Arc<dyn AsyncUdpSocket>, OpenError> {
    let tcp = TcpStream::connect(remote)
        .await
        .map_err(OpenError::Refused)?;
    tcp.set_nodelay(true).map_err(OpenError::Refused)?;
    let local = tcp.local_addr().map_err(OpenError::Refused)?;
    let name = ServerName::try_from(SERVER_NAME)
        .map_err(|error| OpenError::Tls(io::Error::other(error)))?;
    let tls = TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .map_err(OpenError::Tls)?;
    if tls.get_ref().1.alpn_protocol() != Some(ALPN) {
        return Err(OpenError::Tls(io::Error::other("another protocol")));
    }
    let (reader, writer) = tokio::io::split(tls);
    let (outgoing, to_write) = mpsc::channel(OUTGOING);
    let (received, incoming) = mpsc::channel(INCOMING);
    tokio::spawn(write(writer, to_write));
    tokio::spawn(read(reader, received));
    Ok(Arc::new(Tunnel {
        outgoing,
        incoming: Mutex::new(incoming),
        local,
        remote,
    }))
}

async fn write(mut writer: WriteHalf<TlsStream<TcpStream>>, mut outgoing: mpsc::Receiver<Bytes>) {
    while let Some(frames) = outgoing.recv().await {
        let written = async {
            writer.write_all(&frames).await?;
            if outgoing.is_empty() {
                writer.flush().await?;
            }
            io::Result::Ok(())
        };
        if written.await.is_err() {
            return;
        }
    }
    // The socket was dropped; whether the peer hears a farewell does not matter to QUIC.
    let _ = writer.shutdown().await;
}

async fn read(mut reader: ReadHalf<TlsStream<TcpStream>>, received: mpsc::Sender<Bytes>) {
    let mut arrived = BytesMut::new();
    loop {
        arrived.reserve(64 * 1024);
        let count = tokio::select! {
            read = reader.read_buf(&mut arrived) => read.unwrap_or(0),
            () = received.closed() => 0,
        };
        if count == 0 {
            return;
        }
        while let Some(datagram) = tunnel::take_datagram(&mut arrived) {
            if received.send(datagram).await.is_err() {
                return;
            }
        }
    }
}

struct Tunnel {
    outgoing: mpsc::Sender<Bytes>,
    incoming: Mutex<mpsc::Receiver<Bytes>>,
    local: SocketAddr,
    remote: SocketAddr,
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tunnel({} to {})", self.local, self.remote)
    }
}

impl AsyncUdpSocket for Tunnel {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Room(PollSender::new(self.outgoing.clone())))
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let permit = match self.outgoing.try_reserve() {
            Ok(permit) => permit,
            Err(mpsc::error::TrySendError::Full(())) => {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Err(mpsc::error::TrySendError::Closed(())) => {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        };
        let size = transmit
            .segment_size
            .unwrap_or(transmit.contents.len())
            .max(1);
        let mut frames =
            BytesMut::with_capacity(transmit.contents.len() + SEGMENTS * tunnel::LENGTH_BYTES);
        for datagram in transmit.contents.chunks(size) {
            tunnel::put_datagram(&mut frames, datagram);
        }
        permit.send(frames.freeze());
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut incoming = self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        let mut count = 0;
        for (buffer, meta) in buffers.iter_mut().zip(meta) {
            let datagram = match incoming.poll_recv(cx) {
                Poll::Ready(Some(datagram)) => datagram,
                Poll::Ready(None) if count == 0 => {
                    return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
                }
                Poll::Pending if count == 0 => return Poll::Pending,
                Poll::Ready(None) | Poll::Pending => break,
            };
            // One too long for the buffer is cut, as the kernel cuts it; QUIC drops it then.
            let length = datagram.len().min(buffer.len());
            if let (Some(to), Some(from)) = (buffer.get_mut(..length), datagram.get(..length)) {
                to.copy_from_slice(from);
            }
            *meta = RecvMeta {
                addr: self.remote,
                len: length,
                stride: length,
                ecn: None,
                dst_ip: None,
            };
            count += 1;
        }
        Poll::Ready(Ok(count))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn max_transmit_segments(&self) -> usize {
        SEGMENTS
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

/// Wakes a sender when there is room again.
struct Room(PollSender<Bytes>);

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Room")
    }
}

impl UdpPoller for Room {
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ready = self.0.poll_reserve(cx);
        if ready.is_ready() {
            self.0.abort_send();
        }
        ready.map(|reserved| reserved.map_err(|_| io::ErrorKind::BrokenPipe.into()))
    }
}
