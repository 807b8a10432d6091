//! Who this agent is: its key, made here and never sent, and the enrolment that ties it to a
//! coordinator.
//!
//! The key exists from the first start, so that segments recorded before enrolment are signed by
//! the key that enrolment certifies later. How certificates are checked on the wire is in
//! [`crate::uplink`].

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, DnType};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use shared::id::{AgentId, SiteId};
use shared::segment::Signature;
use shared::time::WallTime;

const KEY_FILE: &str = "agent.key";
const ENROLMENT_FILE: &str = "enrolment.json";

/// What is wrong with the key or the enrolment.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("cannot {attempted} {}: {source}; check that the directory belongs to the agent's user", path.display())]
    File {
        attempted: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{} is not an Ed25519 private key; restore it from a backup, or move it away and enrol again", path.display())]
    NotAKey { path: PathBuf },
    #[error("the system's random numbers cannot make a key: {detail}")]
    Generate { detail: String },
    #[error("{} is damaged ({detail}); enrol again", path.display())]
    Enrolment { path: PathBuf, detail: String },
    #[error("cannot make a certificate request: {detail}")]
    Request { detail: String },
    #[error("the coordinator's answer cannot be used: {detail}")]
    Answer { detail: String },
}

/// The agent's Ed25519 key. Never printed and never copied out of the data directory.
pub struct Key {
    pair: Ed25519KeyPair,
    pkcs8: Vec<u8>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

impl Key {
    /// Reads the key of `data_dir`, or makes it there, readable by this user alone.
    ///
    /// # Errors
    /// The directory cannot be used, or holds something that is not a key.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, IdentityError> {
        let path = data_dir.join(KEY_FILE);
        match fs::read(&path) {
            Ok(pem) => {
                restrict(&path)?;
                Self::from_pem(&pem).ok_or(IdentityError::NotAKey { path })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Self::create(data_dir, &path)?;
                let pem = fs::read(&path).map_err(file_error("read", &path))?;
                Self::from_pem(&pem).ok_or(IdentityError::NotAKey { path })
            }
            Err(error) => Err(file_error("read", &path)(error)),
        }
    }

    fn create(data_dir: &Path, path: &Path) -> Result<(), IdentityError> {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).map_err(|error| {
            IdentityError::Generate {
                detail: error.to_string(),
            }
        })?;
        fs::create_dir_all(data_dir).map_err(file_error("create", data_dir))?;
        let temporary = data_dir.join(format!("{KEY_FILE}.{}", std::process::id()));
        write_private(&temporary, pair.serialize_pem().as_bytes())?;
        // A link does not replace: when two processes start at once, one key wins for both.
        let linked = fs::hard_link(&temporary, path);
        let removed = fs::remove_file(&temporary).and_then(|()| sync_directory(data_dir));
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other.and(removed).map_err(file_error("write", path)),
        }
    }

    fn from_pem(pem: &[u8]) -> Option<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).ok()?;
        let pkcs8 = der.secret_pkcs8_der().to_vec();
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8).ok()?;
        Some(Self { pair, pkcs8 })
    }

    pub fn sign(&self, statement: &[u8]) -> Signature {
        let signature = self.pair.sign(statement);
        Signature::from_slice(signature.as_ref()).unwrap_or(Signature::from_bytes([0; 64]))
    }

    /// 32 bytes, as in the agent's certificate.
    pub fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// For the TLS stack.
    pub(crate) fn private_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.pkcs8.clone()))
    }

    /// A PKCS #10 request (RFC 2986) in DER, with `name` as the common name.
    ///
    /// # Errors
    /// The name has characters that no certificate can hold.
    pub fn request(&self, name: &str) -> Result<Vec<u8>, IdentityError> {
        let failed = |error: rcgen::Error| IdentityError::Request {
            detail: error.to_string(),
        };
        let der = PrivatePkcs8KeyDer::from(self.pkcs8.as_slice());
        let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_ED25519)
            .map_err(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let request = params.serialize_request(&pair).map_err(failed)?;
        Ok(request.der().to_vec())
    }
}

