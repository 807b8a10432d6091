//! The authority's file, and files that only their owner may read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use rcgen::{BasicConstraints, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ED25519};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::CaError;
use super::params::{NEVER, certificate};

/// Name of the authority's file in the data directory; key and certificate together, so that one
/// rename creates both.
pub const FILE: &str = "authority.pem";

/// Makes a new authority and writes it down before anything is signed with it.
pub(super) fn create(data_dir: &Path) -> Result<String, CaError> {
    let key = KeyPair::generate_for(&PKCS_ED25519)?;
    let mut params = certificate("RTA CCTV authority", NEVER);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let text = key.serialize_pem() + &params.self_signed(&key)?.pem();
    let path = data_dir.join(FILE);
    write_secret(&path, text.as_bytes()).map_err(|source| CaError::Write { path, source })?;
    Ok(text)
}

pub(super) fn parse(text: &str) -> Option<(KeyPair, CertificateDer<'static>)> {
    let key = KeyPair::from_pem(text).ok()?;
    let certificate = CertificateDer::from_pem_slice(text.as_bytes()).ok()?;
    let issuer = Issuer::from_ca_cert_der(&certificate, &key).ok()?;
    issuer
        .key_usages()
        .contains(&KeyUsagePurpose::KeyCertSign)
        .then_some((key, certificate))
}

/// The file without its key.
pub(super) fn certificate_part(text: &str) -> String {
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
