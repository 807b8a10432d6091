//! Viewers in networks that block UDP: the same packets over TCP connections which they open (RFC 6544),
//! each behind its length (RFC 4571).
//!
//! Nobody is told from the connection who it is: the first packet has to be a connectivity check of a
//! viewer that is waited for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Sink as Frames, SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use tokio_util::sync::CancellationToken;

use super::port::{Inbound, Over, Port};

/// Connections at once, and of them those that have not said whose they are.
const CONNECTIONS: usize = 4_096;
const UNKNOWN: usize = 256;
/// How long the first packet may take.
const INTRODUCTION: Duration = Duration::from_secs(5);
/// How long a packet may take to leave before the viewer is given up.
const PATIENCE: Duration = Duration::from_secs(5);
/// Packets that wait to leave: about half a second at 4 Mbit/s.
const OUTBOX: usize = 256;
/// Longest packet taken.
const PACKET: usize = 1_500;

/// Where a viewer's packets go; full while the viewer does not read.
#[derive(Clone, Debug)]
pub(super) struct Sink(mpsc::Sender<Bytes>);

impl Sink {
    /// Waits until there is room. `None` when the viewer does not take anything any more.
    pub(super) async fn send(&self, packet: BytesMut) -> Option<()> {
        let sent = timeout(PATIENCE, self.0.send(packet.freeze()));
        sent.await.ok()?.ok()
    }
}

/// Takes connections until `stop`.
pub(super) async fn run(listener: TcpListener, port: Arc<Port>, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let unknown = Arc::new(Semaphore::new(UNKNOWN));
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // No file descriptors, most likely; whoever waits is served when some come back.
                tracing::warn!(%error, "a viewer's TCP connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let held = places.clone().try_acquire_owned();
        let (Ok(place), Ok(waiting)) = (held, unknown.clone().try_acquire_owned()) else {
            continue;
        };
        let (port, stop) = (port.clone(), stop.clone());
        tokio::spawn(async move {
            let serve = serve(stream, from, &port, waiting);
            stop.run_until_cancelled(serve).await;
            drop(place);
        });
    }
}

async fn serve<P>(stream: TcpStream, from: SocketAddr, port: &Port, waiting: P) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let from = (from.ip().to_canonical(), from.port()).into();
    let codec = LengthDelimitedCodec::builder()
        .length_field_length(2)
        .max_frame_length(PACKET)
        .new_codec();
    let (mut write, mut read) = Framed::new(stream, codec).split();
    let first = timeout(INTRODUCTION, read.next()).await.ok()??.ok()?;
    let viewer = port.whose(&first)?;
    drop(waiting);
    let (sender, mut outbox) = mpsc::channel::<Bytes>(OUTBOX);
    // Only the viewer keeps it open: the connection ends with the viewer.
    let sink = sender.downgrade();
    let inbound = |data| {
        let over = Over::Tcp(Sink(sink.upgrade()?));
        Some(Inbound { from, over, data })
    };
    viewer.send(inbound(first)?).await.ok()?;
    drop(sender);
    loop {
        tokio::select! {
            packet = outbox.recv() => {
                let write = write_all(&mut write, packet?, &mut outbox);
                timeout(PATIENCE, write).await.ok()?.ok()?;
            }
            packet = read.next() => {
                viewer.send(inbound(packet?.ok()?)?).await.ok()?;
            }
        }
    }
}

/// The packet and whatever waits behind it.
async fn write_all(
    write: &mut (impl Frames<Bytes, Error = std::io::Error> + Unpin),
    packet: Bytes,
    outbox: &mut mpsc::Receiver<Bytes>,
) -> std::io::Result<()> {
    write.feed(packet).await?;
    while let Ok(packet) = outbox.try_recv() {
        write.feed(packet).await?;
    }
    write.flush().await
}
