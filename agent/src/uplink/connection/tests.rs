use std::sync::Arc;

use bytes::BytesMut;
use quinn::crypto::rustls::QuicServerConfig;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use shared::hash::Sha256;
use shared::wire::{ALPN, ALPN_ENROL, SERVER_NAME, tunnel as framing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::dial::dial;
use super::*;

struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    fn pin(&self) -> Anchor {
        Anchor::Pinned(Sha256::of(&self.certificate))
    }

    /// A chain with this authority at its end, and the key of its leaf.
    fn issue(&self, name: &str) -> Credentials {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        Credentials {
            chain: vec![leaf.der().clone(), self.certificate.clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        }
    }

    /// A coordinator's listener that echoes messages; with `clients`, only for agents of this
    /// authority.
    fn serve(&self, own: &Credentials, clients: bool) -> (quinn::Endpoint, Address) {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap();
        let builder = if clients {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(self.certificate.clone()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder
            .with_single_cert(own.chain.clone(), own.key.clone_key())
            .unwrap();
        config.alpn_protocols = vec![ALPN.to_vec(), ALPN_ENROL.to_vec()];
        let config = QuicServerConfig::try_from(config).unwrap();
        let config = quinn::ServerConfig::with_crypto(Arc::new(config));
        let endpoint = quinn::Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap();
        let address = address(endpoint.local_addr().unwrap());
        tokio::spawn(echo(endpoint.clone()));
        (endpoint, address)
    }
}

fn address(socket: SocketAddr) -> Address {
    Address {
        host: socket.ip().to_string(),
        port: socket.port(),
    }
}

async fn echo(endpoint: quinn::Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let Ok(connection) = incoming.await else {
                return;
            };
            while let Ok((send, receive)) = connection.accept_bi().await {
                let (mut send, mut receive) = (Sender::new(send), Receiver::new(receive));
                while let Ok(Some(message)) = receive.message::<String>().await {
                    if send.message(&message).await.is_err() {
                        break;
                    }
                }
                send.finish();
            }
        });
    }
}

async fn echoes(connection: &Connection, text: &str) -> bool {
    let (mut send, mut receive) = connection.open().await.unwrap();
    send.message(&text).await.unwrap();
    send.finish();
    receive.message::<String>().await.unwrap().as_deref() == Some(text)
        && receive.message::<String>().await.unwrap().is_none()
}

#[tokio::test]
async fn a_pinned_hash_is_enough_to_verify_the_coordinator_and_nobody_else() {
    let authority = Authority::new();
    let (_endpoint, address) = authority.serve(&authority.issue(SERVER_NAME), false);
    let connection = dial(&address, Route::Udp, &authority.pin(), None, ALPN_ENROL)
        .await
        .unwrap();
    assert!(echoes(&connection, "hello").await);
    let other = Authority::new();
    let error = dial(&address, Route::Udp, &other.pin(), None, ALPN_ENROL)
        .await
        .unwrap_err();
    assert!(matches!(error, DialError::Untrusted { .. }), "{error}");
    let (_impostor, address) = authority.serve(&authority.issue("agent.example"), false);
    let error = dial(&address, Route::Udp, &authority.pin(), None, ALPN_ENROL)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("not a coordinator's"), "{error}");
}

#[tokio::test]
async fn a_chain_that_only_names_the_authority_is_refused() {
    let authority = Authority::new();
    let impostor = Authority::new();
    let mut forged = impostor.issue(SERVER_NAME);
    forged.chain = vec![forged.chain[0].clone(), authority.certificate.clone()];
    let (_endpoint, address) = impostor.serve(&forged, false);
    let error = dial(&address, Route::Udp, &authority.pin(), None, ALPN_ENROL)
        .await
        .unwrap_err();
    assert!(matches!(error, DialError::Untrusted { .. }), "{error}");
}

#[tokio::test]
async fn an_agent_of_another_authority_is_told_that_its_certificate_is_refused() {
    let authority = Authority::new();
    let (_endpoint, address) = authority.serve(&authority.issue(SERVER_NAME), true);
    let anchor = Anchor::Authority(authority.certificate.clone());
    let ours = authority.issue("agent");
    let connection = dial(&address, Route::Udp, &anchor, Some(&ours), ALPN)
        .await
        .unwrap();
    assert!(echoes(&connection, "hello").await);
    let foreign = Authority::new().issue("agent");
    let closed = match dial(&address, Route::Udp, &anchor, Some(&foreign), ALPN).await {
        Ok(connection) => connection.closed().await,
        Err(error) => error.into(),
    };
    assert!(is_revocation(&closed), "{closed}");
}

