//! From a listening socket to requests: a place for each connection, time limits on whoever is slow,
//! TLS where there is a certificate, and an orderly end.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::response::Response;
use axum::{Extension, Router};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::places::{Place, Places};
use crate::metrics::Meters;

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
    /// The same while places are short.
    pub short: Duration,
    /// For the client to take more of an answer.
    pub stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(15),
            // Longer than pages wait between two looks.
            idle: Duration::from_secs(75),
            short: Duration::from_secs(5),
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
    /// While none is free, connections wait in the kernel's queue.
    pub places: Arc<Places>,
    pub patience: Patience,
    pub meters: Meters,
}

/// What every connection is served under.
#[derive(Clone)]
struct Terms {
    patience: Patience,
    shortage: watch::Receiver<bool>,
    stop: CancellationToken,
}

impl Server {
    pub async fn run(self, router: Router, stop: CancellationToken) {
        let connections = TaskTracker::new();
        let terms = Terms {
            patience: self.patience,
            shortage: self.places.shortage(),
            stop: stop.clone(),
        };
        while let Some((stream, place, peer)) = self.accept(&stop).await {
            let router = router.clone().layer(Extension(Peer(peer)));
            let (tls, terms) = (self.tls.clone(), terms.clone());
            connections.spawn(async move {
                let result = match tls {
                    Some(tls) => encrypted(tls, stream, router, terms).await,
                    None => serve(stream, router, terms).await,
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

    async fn accept(&self, stop: &CancellationToken) -> Option<(TcpStream, Place, SocketAddr)> {
        loop {
            let free = tokio::select! {
                () = stop.cancelled() => return None,
                free = self.places.wait() => free?,
            };
            let accepted = tokio::select! {
                () = stop.cancelled() => return None,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let Some(place) = self.places.take(free, peer.ip()) else {
                        tracing::debug!(%peer, "too many connections from one address");
                        self.meters.connection_refused();
                        continue;
                    };
                    // Playlists and small answers shall not wait for more data.
                    let _ = stream.set_nodelay(true);
                    return Some((stream, place, peer));
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
    terms: Terms,
) -> io::Result<()> {
    let patience = terms.patience.handshake;
    let stream = tokio::time::timeout(patience, tls.accept(stream)).await??;
    serve(stream, router, terms).await
}

async fn serve<S>(stream: S, router: Router, mut terms: Terms) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let Patience {
        idle, short, stall, ..
    } = terms.patience;
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(stall));
    let stream = Box::pin(stream);
    let activity = Activity::new();
    let mut working = activity.0.subscribe();
    let service = service_fn(move |request| activity.clone().answer(router.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        result = connection.as_mut() => return result.map_err(io::Error::other),
        () = terms.stop.cancelled() => connection.as_mut().graceful_shutdown(),
        () = superfluous(&mut working, &mut terms.shortage, short) => {
            connection.as_mut().graceful_shutdown();
            // What is still on its way out gets as long again; what was never used, or has begun a
            // request that does not come, holds a place for nothing.
            let ended = tokio::time::timeout(short, connection).await;
            return ended?.map_err(io::Error::other);
        }
    }
    connection.await.map_err(io::Error::other)
}

/// Waits until nothing has been asked of a connection for `patience` while places are short.
async fn superfluous(
    working: &mut watch::Receiver<Work>,
    shortage: &mut watch::Receiver<bool>,
    patience: Duration,
) {
    loop {
        // The senders live as long as the server and the connection.
        if shortage.wait_for(|short| *short).await.is_err() {
            return std::future::pending().await;
        }
        let idle = working.wait_for(|work| work.requests == 0).await;
        let Ok(since) = idle.map(|work| work.since) else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = shortage.wait_for(|short| !*short) => {}
            _ = working.wait_for(|work| work.since != since) => {}
            () = tokio::time::sleep_until(since + patience) => return,
        }
    }
}

/// What a connection is busy with.
#[derive(Clone, Copy)]
struct Work {
    /// Being answered, to the last byte of the answer.
    requests: usize,
    /// When one came or ended last.
    since: Instant,
}

#[derive(Clone)]
struct Activity(Arc<watch::Sender<Work>>);

impl Activity {
    fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Work {
            requests: 0,
            since: Instant::now(),
        })))
    }

    fn begin(self) -> Busy {
        self.0.send_modify(|work| {
            work.requests += 1;
            work.since = Instant::now();
        });
        Busy(self)
    }

    async fn answer(
        self,
        router: Router,
        request: Request<Incoming>,
    ) -> Result<Response<Answer>, Infallible> {
        let busy = self.begin();
        let response = router.oneshot(request.map(Body::new)).await?;
        Ok(response.map(|body| Answer { body, _busy: busy }))
    }
}

/// A request that is being answered.
struct Busy(Activity);

impl Drop for Busy {
    fn drop(&mut self) {
        let Activity(sender) = &self.0;
        sender.send_modify(|work| {
            work.requests = work.requests.saturating_sub(1);
            work.since = Instant::now();
        });
    }
}

/// The body of an answer: its connection is busy until it is sent.
struct Answer {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
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
        short: Duration::from_secs(3600),
        stall: Duration::from_secs(3600),
    };
    const SOON: Duration = Duration::from_millis(100);

    fn served(patience: Patience) -> (DuplexStream, JoinHandle<io::Result<()>>) {
        let (client, serving, _) = served_while(false, patience);
        (client, serving)
    }

    fn served_while(
        short: bool,
        patience: Patience,
    ) -> (
        DuplexStream,
        JoinHandle<io::Result<()>>,
        watch::Sender<bool>,
    ) {
        let endless = || async {
            let piece = Bytes::from_static(&[7; 16 * 1024]);
            let pieces = futures::stream::repeat_with(move || Ok::<_, io::Error>(piece.clone()));
            Body::from_stream(pieces)
        };
        let router = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/endless", get(endless));
        let (ours, theirs) = duplex(64 * 1024);
        let (shortage, receiver) = watch::channel(short);
        let terms = Terms {
            patience,
            shortage: receiver,
            stop: CancellationToken::new(),
        };
        (ours, tokio::spawn(serve(theirs, router, terms)), shortage)
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
    async fn idle_connections_go_sooner_while_places_are_short() {
        let patience = Patience {
            short: SOON,
            ..NEVER
        };
        // Never used, used before, and half-way into a request.
        for begun in [&b""[..], REQUEST, b"GET / HT"] {
            let (mut client, serving, _places) = served_while(true, patience);
            client.write_all(begun).await.unwrap();
            ended(serving).await;
        }
        // It need not be so from the beginning.
        let (client, serving, places) = served_while(false, patience);
        places.send_replace(true);
        ended(serving).await;
        drop(client);
    }

    #[tokio::test]
    async fn a_connection_in_use_stays_while_places_are_short() {
        let patience = Patience {
            short: SOON,
            ..NEVER
        };
        let (mut client, mut serving, _places) = served_while(true, patience);
        let request = b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n";
        client.write_all(request).await.unwrap();
        let mut piece = vec![0; 100_000];
        for _ in 0..4 {
            client.read_exact(&mut piece).await.unwrap();
            let wait = tokio::time::timeout(SOON, &mut serving);
            assert!(wait.await.is_err(), "it was dropped");
        }
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
