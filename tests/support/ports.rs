//! Ports for programs that must come back at the same address after a restart.
//!
//! They lie below the range that systems take for outgoing connections: a port of that range may be held for a minute by a
//! connection that has ended, or be taken by a new one, between the choice and the start of the program.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;
/// How many ports are tried; with a port in a hundred free one is found nearly always.
const TRIES: u16 = 500;

/// The next port to try, counted from one that differs between processes.
static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port of the loopback address that nobody has for TCP or UDP, and that no other call of this process gets.
///
/// # Errors
/// None of many is free.
pub fn free() -> Result<SocketAddr> {
    let offset = std::process::id().wrapping_mul(97) % u32::from(COUNT);
    for _ in 0..TRIES {
        let turn = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + u16::try_from((offset + turn) % u32::from(COUNT))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!(
        "none of {TRIES} ports of {FIRST} to {} is free on the loopback address",
        FIRST + COUNT
    )
}
