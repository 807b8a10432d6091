//! How RTP leaves: interleaved in the RTSP connection, or in UDP datagrams.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UdpSocket;
use tokio::net::tcp::OwnedWriteHalf;

use crate::media::Payload;
use crate::rtp::HEADER_LEN;

/// A client that takes nothing for this long is given up.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// Length of `$`, channel and size before an interleaved packet (RFC 2326 section 10.12).
const INTERLEAVED_LEN: usize = 4;
/// Datagrams sent in one go; between them a moment's rest, as an Ethernet link would enforce, so that receive buffers can keep up.
const BURST: usize = 24;
const BURST_REST: Duration = Duration::from_micros(500);
/// Attempts to find an even port with a free odd one behind it.
const PORT_ATTEMPTS: usize = 50;

/// Where the packets of one track go.
#[derive(Debug)]
pub(super) enum Transport {
    /// Channel numbers within the RTSP connection.
    Interleaved { rtp: u8, rtcp: u8 },
    /// Datagrams to the client's two ports.
    Udp(UdpPair),
}

/// Sockets for RTP and RTCP, connected to the client's ports.
#[derive(Debug)]
pub(super) struct UdpPair {
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
    pub(super) ports: (u16, u16),
}

impl UdpPair {
    /// Binds an even port and the next one at `local` and connects them to the client's.
    pub(super) async fn connect(
        local: IpAddr,
        peer: IpAddr,
        client_ports: (u16, u16),
    ) -> io::Result<Self> {
        let mut last = io::Error::other("no pair of ports tried");
        for _ in 0..PORT_ATTEMPTS {
            match bind_pair(local).await {
                Ok((rtp, rtcp, ports)) => {
                    rtp.connect(SocketAddr::new(peer, client_ports.0)).await?;
                    rtcp.connect(SocketAddr::new(peer, client_ports.1)).await?;
                    return Ok(Self { rtp, rtcp, ports });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Sends datagrams; what the network refuses is lost, as datagrams are.
    pub(super) async fn send_rtp(&self, datagrams: &[Vec<u8>]) {
        for (index, datagram) in datagrams.iter().enumerate() {
            if index % BURST == BURST - 1 {
                tokio::time::sleep(BURST_REST).await;
            }
            let _ = self.rtp.send(datagram).await;
        }
    }
}

async fn bind_pair(local: IpAddr) -> io::Result<(UdpSocket, UdpSocket, (u16, u16))> {
    let rtp = UdpSocket::bind((local, 0)).await?;
    let port = rtp.local_addr()?.port();
    if port & 1 == 1 || port == u16::MAX {
        return Err(io::Error::other("an odd port"));
    }
    let rtcp = UdpSocket::bind((local, port + 1)).await?;
    Ok((rtp, rtcp, (port, port + 1)))
}

/// Packets to be interleaved: headers in one buffer, payloads by reference, all written with as few system calls as possible.
#[derive(Debug, Default)]
pub(super) struct InterleavedBatch {
    headers: Vec<u8>,
    /// A sender report in front, with its own interleaving header.
    report_len: usize,
}

impl InterleavedBatch {
    pub(super) fn clear(&mut self) {
        self.headers.clear();
        self.report_len = 0;
    }

    /// Puts an RTCP packet in front; before any RTP packet.
    pub(super) fn put_report(&mut self, channel: u8, report: &[u8]) {
        self.put_interleaving(channel, report.len());
        self.headers.extend_from_slice(report);
        self.report_len = self.headers.len();
    }

    /// The buffer for the RTP header of the next payload, behind its interleaving header.
    pub(super) fn next_header(&mut self, channel: u8, payload_len: usize) -> &mut Vec<u8> {
        self.put_interleaving(channel, HEADER_LEN + payload_len);
        &mut self.headers
    }

    fn put_interleaving(&mut self, channel: u8, len: usize) {
        let [high, low] = (len as u16).to_be_bytes();
        self.headers.extend_from_slice(&[b'$', channel, high, low]);
    }

    /// Writes headers and payloads, which come in the order their headers were asked for.
    pub(super) async fn write(
        &self,
        payloads: &[&Payload],
        writer: &mut OwnedWriteHalf,
    ) -> io::Result<()> {
        let (report, headers) = self.headers.split_at(self.report_len);
        let mut slices = Vec::with_capacity(1 + 2 * payloads.len());
        slices.push(IoSlice::new(report));
        for (header, payload) in headers
            .chunks_exact(INTERLEAVED_LEN + HEADER_LEN)
            .zip(payloads)
        {
            slices.push(IoSlice::new(header));
            slices.push(IoSlice::new(&payload.bytes));
        }
        within_patience(write_all(&mut slices, writer)).await
    }
}

async fn write_all(mut slices: &mut [IoSlice<'_>], writer: &mut OwnedWriteHalf) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        let written = writer.write_vectored(slices).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        IoSlice::advance_slices(&mut slices, written);
    }
    Ok(())
}

/// Writes one piece, an answer for example.
pub(super) async fn write_one(bytes: &[u8], writer: &mut OwnedWriteHalf) -> io::Result<()> {
    within_patience(writer.write_all(bytes)).await
}

async fn within_patience(writing: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    match tokio::time::timeout(WRITE_PATIENCE, writing).await {
        Ok(written) => written,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
