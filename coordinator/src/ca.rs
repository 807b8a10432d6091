//! The coordinator's own certificate authority: it vouches for this coordinator towards agents, and
//! for agents towards this coordinator, and for nobody else.
//!
//! Whether an agent's certificate is still welcome is not decided here but by the catalogue, at
//! every connection and while one stands (`services::agents`). So agents' certificates have no
//! expiry of their own: a site that was cut off for a year, or whose clock is wrong, comes back by
//! itself, and one that was revoked does not.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ED25519,
    PublicKeyData as _, SanType, date_time_ymd,
};
use ring::hmac;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{
    CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer,
};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use shared::hash::Sha256;
use shared::id::AgentId;
use shared::time::WallTime;
use shared::wire::SERVER_NAME;

/// Name of the authority's file in the data directory; key and certificate together, so that one
/// rename creates both.
pub const FILE: &str = "authority.pem";

/// Year, month, day.
type Date = (i32, u8, u8);

/// Certificates are good from then on: before any agent was built, and after every clock that starts
/// at nothing.
const NOT_BEFORE: Date = (2020, 1, 1);
/// "No well-defined expiration date" (RFC 5280 section 4.1.2.5).
const NEVER: Date = (9999, 12, 31);
/// How long the coordinator's own certificate is good for.
const SERVER_VALIDITY: Duration = Duration::from_secs(398 * 24 * 3600);
/// How old it gets before it is replaced; a restart replaces it as well.
const SERVER_RENEWAL: Duration = Duration::from_secs(30 * 24 * 3600);
/// Largest certificate request read.
const MAX_REQUEST_BYTES: usize = 16 * 1024;

/// The authority, and the certificate it keeps fresh for this coordinator.
pub struct Authority {
    key: KeyPair,
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    /// Names and addresses of the coordinator besides [`SERVER_NAME`].
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

/// The key an agent asks a certificate for. Whatever else its request says is not read.
#[derive(Debug)]
pub struct AgentRequest(rcgen::PublicKey);

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

/// The coordinator's certificate as TLS asks for it, replaced without a restart.
struct ServerCertificate(ArcSwap<Issued>);

struct Issued {
    key: Arc<CertifiedKey>,
    issued_at: WallTime,
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
fn issue_server(
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

fn leaf(name: &str, purpose: ExtendedKeyUsagePurpose, end: Date) -> CertificateParams {
    let mut params = certificate(name, end);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    params.use_authority_key_identifier_extension = true;
    params
}

fn certificate(name: &str, (year, month, day): Date) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let subject = &mut params.distinguished_name;
    subject.push(DnType::OrganizationName, "RTA CCTV");
    subject.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(NOT_BEFORE.0, NOT_BEFORE.1, NOT_BEFORE.2);
    params.not_after = date_time_ymd(year, month, day);
    params
}

fn calendar_date(time: WallTime) -> Date {
    let date = jiff::Timestamp::from_microsecond(time.as_micros())
        .unwrap_or(jiff::Timestamp::MAX)
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    (
        date.year().into(),
        date.month().unsigned_abs(),
        date.day().unsigned_abs(),
    )
}

/// Makes a new authority and writes it down before anything is signed with it.
fn create(data_dir: &Path) -> Result<String, CaError> {
    let key = KeyPair::generate_for(&PKCS_ED25519)?;
    let mut params = certificate("RTA CCTV authority", NEVER);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let text = key.serialize_pem() + &params.self_signed(&key)?.pem();
    let path = data_dir.join(FILE);
    write_secret(&path, text.as_bytes()).map_err(|source| CaError::Write { path, source })?;
    Ok(text)
}

fn parse(text: &str) -> Option<(KeyPair, CertificateDer<'static>)> {
    let key = KeyPair::from_pem(text).ok()?;
    let certificate = CertificateDer::from_pem_slice(text.as_bytes()).ok()?;
    let issuer = Issuer::from_ca_cert_der(&certificate, &key).ok()?;
    issuer
        .key_usages()
        .contains(&KeyUsagePurpose::KeyCertSign)
        .then_some((key, certificate))
}

/// The file without its key.
fn certificate_part(text: &str) -> String {
    let start = text
        .find("-----BEGIN CERTIFICATE-----")
        .unwrap_or(text.len());
    text.get(start..).unwrap_or_default().to_owned()
}

/// Writes a file that only its owner may read: whole and durable, or not at all. Also makes the
/// directory, for its owner only.
pub(crate) fn write_secret(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let partial = path.with_extension("part");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    File::open(directory)?.sync_all()
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
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls::pki_types::{ServerName, UnixTime};
    use rustls::server::WebPkiClientVerifier;

    use super::*;

    const NOW: WallTime = WallTime::from_secs(1_770_000_000);

    fn authority(directory: &Path) -> Authority {
        let names = ["centre.example".to_owned(), "192.0.2.7".to_owned()];
        Authority::open(directory, &names, NOW).unwrap()
    }

    fn roots(authority: &Authority) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate().clone()).unwrap();
        Arc::new(roots)
    }

    fn provider() -> Arc<rustls::crypto::CryptoProvider> {
        Arc::new(rustls::crypto::ring::default_provider())
    }

