//! The certificate that browsers see, and its renewal while they are connected.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use secrecy::ExposeSecret as _;
use shared::clock::SystemClock;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::world::{World, until};

/// Certificates that are issued one after the other into the same two files.
struct Issuer {
    directory: TempDir,
    roots: rustls::RootCertStore,
}

struct Issued {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key_pem: String,
}

impl Issuer {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            roots: rustls::RootCertStore::empty(),
        }
    }

    fn files(&self) -> (PathBuf, PathBuf) {
        let path = self.directory.path();
        (path.join("a.pem"), path.join("a.key"))
    }

    /// A certificate that [`Self::connect`] trusts.
    fn issue(&mut self) -> Issued {
        let own = rcgen::generate_simple_self_signed(["centre.example".to_owned()]).unwrap();
        self.roots.add(own.cert.der().clone()).unwrap();
        Issued {
            certificate: own.cert.der().clone(),
            certificate_pem: own.cert.pem(),
            key_pem: own.signing_key.serialize_pem(),
        }
    }

    fn write(&self, certificate: &str, key: &str) {
        let files = self.files();
        std::fs::write(files.0, certificate).unwrap();
        std::fs::write(files.1, key).unwrap();
    }

    async fn world(&self) -> World {
        let (certificate, key) = self.files();
        World::start_with(Arc::new(SystemClock::new()), |config| {
            config.http.tls =
                toml::from_str(&format!("certificate = {certificate:?}\nkey = {key:?}")).unwrap();
        })
        .await
    }

    async fn connect(&self, world: &World) -> TlsStream<TcpStream> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        let tcp = TcpStream::connect(world.http).await.unwrap();
        let name = "centre.example".try_into().unwrap();
        let tls = tokio_rustls::TlsConnector::from(Arc::new(config));
        tls.connect(name, tcp).await.unwrap()
    }
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    let certificates = stream.get_ref().1.peer_certificates().unwrap();
    certificates[0].clone().into_owned()
}

async fn ask(stream: &mut TlsStream<TcpStream>, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: centre.example\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    while !answer.contains("# EOF") && !answer.ends_with("ok\n") {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece).await.unwrap();
        assert!(length > 0, "{answer}");
        answer.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    answer
}

/// The value of a metric, asked for over a connection of its own.
async fn metric(issuer: &Issuer, world: &World, name: &str) -> Option<f64> {
    let page = ask(&mut issuer.connect(world).await, "/metrics").await;
    let line = page.lines().find(|line| line.starts_with(name))?;
    line.rsplit(' ').next()?.parse().ok()
}

const FAILED: &str = "cctv_coordinator_http_certificate_reload_failed";
const EXPIRY: &str = "cctv_coordinator_http_certificate_expiry_timestamp_seconds";

#[tokio::test]
async fn browsers_can_be_served_over_tls_with_a_certificate_of_ones_own() {
    let mut issuer = Issuer::new();
    let own = issuer.issue();
    issuer.write(&own.certificate_pem, &own.key_pem);
    let world = issuer.world().await;
    let mut stream = issuer.connect(&world).await;
    let body = format!(
        "{{\"login\":\"admin\",\"password\":\"{}\"}}",
        world.password.expose_secret()
    );
    let request = format!(
        "POST /api/v1/session HTTP/1.1\r\nhost: centre.example\r\norigin: https://centre.example\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The server may close without TLS's own goodbye.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("; Secure"), "{answer}");
    assert!(answer.contains("strict-transport-security"), "{answer}");
    // Without TLS nothing is to be had.
    assert_ne!(world.raw(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.0, 200);
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_new_connections_and_disturbs_no_old_one() {
    let mut issuer = Issuer::new();
    let first = issuer.issue();
    issuer.write(&first.certificate_pem, &first.key_pem);
    let world = issuer.world().await;
    let mut standing = issuer.connect(&world).await;
    assert_eq!(shown(&standing), first.certificate);
    assert!(ask(&mut standing, "/healthz").await.contains("200 OK"));
    let expires = until("the expiry", async || metric(&issuer, &world, EXPIRY).await);
    assert!(expires.await > 1e9);

    // A copy under way: the new certificate, and half of its key.
    let second = issuer.issue();
    let half = &second.key_pem[..second.key_pem.len() / 2];
    issuer.write(&second.certificate_pem, half);
    until("the failed reload", async || {
        let failed = metric(&issuer, &world, FAILED).await;
        failed.filter(|failed| *failed == 1.0)
    })
    .await;
    assert_eq!(shown(&issuer.connect(&world).await), first.certificate);

    issuer.write(&second.certificate_pem, &second.key_pem);
    until("the new certificate", async || {
        let shown = shown(&issuer.connect(&world).await);
        (shown == second.certificate).then_some(())
    })
    .await;
    until("the end of the failure", async || {
        let failed = metric(&issuer, &world, FAILED).await;
        failed.filter(|failed| *failed == 0.0)
    })
    .await;
    assert!(ask(&mut standing, "/healthz").await.contains("200 OK"));
}