/// What enrolment gave: where the coordinator is, how to recognise it, and how it recognises us.
///
/// Our coordinator issues certificates without an end and revokes them by name. Should one end all
/// the same, [`Enrolment::expires`] is shown to the installer a month before, and enrolling again
/// replaces the certificate and keeps the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    pub agent: AgentId,
    pub site: SiteId,
    pub site_name: String,
    /// Host name or address, without brackets.
    pub host: String,
    pub port: u16,
    /// PEM, leaf first.
    pub certificate_chain: String,
    /// PEM of the one certificate that the coordinator's must end at.
    pub authority: String,
    pub enrolled_at: WallTime,
}

impl Enrolment {
    /// What is stored in `data_dir`; `None` before enrolment.
    ///
    /// # Errors
    /// The file cannot be read or does not make sense.
    pub fn load(data_dir: &Path) -> Result<Option<Self>, IdentityError> {
        let path = data_dir.join(ENROLMENT_FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(file_error("read", &path)(error)),
        };
        let damaged = |detail: String| IdentityError::Enrolment {
            path: path.clone(),
            detail,
        };
        let enrolment: Self =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        enrolment.chain().map_err(damaged)?;
        enrolment.authority().map_err(damaged)?;
        Ok(Some(enrolment))
    }

    /// Writes it to `data_dir` in one step: before a crash the old one counts, after it the new.
    ///
    /// # Errors
    /// The answer of the coordinator does not fit `key`, or the file cannot be written.
    pub fn store(&self, data_dir: &Path, key: &Key) -> Result<(), IdentityError> {
        let answer = |detail| IdentityError::Answer { detail };
        let chain = self.chain().map_err(answer)?;
        self.authority().map_err(answer)?;
        if !certifies(&chain, key) {
            return Err(answer("the certificate is for another key".to_owned()));
        }
        let text = serde_json::to_vec_pretty(self).map_err(|error| IdentityError::Answer {
            detail: error.to_string(),
        })?;
        write_atomically(&data_dir.join(ENROLMENT_FILE), &text)
    }

    /// The agent's certificates, leaf first.
    pub(crate) fn chain(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(self.certificate_chain.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| format!("the agent's certificate is not PEM: {error}"))?;
        if chain.is_empty() {
            return Err("the agent's certificate is missing".to_owned());
        }
        Ok(chain)
    }

    pub(crate) fn authority(&self) -> Result<CertificateDer<'static>, String> {
        CertificateDer::from_pem_slice(self.authority.as_bytes())
            .map_err(|error| format!("the authority's certificate is not PEM: {error}"))
    }

    /// When the certificate ends; `None` if it cannot be read.
    pub fn expires(&self) -> Option<WallTime> {
        let chain = self.chain().ok()?;
        let (_, leaf) = x509_parser::parse_x509_certificate(chain.first()?).ok()?;
        Some(WallTime::from_secs(leaf.validity().not_after.timestamp()))
    }
}

fn certifies(chain: &[CertificateDer<'_>], key: &Key) -> bool {
    chain
        .first()
        .and_then(|leaf| x509_parser::parse_x509_certificate(leaf).ok())
        .is_some_and(|(_, leaf)| {
            leaf.public_key().subject_public_key.data.as_ref() == key.public_key()
        })
}

/// Replaces a file of the data directory, so that a crash leaves the old or the new, readable by
/// this user alone.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> Result<(), IdentityError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    write_private(&temporary, content)?;
    fs::rename(&temporary, path)
        .and_then(|()| sync_directory(path.parent().unwrap_or_else(|| Path::new("."))))
        .map_err(file_error("write", path))
}

fn write_private(path: &Path, content: &[u8]) -> Result<(), IdentityError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            file.set_permissions(Permissions::from_mode(0o600))?;
            inherit_owner(&file, path)?;
            file.write_all(content)?;
            file.sync_all()
        })
        .map_err(file_error("write", path))
}

/// Root may enrol for the service: what it writes belongs to the directory's owner then, who has to
/// read it.
fn inherit_owner(file: &File, path: &Path) -> io::Result<()> {
    let directory = fs::metadata(path.parent().unwrap_or_else(|| Path::new(".")))?;
    let own = file.metadata()?;
    if (own.uid(), own.gid()) == (directory.uid(), directory.gid()) {
        return Ok(());
    }
    match fchown(file, Some(directory.uid()), Some(directory.gid())) {
        // Whoever is not root keeps what is theirs.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other,
    }
}

