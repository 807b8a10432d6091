//! The coordinator's own certificate authority: it vouches for this coordinator towards agents, and
//! for agents towards this coordinator, and for nobody else.
//!
//! Whether an agent's certificate is still welcome is not decided here but by the catalogue, at
//! every connection and while one stands (`services::agents`). So agents' certificates have no
//! expiry of their own: a site that was cut off for a year, or whose clock is wrong, comes back by
//! itself, and one that was revoked does not.

mod agent;
mod file;
mod params;
mod server;

pub use agent::{AgentCertificate, AgentRequest, agent_named_in};
pub use file::FILE;
pub(crate) use file::write_secret;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use file::{certificate_part, create, parse};
use params::{NEVER, leaf};
use rcgen::{ExtendedKeyUsagePurpose, Issuer, KeyPair};
use ring::hmac;
use rustls::pki_types::CertificateDer;
use rustls::server::ResolvesServerCert;
use server::{ServerCertificate, issue_server};
use shared::hash::Sha256;
use shared::id::AgentId;
use shared::time::WallTime;

/// How old it gets before it is replaced; a restart replaces it as well.
const SERVER_RENEWAL: Duration = Duration::from_secs(30 * 24 * 3600);

/// The authority, and the certificate it keeps fresh for this coordinator.
pub struct Authority {
    key: KeyPair,
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    /// Names and addresses of the coordinator besides `SERVER_NAME`.
    names: Vec<String>,
    server: Arc<ServerCertificate>,
}

impl Authority {
    /// Opens the authority in `data_dir`, or creates it there.
    ///
    /// # Errors
    /// The directory cannot be written, the file there is not an authority, or a name cannot stand
    /// in a certificate.
    pub fn open(data_dir: &Path, names: &[String], now: WallTime) -> Result<Self, CaError> {
        let path = data_dir.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(data_dir)?,
            Err(source) => return Err(CaError::Read { path, source }),
        };
        let (key, certificate) = parse(&text).ok_or(CaError::NotAnAuthority { path })?;
        let server = issue_server(&key, &certificate, names, now)?;
        Ok(Self {
            certificate_pem: certificate_part(&text),
            key,
            certificate,
            names: names.to_vec(),
            server: Arc::new(ServerCertificate(ArcSwap::from_pointee(server))),
        })
    }

    /// Whether [`Authority::open`] would find one.
    pub fn exists(data_dir: &Path) -> bool {
        data_dir.join(FILE).exists()
    }

    /// SHA-256 of the DER of the authority's certificate; what enrolment codes pin.
    pub fn fingerprint(&self) -> Sha256 {
        Sha256::of(&self.certificate)
    }

    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// A secret for one purpose, the same after every restart.
    pub fn key_for(&self, purpose: &[u8]) -> hmac::Key {
        let own = hmac::Key::new(hmac::HMAC_SHA256, self.key.serialized_der());
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&own, purpose).as_ref())
    }

    /// Gives TLS the coordinator's present certificate.
    pub fn server_certificate(&self) -> Arc<dyn ResolvesServerCert> {
        self.server.clone()
    }

    /// Replaces the coordinator's certificate, and its key, when they are a month old.
    ///
    /// # Errors
    /// No certificate could be made; the old one stays.
    pub fn renew_if_due(&self, now: WallTime) -> Result<bool, CaError> {
        let issued_at = self.server.0.load().issued_at;
        if now.saturating_duration_since(issued_at) < SERVER_RENEWAL {
            return Ok(false);
        }
        let fresh = issue_server(&self.key, &self.certificate, &self.names, now)?;
        self.server.0.store(Arc::new(fresh));
        Ok(true)
    }

    /// A certificate for the agent that holds the key of `request`.
    ///
    /// # Errors
    /// It could not be signed.
    pub fn issue(
        &self,
        agent: AgentId,
        request: &AgentRequest,
    ) -> Result<AgentCertificate, CaError> {
        let params = leaf(
            &agent.to_string(),
            ExtendedKeyUsagePurpose::ClientAuth,
            NEVER,
        );
        let issuer = Issuer::from_ca_cert_der(&self.certificate, &self.key)?;
        let certificate = params.signed_by(&request.0, &issuer)?;
        Ok(AgentCertificate {
            chain_pem: certificate.pem() + &self.certificate_pem,
            sha256: Sha256::of(certificate.der()),
        })
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("fingerprint", &self.fingerprint())
            .finish_non_exhaustive()
    }
}

/// Why the authority could not be opened, or would not sign.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    #[error("cannot read the certificate authority {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write the certificate authority {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "{} does not hold a certificate authority; restore it from a backup, or every agent has to be enrolled again",
        path.display()
    )]
    NotAnAuthority { path: PathBuf },
    #[error("`{name}` is neither a DNS name nor an IP address")]
    Name { name: String },
    #[error("not a certificate request with an Ed25519 key")]
    BadRequest,
    #[error("making a certificate failed")]
    Sign(#[from] rcgen::Error),
    #[error("TLS does not accept the coordinator's own key")]
    Tls(#[from] rustls::Error),
}

#[cfg(test)]
mod tests;
