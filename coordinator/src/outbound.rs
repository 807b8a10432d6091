//! The few HTTP requests that the coordinator itself makes, to servers that its settings name or
//! that such a server names: descriptions and keys of identity providers.
//!
//! Whoever can make us fetch can make us fetch from inside (server-side request forgery): so an
//! address is looked at after its name was resolved, and that very address is dialled; nothing
//! leads elsewhere by redirect or proxy; time and size are bounded.

mod ranges;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::config::Networks;

/// For everything from the name to the last byte.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer read; descriptions and keys are a few kilobytes.
const MAX_ANSWER: usize = 512 * 1024;
/// Addresses of a name that are tried.
const MAX_TRIED: usize = 4;

/// Makes requests to the servers of one party.
#[derive(Clone)]
pub struct Outbound {
    tls: TlsConnector,
    allowed: Networks,
}

#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error("`{url}` is not an address to fetch from")]
    Url { url: String },
    #[error(
        "{host}: {address} is an address of this host or of a private network; name the network in `allowed_networks` if it is meant"
    )]
    Refused { host: String, address: IpAddr },
    #[error("could not find {host}")]
    Resolve { host: String, source: io::Error },
    #[error("could not connect to {host}")]
    Connect { host: String, source: io::Error },
    #[error("could not ask {host}")]
    Exchange { host: String, source: hyper::Error },
    #[error("{host} answers more than {MAX_ANSWER} bytes, or stopped before the end")]
    Body { host: String },
    #[error("{host} does not answer within {} s", PATIENCE.as_secs())]
    TimedOut { host: String },
}

/// What cannot be read that says whom to trust.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("could not read the certificates in {}", path.display())]
    Read {
        path: PathBuf,
        source: rustls::pki_types::pem::Error,
    },
    #[error("there is no certificate in {}", path.display())]
    Empty { path: PathBuf },
    #[error("this host has no list of authorities that it trusts; name one in `authority`")]
    NoList,
    #[error("could not prepare TLS")]
    Tls(#[from] rustls::Error),
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound")
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}

/// The one address that will be dialled, and how.
struct Target {
    host: String,
    port: u16,
    tls: bool,
}

impl Outbound {
    /// Trusts `authority` (PEM), or whom the host trusts if that is empty. `allowed` are networks
    /// that are dialled though they are private.
    ///
    /// # Errors
    /// The list of whom to trust cannot be read.
    pub fn new(authority: &Path, allowed: Networks) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        if authority.as_os_str().is_empty() {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(TrustError::NoList);
            }
        } else {
            let path = || authority.to_owned();
            let read = |source| TrustError::Read {
                path: path(),
                source,
            };
            for certificate in CertificateDer::pem_file_iter(authority).map_err(read)? {
                roots.add(certificate.map_err(read)?)?;
            }
            if roots.is_empty() {
                return Err(TrustError::Empty { path: path() });
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: Arc::new(tls).into(),
            allowed,
        })
    }

    /// One request, and its answer whatever its status.
    ///
    /// # Errors
    /// The address may not be dialled, nobody answers in time, or too much.
    pub async fn send(
        &self,
        request: Request<Vec<u8>>,
    ) -> Result<Response<Vec<u8>>, OutboundError> {
        let target = Target::of(request.uri())?;
        let host = target.host.clone();
        tokio::time::timeout(PATIENCE, self.exchange(target, request))
            .await
            .unwrap_or(Err(OutboundError::TimedOut { host }))
    }

    async fn exchange(
        &self,
        target: Target,
        request: Request<Vec<u8>>,
    ) -> Result<Response<Vec<u8>>, OutboundError> {
        let stream = self.connect(&target).await?;
        if !target.tls {
            return over(stream, &target, request).await;
        }
        let source = |_| OutboundError::Url {
            url: target.host.clone(),
        };
        let name = ServerName::try_from(target.host.clone()).map_err(source)?;
        let stream = self.tls.connect(name, stream).await;
        let stream = stream.map_err(|source| target.connect_error(source))?;
        over(stream, &target, request).await
    }

    /// The first address that answers, of those that may be dialled; none if one may not, because a
    /// name that leads inside and outside is nothing to be trusted.
    async fn connect(&self, target: &Target) -> Result<TcpStream, OutboundError> {
        let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
        let found = found.map_err(|source| OutboundError::Resolve {
            host: target.host.clone(),
            source,
        })?;
        let found: Vec<SocketAddr> = found.collect();
        for address in &found {
            self.check(target, address.ip())?;
        }
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in found.iter().take(MAX_TRIED) {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(target.connect_error(last))
    }

    /// Public addresses, and those that the settings allow. Without TLS this host alone.
    fn check(&self, target: &Target, address: IpAddr) -> Result<(), OutboundError> {
        let address = address.to_canonical();
        let allowed = ranges::is_public(address) || self.allowed.contains(address);
        if allowed && (target.tls || address.is_loopback()) {
            return Ok(());
        }
        Err(OutboundError::Refused {
            host: target.host.clone(),
            address,
        })
    }
}

impl Target {
    fn of(uri: &Uri) -> Result<Self, OutboundError> {
        let url = || OutboundError::Url {
            url: uri.to_string(),
        };
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(url()),
        };
        let host = uri.host().ok_or_else(url)?;
        let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        Ok(Self {
            host: bare.unwrap_or(host).to_owned(),
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            tls,
        })
    }

    fn connect_error(&self, source: io::Error) -> OutboundError {
        OutboundError::Connect {
            host: self.host.clone(),
            source,
        }
    }
}

/// One connection for one request: they are too few to keep any open.
async fn over<S>(
    stream: S,
    target: &Target,
    request: Request<Vec<u8>>,
) -> Result<Response<Vec<u8>>, OutboundError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let failed = |source| OutboundError::Exchange {
        host: target.host.clone(),
        source,
    };
    let io = TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io)
        .await
        .map_err(failed)?;
    let request = prepared(request)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(failed)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let body = body.map_err(|_| OutboundError::Body {
            host: target.host.clone(),
        })?;
        Ok(Response::from_parts(head, body.to_bytes().to_vec()))
    };
    // The answer needs the connection to be driven, and may be there after its end.
    let (mut answer, mut connection) = (pin!(answer), pin!(connection));
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        _ = &mut connection => answer.await,
    }
}

/// As it goes over the wire: path and query alone, and the host in its header.
fn prepared(request: Request<Vec<u8>>) -> Result<Request<Full<Bytes>>, OutboundError> {
    let (mut head, body) = request.into_parts();
    let bad = || OutboundError::Url {
        url: head.uri.to_string(),
    };
    let authority = head.uri.authority().ok_or_else(bad)?;
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| bad())?;
    let path = head.uri.path_and_query().cloned();
    let path = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    head.headers.insert(HOST, host);
    head.headers
        .insert(USER_AGENT, HeaderValue::from_static("rta-cctv"));
    head.uri = path;
    Ok(Request::from_parts(head, Full::from(body)))
}

#[cfg(test)]
mod tests;
