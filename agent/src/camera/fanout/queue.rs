//! What one consumer has not taken yet, and what is left out when that grows too much. Pure.
//!
//! The rule when full: what is queued stays, what arrives is left out until a sync sample arrives
//! and half the room is free again. Facts (runs beginning and ending, losses, outages) are not left
//! out while fewer than [`FACTS`] of them wait; a consumer that sleeps through more is told, when
//! it is back, that it missed a stretch and where the stream stands.

use std::collections::VecDeque;

use shared::id::RunId;
use shared::time::WallTime;
use shared::timeline::Reason;

use super::Current;
use crate::camera::media::Event;

/// How many facts may wait, whatever the limits for media are.
const FACTS: usize = 64;

/// How much may wait for one consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Of payload. One picture larger than this still passes, alone.
    pub bytes: usize,
    /// Pictures and audio frames together.
    pub events: usize,
}

impl QueueLimits {
    /// What is kept of the newest GOP: 16 s at 4 Mbit/s, or five minutes of a quiet "smart" codec
    /// at 25 pictures a second with its sound.
    pub const KEPT_GOP: Self = Self {
        bytes: 8 << 20,
        events: 24_000,
    };
}

#[derive(Debug)]
pub(super) struct Queue {
    limits: QueueLimits,
    events: VecDeque<Event>,
    bytes: usize,
    /// How many of `events` are facts.
    facts: usize,
    intake: Intake,
    /// The run that the last queued event left the consumer in.
    run: Option<RunId>,
    /// Of the newest picture offered, taken or not.
    newest: Option<WallTime>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intake {
    Open,
    /// Nothing was promised to this consumer yet: it begins with the next sync sample.
    Joining,
    /// Too slow: media is left out.
    Skipping(Skip),
    /// Far too slow: facts are left out too.
    Lost(Skip),
}

/// What is being left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Skip {
    from: WallTime,
    pictures: u32,
}

impl Skip {
    const fn until(self, to: WallTime) -> Event {
        Event::Skipped {
            from: self.from,
            to,
            pictures: self.pictures,
        }
    }

    const fn and(self, event: &Event) -> Self {
        let more = matches!(event, Event::Video { .. }) as u32;
        Self {
            pictures: self.pictures.saturating_add(more),
            ..self
        }
    }
}

impl Queue {
    /// For a consumer that joins now: where the stream stands, and the kept GOP if it fits.
    pub(super) fn joining(limits: QueueLimits, current: Option<Event>, kept: &[Event]) -> Self {
        let mut queue = Self {
            limits,
            events: VecDeque::new(),
            bytes: 0,
            facts: 0,
            intake: Intake::Open,
            run: None,
            newest: None,
        };
        if let Some(event) = current {
            queue.append(event);
        }
        let kept_bytes: usize = kept.iter().map(Event::payload_len).sum();
        if !kept.is_empty() && kept_bytes <= limits.bytes && kept.len() <= limits.events {
            for event in kept {
                queue.push(event);
            }
        } else if queue.run.is_some() {
            queue.intake = Intake::Joining;
        }
        queue
    }

    pub(super) fn push(&mut self, event: &Event) {
        if event.is_media() {
            self.push_media(event);
        } else {
            self.push_fact(event);
        }
        if let Event::Video { wall, .. } = event {
            self.newest = Some(*wall);
        }
    }

    /// The next event for the consumer. One that had lost track is brought back to `current` first.
    pub(super) fn pop(&mut self, current: &Current) -> Option<Event> {
        if self.events.is_empty()
            && let Intake::Lost(skip) = self.intake
        {
            self.find_track(skip, current);
        }
        let event = self.events.pop_front()?;
        self.bytes -= event.payload_len();
        self.facts -= usize::from(!event.is_media());
        Some(event)
    }

