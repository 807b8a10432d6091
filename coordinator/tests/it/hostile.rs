//! Peers that mean harm, or are broken in ways that look like it. After each the coordinator still
//! serves an honest agent.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cctv_coordinator::config::Bounded;
use quinn::{Connection, ConnectionError, ReadError};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ED25519,
};
use serde_json::json;
use shared::clock::SystemClock;
use shared::id::{AgentId, RunId};
use shared::time::WallTime;
use shared::wire::control::FromAgent;
use shared::wire::live::GopHeader;
use shared::wire::segment::{FetchRequest, Report};
use shared::wire::{ALPN, ALPN_ENROL, CloseCode, StreamHeader};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::peer::{Peer, Work, authority_of, camera, dial, endpoint, read, write};
use crate::world::{LIMIT, World, until};

/// Why the coordinator ended a connection.
async fn ended(connection: &Connection) -> Option<CloseCode> {
    match timeout(LIMIT, connection.closed()).await.unwrap() {
        ConnectionError::ApplicationClosed(close) => {
            CloseCode::from_u64(close.error_code.into_inner())
        }
        _ => None,
    }
}

async fn serves_others(world: &World) {
    let peer = Peer::enrolled(world, "honest").await;
    let mut work = peer.connect(world, &[]).await;
    let ack = work.report(&report_of_nothing()).await.unwrap();
    assert_eq!(ack.through, 1);
}

/// One record that says nothing but wants an acknowledgement.
fn report_of_nothing() -> Report {
    let record = json!({ "records": [{ "seq": 1, "record": "from_the_future" }] });
    serde_json::from_value(record).unwrap()
}

#[tokio::test]
async fn without_a_certificate_one_may_enrol_and_nothing_else() {
    let world = World::start().await;
    let authority = authority_of(&world);
    let connection = dial(&endpoint(), world.agents, &authority, ALPN, None)
        .await
        .unwrap();
    assert_eq!(ended(&connection).await, Some(CloseCode::Revoked));
    // Not even with a proper greeting on the way.
    let connection = dial(&endpoint(), world.agents, &authority, ALPN, None)
        .await
        .unwrap();
    let peer = Peer::enrolled(&world, "Depot").await;
    assert!(Work::begin(&peer, connection, &[]).await.is_err());
    // And what speaks neither protocol does not get through TLS.
    dial(&endpoint(), world.agents, &authority, b"h3", None)
        .await
        .unwrap_err();
    serves_others(&world).await;
}

#[tokio::test]
async fn a_stranger_may_not_say_much() {
    let world = World::start().await;
    let authority = authority_of(&world);
    for bytes in [
        100_000_u32.to_be_bytes().to_vec(),
        u32::MAX.to_be_bytes().to_vec(),
        [&8_u32.to_be_bytes()[..], b"not json"].concat(),
    ] {
        let connection = dial(&endpoint(), world.agents, &authority, ALPN_ENROL, None)
            .await
            .unwrap();
        let (mut send, _receive) = connection.open_bi().await.unwrap();
        send.write_chunk(Bytes::from(bytes)).await.unwrap();
        assert_eq!(ended(&connection).await, Some(CloseCode::ProtocolError));
    }
    serves_others(&world).await;
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_no_certificate() {
    let world = World::start().await;
    let mut peer = Peer::enrolled(&world, "Depot").await;
    peer.chain = vec![forged(peer.id, &peer.key)];
    // The client of TLS 1.3 is done before the server has looked.
    if let Ok(connection) = peer.dial(world.agents).await {
        let error = timeout(LIMIT, connection.closed()).await.unwrap();
        assert!(
            matches!(error, ConnectionError::ConnectionClosed(_)),
            "{error}"
        );
    }
    serves_others(&world).await;
}

/// Looks like one of ours, from an authority of the same name.
fn forged(agent: AgentId, key: &KeyPair) -> rustls::pki_types::CertificateDer<'static> {
    let own = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let mut authority = CertificateParams::default();
    authority
        .distinguished_name
        .push(DnType::CommonName, "RTA CCTV authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let issuer = Issuer::new(authority, own);
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, agent.to_string());
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.signed_by(key, &issuer).unwrap().der().clone()
}

#[tokio::test]
async fn a_revoked_agent_is_cut_off_and_stays_out() {
    let world = World::start().await;
    let peer = Peer::enrolled(&world, "Depot").await;
    let work = peer.connect(&world, &[]).await;
    let admin = world.admin().await;
    let path = format!("/api/v1/agents/{}/revoke", peer.id);
    assert_eq!(admin.post(&path, &json!({})).await.status, 204);
    assert_eq!(ended(&work.connection).await, Some(CloseCode::Revoked));
    let again = peer.dial(world.agents).await.unwrap();
    assert_eq!(ended(&again).await, Some(CloseCode::Revoked));
    let agents = admin.get("/api/v1/agents").await;
    assert_eq!(agents.body["items"][0]["state"], "revoked");
    serves_others(&world).await;
}

