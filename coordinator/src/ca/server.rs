//! The coordinator's own certificate.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rcgen::{ExtendedKeyUsagePurpose, Issuer, KeyPair, PKCS_ED25519, SanType};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use shared::time::WallTime;
use shared::wire::SERVER_NAME;

use super::CaError;
use super::params::{calendar_date, leaf};

/// How long the coordinator's own certificate is good for.
const SERVER_VALIDITY: Duration = Duration::from_secs(398 * 24 * 3600);

/// The coordinator's certificate as TLS asks for it, replaced without a restart.
pub(super) struct ServerCertificate(pub(super) ArcSwap<Issued>);

pub(super) struct Issued {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) issued_at: WallTime,
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load().key.clone())
    }
}

impl std::fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerCertificate")
    }
}

/// The whole chain, the authority included, so that an agent that knows only the authority's hash
/// can verify it.
pub(super) fn issue_server(
    authority: &KeyPair,
    certificate: &CertificateDer<'static>,
    names: &[String],
    now: WallTime,
) -> Result<Issued, CaError> {
    let key = KeyPair::generate_for(&PKCS_ED25519)?;
    let end = calendar_date(now + SERVER_VALIDITY);
    let mut params = leaf(SERVER_NAME, ExtendedKeyUsagePurpose::ServerAuth, end);
    params.subject_alt_names = std::iter::once(SERVER_NAME)
        .chain(names.iter().map(String::as_str))
        .map(alternative_name)
        .collect::<Result<_, _>>()?;
    let issuer = Issuer::from_ca_cert_der(certificate, authority)?;
    let leaf = params.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let chain = vec![leaf.der().clone(), certificate.clone()];
    Ok(Issued {
        key: Arc::new(CertifiedKey::new(chain, any_supported_type(&key)?)),
        issued_at: now,
    })
}

fn alternative_name(name: &str) -> Result<SanType, CaError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let unusable = || CaError::Name { name: name.into() };
    // rustls would not accept the name of its own either.
    rustls::pki_types::DnsName::try_from(name).map_err(|_| unusable())?;
    Ok(SanType::DnsName(name.try_into().map_err(|_| unusable())?))
}
