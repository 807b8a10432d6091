//! Settings of QUIC: TLS, windows, sockets. Values with their reasons, no behaviour.

use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{
    Connection, ConnectionIdGenerator, EndpointConfig, ServerConfig, TransportConfig, VarInt,
};
use quinn_proto::HashedConnectionIdGenerator;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use shared::wire::{ALPN, ALPN_ENROL};

use super::ListenError;
use crate::ca::Authority;

/// In flight on one stream: 100 Mbit/s at 300 ms.
const STREAM_WINDOW: u32 = 4 << 20;
/// In flight on one connection of an agent: 450 Mbit/s at 300 ms.
const CONNECTION_WINDOW: u32 = 16 << 20;
/// Of one whom we do not know yet: more than an enrolment or a greeting needs.
const UNKNOWN_WINDOW: u32 = 256 << 10;
/// Streams of an agent at once: control, metadata, and uploads.
const STREAMS: u32 = 64;
/// Of one whom we do not know yet; control and metadata may begin at once.
const UNKNOWN_STREAMS: u32 = 2;
/// GOPs of an agent at once: of each stream that is watched the newest, and the one before while it
/// ends.
const ONE_WAY_STREAMS: u32 = 512;
/// Silence after which a connection is over (`shared/PROTOCOL.md` section 1).
pub(super) const SILENCE: Duration = Duration::from_secs(30);

/// Both protocols behind one certificate. A peer without a certificate gets through TLS, because it
/// may want to enrol; what it may do is decided by its protocol.
pub(super) fn server_config(authority: &Authority) -> Result<ServerConfig, ListenError> {
    let tls = |error: &dyn std::error::Error| ListenError::Tls {
        message: error.to_string(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots
        .add(authority.certificate().clone())
        .map_err(|error| tls(&error))?;
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(|error| tls(&error))?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| tls(&error))?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(authority.server_certificate());
    config.alpn_protocols = vec![ALPN.to_vec(), ALPN_ENROL.to_vec()];
    let crypto = QuicServerConfig::try_from(config).map_err(|error| tls(&error))?;
    let mut server = ServerConfig::with_crypto(Arc::new(crypto));
    server.transport_config(Arc::new(transport_config()));
    Ok(server)
}

fn transport_config() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(UNKNOWN_WINDOW))
        .max_concurrent_bidi_streams(VarInt::from_u32(UNKNOWN_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(SILENCE.try_into().ok());
    transport
}

/// For an agent that has been admitted.
pub(super) fn widen(connection: &Connection) {
    connection.set_receive_window(VarInt::from_u32(CONNECTION_WINDOW));
    connection.set_max_concurrent_bi_streams(VarInt::from_u32(STREAMS));
    connection.set_max_concurrent_uni_streams(VarInt::from_u32(ONE_WAY_STREAMS));
}

/// Keys that outlive a restart, so that agents learn at once that a connection of the time before
/// is over (stateless reset, RFC 9000 section 10.3) instead of waiting for silence.
pub(super) fn endpoint_config(authority: &Authority) -> EndpointConfig {
    let mut config = EndpointConfig::new(Arc::new(authority.key_for(b"quic stateless reset")));
    let tag = ring::hmac::sign(&authority.key_for(b"quic connection ids"), &[]);
    let mut key = [0; 8];
    key.copy_from_slice(&tag.as_ref()[..8]);
    let key = u64::from_be_bytes(key);
    config.cid_generator(move || -> Box<dyn ConnectionIdGenerator> {
        Box::new(HashedConnectionIdGenerator::from_key(key))
    });
    config
}
