//! `rtsps`: TLS to the camera, plain TCP on the loopback interface to the RTSP library, which speaks
//! no TLS itself. One tunnel carries one connection and ends with it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use shared::hash::Sha256;
use shared::timeline::Reason;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::fault::Fault;
use crate::camera::source::{CertificatePolicy, Source};

/// Registered for RTSP over TLS (RFC 7826 section 19.2).
pub(super) const RTSPS_PORT: u16 = 322;

/// How long the library may take to connect to its own host.
const PICK_UP: Duration = Duration::from_secs(5);

/// An open tunnel; dropping it cuts the connection.
#[derive(Debug)]
pub(super) struct Tunnel {
    entrance: SocketAddr,
    _carrier: AbortOnDropHandle<()>,
}

impl Tunnel {
    /// Connects to the camera, checks its certificate and waits for one connection from this host.
    pub(super) async fn open(source: &Source) -> Result<Self, Fault> {
        let camera = connect(source).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(|error| local(source, &error))?;
        let entrance = listener
            .local_addr()
            .map_err(|error| local(source, &error))?;
        let carrier = tokio::spawn(carry(listener, camera));
        Ok(Self {
            entrance,
            _carrier: AbortOnDropHandle::new(carrier),
        })
    }

    /// The camera's address as seen through the tunnel.
    pub(super) fn through(&self, url: &Url) -> Url {
        let host = format!("rtsp://{}", self.entrance);
        let mut through = Url::parse(&host).unwrap_or_else(|_| url.clone());
        through.set_path(url.path());
        through.set_query(url.query());
        through
    }
}

async fn carry(listener: TcpListener, mut camera: TlsStream<TcpStream>) {
    let Ok(Ok((mut library, _))) = tokio::time::timeout(PICK_UP, listener.accept()).await else {
        return;
    };
    drop(listener);
    let _ = library.set_nodelay(true);
    // Either end's errors reach the library as the end of the connection.
    let _ = copy_bidirectional(&mut library, &mut camera).await;
}

async fn connect(source: &Source) -> Result<TlsStream<TcpStream>, Fault> {
    let host = source.url().host_str().unwrap_or_default();
    let port = source.url().port().unwrap_or(RTSPS_PORT);
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|_| {
        let detail = format!("{}: `{host}` is no name of a host", source.shown());
        Fault::new(Reason::CameraProtocolError, detail)
    })?;
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port))
        .await
        .map_err(|error| {
            let detail = format!(
                "{}: Unable to connect: {error}; check address, power and network",
                source.shown()
            );
            Fault::new(Reason::CameraUnreachable, detail)
        })?;
    let _ = stream.set_nodelay(true);
    let config = client_config(&source.certificate).map_err(|error| {
        let detail = format!("{}: TLS cannot be set up: {error}", source.shown());
        Fault::new(Reason::HostOverloaded, detail)
    })?;
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| {
            let detail = format!(
                "{}: TLS was not agreed on: {error}; pin the camera's certificate, or accept any",
                source.shown()
            );
            Fault::new(Reason::CameraProtocolError, detail)
        })
}

fn local(source: &Source, error: &std::io::Error) -> Fault {
    let detail = format!("{}: no loopback port for TLS: {error}", source.shown());
    Fault::new(Reason::HostOverloaded, detail)
}

fn client_config(policy: &CertificatePolicy) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let config = match policy {
        CertificatePolicy::Verify => builder.with_root_certificates(RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        }),
        CertificatePolicy::Pin(sha256) => {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Leaf {
                    pinned: Some(*sha256),
                    provider,
                }))
        }
        CertificatePolicy::AcceptAny => {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Leaf {
                    pinned: None,
                    provider,
                }))
        }
    };
    Ok(config.with_no_client_auth())
}

/// Looks at the camera's own certificate only: is it the pinned one, and does the camera hold its
/// key.
#[derive(Debug)]
struct Leaf {
    pinned: Option<Sha256>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Leaf {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = Sha256::of(end_entity);
        match self.pinned {
            Some(pinned) if pinned != shown => Err(rustls::Error::General(format!(
                "the camera shows the certificate {shown}, pinned is {pinned}"
            ))),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
