//! The newest GOP, kept so that a newcomer has a picture at once.

use super::queue::QueueLimits;
use crate::camera::media::Event;

/// Everything since the newest sync sample, or nothing when that has grown beyond the limits: half
/// a GOP shows no picture.
#[derive(Debug)]
pub(super) struct Kept {
    limits: QueueLimits,
    events: Vec<Event>,
    bytes: usize,
}

impl Kept {
    pub(super) const fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            events: Vec::new(),
            bytes: 0,
        }
    }

    pub(super) fn push(&mut self, event: Event) {
        match &event {
            Event::Video { sample, .. } if sample.sync => self.clear(),
            Event::Video { .. } | Event::Audio(_) | Event::Lost { .. } => {
                if self.events.is_empty() {
                    return;
                }
            }
            Event::RunStarted(_)
            | Event::RunEnded { .. }
            | Event::Down { .. }
            | Event::Skipped { .. } => {
                self.clear();
                return;
            }
        }
        self.bytes += event.payload_len();
        if self.bytes > self.limits.bytes || self.events.len() >= self.limits.events {
            self.clear();
        } else {
            self.events.push(event);
        }
    }

    pub(super) fn events(&self) -> &[Event] {
        &self.events
    }

    pub(super) fn clear(&mut self) {
        self.events.clear();
        self.bytes = 0;
    }
}
