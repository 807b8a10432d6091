//! From a listening socket to requests: a bound on connections, a time limit on their headers, TLS
//! where there is a certificate, and an orderly end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a client may take for its TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// How long a client may take for the headers of a request, and how long a connection may be idle:
/// longer than pages wait between two looks.
const IDLE: Duration = Duration::from_secs(75);
/// How long connections may finish what they are answering when the program ends.
const GRACE: Duration = Duration::from_secs(10);
/// After an error of accept, such as too many open files.
const BREATHER: Duration = Duration::from_millis(100);

/// Whoever sits at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Serves until `stop`, then lets open requests end.
pub struct Server {
    pub listener: TcpListener,
    pub tls: Option<TlsAcceptor>,
    /// Connections at once; more wait in the kernel's queue.
    pub max_connections: usize,
}

impl Server {
    pub async fn run(self, router: Router, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(self.max_connections));
        let connections = TaskTracker::new();
        while let Some((stream, peer)) = self.accept(&places, &stop).await {
            let (stream, place) = stream;
            let router = router.clone().layer(Extension(Peer(peer)));
            let (tls, stop) = (self.tls.clone(), stop.clone());
            connections.spawn(async move {
                let result = match tls {
                    Some(tls) => encrypted(tls, stream, router, stop).await,
                    None => plain(stream, router, stop).await,
                };
                if let Err(error) = result {
                    tracing::debug!(%peer, %error, "a connection ended early");
                }
                drop(place);
            });
        }
        connections.close();
        if tokio::time::timeout(GRACE, connections.wait())
            .await
            .is_err()
        {
            tracing::warn!(left = connections.len(), "requests were cut off at the end");
        }
    }

    async fn accept(
        &self,
        places: &Arc<Semaphore>,
        stop: &CancellationToken,
    ) -> Option<((TcpStream, tokio::sync::OwnedSemaphorePermit), SocketAddr)> {
        loop {
            let place = tokio::select! {
                () = stop.cancelled() => return None,
                place = places.clone().acquire_owned() => place.ok()?,
            };
            let accepted = tokio::select! {
                () = stop.cancelled() => return None,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    // Playlists and small answers shall not wait for more data.
                    let _ = stream.set_nodelay(true);
                    return Some(((stream, place), peer));
                }
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(BREATHER).await;
                }
            }
        }
    }
}

async fn plain(stream: TcpStream, router: Router, stop: CancellationToken) -> io::Result<()> {
    serve(stream, router, stop).await.map_err(io::Error::other)
}

async fn encrypted(
    tls: TlsAcceptor,
    stream: TcpStream,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let stream = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await??;
    serve(stream, router, stop).await.map_err(io::Error::other)
}

async fn serve<S>(stream: S, router: Router, stop: CancellationToken) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        result = connection.as_mut() => return result,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}
