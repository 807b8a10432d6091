//! `rtsps`, with a certificate that nobody signed.

use std::net::SocketAddr;
use std::sync::Arc;

use camera_sim::Rendition;
use cctv_agent::camera::source::{CertificatePolicy, Source};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use shared::hash::Sha256;
use shared::segment::StreamKind;
use shared::timeline::Reason;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::{Pull, assert_faithful, simulate, small};

/// TLS in front of a camera that speaks none; the hash of its certificate.
async fn terminate(camera: SocketAddr) -> (SocketAddr, Sha256, AbortOnDropHandle<()>) {
    let own =
        rcgen::generate_simple_self_signed(["camera.invalid".to_owned()]).expect("a certificate");
    let hash = Sha256::of(own.cert.der());
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .expect("a configuration");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let task = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut client) = acceptor.accept(client).await else {
                    return;
                };
                let Ok(mut camera) = TcpStream::connect(camera).await else {
                    return;
                };
                let _ = copy_bidirectional(&mut client, &mut camera).await;
            });
        }
    });
    (address, hash, AbortOnDropHandle::new(task))
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_certificate_that_was_agreed_to_opens_the_tunnel() {
    let simulator = simulate([small("cam")]).await;
    let (address, hash, _front) = terminate(simulator.address()).await;
    let path = simulator.url("cam", Rendition::Main).path().to_owned();
    let url: Url = format!("rtsps://{address}{path}")
        .parse()
        .expect("an address");
    let pull = |certificate| {
        let source = Source::new(url.clone(), None)
            .expect("a source")
            .trusting(certificate);
        Pull::of(source, StreamKind::Main, simulator.clock())
    };
    for accepted in [CertificatePolicy::Pin(hash), CertificatePolicy::AcceptAny] {
        assert_faithful(&pull(accepted).pictures(15).await, 150);
    }
    for refused in [
        CertificatePolicy::Verify,
        CertificatePolicy::Pin(Sha256::of(b"another")),
    ] {
        let (reason, detail) = pull(refused).down().await;
        assert_eq!(reason, Reason::CameraProtocolError, "{detail}");
        assert!(detail.contains("pin the camera's certificate"), "{detail}");
    }
}
