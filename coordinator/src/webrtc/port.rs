//! The one UDP port of all viewers: datagrams go to the viewer they are for, and packets of a viewer
//! leave many at a time (UDP GSO).
//!
//! A viewer is found by the name in its connectivity checks (the first half of `USERNAME`, RFC 8445
//! section 7.2.2), and from then on by its address. Whatever fits nobody is dropped without a word.

use std::collections::HashMap;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use rtc::stun::attributes::ATTR_USERNAME;
use rtc::stun::message::{BINDING_REQUEST, Message, is_stun_message};
use rtc::stun::textattrs::TextAttribute;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::tcp::Sink;
use crate::sockets;

/// Datagrams of a viewer that wait for it; more are dropped.
const INBOX: usize = 64;
/// Addresses of one viewer; an older one is forgotten for a newer.
const ADDRESSES: usize = 8;
/// Reads of the socket at once.
const BATCH: usize = 8;
/// Longest datagram taken; those of viewers are shorter than a packet of Ethernet.
const DATAGRAM: usize = 1_500;
/// The kernel takes no more than this at once, whatever it is cut into.
const MOST_AT_ONCE: usize = 60_000;
/// How long the socket may be full before what should leave is dropped; the viewer asks again.
const PATIENCE: Duration = Duration::from_millis(20);

pub(super) struct Port {
    socket: UdpSocket,
    state: UdpSocketState,
    address: SocketAddr,
    routes: Mutex<Routes>,
}

/// How something came, and how to answer.
#[derive(Clone, Debug)]
pub(super) enum Over {
    Udp,
    Tcp(Sink),
}

/// Something for a viewer.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) from: SocketAddr,
    pub(super) over: Over,
    pub(super) data: BytesMut,
}

#[derive(Default)]
struct Routes {
    names: HashMap<String, mpsc::Sender<Inbound>>,
    addresses: HashMap<SocketAddr, mpsc::Sender<Inbound>>,
}

/// A viewer's entry; what comes for it goes nowhere once it is dropped.
pub(super) struct Registration {
    port: Arc<Port>,
    name: String,
    sender: mpsc::Sender<Inbound>,
    pub(super) inbox: mpsc::Receiver<Inbound>,
    addresses: Vec<SocketAddr>,
}

impl Port {
    /// # Errors
    /// The address is taken or not ours.
    pub(super) fn bind(address: SocketAddr, buffer_bytes: usize) -> io::Result<Self> {
        let socket = sockets::udp(address, buffer_bytes)?;
        let state = UdpSocketState::new((&socket).into())?;
        let socket = UdpSocket::from_std(socket)?;
        Ok(Self {
            address: socket.local_addr()?,
            socket,
            state,
            routes: Mutex::default(),
        })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn register(self: &Arc<Self>, name: String) -> Registration {
        let (sender, inbox) = mpsc::channel(INBOX);
        self.routes().names.insert(name.clone(), sender.clone());
        Registration {
            port: Arc::clone(self),
            name,
            sender,
            inbox,
            addresses: Vec::new(),
        }
    }

    /// Hands out what comes until `stop`.
    pub(super) async fn run(&self, stop: CancellationToken) {
        let size = DATAGRAM * self.state.gro_segments();
        let mut buffers = vec![vec![0; size]; BATCH];
        let mut metas = [RecvMeta::default(); BATCH];
        while let Some(Ok(())) = stop.run_until_cancelled(self.socket.readable()).await {
            let mut slices: Vec<_> = buffers.iter_mut().map(|b| IoSliceMut::new(b)).collect();
            let read = self.socket.try_io(Interest::READABLE, || {
                let socket = (&self.socket).into();
                self.state.recv(socket, &mut slices, &mut metas)
            });
            drop(slices);
            // Not readable after all, or news of a viewer who has gone (ICMP).
            let Ok(count) = read else { continue };
            for (buffer, meta) in buffers.iter().zip(&metas).take(count) {
                let received = buffer.get(..meta.len).unwrap_or_default();
                for datagram in received.chunks(meta.stride.max(1)) {
                    self.deliver(canonical(meta.addr), datagram);
                }
            }
        }
    }

    fn deliver(&self, from: SocketAddr, datagram: &[u8]) {
        let routes = self.routes();
        let sender = match named(datagram) {
            Some(name) => routes.names.get(&name),
            None => routes.addresses.get(&from),
        };
        if let Some(sender) = sender {
            // A viewer who is sent more than it can look at does without.
            let _ = sender.try_send(Inbound {
                from,
                over: Over::Udp,
                data: datagram.into(),
            });
        }
    }

    /// Whom a connection is for whose first packet this is.
    pub(super) fn whose(&self, packet: &[u8]) -> Option<mpsc::Sender<Inbound>> {
        self.routes().names.get(&named(packet)?).cloned()
    }

    /// Sends the packets in order, as many at once as the kernel takes. What it does not take in
    /// time is lost, as anywhere else on the way. Returns how many left.
    pub(super) async fn send(&self, to: SocketAddr, packets: &[BytesMut]) -> usize {
        let most = self.state.max_gso_segments().max(1);
        let (mut joined, mut sent) = (Vec::new(), 0);
        let mut rest = packets;
        while let Some((batch, size)) = batch(rest, most) {
            let contents = match batch {
                [single] => single.as_ref(),
                several => {
                    joined.clear();
                    several
                        .iter()
                        .for_each(|packet| joined.extend_from_slice(packet));
                    joined.as_slice()
                }
            };
            let transmit = Transmit {
                destination: self.native(to),
                ecn: None,
                contents,
                segment_size: (batch.len() > 1).then_some(size),
                src_ip: None,
            };
            match timeout(PATIENCE, self.transmit(&transmit)).await {
                Ok(Ok(())) => sent += batch.len(),
                Ok(Err(error)) => tracing::debug!(%error, %to, "a viewer could not be sent to"),
                Err(_) => break,
            }
            rest = rest.get(batch.len()..).unwrap_or_default();
        }
        sent
    }

    async fn transmit(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        loop {
            self.socket.writable().await?;
            let sent = self.socket.try_io(Interest::WRITABLE, || {
                self.state.try_send((&self.socket).into(), transmit)
            });
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return sent,
            }
        }
    }

