//! From a listening socket to requests: a bound on connections, time limits on whoever is slow, TLS
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
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Bytes of headers a request may have: some forty times what a browser sends.
const MAX_HEAD: usize = 64 * 1024;
/// How long connections may finish what they are answering when the program ends.
const GRACE: Duration = Duration::from_secs(10);
/// After an error of accept, such as too many open files.
const BREATHER: Duration = Duration::from_millis(100);

/// How long clients are waited for. A body is waited for as long as the whole request
/// ([`super::middleware::time_out`]).
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a TLS handshake.
    pub handshake: Duration,
    /// For the headers of a request, and between two requests of a connection.
    pub idle: Duration,
    /// For the client to take more of an answer.
    pub stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(15),
            // Longer than pages wait between two looks.
            idle: Duration::from_secs(75),
            // Players take a fragment at once, however slow the line.
            stall: Duration::from_secs(60),
        }
    }
}

/// Whoever sits at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Serves until `stop`, then lets open requests end.
pub struct Server {
    pub listener: TcpListener,
    pub tls: Option<TlsAcceptor>,
    /// Connections at once; more wait in the kernel's queue.
    pub max_connections: usize,
    pub patience: Patience,
}

impl Server {
    pub async fn run(self, router: Router, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(self.max_connections));
        let connections = TaskTracker::new();
        while let Some((stream, peer)) = self.accept(&places, &stop).await {
            let (stream, place) = stream;
            let router = router.clone().layer(Extension(Peer(peer)));
            let (tls, patience, stop) = (self.tls.clone(), self.patience, stop.clone());
            connections.spawn(async move {
                let result = match tls {
                    Some(tls) => encrypted(tls, stream, router, patience, stop).await,
                    None => serve(stream, router, patience, stop).await,
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

async fn encrypted(
    tls: TlsAcceptor,
    stream: TcpStream,
    router: Router,
    patience: Patience,
    stop: CancellationToken,
) -> io::Result<()> {
    let stream = tokio::time::timeout(patience.handshake, tls.accept(stream)).await??;
    serve(stream, router, patience, stop).await
}

async fn serve<S>(
    stream: S,
    router: Router,
    patience: Patience,
    stop: CancellationToken,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(patience.stall));
    let stream = Box::pin(stream);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.idle)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        result = connection.as_mut() => return result.map_err(io::Error::other),
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    connection.await.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use bytes::Bytes;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::task::JoinHandle;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    const LIMIT: Duration = Duration::from_secs(20);

    /// Short where the test is about it, longer than the test otherwise.
    const NEVER: Patience = Patience {
        handshake: LIMIT,
        idle: Duration::from_secs(3600),
        stall: Duration::from_secs(3600),
    };
    const SOON: Duration = Duration::from_millis(100);

    fn served(patience: Patience) -> (DuplexStream, JoinHandle<io::Result<()>>) {
        let endless = || async {
            let piece = Bytes::from_static(&[7; 16 * 1024]);
            let pieces = futures::stream::repeat_with(move || Ok::<_, io::Error>(piece.clone()));
            Body::from_stream(pieces)
        };
        let router = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/endless", get(endless));
        let (ours, theirs) = duplex(64 * 1024);
        let stop = CancellationToken::new();
        (ours, tokio::spawn(serve(theirs, router, patience, stop)))
    }

    async fn ended(serving: JoinHandle<io::Result<()>>) {
        let ended = tokio::time::timeout(LIMIT, serving).await;
        // How it was told does not matter.
        let _ = ended.expect("the connection is held").unwrap();
    }

    #[tokio::test]
    async fn headers_that_never_end_are_not_waited_for() {
        let patience = Patience {
            idle: SOON,
            ..NEVER
        };
        for begun in [&b""[..], b"GET / HT", b"GET / HTTP/1.1\r\nhost: "] {
            let (mut client, serving) = served(patience);
            client.write_all(begun).await.unwrap();
            ended(serving).await;
        }
    }

    #[tokio::test]
    async fn a_connection_that_is_not_used_again_ends() {
        let patience = Patience {
            idle: SOON,
            ..NEVER
        };
        let (mut client, serving) = served(patience);
        client.write_all(REQUEST).await.unwrap();
        let mut answer = vec![0; 12];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 200");
        ended(serving).await;
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_of_its_answer_is_not_waited_for() {
        let patience = Patience {
            stall: SOON,
            ..NEVER
        };
        let (mut client, serving) = served(patience);
        let request = b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n";
        client.write_all(request).await.unwrap();
        ended(serving).await;
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn heads_that_are_too_large_are_refused() {
        let many = "x: y\r\n".repeat(1_000);
        let long = format!("x: {}\r\n", "y".repeat(2 * MAX_HEAD));
        for headers in [many, long] {
            let (mut client, serving) = served(NEVER);
            let request = format!("GET / HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
            // It need not be read to its end.
            let _ = client.write_all(request.as_bytes()).await;
            let mut answer = vec![0; 12];
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, b"HTTP/1.1 431");
            drop(client);
            ended(serving).await;
        }
    }
}