fn restrict(path: &Path) -> Result<(), IdentityError> {
    let mode = fs::metadata(path)
        .map_err(file_error("read", path))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "the private key was readable by others; now it is not");
        fs::set_permissions(path, Permissions::from_mode(0o600))
            .map_err(file_error("protect", path))?;
    }
    Ok(())
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn file_error(attempted: &'static str, path: &Path) -> impl FnOnce(io::Error) -> IdentityError {
    let path = path.to_owned();
    move |source| IdentityError::File {
        attempted,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateSigningRequestParams, IsCa, Issuer, KeyPair};

    use super::*;

    /// A small authority and what it answers to the request of `key`.
    fn enrolment(key: &Key) -> Enrolment {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pair = KeyPair::generate().unwrap();
        let authority = params.self_signed(&pair).unwrap();
        let issuer = Issuer::new(params, pair);
        let request = key.request("gate house").unwrap();
        let request =
            CertificateSigningRequestParams::from_der(&request.as_slice().into()).unwrap();
        Enrolment {
            agent: AgentId::new(WallTime::from_secs(1)),
            site: SiteId::new(WallTime::from_secs(1)),
            site_name: "North".to_owned(),
            host: "centre.example".to_owned(),
            port: 7443,
            certificate_chain: request.signed_by(&issuer).unwrap().pem(),
            authority: authority.pem(),
            enrolled_at: WallTime::from_secs(2),
        }
    }

    #[test]
    fn the_key_is_made_once_kept_private_and_signs() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("new");
        let first = Key::load_or_create(&data_dir).unwrap();
        let again = Key::load_or_create(&data_dir).unwrap();
        assert_eq!(first.public_key(), again.public_key());
        assert!(
            first
                .sign(b"segment")
                .verify(again.public_key(), b"segment")
        );
        assert!(!first.sign(b"segment").verify(again.public_key(), b"other"));
        let file = data_dir.join(KEY_FILE);
        let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        Key::load_or_create(&data_dir).unwrap();
        assert_eq!(mode(), 0o600);
        assert_eq!(fs::read_dir(&data_dir).unwrap().count(), 1);
        assert!(!format!("{first:?}").contains(&format!("{:?}", first.pkcs8)));
    }

    /// Only root can give files away, so for other users this shows that nothing fails.
    #[test]
    fn what_root_writes_belongs_to_the_owner_of_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let given_away = std::os::unix::fs::chown(directory.path(), Some(12_345), Some(12_345));
        write_atomically(&directory.path().join("file"), b"x").unwrap();
        let owner = fs::metadata(directory.path().join("file")).unwrap().uid();
        let expected = fs::metadata(directory.path()).unwrap().uid();
        assert_eq!(owner, expected);
        assert_eq!(given_away.is_ok(), owner == 12_345);
    }

    #[test]
    fn a_damaged_key_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(KEY_FILE), "not a key").unwrap();
        let error = Key::load_or_create(directory.path()).unwrap_err();
        assert!(matches!(error, IdentityError::NotAKey { .. }), "{error}");
        assert_eq!(
            fs::read(directory.path().join(KEY_FILE)).unwrap(),
            b"not a key"
        );
    }

    #[test]
    fn an_enrolment_is_stored_in_one_step_and_read_back() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Enrolment::load(directory.path()).unwrap(), None);
        let key = Key::load_or_create(directory.path()).unwrap();
        let enrolment = enrolment(&key);
        enrolment.store(directory.path(), &key).unwrap();
        let read = Enrolment::load(directory.path()).unwrap().unwrap();
        assert_eq!(read, enrolment);
        assert!(read.expires().is_some());
        fs::write(directory.path().join(ENROLMENT_FILE), "{}").unwrap();
        let error = Enrolment::load(directory.path()).unwrap_err().to_string();
        assert!(error.contains("enrol again"), "{error}");
    }

    #[test]
    fn a_certificate_for_another_key_is_refused() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let key = Key::load_or_create(one.path()).unwrap();
        let other = Key::load_or_create(two.path()).unwrap();
        let error = enrolment(&other).store(one.path(), &key).unwrap_err();
        assert!(error.to_string().contains("another key"), "{error}");
        assert_eq!(Enrolment::load(one.path()).unwrap(), None);
    }
}
