//! What one session has given so far: by it silence is noticed, and the next try decided. Pure.

use std::time::Duration;

use crate::camera::retry::Outcome;

/// What a session has given so far, and when by the monotonic clock.
#[derive(Debug)]
pub(super) struct Playing {
    began: Duration,
    first: Option<Duration>,
    newest: Option<Duration>,
    /// Since the status was last renewed.
    pub(super) lost_packets: std::cell::Cell<u64>,
}

impl Playing {
    pub(super) const fn new(now: Duration) -> Self {
        Self {
            began: now,
            first: None,
            newest: None,
            lost_packets: std::cell::Cell::new(0),
        }
    }

    pub(super) fn picture(&mut self, lost_packets: u64, now: Duration) {
        self.first.get_or_insert(now);
        self.newest = Some(now);
        *self.lost_packets.get_mut() += lost_packets;
    }

    /// Since when nothing has come.
    pub(super) fn latest(&self) -> Duration {
        self.newest.unwrap_or(self.began)
    }

    pub(super) fn outcome(&self) -> Outcome {
        match (self.first, self.newest) {
            (Some(first), Some(newest)) => Outcome::Played(newest.saturating_sub(first)),
            _ => Outcome::NoPicture,
        }
    }
}