#[tokio::test]
async fn broken_greetings_end_the_connection_with_the_reason() {
    let world = World::start().await;
    let peer = Peer::enrolled(&world, "Depot").await;
    let other = AgentId::new(WallTime::from_secs(7));
    let greet = async |change: &dyn Fn(&mut shared::wire::control::Hello)| {
        let connection = peer.dial(world.agents).await.unwrap();
        let (mut send, _receive) = connection.open_bi().await.unwrap();
        write(&mut send, &StreamHeader::Control).await.unwrap();
        let mut hello = peer.hello(&[]);
        change(&mut hello);
        write(&mut send, &FromAgent::Hello(hello)).await.unwrap();
        ended(&connection).await
    };
    assert_eq!(
        greet(&|hello| hello.agent = other).await,
        Some(CloseCode::ProtocolError)
    );
    let newer = |hello: &mut shared::wire::control::Hello| {
        hello.protocol_min = 900;
        hello.protocol_max = 901;
    };
    assert_eq!(greet(&newer).await, Some(CloseCode::Version));
    serves_others(&world).await;
}

#[tokio::test]
async fn whoever_breaks_a_rule_on_a_stream_loses_the_connection() {
    let world = World::start().await;
    let peer = Peer::enrolled(&world, "Depot").await;
    let huge = u32::MAX.to_be_bytes().to_vec();
    let garbage = [&20_u32.to_be_bytes()[..], &[0xff; 20]].concat();
    let truncated = [&100_u32.to_be_bytes()[..], b"{\"kind\""].concat();
    let fetch = StreamHeader::Fetch(FetchRequest {
        segment: shared::id::SegmentId::new(WallTime::from_secs(1)),
        start: 0,
        end: 1,
    });
    let framed = |header: &StreamHeader| shared::wire::codec::encode(header).unwrap().to_vec();
    for (what, bytes) in [
        ("oversized", huge),
        ("garbage", garbage),
        ("truncated", truncated),
        ("an agent's fetch", framed(&fetch)),
        ("a second control stream", framed(&StreamHeader::Control)),
    ] {
        let work = peer.connect(&world, &[]).await;
        let (mut send, _receive) = work.connection.open_bi().await.unwrap();
        send.write_chunk(Bytes::from(bytes)).await.unwrap();
        send.finish().unwrap();
        assert_eq!(
            ended(&work.connection).await,
            Some(CloseCode::ProtocolError),
            "{what}"
        );
    }
    serves_others(&world).await;
}

#[tokio::test]
async fn rules_hold_on_the_control_and_metadata_streams_too() {
    let world = World::start().await;
    let peer = Peer::enrolled(&world, "Depot").await;
    let huge = Bytes::from_static(&[0xff; 8]);

    let mut work = peer.connect(&world, &[]).await;
    work.control.write_chunk(huge.clone()).await.unwrap();
    assert_eq!(
        ended(&work.connection).await,
        Some(CloseCode::ProtocolError)
    );

    let mut work = peer.connect(&world, &[]).await;
    let hello = FromAgent::Hello(peer.hello(&[]));
    write(&mut work.control, &hello).await.unwrap();
    assert_eq!(
        ended(&work.connection).await,
        Some(CloseCode::ProtocolError)
    );

    let mut work = peer.connect(&world, &[]).await;
    work.report(&report_of_nothing()).await.unwrap();
    let (mut send, _receive) = work.connection.open_bi().await.unwrap();
    write(&mut send, &StreamHeader::Metadata).await.unwrap();
    assert_eq!(
        ended(&work.connection).await,
        Some(CloseCode::ProtocolError)
    );

    let work = peer.connect(&world, &[]).await;
    let (mut send, _receive) = work.connection.open_bi().await.unwrap();
    write(&mut send, &StreamHeader::Metadata).await.unwrap();
    send.write_chunk(huge).await.unwrap();
    assert_eq!(
        ended(&work.connection).await,
        Some(CloseCode::ProtocolError)
    );
    serves_others(&world).await;
}

#[tokio::test]
async fn streams_and_messages_of_a_newer_agent_are_told_apart_from_broken_ones() {
    let world = World::start().await;
    let peer = Peer::enrolled(&world, "Depot").await;
    let mut work = peer.connect(&world, &[]).await;
    let (mut send, mut receive) = work.connection.open_bi().await.unwrap();
    write(&mut send, &json!({ "kind": "holograms", "depth": 3 }))
        .await
        .unwrap();
    let reset = timeout(LIMIT, receive.read(&mut [0; 1])).await.unwrap();
    let Err(ReadError::Reset(code)) = reset else {
        panic!("{reset:?}")
    };
    assert_eq!(
        CloseCode::from_u64(code.into_inner()),
        Some(CloseCode::UnknownKind)
    );
    // A picture that nobody asked for is declined, one that cannot be one as well.
    let run = RunId::new(WallTime::from_secs(1));
    let unasked = GopHeader::new(77, 0, run, &shared::testing::parameters());
    let mut unreadable = unasked.clone();
    unreadable.video.config = Bytes::from_static(b"none");
    let framed = |header| serde_json::to_value(StreamHeader::Gop(header)).unwrap();
    for (header, expected) in [
        (json!({ "kind": "holograms" }), CloseCode::UnknownKind),
        (framed(unasked), CloseCode::Done),
        (framed(unreadable), CloseCode::ProtocolError),
    ] {
        let mut one_way = work.connection.open_uni().await.unwrap();
        write(&mut one_way, &header).await.unwrap();
        let stopped = timeout(LIMIT, one_way.stopped()).await.unwrap().unwrap();
        let code = stopped.and_then(|code| CloseCode::from_u64(code.into_inner()));
        assert_eq!(code, Some(expected), "{header}");
    }
    write(
        &mut work.control,
        &json!({ "type": "weather", "sun": true }),
    )
    .await
    .unwrap();
    // The connection goes on.
    assert_eq!(work.report(&report_of_nothing()).await.unwrap().through, 1);
}

