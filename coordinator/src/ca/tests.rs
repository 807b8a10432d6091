//! The authority as agents and TLS see it.

use std::os::unix::fs::PermissionsExt as _;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, PKCS_ED25519, SanType};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;

use shared::wire::SERVER_NAME;

use super::agent::MAX_REQUEST_BYTES;
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
