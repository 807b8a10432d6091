//! What is counted about viewers, for the metrics page.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the start.
#[derive(Debug, Default)]
pub struct Tally {
    packets: AtomicU64,
    bytes: AtomicU64,
    again: AtomicU64,
    lost: AtomicU64,
    restarts: AtomicU64,
    skips: AtomicU64,
    viewers: AtomicU64,
}

/// [`Tally`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Packets of pictures and sound, and the bytes in them.
    pub packets: u64,
    pub bytes: u64,
    /// Of them such as viewers had lost.
    pub packets_again: u64,
    /// That did not leave, because the socket was full.
    pub packets_lost: u64,
    /// How often a viewer could not decode and was begun with anew.
    pub restarts: u64,
    /// How often a viewer was too slow, or pictures did not come from the site.
    pub skips: u64,
    /// There are now.
    pub viewers: u64,
}

fn add(counter: &AtomicU64, count: usize) {
    if count > 0 {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }
}

impl Tally {
    pub(super) fn sent(&self, bytes: usize) {
        add(&self.packets, 1);
        add(&self.bytes, bytes);
    }

    pub(super) fn sent_again(&self, packets: usize) {
        add(&self.again, packets);
    }

    pub(super) fn lost(&self, packets: usize) {
        add(&self.lost, packets);
    }

    pub(super) fn began_again(&self) {
        add(&self.restarts, 1);
    }

    pub(super) fn skipped(&self) {
        add(&self.skips, 1);
    }

    pub(super) fn viewers(&self, count: usize) {
        self.viewers.store(count as u64, Ordering::Relaxed);
    }

    pub fn counted(&self) -> Counted {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counted {
            packets: read(&self.packets),
            bytes: read(&self.bytes),
            packets_again: read(&self.again),
            packets_lost: read(&self.lost),
            restarts: read(&self.restarts),
            skips: read(&self.skips),
            viewers: read(&self.viewers),
        }
    }
}
