//! The yardsticks for uploads: the same bytes over TLS on TCP, and over QUIC without our protocol. Each end is a process of its
//! own (this program again), so that the kernel counts them apart.

use std::fs::File;
use std::io::{IoSlice, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::account::Usage;

/// Which yardstick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Transport {
    Tls,
    Quic,
}

const CHUNK: usize = 64 * 1024;

/// Packets that are taken from QUIC and written at once.
const PIECES: usize = 64;
const NAME: &str = "yardstick";

/// Accepts one connection, writes what arrives to `target`, and prints its CPU seconds. The first line it prints is its
/// address, the second its certificate in hexadecimal.
pub(crate) async fn receive(transport: Transport, target: &Path) -> Result<()> {
    let key = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    let certificate = key.cert.der().clone();
    let private = PrivatePkcs8KeyDer::from(key.signing_key.serialize_der());
    let mut tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], private.into())?;
    tls.alpn_protocols = vec![NAME.into()];
    let mut file = File::create(target)?;
    let announce = |address: SocketAddr| -> Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{address}")?;
        writeln!(out, "{}", HEXLOWER.encode(&certificate))?;
        Ok(out.flush()?)
    };
    let received = match transport {
        Transport::Tls => {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            announce(listener.local_addr()?)?;
            let (socket, _) = listener.accept().await?;
            let mut stream = tokio_rustls::TlsAcceptor::from(Arc::new(tls))
                .accept(socket)
                .await?;
            let mut buffer = vec![0; CHUNK];
            let mut total = 0;
            let received = loop {
                let length = stream.read(&mut buffer).await?;
                if length == 0 {
                    break total;
                }
                file.write_all(&buffer[..length])?;
                total += length as u64;
            };
            stream.shutdown().await?;
            received
        }
        Transport::Quic => {
            let crypto = quinn::crypto::rustls::QuicServerConfig::try_from(tls)?;
            let endpoint = quinn::Endpoint::server(
                quinn::ServerConfig::with_crypto(Arc::new(crypto)),
                "127.0.0.1:0".parse()?,
            )?;
            announce(endpoint.local_addr()?)?;
            let connection = endpoint.accept().await.context("no connection")?.await?;
            let mut stream = connection.accept_uni().await?;
            let mut total = 0;
            // Packet by packet the calls would cost as much as QUIC itself.
            let mut pieces = [const { Bytes::new() }; PIECES];
            while let Some(count) = stream.read_chunks(&mut pieces).await? {
                total += append(&mut file, &pieces[..count])?;
            }
            connection.close(0_u32.into(), b"");
            endpoint.wait_idle().await;
            total
        }
    };
    report(received)
}

/// Writes all pieces behind what is there; gives their length.
fn append(file: &mut File, pieces: &[Bytes]) -> Result<u64> {
    let mut slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut left = slices.as_mut_slice();
    while !left.is_empty() {
        let written = file.write_vectored(left)?;
        ensure!(written > 0, "the disk takes nothing");
        IoSlice::advance_slices(&mut left, written);
    }
    Ok(pieces.iter().map(|piece| piece.len() as u64).sum())
}

/// Sends `source` and prints its CPU seconds.
pub(crate) async fn send(
    transport: Transport,
    source: &Path,
    address: SocketAddr,
    certificate: &str,
) -> Result<()> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(
        HEXLOWER.decode(certificate.as_bytes())?,
    ))?;
    let mut tls = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![NAME.into()];
    let mut file = File::open(source)?;
    let mut buffer = vec![0; CHUNK];
    let mut total = 0;
    match transport {
        Transport::Tls => {
            let socket = tokio::net::TcpStream::connect(address).await?;
            let name = ServerName::try_from(NAME)?;
            let mut stream = tokio_rustls::TlsConnector::from(Arc::new(tls))
                .connect(name, socket)
                .await?;
            loop {
                let length = file.read(&mut buffer)?;
                if length == 0 {
                    break;
                }
                stream.write_all(&buffer[..length]).await?;
                total += length as u64;
            }
            stream.shutdown().await?;
            // Closed with something unread in it, such as a session ticket, a socket is reset.
            stream.read_to_end(&mut Vec::new()).await?;
        }
        Transport::Quic => {
            let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(tls)?;
            let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse()?)?;
            endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(crypto)));
            let connection = endpoint.connect(address, NAME)?.await?;
            let mut stream = connection.open_uni().await?;
            loop {
                let length = file.read(&mut buffer)?;
                if length == 0 {
                    break;
                }
                stream.write_all(&buffer[..length]).await?;
                total += length as u64;
            }
            stream.finish()?;
            connection.closed().await;
        }
    }
    report(total)
}

/// `<bytes> <CPU seconds>` as the last line.
fn report(bytes: u64) -> Result<()> {
    let used = Usage::of(std::process::id())?;
    writeln!(
        std::io::stdout().lock(),
        "{bytes} {}",
        used.cpu.as_secs_f64()
    )?;
    Ok(())
}