    /// An address as our socket wants it.
    fn native(&self, address: SocketAddr) -> SocketAddr {
        match (self.address, address.ip()) {
            (SocketAddr::V6(_), IpAddr::V4(ip)) => (ip.to_ipv6_mapped(), address.port()).into(),
            _ => address,
        }
    }

    fn routes(&self) -> MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registration {
    /// What comes from this address is for this viewer, who has shown that it is there.
    pub(super) fn answers_at(&mut self, address: SocketAddr) {
        if self.addresses.contains(&address) {
            return;
        }
        let mut routes = self.port.routes();
        if self.addresses.len() == ADDRESSES {
            let oldest = self.addresses.remove(0);
            routes.forget(oldest, &self.sender);
        }
        self.addresses.push(address);
        routes.addresses.insert(address, self.sender.clone());
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut routes = self.port.routes();
        routes.names.remove(&self.name);
        for address in &self.addresses {
            routes.forget(*address, &self.sender);
        }
    }
}

impl Routes {
    /// Unless it is somebody else's by now.
    fn forget(&mut self, address: SocketAddr, sender: &mpsc::Sender<Inbound>) {
        let known = self.addresses.get(&address);
        if known.is_some_and(|known| known.same_channel(sender)) {
            self.addresses.remove(&address);
        }
    }
}

/// The packets that can leave together: of one size, but for the last, which may be shorter.
fn batch(packets: &[BytesMut], most: usize) -> Option<(&[BytesMut], usize)> {
    let size = packets.first()?.len();
    let most = most.min(MOST_AT_ONCE / size.max(1)).max(1);
    let alike = packets.iter().take(most);
    let alike = alike.take_while(|packet| packet.len() == size).count();
    let shorter = packets
        .get(alike)
        .filter(|next| alike < most && next.len() < size);
    let count = alike + usize::from(shorter.is_some());
    Some((packets.get(..count)?, size))
}

/// Whom a connectivity check is for; `None` for everything else.
fn named(datagram: &[u8]) -> Option<String> {
    // The first byte tells (RFC 7983 section 7), so that nothing else is looked at twice.
    if *datagram.first()? > 3 || !is_stun_message(datagram) {
        return None;
    }
    let mut message = Message {
        raw: datagram.to_vec(),
        ..Message::default()
    };
    message.decode().ok()?;
    if message.typ != BINDING_REQUEST {
        return None;
    }
    let name = TextAttribute::get_from_as(&message, ATTR_USERNAME).ok()?;
    let (ours, _) = name.text.split_once(':')?;
    Some(ours.to_owned())
}

fn canonical(address: SocketAddr) -> SocketAddr {
    (address.ip().to_canonical(), address.port()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_one_size_leave_together() {
        let packets: Vec<BytesMut> = [10, 10, 10, 4, 10, 12, 12, 12]
            .map(|size: usize| BytesMut::zeroed(size))
            .into();
        let mut rest = &packets[..];
        let mut sizes = Vec::new();
        while let Some((batch, size)) = batch(rest, 64) {
            sizes.push((batch.len(), size));
            rest = &rest[batch.len()..];
        }
        assert_eq!(sizes, [(4, 10), (1, 10), (3, 12)]);
        assert_eq!(batch(&packets, 2).unwrap().0.len(), 2);
        assert_eq!(batch(&packets, 1).unwrap().0.len(), 1);
        let large = vec![BytesMut::zeroed(1_200); 64];
        assert_eq!(batch(&large, 64).unwrap().0.len(), 50);
        assert!(batch(&[], 64).is_none());
    }

    #[tokio::test]
    async fn whatever_fits_nobody_is_dropped() {
        let port = Port::bind("127.0.0.1:0".parse().unwrap(), 1 << 16).unwrap();
        let port = Arc::new(port);
        let stranger = "127.0.0.1:9".parse().unwrap();
        for junk in [
            &[][..],
            &[0],
            &[0x80; 40],
            &[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42],
        ] {
            port.deliver(stranger, junk);
        }
        let mut one = port.register("one".to_owned());
        one.answers_at(stranger);
        port.deliver(stranger, &[0x80; 40]);
        assert_eq!(one.inbox.try_recv().unwrap().data, [0x80; 40][..]);
        // Never more than fits, and the address ends with the viewer.
        (0..1_000).for_each(|_| port.deliver(stranger, &[0x80; 40]));
        assert_eq!(one.inbox.len(), INBOX);
        drop(one);
        let routes = port.routes();
        assert!(routes.names.is_empty() && routes.addresses.is_empty());
    }
}
