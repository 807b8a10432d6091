//! A network that loses, delays and cuts: a UDP relay between an agent and the coordinator.
//!
//! The agent is told the relay's address. What passes is counted, so that a test can say how many bytes were sent twice.

use std::collections::{BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// What the link does to datagrams, both ways alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Of every datagram, 0 to 1.
    pub loss: f64,
    /// One way; the round trip is twice this.
    pub delay: Duration,
    /// Nothing passes.
    pub cut: bool,
    /// Both directions together share nothing; each may carry this much. `None` for no limit.
    pub bits_per_second: Option<u64>,
}

impl Conditions {
    pub const PERFECT: Self = Self {
        loss: 0.0,
        delay: Duration::ZERO,
        cut: false,
        bits_per_second: None,
    };
    pub const CUT: Self = Self {
        cut: true,
        ..Self::PERFECT
    };

    pub const fn new(loss: f64, delay: Duration) -> Self {
        Self {
            loss,
            delay,
            ..Self::PERFECT
        }
    }
}

/// Bytes that left the agent and reached the coordinator, and back.
#[derive(Debug, Default)]
pub struct Counters {
    pub up_bytes: AtomicU64,
    pub down_bytes: AtomicU64,
    pub dropped: AtomicU64,
}

/// A running relay; dropping it ends it.
pub struct Link {
    address: SocketAddr,
    conditions: watch::Sender<Conditions>,
    counters: Arc<Counters>,
    _tasks: JoinSet<()>,
}

/// Datagrams on their way at most; more are dropped, as a router's queue would.
const IN_FLIGHT: usize = 4_096;

impl Link {
    /// Relays from a fresh loopback port to `target`.
    pub async fn to(target: SocketAddr, seed: u64) -> Result<Self> {
        let front = UdpSocket::bind("127.0.0.1:0")
            .await
            .context("binding the relay")?;
        let address = front.local_addr()?;
        let (conditions, watched) = watch::channel(Conditions::PERFECT);
        let counters = Arc::new(Counters::default());
        let mut tasks = JoinSet::new();
        let relay = Relay {
            front: Arc::new(front),
            target,
            conditions: watched,
            counters: Arc::clone(&counters),
            random: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))),
        };
        tasks.spawn(relay.run());
        Ok(Self {
            address,
            conditions,
            counters,
            _tasks: tasks,
        })
    }

    /// Where the agent connects.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn set(&self, conditions: Conditions) {
        self.conditions.send_replace(conditions);
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Bytes that passed from the agent to the coordinator so far.
    pub fn up_bytes(&self) -> u64 {
        self.counters.up_bytes.load(Ordering::Relaxed)
    }
}

struct Relay {
    front: Arc<UdpSocket>,
    target: SocketAddr,
    conditions: watch::Receiver<Conditions>,
    counters: Arc<Counters>,
    random: Arc<Mutex<StdRng>>,
}

