//! Agents where UDP is blocked: the same QUIC through TLS over TCP.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::BytesMut;
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use shared::clock::{Clock as _, SystemClock};
use shared::testing::SegmentBuilder;
use shared::wire::SERVER_NAME;
use shared::wire::segment::UploadResult;
use shared::wire::tunnel::{ALPN_TUNNEL, put_datagram, take_datagram};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;

use crate::peer::{Peer, Work, authority_of, camera};
use crate::world::World;

/// An address that carries datagrams to the coordinator's TCP port.
async fn carry(world: &World, alpn: &[u8]) -> std::io::Result<SocketAddr> {
    let mut roots = RootCertStore::empty();
    roots.add(authority_of(world)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let tcp = TcpStream::connect(world.tunnel).await?;
    let name = ServerName::try_from(SERVER_NAME).unwrap();
    let tls = TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await?;
    let (mut from_server, mut to_server) = tokio::io::split(tls);
    let udp = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
    let address = udp.local_addr()?;
    let (client, mut seen) = tokio::sync::watch::channel(None);
    let up = udp.clone();
    tokio::spawn(async move {
        let mut datagram = [0; 65_536];
        while let Ok((length, from)) = up.recv_from(&mut datagram).await {
            client.send_replace(Some(from));
            let mut frame = BytesMut::new();
            assert!(put_datagram(&mut frame, &datagram[..length]));
            if to_server.write_all(&frame).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        let mut arrived = BytesMut::new();
        while matches!(from_server.read_buf(&mut arrived).await, Ok(1..)) {
            while let Some(datagram) = take_datagram(&mut arrived) {
                let to = *seen.wait_for(Option::is_some).await.unwrap();
                let _ = udp.send_to(&datagram, to.unwrap()).await;
            }
        }
    });
    Ok(address)
}

#[tokio::test]
async fn an_agent_works_through_the_tunnel_as_through_udp() {
    let world = World::start().await;
    let peer = Peer::enrolled(&world, "Depot").await;
    let start = SystemClock::new().wall();
    let gate = camera("gate", start);
    let address = carry(&world, ALPN_TUNNEL).await.unwrap();
    let connection = peer.dial(address).await.unwrap();
    let mut work = Work::begin(&peer, connection, std::slice::from_ref(&gate))
        .await
        .unwrap();
    let mut builder = SegmentBuilder::new(start);
    builder.camera = gate.id;
    builder.fragments = 50;
    let segment = builder.build();
    let meta = peer.sign(&segment);
    work.report_segments(1, std::slice::from_ref(&meta))
        .await
        .unwrap();
    let result = work.upload(&meta, &segment.bytes).await.unwrap();
    assert_eq!(result, UploadResult::Stored);
}

#[tokio::test]
async fn the_tunnel_opens_to_nothing_else() {
    let world = World::start().await;
    carry(&world, b"h2").await.unwrap_err();
    // Not TLS at all, and TLS with nothing behind it: neither disturbs the next.
    let mut plain = TcpStream::connect(world.tunnel).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let _idle = carry(&world, ALPN_TUNNEL).await.unwrap();
    // In the tunnel a certificate is needed as anywhere.
    let address = carry(&world, ALPN_TUNNEL).await.unwrap();
    let (authority, alpn) = (authority_of(&world), shared::wire::ALPN);
    let endpoint = crate::peer::endpoint();
    let connection = crate::peer::dial(&endpoint, address, &authority, alpn, None).await;
    let error = connection.unwrap().closed().await;
    assert!(error.to_string().contains("certificate"), "{error}");
    let peer = Peer::enrolled(&world, "Depot").await;
    let address = carry(&world, ALPN_TUNNEL).await.unwrap();
    let connection = peer.dial(address).await.unwrap();
    Work::begin(&peer, connection, &[]).await.unwrap();
}