#[tokio::test(start_paused = true)]
async fn silence_garbage_and_another_protocol_are_told_apart() {
    let authority = Authority::new();
    let anchor = authority.pin();
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = address(silent.local_addr().unwrap());
    let error = dial(&to, Route::Udp, &anchor, None, ALPN_ENROL)
        .await
        .unwrap_err();
    assert!(matches!(error, DialError::Silent { .. }), "{error}");
    assert!(error.to_string().contains(&to.to_string()), "{error}");

    let garbage = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = address(garbage.local_addr().unwrap());
    let answering = tokio::spawn(async move {
        let mut buffer = [0; 2_000];
        while let Ok((_, from)) = garbage.recv_from(&mut buffer).await {
            garbage
                .send_to(b"220 mail.example ready\r\n", from)
                .await
                .unwrap();
        }
    });
    let error = dial(&to, Route::Udp, &anchor, None, ALPN_ENROL)
        .await
        .unwrap_err();
    assert!(matches!(error, DialError::Foreign { .. }), "{error}");
    answering.abort();

    let (_endpoint, to) = authority.serve(&authority.issue(SERVER_NAME), false);
    let error = dial(&to, Route::Udp, &anchor, None, b"h3")
        .await
        .unwrap_err();
    assert!(matches!(error, DialError::Foreign { .. }), "{error}");

    let nowhere = Address {
        host: "coordinator.invalid".to_owned(),
        port: 7443,
    };
    let error = dial(&nowhere, Route::Udp, &anchor, None, ALPN_ENROL)
        .await
        .unwrap_err();
    assert!(matches!(error, DialError::Lookup { .. }), "{error}");
}

#[tokio::test]
async fn a_connection_goes_on_from_another_socket() {
    let authority = Authority::new();
    let (_endpoint, address) = authority.serve(&authority.issue(SERVER_NAME), false);
    let connection = dial(&address, Route::Udp, &authority.pin(), None, ALPN_ENROL)
        .await
        .unwrap();
    let before = connection.endpoint.local_addr().unwrap();
    let (mut send, mut receive) = connection.open().await.unwrap();
    send.message(&"before").await.unwrap();
    assert_eq!(
        receive.message::<String>().await.unwrap().unwrap(),
        "before"
    );
    connection.rebind().unwrap();
    send.message(&"after").await.unwrap();
    assert_eq!(receive.message::<String>().await.unwrap().unwrap(), "after");
    assert_ne!(connection.endpoint.local_addr().unwrap(), before);
}

#[tokio::test]
async fn a_stream_dropped_in_the_middle_does_not_look_complete() {
    let authority = Authority::new();
    let own = authority.issue(SERVER_NAME);
    let (endpoint, address) = authority.serve(&own, false);
    let connection = dial(&address, Route::Udp, &authority.pin(), None, ALPN_ENROL)
        .await
        .unwrap();
    let (mut send, mut receive) = connection.open().await.unwrap();
    send.message(&"one").await.unwrap();
    assert!(receive.message::<String>().await.unwrap().is_some());
    drop(send);
    // The echo ends without an answer when its reading fails, and with an empty one otherwise.
    assert!(receive.message::<String>().await.unwrap().is_none());
    endpoint.close(CloseCode::Revoked.as_u32().into(), b"gone");
    let closed = connection.closed().await;
    assert!(is_revocation(&closed), "{closed}");
}

/// The coordinator's half: TLS, then every frame to the QUIC listener and back.
async fn bridge(listener: TcpListener, own: Credentials, quic: Address) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(own.chain.clone(), own.key.clone_key())
        .unwrap();
    config.alpn_protocols = vec![framing::ALPN_TUNNEL.to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let (tcp, _) = listener.accept().await.unwrap();
    let mut tls = acceptor.accept(tcp).await.unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    udp.connect((quic.host.as_str(), quic.port)).await.unwrap();
    let mut arrived = BytesMut::new();
    let mut datagram = vec![0; 65_535];
    loop {
        tokio::select! {
            read = tls.read_buf(&mut arrived) => {
                if read.unwrap_or(0) == 0 {
                    return;
                }
                while let Some(datagram) = framing::take_datagram(&mut arrived) {
                    udp.send(&datagram).await.unwrap();
                }
            }
            read = udp.recv(&mut datagram) => {
                let mut frame = BytesMut::new();
                framing::put_datagram(&mut frame, &datagram[..read.unwrap()]);
                if tls.write_all(&frame).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test]
async fn where_udp_is_blocked_the_same_connection_runs_through_tls_over_tcp() {
    let authority = Authority::new();
    let own = authority.issue(SERVER_NAME);
    let (_endpoint, quic) = authority.serve(&own, true);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = address(listener.local_addr().unwrap());
    let bridge = tokio::spawn(bridge(listener, own, quic));
    let anchor = Anchor::Authority(authority.certificate.clone());
    let ours = authority.issue("agent");
    let connection = dial(&to, Route::Tcp, &anchor, Some(&ours), ALPN)
        .await
        .unwrap();
    assert_eq!(connection.route(), Route::Tcp);
    let long = "x".repeat(3_000_000);
    for text in ["hello", &long, "again"] {
        assert!(echoes(&connection, text).await);
    }
    bridge.abort();
    let closed = connection.closed().await;
    assert!(matches!(closed, Closed::Broken { .. }), "{closed}");
}

#[tokio::test]
async fn a_tcp_port_of_something_else_is_not_mistaken_for_a_coordinator() {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = address(listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
    });
    let error = dial(&to, Route::Tcp, &authority.pin(), None, ALPN_ENROL)
        .await
        .unwrap_err();
    assert!(matches!(error, DialError::Foreign { .. }), "{error}");
    server.await.unwrap();
    let error = dial(&to, Route::Tcp, &authority.pin(), None, ALPN_ENROL)
        .await
        .unwrap_err();
    assert!(matches!(error, DialError::Silent { .. }), "{error}");
}
