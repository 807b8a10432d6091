//! What agents ask certificates for, and get.

use rcgen::{CertificateSigningRequestParams, PKCS_ED25519, PublicKeyData as _};
use rustls::pki_types::CertificateSigningRequestDer;
use shared::hash::Sha256;
use shared::id::AgentId;

use super::CaError;

/// Largest certificate request read.
pub(super) const MAX_REQUEST_BYTES: usize = 16 * 1024;

/// The key an agent asks a certificate for. Whatever else its request says is not read.
#[derive(Debug)]
pub struct AgentRequest(pub(super) rcgen::PublicKey);

impl AgentRequest {
    /// # Errors
    /// Not a PKCS #10 request, not signed by its own key, or not an Ed25519 key.
    pub fn from_der(der: &[u8]) -> Result<Self, CaError> {
        if der.len() > MAX_REQUEST_BYTES {
            return Err(CaError::BadRequest);
        }
        let request = CertificateSigningRequestDer::from(der);
        let request = CertificateSigningRequestParams::from_der(&request)
            .map_err(|_| CaError::BadRequest)?
            .public_key;
        if *request.algorithm() != PKCS_ED25519 || request.der_bytes().len() != 32 {
            return Err(CaError::BadRequest);
        }
        Ok(Self(request))
    }

    pub fn public_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.der_bytes());
        key
    }
}

/// A certificate for an agent.
#[derive(Clone, Debug)]
pub struct AgentCertificate {
    /// PEM: the agent's, then the authority's.
    pub chain_pem: String,
    /// Of the DER of the agent's.
    pub sha256: Sha256,
}

/// The agent a certificate was issued to. Says nothing of who issued it: ask only of certificates
/// that TLS has verified against our authority.
pub fn agent_named_in(certificate: &[u8]) -> Option<AgentId> {
    use x509_parser::prelude::FromDer as _;
    let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(certificate).ok()?;
    let name = certificate.subject().iter_common_name().next()?;
    name.as_str().ok()?.parse().ok()
}