    fn push_media(&mut self, event: &Event) {
        let sync = matches!(event, Event::Video { sample, .. } if sample.sync);
        match self.intake {
            Intake::Open if self.fits(event) => self.append(event.clone()),
            Intake::Open => self.intake = Intake::Skipping(self.skip_from(event).and(event)),
            Intake::Joining if sync && self.fits(event) => {
                self.intake = Intake::Open;
                self.append(event.clone());
            }
            Intake::Joining => {}
            Intake::Skipping(skip) if sync && self.half_free() && self.fits(event) => {
                self.append(skip.until(self.wall_of(event, skip)));
                self.intake = Intake::Open;
                self.append(event.clone());
            }
            Intake::Skipping(skip) => self.intake = Intake::Skipping(skip.and(event)),
            Intake::Lost(skip) => self.intake = Intake::Lost(skip.and(event)),
        }
    }

    fn push_fact(&mut self, event: &Event) {
        if self.facts >= FACTS {
            self.lose_track(event);
        }
        match self.intake {
            Intake::Lost(_) => return,
            // The stretch being left out includes what was lost in it.
            Intake::Skipping(_) if matches!(event, Event::Lost { .. }) => return,
            Intake::Skipping(skip) => self.append(skip.until(self.wall_of(event, skip))),
            Intake::Joining if matches!(event, Event::Lost { .. }) => return,
            Intake::Open | Intake::Joining => {}
        }
        self.intake = Intake::Open;
        self.append(event.clone());
    }

    fn lose_track(&mut self, event: &Event) {
        self.intake = match self.intake {
            Intake::Open | Intake::Joining => Intake::Lost(self.skip_from(event)),
            Intake::Skipping(skip) | Intake::Lost(skip) => Intake::Lost(skip),
        };
    }

    fn find_track(&mut self, skip: Skip, current: &Current) {
        let now = self.newest.unwrap_or(skip.from).max(skip.from);
        self.append(skip.until(now));
        let run = match current {
            Current::Run(run) => Some(run.id),
            Current::Silent | Current::Down(_) => None,
        };
        if self.run.is_some() && self.run != run {
            self.append(Event::RunEnded {
                at: skip.from,
                reason: Reason::HostOverloaded,
                detail: Some("its end was missed by a consumer that was too slow".to_owned()),
            });
        }
        self.intake = Intake::Open;
        if self.run != run || run.is_none() {
            self.events
                .extend(current.event().inspect(|_| self.facts += 1));
            self.run = run;
        }
        if run.is_some() {
            self.intake = Intake::Skipping(Skip {
                from: now,
                pictures: 0,
            });
        }
    }

    fn append(&mut self, event: Event) {
        match &event {
            Event::RunStarted(run) => self.run = Some(run.id),
            Event::RunEnded { .. } => self.run = None,
            _ => {}
        }
        self.bytes += event.payload_len();
        self.facts += usize::from(!event.is_media());
        self.events.push_back(event);
    }

    fn fits(&self, event: &Event) -> bool {
        let media = self.events.len() - self.facts;
        media == 0
            || (self.bytes + event.payload_len() <= self.limits.bytes && media < self.limits.events)
    }

    fn half_free(&self) -> bool {
        let media = self.events.len() - self.facts;
        media == 0
            || (self.bytes <= self.limits.bytes / 2
                && media <= self.limits.events / 2
                && self.facts <= FACTS / 2)
    }

    /// A stretch that begins with `event` and has left out nothing yet.
    fn skip_from(&self, event: &Event) -> Skip {
        let from = match event {
            Event::Video { wall, .. } => *wall,
            Event::RunStarted(run) => run.origin,
            Event::RunEnded { at, .. } => *at,
            Event::Down { since, .. } => *since,
            Event::Lost { from, .. } | Event::Skipped { from, .. } => *from,
            Event::Audio(_) => self.newest.unwrap_or_default(),
        };
        Skip { from, pictures: 0 }
    }

    /// Where a stretch that `event` follows ends.
    fn wall_of(&self, event: &Event, skip: Skip) -> WallTime {
        self.skip_from(event).from.max(skip.from)
    }
}

#[cfg(test)]
impl Queue {
    /// Bytes and events waiting.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.bytes, self.events.len())
    }
}
