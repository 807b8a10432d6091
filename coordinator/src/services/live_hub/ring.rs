//! What a feed remembers, and where its viewers are in it. Pure.
//!
//! It holds the newest GOP and the one before, for viewers who are a little behind, up to
//! [`MAX_BYTES`] and [`MAX_EVENTS`]. A viewer whose place has gone, or who is more than [`MAX_LAG`]
//! behind while a newer sync picture is there, goes on with that one.

use std::collections::VecDeque;
use std::time::Duration;

use shared::time::WallTime;

use super::{Down, Event};

/// Of payload: two GOPs of eight seconds at 8 Mbit/s.
const MAX_BYTES: usize = 16 << 20;
/// Four minutes at 25 pictures a second, with sound.
const MAX_EVENTS: usize = 12_000;
/// How far behind the newest picture a viewer may be before it leaves some out.
const MAX_LAG: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Ring {
    events: VecDeque<Event>,
    /// Number of the first event.
    first: u64,
    /// Number of the newest sync picture, here or not.
    gop: u64,
    /// The same while everything after it is here.
    sync: Option<u64>,
    bytes: usize,
    newest: Option<WallTime>,
    down: Option<Down>,
}

/// Where a viewer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Number of the next event.
    at: u64,
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Everything that comes is for it.
    In,
    /// Begins with the next sync picture.
    Waiting,
    /// Has to be told first why there is no picture, and then waits.
    Told,
}

impl Ring {
    /// The number of the event after it.
    pub(super) fn push(&mut self, event: Event) -> u64 {
        match &event {
            Event::Picture(picture) => {
                self.down = None;
                self.newest = Some(picture.wall);
                if picture.sync {
                    self.forget_before(self.gop);
                    self.gop = self.end();
                    self.sync = Some(self.end());
                }
            }
            // What was before is no picture of now.
            Event::Down(down) => {
                self.down = Some(*down);
                self.sync = None;
            }
            // What follows cannot be decoded by what is here.
            Event::Skipped => self.sync = None,
            Event::Sound(_) => {}
        }
        self.bytes += length(&event);
        self.events.push_back(event);
        self.keep_bounds();
        self.end()
    }

    #[cfg(test)]
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The place of a newcomer.
    pub(super) fn join(&self) -> Place {
        match (self.sync, self.down) {
            (Some(at), _) => Place { at, step: Step::In },
            (None, Some(_)) => Place {
                at: self.end(),
                step: Step::Told,
            },
            (None, None) => Place {
                at: self.end(),
                step: Step::Waiting,
            },
        }
    }

    pub(super) fn take(&mut self, place: &mut Place) -> Option<Event> {
        if place.step == Step::Told {
            place.step = Step::Waiting;
            if let Some(down) = self.down {
                return Some(Event::Down(down));
            }
        }
        if self.too_slow(*place) {
            let promised = place.step == Step::In;
            *place = self.join();
            if promised {
                return Some(Event::Skipped);
            }
        }
        loop {
            let index = usize::try_from(place.at.checked_sub(self.first)?).ok()?;
            let event = self.events.get(index)?;
            place.at += 1;
            match (event, place.step) {
                (Event::Picture(picture), Step::Waiting) if picture.sync => {
                    place.step = Step::In;
                    return Some(event.clone());
                }
                (Event::Picture(_) | Event::Sound(_) | Event::Skipped, Step::Waiting) => {}
                (Event::Down(_) | Event::Skipped, _) => {
                    place.step = Step::Waiting;
                    return Some(event.clone());
                }
                (_, _) => return Some(event.clone()),
            }
        }
    }

    fn too_slow(&self, place: Place) -> bool {
        if place.at < self.first {
            return true;
        }
        let behind = |at: &u64| {
            let index = usize::try_from(at - self.first).ok()?;
            let next = self.events.range(index..).find_map(|event| match event {
                Event::Picture(picture) => Some(picture.wall),
                _ => None,
            })?;
            Some(self.newest?.saturating_duration_since(next))
        };
        place.step == Step::In
            && self.sync.is_some_and(|sync| sync > place.at)
            && behind(&place.at).is_some_and(|lag| lag > MAX_LAG)
    }

    fn end(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    fn keep_bounds(&mut self) {
        while self.bytes > MAX_BYTES || self.events.len() > MAX_EVENTS {
            // The older GOP goes first; half a GOP is none.
            let until = match self.sync {
                Some(sync) if sync > self.first => sync,
                _ => self.first + 1,
            };
            self.forget_before(until);
            self.sync = self.sync.filter(|sync| *sync >= self.first);
        }
    }

    fn forget_before(&mut self, number: u64) {
        while self.first < number
            && let Some(event) = self.events.pop_front()
        {
            self.bytes -= length(&event);
            self.first += 1;
        }
    }
}

fn length(event: &Event) -> usize {
    match event {
        Event::Picture(picture) => picture.payload.len(),
        Event::Sound(sound) => sound.payload.len(),
        Event::Down(_) | Event::Skipped => 0,
    }
}