#[tokio::test]
async fn a_newer_connection_of_the_same_agent_takes_over() {
    let world = World::start().await;
    let peer = Peer::enrolled(&world, "Depot").await;
    let first = peer.connect(&world, &[]).await;
    let mut second = peer.connect(&world, &[]).await;
    assert_eq!(ended(&first.connection).await, Some(CloseCode::Replaced));
    assert_eq!(
        second.report(&report_of_nothing()).await.unwrap().through,
        1
    );
    let agents = world.admin().await.get("/api/v1/agents").await;
    assert_eq!(agents.body["items"][0]["state"], "connected");
}

#[tokio::test]
async fn those_who_say_nothing_are_sent_away() {
    let world = World::start_with(Arc::new(SystemClock::new()), |config| {
        config.agents.handshake_timeout_seconds = Bounded::new(1);
    })
    .await;
    let peer = Peer::enrolled(&world, "Depot").await;
    let silent = peer.dial(world.agents).await.unwrap();
    assert_eq!(ended(&silent).await, Some(CloseCode::Overloaded));
    let authority = authority_of(&world);
    let silent = dial(&endpoint(), world.agents, &authority, ALPN_ENROL, None)
        .await
        .unwrap();
    assert_eq!(ended(&silent).await, Some(CloseCode::Overloaded));
    serves_others(&world).await;
}

#[tokio::test]
async fn a_hundred_half_open_connections_and_noise_keep_nobody_out() {
    let world = World::start_with(Arc::new(SystemClock::new()), |config| {
        config.agents.max_handshakes = Bounded::new(16);
    })
    .await;
    let authority = authority_of(&world);
    let noise = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    for length in [0, 1, 7, 1200, 1452] {
        noise
            .send_to(&vec![0xa5; length], world.agents)
            .await
            .unwrap();
    }
    // They send their first flight and never see an answer.
    let deaf = one_way(world.agents).await;
    let endpoint = endpoint();
    let config = crate::peer::client_config(&authority, ALPN, None);
    let half_open: Vec<_> = (0..100)
        .map(|_| {
            endpoint
                .connect_with(config.clone(), deaf, shared::wire::SERVER_NAME)
                .unwrap()
        })
        .collect();
    let nobody = world.nobody();
    until("half-open connections at the coordinator", async || {
        let page = nobody.get("/metrics").await.bytes;
        let page = String::from_utf8(page.to_vec()).unwrap();
        // Places that unvalidated addresses may take are taken as soon as one is turned to Retry.
        (handshakes(&page) >= 4).then_some(())
    })
    .await;
    serves_others(&world).await;
    drop(half_open);
}

/// Handshakes under way, by the metrics page.
fn handshakes(page: &str) -> u32 {
    page.lines()
        .find_map(|line| line.strip_prefix("cctv_coordinator_agent_handshakes "))
        .and_then(|value| value.parse().ok())
        .unwrap_or(0)
}

/// An address whose datagrams reach the coordinator, and to which nothing comes back.
async fn one_way(to: SocketAddr) -> SocketAddr {
    let front = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let back = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = front.local_addr().unwrap();
    tokio::spawn(async move {
        let mut datagram = [0; 2048];
        while let Ok(length) = front.recv(&mut datagram).await {
            let _ = back.send_to(&datagram[..length], to).await;
        }
    });
    address
}

#[tokio::test]
async fn an_agent_that_goes_silent_in_a_message_is_not_waited_for_by_others() {
    let world = World::start().await;
    let peer = Peer::enrolled(&world, "Depot").await;
    let now = WallTime::from_secs(1_770_000_000);
    let work = peer.connect(&world, &[camera("gate", now)]).await;
    let mut stuck = Vec::new();
    for _ in 0..40 {
        let (mut send, receive) = work.connection.open_bi().await.unwrap();
        send.write_all(&100_u32.to_be_bytes()).await.unwrap();
        stuck.push((send, receive));
    }
    serves_others(&world).await;
    // And its own connection is still of use.
    let (mut send, mut receive) = work.connection.open_bi().await.unwrap();
    write(&mut send, &StreamHeader::Metadata).await.unwrap();
    write(&mut send, &report_of_nothing()).await.unwrap();
    let ack: shared::wire::segment::ReportAck = timeout(Duration::from_secs(5), read(&mut receive))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(ack.through, 1);
}