impl Relay {
    /// Each peer of the front socket gets a socket of its own towards the target, as a NAT would.
    async fn run(self) {
        let mut peers: HashMap<SocketAddr, mpsc::Sender<Vec<u8>>> = HashMap::new();
        let mut tasks = JoinSet::new();
        let mut buffer = vec![0; 65_536];
        loop {
            let Ok((length, peer)) = self.front.recv_from(&mut buffer).await else {
                return;
            };
            let datagram = buffer[..length].to_vec();
            if peers.get(&peer).is_none_or(mpsc::Sender::is_closed) {
                let Ok(back) = UdpSocket::bind("127.0.0.1:0").await else {
                    return;
                };
                if back.connect(self.target).await.is_err() {
                    return;
                }
                let (sender, receiver) = mpsc::channel(IN_FLIGHT);
                peers.insert(peer, sender);
                let back = Arc::new(back);
                tasks.spawn(self.upward(Arc::clone(&back), receiver));
                tasks.spawn(self.downward(back, peer));
            }
            if let Some(sender) = peers.get(&peer)
                && sender.try_send(datagram).is_err()
            {
                self.counters.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn upward(
        &self,
        back: Arc<UdpSocket>,
        mut receiver: mpsc::Receiver<Vec<u8>>,
    ) -> impl Future<Output = ()> + use<> {
        let mut lane = self.lane();
        let counters = Arc::clone(&self.counters);
        async move {
            loop {
                tokio::select! {
                    datagram = receiver.recv() => match datagram {
                        Some(datagram) => lane.admit(datagram),
                        None => return,
                    },
                    datagram = lane.due() => {
                        counters.up_bytes.fetch_add(datagram.len() as u64, Ordering::Relaxed);
                        // The target may be down; that is a lost datagram.
                        let _ = back.send(&datagram).await;
                    }
                }
            }
        }
    }

    fn downward(&self, back: Arc<UdpSocket>, peer: SocketAddr) -> impl Future<Output = ()> + use<> {
        let mut lane = self.lane();
        let counters = Arc::clone(&self.counters);
        let front = Arc::clone(&self.front);
        async move {
            let mut buffer = vec![0; 65_536];
            loop {
                tokio::select! {
                    received = back.recv(&mut buffer) => {
                        // An unreachable target shows as an error on the connected socket.
                        if let Ok(length) = received {
                            lane.admit(buffer[..length].to_vec());
                        }
                    }
                    datagram = lane.due() => {
                        counters.down_bytes.fetch_add(datagram.len() as u64, Ordering::Relaxed);
                        let _ = front.send_to(&datagram, peer).await;
                    }
                }
            }
        }
    }

    fn lane(&self) -> Lane {
        Lane {
            queue: BinaryHeap::new(),
            conditions: self.conditions.clone(),
            counters: Arc::clone(&self.counters),
            random: Arc::clone(&self.random),
            free_at: Instant::now(),
            order: 0,
        }
    }
}

/// One direction: datagrams wait here until they are due.
struct Lane {
    queue: BinaryHeap<Waiting>,
    conditions: watch::Receiver<Conditions>,
    counters: Arc<Counters>,
    random: Arc<Mutex<StdRng>>,
    /// When the line has sent everything admitted so far.
    free_at: Instant,
    order: u64,
}

impl Lane {
    fn admit(&mut self, datagram: Vec<u8>) {
        let conditions = *self.conditions.borrow();
        let lost = conditions.loss > 0.0
            && self
                .random
                .lock()
                .is_ok_and(|mut random| random.random_bool(conditions.loss));
        if conditions.cut || lost || self.queue.len() >= IN_FLIGHT {
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let now = Instant::now();
        let on_the_line = conditions.bits_per_second.map_or(Duration::ZERO, |rate| {
            Duration::from_nanos(
                (datagram.len() as u64 * 8).saturating_mul(1_000_000_000) / rate.max(1),
            )
        });
        self.free_at = self.free_at.max(now) + on_the_line;
        self.order += 1;
        self.queue.push(Waiting {
            at: self.free_at + conditions.delay,
            order: self.order,
            datagram,
        });
    }

    /// The next datagram when it is due; never, while there is none.
    async fn due(&mut self) -> Vec<u8> {
        loop {
            let Some(at) = self.queue.peek().map(|waiting| waiting.at) else {
                return std::future::pending().await;
            };
            sleep_until(at).await;
            if self.conditions.borrow().cut {
                let dropped = self.queue.len() as u64;
                self.queue.clear();
                self.counters.dropped.fetch_add(dropped, Ordering::Relaxed);
                continue;
            }
            if let Some(waiting) = self.queue.pop() {
                return waiting.datagram;
            }
        }
    }
}

struct Waiting {
    at: Instant,
    order: u64,
    datagram: Vec<u8>,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    /// The heap gives the greatest first, so the earliest is the greatest.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo() -> (SocketAddr, JoinSet<()>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut buffer = [0; 2_048];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
                let _ = socket.send_to(&buffer[..length], peer).await;
            }
        });
        (address, tasks)
    }

    async fn answers(client: &UdpSocket, count: u32) -> u32 {
        let mut buffer = [0; 2_048];
        for n in 0..count {
            client.send(&n.to_be_bytes()).await.unwrap();
        }
        let mut received = 0;
        while tokio::time::timeout(Duration::from_millis(300), client.recv(&mut buffer))
            .await
            .is_ok()
        {
            received += 1;
        }
        received
    }

    #[tokio::test]
    async fn datagrams_pass_are_delayed_lost_and_cut_as_told() {
        let (target, _echo) = echo().await;
        let link = Link::to(target, 7).await.unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        client.connect(link.address()).await.unwrap();
        assert_eq!(answers(&client, 100).await, 100);

        link.set(Conditions::new(0.0, Duration::from_millis(50)));
        let sent = Instant::now();
        client.send(b"x").await.unwrap();
        client.recv(&mut [0; 8]).await.unwrap();
        assert!(sent.elapsed() >= Duration::from_millis(100));

        link.set(Conditions::new(0.5, Duration::ZERO));
        let received = answers(&client, 400).await;
        assert!(
            (50..150).contains(&received),
            "a quarter of 400 should return, {received} did"
        );

        link.set(Conditions::CUT);
        assert_eq!(answers(&client, 10).await, 0);
    }
}
