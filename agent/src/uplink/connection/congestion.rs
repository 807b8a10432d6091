//! How fast to send: CUBIC (RFC 9438), except that loss by itself is not taken for congestion.
//!
//! Sites hang on radio and satellite links that lose packets whatever is sent. CUBIC halves its
//! speed for each of them: measured at 5 % loss and 300 ms it sends 0.1 Mbit/s where the link
//! carries 20, and what quinn calls BBR sends everything almost twice. Here a loss counts as congestion when there are other signs of it: a queue (the
//! fastest packet of a round trip took longer than it would on an idle path), or loss beyond what
//! radio does ([`LOSS_LIMIT`]), as where a short queue or a policer drops the excess. On local
//! networks every loss counts.
//!
//! Pure: quinn brings acknowledgements, losses and the time.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics, CubicConfig};

/// Paths shorter than this lose packets for congestion alone.
const LOCAL: Duration = Duration::from_millis(5);

/// A share of lost bytes beyond this is congestion, whatever its cause: one eighth.
const LOSS_LIMIT: u64 = 8;

/// Bytes over which the share is taken; fewer say nothing.
const SAMPLE_BYTES: u64 = 128 * 1024;

/// Makes one controller for each path.
#[derive(Debug, Default)]
pub(super) struct TolerantConfig;

impl ControllerFactory for TolerantConfig {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(Tolerant {
            inner: Arc::new(CubicConfig::default()).build(now, current_mtu),
            queue: Queue::default(),
            losses: Losses::default(),
        })
    }
}

struct Tolerant {
    inner: Box<dyn Controller>,
    queue: Queue,
    losses: Losses,
}

impl Tolerant {
    fn is_congestion(&self) -> bool {
        self.queue.is_local() || self.queue.stands() || self.losses.are_many()
    }
}

impl Controller for Tolerant {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.inner.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &quinn_proto::RttEstimator,
    ) {
        self.queue.sample(
            now.saturating_duration_since(sent),
            now,
            rtt.min(),
            rtt.get(),
        );
        self.losses.delivered(bytes);
        self.inner.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.inner
            .on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.losses.lost(lost_bytes);
        // Without lost bytes it is a router's explicit mark.
        if is_persistent_congestion || lost_bytes == 0 || self.is_congestion() {
            self.losses = Losses::default();
            self.inner
                .on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
        }
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.inner.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        self.inner.window()
    }

    fn metrics(&self) -> ControllerMetrics {
        self.inner.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self {
            inner: self.inner.clone_box(),
            queue: self.queue,
            losses: self.losses,
        })
    }

    fn initial_window(&self) -> u64 {
        self.inner.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Whether packets wait somewhere on the way: the fastest of a round trip shows it, jitter does
/// not.
#[derive(Clone, Copy, Debug, Default)]
struct Queue {
    /// Of the whole life of the path.
    idle: Option<Duration>,
    /// Of the last whole round, and of the one that goes on.
    fastest: Option<Duration>,
    current: Option<Duration>,
    round_ends: Option<Instant>,
}

impl Queue {
    fn sample(&mut self, took: Duration, now: Instant, idle: Duration, round: Duration) {
        self.idle = Some(self.idle.map_or(idle, |known| known.min(idle)));
        if self.round_ends.is_none_or(|end| now >= end) {
            self.fastest = self.current.take().or(self.fastest);
            self.round_ends = Some(now + round);
        }
        self.current = Some(self.current.map_or(took, |fastest| fastest.min(took)));
    }

    fn is_local(&self) -> bool {
        self.idle.is_none_or(|idle| idle < LOCAL)
    }

    /// A queue that also the fastest packets wait in.
    fn stands(&self) -> bool {
        let Some(idle) = self.idle else {
            return false;
        };
        self.fastest
            .or(self.current)
            .is_some_and(|fastest| fastest > idle + idle / 8 + Duration::from_millis(2))
    }
}

/// The share of bytes that are lost, lately.
#[derive(Clone, Copy, Debug, Default)]
struct Losses {
    delivered: u64,
    lost: u64,
}

impl Losses {
    fn delivered(&mut self, bytes: u64) {
        self.delivered += bytes;
        self.age();
    }

    fn lost(&mut self, bytes: u64) {
        self.lost += bytes;
        self.age();
    }

    /// What is long ago counts less and less.
    fn age(&mut self) {
        if self.delivered + self.lost > 2 * SAMPLE_BYTES {
            self.delivered /= 2;
            self.lost /= 2;
        }
    }

    fn are_many(&self) -> bool {
        let all = self.delivered + self.lost;
        all >= SAMPLE_BYTES && self.lost * LOSS_LIMIT > all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: Duration = Duration::from_millis(100);

    /// Packets of three rounds, ten in each, of which the fastest takes `fastest` and the others
    /// are late by anything up to 50 ms.
    fn after_rounds(idle: Duration, fastest: Duration) -> Queue {
        let mut queue = Queue::default();
        let began = Instant::now();
        for packet in 0..30_u32 {
            let jitter = Duration::from_millis(u64::from(packet % 10) * 5);
            let now = began + ROUND * packet / 10;
            queue.sample(fastest + jitter, now, idle, ROUND);
        }
        queue
    }

    #[test]
    fn a_queue_shows_in_the_fastest_packet_and_jitter_is_none() {
        let idle = Duration::from_millis(80);
        assert!(!after_rounds(idle, idle).stands());
        assert!(!after_rounds(idle, Duration::from_millis(90)).stands());
        assert!(after_rounds(idle, Duration::from_millis(100)).stands());
        assert!(!after_rounds(idle, idle).is_local());
    }

    #[test]
    fn on_a_local_network_every_loss_counts() {
        let idle = Duration::from_micros(300);
        assert!(after_rounds(idle, idle).is_local());
        assert!(Queue::default().is_local(), "also before anything is known");
    }

    fn share(lost_percent: u64, packets: u64) -> Losses {
        let mut losses = Losses::default();
        for packet in 0..packets {
            if packet * lost_percent / 100 < (packet + 1) * lost_percent / 100 {
                losses.lost(1_200);
            } else {
                losses.delivered(1_200);
            }
        }
        losses
    }

    #[test]
    fn radio_loses_some_and_congestion_many() {
        assert!(!share(5, 1_000).are_many());
        assert!(!share(10, 1_000).are_many());
        assert!(share(20, 1_000).are_many());
        assert!(!share(50, 10).are_many(), "too few to tell");
    }
}
