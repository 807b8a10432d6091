//! Sockets with what std cannot set: buffers, and one for IPv6 and IPv4 together.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// A UDP socket with the buffers asked for, as far as the kernel grants them. `[::]` takes IPv4 as
/// well, and stands for `0.0.0.0` on hosts without IPv6.
///
/// # Errors
/// The address is taken or not ours.
pub fn udp(address: SocketAddr, buffer_bytes: usize) -> io::Result<UdpSocket> {
    let socket = match bound(address) {
        Err(error) => match without_ipv6(address, &error) {
            Some(address) => bound(address)?,
            None => return Err(error),
        },
        Ok(socket) => socket,
    };
    // Best effort: a smaller buffer costs throughput, not correctness.
    let _ = socket.set_recv_buffer_size(buffer_bytes);
    let _ = socket.set_send_buffer_size(buffer_bytes);
    // Linux counts its own bookkeeping in: it reports twice what it grants.
    let granted = socket.recv_buffer_size().unwrap_or(0) / 2;
    if granted < buffer_bytes {
        tracing::info!(
            granted_bytes = granted,
            asked_bytes = buffer_bytes,
            "the kernel grants a smaller UDP buffer; raise net.core.rmem_max and net.core.wmem_max"
        );
    }
    Ok(socket.into())
}

/// A TCP listener. `[::]` takes IPv4 as well, and stands for `0.0.0.0` on hosts without IPv6.
///
/// # Errors
/// The address is taken or not ours.
pub async fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error) => match without_ipv6(address, &error) {
            Some(address) => TcpListener::bind(address).await,
            None => Err(error),
        },
        listener => listener,
    }
}

fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// What `[::]` stands for on a host without IPv6.
fn without_ipv6(address: SocketAddr, error: &io::Error) -> Option<SocketAddr> {
    let no_ipv6 = matches!(
        error.kind(),
        io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable
    ) || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error());
    let every = address.is_ipv6() && address.ip().is_unspecified();
    (every && no_ipv6).then(|| (Ipv4Addr::UNSPECIFIED, address.port()).into())
}
