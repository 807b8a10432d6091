//! The certificate that browsers see: two files of the operator's, read again when they change, so
//! that a renewal needs no restart.
//!
//! New files that cannot be used change nothing but the log and a metric: half a key is what a copy
//! under way looks like, and the next look sees the whole. The certificate that agents see is the
//! authority's (`ca`).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, fs, io};

use arc_swap::ArcSwap;
use ring::digest::{Context, Digest, SHA256};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use shared::clock::Clock;
use shared::time::WallTime;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use x509_parser::parse_x509_certificate;

use crate::metrics::Meters;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Certificate chain and key, both PEM.
#[derive(Clone, Debug)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What new connections are shown.
pub struct Certificate {
    files: Files,
    current: ArcSwap<Loaded>,
}

struct Loaded {
    key: Arc<CertifiedKey>,
    /// Of what the files said.
    digest: Digest,
    expires: WallTime,
}

#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the certificate in {} is not PEM of an X.509 certificate", path.display())]
    Chain {
        path: PathBuf,
        source: Option<pem::Error>,
    },
    #[error("the key in {} is not PEM of a private key", path.display())]
    Key { path: PathBuf, source: pem::Error },
    #[error(
        "the certificate in {} and the key in {} cannot be used together",
        certificate.display(),
        key.display()
    )]
    Pair {
        certificate: PathBuf,
        key: PathBuf,
        source: rustls::Error,
    },
}

impl Certificate {
    /// # Errors
    /// The files cannot be read, are not PEM, or do not belong together.
    pub fn load(files: Files) -> Result<Arc<Self>, CertificateError> {
        let bytes = files.read()?;
        let current = ArcSwap::from_pointee(files.parse(&bytes)?);
        Ok(Arc::new(Self { files, current }))
    }

    /// End of the validity of what is shown now.
    pub fn expires(&self) -> WallTime {
        self.current.load().expires
    }

    /// Takes over what the files say now; whether that is something else than before.
    ///
    /// # Errors
    /// As [`Self::load`]; what was shown before still is.
    pub fn reload(&self) -> Result<bool, CertificateError> {
        let bytes = self.files.read()?;
        if bytes.digest().as_ref() == self.current.load().digest.as_ref() {
            return Ok(false);
        }
        self.current.store(Arc::new(self.files.parse(&bytes)?));
        Ok(true)
    }

    /// Reloads when the files change, and when `asked`, until `stop`.
    pub async fn watch(
        self: Arc<Self>,
        asked: Arc<Notify>,
        meters: Meters,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) {
        let mut ticks = tokio::time::interval(LOOK);
        let mut told = None;
        self.note(&meters, clock.wall());
        loop {
            let by_request = tokio::select! {
                () = stop.cancelled() => return,
                () = asked.notified() => true,
                _ = ticks.tick() => false,
            };
            let certificate = self.clone();
            let looked = tokio::task::spawn_blocking(move || certificate.reload()).await;
            // It was cancelled, or a bug has been logged as a panic.
            let Ok(result) = looked else { continue };
            meters.certificate_reload_failed(result.is_err());
            match result {
                Ok(true) => self.note(&meters, clock.wall()),
                Ok(false) if by_request => tracing::info!("the certificate has not changed"),
                Ok(false) => {}
                Err(error) => {
                    let error = super::error::chain(&error);
                    // Once, not at every look.
                    if by_request || told.as_ref() != Some(&error) {
                        tracing::error!(error, "the certificate for browsers stays as it was");
                    }
                    told = Some(error);
                    continue;
                }
            }
            told = None;
        }
    }

    fn note(&self, meters: &Meters, now: WallTime) {
        let expires = self.expires();
        meters.certificate_expires(expires);
        let expires_at = expires.to_rfc3339();
        if expires <= now {
            tracing::error!(expires_at, "the certificate for browsers has expired");
        } else {
            tracing::info!(expires_at, "the certificate for browsers is in use");
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load().key.clone())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.fmt(f)
    }
}

/// What the two files hold.
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    fn digest(&self) -> Digest {
        let mut context = Context::new(&SHA256);
        context.update(&self.certificate.len().to_be_bytes());
        context.update(&self.certificate);
        context.update(&self.key);
        context.finish()
    }
}

impl Files {
    fn read(&self) -> Result<Contents, CertificateError> {
        let read = |path: &Path| {
            fs::read(path).map_err(|source| CertificateError::Read {
                path: path.into(),
                source,
            })
        };
        Ok(Contents {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
        })
    }

    fn parse(&self, contents: &Contents) -> Result<Loaded, CertificateError> {
        let not_a_chain = |source| CertificateError::Chain {
            path: self.certificate.clone(),
            source,
        };
        let chain = CertificateDer::pem_slice_iter(&contents.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| not_a_chain(Some(error)))?;
        let first = chain.first().ok_or_else(|| not_a_chain(None))?;
        let (_, parsed) = parse_x509_certificate(first).map_err(|_| not_a_chain(None))?;
        let expires = WallTime::from_secs(parsed.validity().not_after.timestamp());
        let key = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|source| {
            CertificateError::Key {
                path: self.key.clone(),
                source,
            }
        })?;
        let provider = rustls::crypto::ring::default_provider();
        let key = CertifiedKey::from_der(chain, key, &provider).map_err(|source| {
            CertificateError::Pair {
                certificate: self.certificate.clone(),
                key: self.key.clone(),
                source,
            }
        })?;
        Ok(Loaded {
            key: Arc::new(key),
            digest: contents.digest(),
            expires,
        })
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn files(directory: &TempDir) -> Files {
        Files {
            certificate: directory.path().join("a.pem"),
            key: directory.path().join("a.key"),
        }
    }

    /// The certificate as DER, its PEM, and the PEM of its key.
    fn issue() -> (Vec<u8>, String, String) {
        let own = rcgen::generate_simple_self_signed(["centre.example".to_owned()]).unwrap();
        let key = own.signing_key.serialize_pem();
        (own.cert.der().to_vec(), own.cert.pem(), key)
    }

    fn shown(certificate: &Certificate) -> Vec<u8> {
        certificate.current.load().key.cert[0].to_vec()
    }

    #[test]
    fn only_a_whole_pair_replaces_the_one_in_use() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(&directory);
        let (old, pem, key) = issue();
        fs::write(&files.certificate, pem).unwrap();
        fs::write(&files.key, &key).unwrap();
        let certificate = Certificate::load(files.clone()).unwrap();
        assert!(!certificate.reload().unwrap());

        let (new, new_pem, new_key) = issue();
        for (pem, key, hint) in [
            (new_pem.as_str(), key.as_str(), "together"),
            (&new_pem, &new_key[..new_key.len() / 2], "not PEM"),
            (&new_pem, "", "not PEM"),
            ("", &new_key, "X.509"),
            (&new_pem[..new_pem.len() / 2], &new_key, "X.509"),
            (
                "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
                &new_key,
                "X.509",
            ),
        ] {
            fs::write(&files.certificate, pem).unwrap();
            fs::write(&files.key, key).unwrap();
            let error = certificate.reload().unwrap_err().to_string();
            assert!(error.contains(hint), "{hint}: {error}");
            assert_eq!(shown(&certificate), old);
        }
        fs::remove_file(&files.key).unwrap();
        assert!(certificate.reload().is_err());
        fs::write(&files.certificate, new_pem).unwrap();
        fs::write(&files.key, new_key).unwrap();
        assert!(certificate.reload().unwrap());
        assert_eq!(shown(&certificate), new);
        assert!(!certificate.reload().unwrap());
    }
}