    fn request(key: &KeyPair, ask_for: impl FnOnce(&mut CertificateParams)) -> AgentRequest {
        let mut params = CertificateParams::default();
        ask_for(&mut params);
        AgentRequest::from_der(params.serialize_request(key).unwrap().der()).unwrap()
    }

    fn unix(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn the_authority_is_made_once_and_only_its_owner_may_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("data");
        let first = authority(&data_dir).fingerprint();
        assert_eq!(authority(&data_dir).fingerprint(), first);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data_dir.join(FILE)), 0o600);
        assert_eq!(mode(&data_dir), 0o700);
        let pem = authority(&data_dir).certificate_pem().to_owned();
        assert!(!pem.contains("PRIVATE"));
        let read = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        assert_eq!(Sha256::of(&read), first);
    }

    #[test]
    fn a_damaged_authority_is_an_error_and_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let whole = {
            authority(directory.path());
            fs::read_to_string(directory.path().join(FILE)).unwrap()
        };
        for damaged in [
            "",
            "hello",
            &whole[..whole.len() / 2],
            &certificate_part(&whole),
        ] {
            fs::write(directory.path().join(FILE), damaged).unwrap();
            let error = Authority::open(directory.path(), &[], NOW).unwrap_err();
            assert!(matches!(error, CaError::NotAnAuthority { .. }), "{error}");
            assert_eq!(
                fs::read_to_string(directory.path().join(FILE)).unwrap(),
                damaged
            );
        }
    }

    #[test]
    fn agents_can_verify_the_coordinator_under_every_name_until_it_is_renewed() {
        let directory = tempfile::tempdir().unwrap();
        let authority = authority(directory.path());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots(&authority), provider())
            .build()
            .unwrap();
        let verify = |name: &str, at| {
            let key = authority.server.0.load().key.clone();
            let (leaf, rest) = key.cert.split_first().unwrap();
            let name = ServerName::try_from(name.to_owned()).unwrap();
            verifier.verify_server_cert(leaf, rest, &name, &[], unix(at))
        };
        for name in [SERVER_NAME, "centre.example", "192.0.2.7"] {
            verify(name, 1_770_000_000).unwrap();
        }
        verify("other.example", 1_770_000_000).unwrap_err();
        // An agent whose clock is years behind still gets in touch.
        verify(SERVER_NAME, 1_600_000_000).unwrap();
        let later = NOW + Duration::from_secs(31 * 24 * 3600);
        assert!(
            !authority
                .renew_if_due(NOW + Duration::from_secs(3600))
                .unwrap()
        );
        assert!(authority.renew_if_due(later).unwrap());
        verify(SERVER_NAME, 1_770_000_000 + 400 * 24 * 3600).unwrap();
    }

    #[test]
    fn an_agents_certificate_is_for_its_key_and_says_nothing_the_agent_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let authority = authority(directory.path());
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let greedy = request(&key, |params| {
            params
                .distinguished_name
                .push(DnType::CommonName, SERVER_NAME);
            params.subject_alt_names = vec![SanType::DnsName(SERVER_NAME.try_into().unwrap())];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        });
        assert_eq!(greedy.public_key(), key.public_key_raw());
        let agent = AgentId::new(NOW);
        let issued = authority.issue(agent, &greedy).unwrap();
        let chain: Vec<_> = CertificateDer::pem_slice_iter(issued.chain_pem.as_bytes())
            .collect::<Result<_, _>>()
            .unwrap();
        let [leaf, root] = &chain[..] else { panic!() };
        assert_eq!(Sha256::of(leaf), issued.sha256);
        assert_eq!(Sha256::of(root), authority.fingerprint());
        assert_eq!(agent_named_in(leaf), Some(agent));
        assert_eq!(agent_named_in(root), None);
        assert_eq!(agent_named_in(b"junk"), None);

        let clients = WebPkiClientVerifier::builder_with_provider(roots(&authority), provider())
            .build()
            .unwrap();
        for at in [1_600_000_000, 1_770_000_000, 4_000_000_000] {
            clients.verify_client_cert(leaf, &[], unix(at)).unwrap();
        }
        let servers = WebPkiServerVerifier::builder_with_provider(roots(&authority), provider())
            .build()
            .unwrap();
        let name = ServerName::try_from(SERVER_NAME).unwrap();
        servers
            .verify_server_cert(leaf, &[], &name, &[], unix(1_770_000_000))
            .unwrap_err();
    }

    #[test]
    fn requests_that_are_damaged_or_have_another_kind_of_key_are_refused() {
        let whole = CertificateParams::default()
            .serialize_request(&KeyPair::generate_for(&PKCS_ED25519).unwrap())
            .unwrap();
        let mut tampered = whole.der().to_vec();
        *tampered.last_mut().unwrap() ^= 1;
        let p256 = CertificateParams::default()
            .serialize_request(&KeyPair::generate().unwrap())
            .unwrap();
        let huge = vec![0x30; MAX_REQUEST_BYTES + 1];
        for bad in [&b""[..], b"junk", &tampered, p256.der(), &huge] {
            AgentRequest::from_der(bad).unwrap_err();
        }
        AgentRequest::from_der(whole.der()).unwrap();
    }

    #[test]
    fn a_name_that_cannot_stand_in_a_certificate_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let error = Authority::open(directory.path(), &["not a name".into()], NOW).unwrap_err();
        assert!(error.to_string().contains("not a name"), "{error}");
    }
}
