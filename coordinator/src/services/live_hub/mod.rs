//! Live pictures inside the coordinator: one feed for each rendition that somebody watches, any
//! number of viewers on it.
//!
//! A feed keeps the newest GOP and little more, in one ring; every viewer is a place in it. Nothing
//! is copied for a viewer and nothing waits for one: who is too slow goes on with the newest sync
//! picture and is told. Where pictures come from is [`super::live`]; how they travel on is for the
//! edges.

mod ring;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use shared::codec::StreamParameters;
use shared::id::RunId;
use shared::time::{Ticks90k, WallTime};
use shared::timeline::Reason;
use tokio::sync::watch;

use self::ring::{Place, Ring};

/// What all pictures and sounds of a stretch have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub id: RunId,
    /// Of every picture and sound that names this run.
    pub parameters: StreamParameters,
}

/// One picture (access unit).
#[derive(Debug)]
pub struct Picture {
    pub run: Arc<Run>,
    /// When it is shown, from the start of the run.
    pub pts: Ticks90k,
    /// When it is decoded; strictly increasing within a run.
    pub dts: Ticks90k,
    /// By the clock of the site.
    pub wall: WallTime,
    /// Whether decoding can start here.
    pub sync: bool,
    /// NAL units, each behind a four-byte big-endian length (ISO/IEC 14496-15 section 4.3.2).
    pub payload: Bytes,
    /// What it is in RTP: payloads of its packets in order, parts of [`Self::payload`] where the
    /// format allows. Made by the first viewer who needs them, for all.
    pub packets: OnceLock<Box<[Bytes]>>,
}

/// One frame of sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    pub run: Arc<Run>,
    /// From the start of the run, in units of the track's sample rate.
    pub start: i64,
    /// In the same units.
    pub duration: u32,
    pub payload: Bytes,
}

/// There is no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Down {
    pub because: Outage,
    pub since: WallTime,
}

/// Why there is no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outage {
    /// The site says why the camera gives none.
    Camera(Reason),
    /// The site is not connected.
    SiteOffline,
    /// The site is connected, and nothing has come from it for a while.
    SiteSilent,
    /// The program at the site is too old for live pictures.
    SiteTooOld,
    /// The site knows no such stream.
    NoSuchStream,
    /// The site failed; it is asked again.
    SiteFailed,
}

/// What a viewer is given. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Event {
    Picture(Arc<Picture>),
    Sound(Arc<Sound>),
    /// There is no picture; it ends with the next [`Event::Picture`].
    Down(Down),
    /// This viewer was too slow, or pictures were lost on the way; a sync picture follows.
    Skipped,
}

/// One rendition as it runs. Dropping it ends every [`Watch`].
#[derive(Debug)]
pub struct Feed {
    shared: Arc<Shared>,
    /// Number of the next event.
    end: watch::Sender<u64>,
}

/// A viewer's place in a feed.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    end: watch::Receiver<u64>,
    place: Place,
}

/// The lock is held for a few pointer moves, never across an await.
#[derive(Debug, Default)]
struct Shared(Mutex<Ring>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self::new()
    }
}

impl Feed {
    /// Nothing has been said yet.
    pub fn new() -> Self {
        Self {
            shared: Arc::default(),
            end: watch::Sender::new(0),
        }
    }

    /// Hands the event to every viewer. Never waits.
    pub fn publish(&self, event: Event) {
        let end = self.shared.lock().push(event);
        self.end.send_replace(end);
    }

    /// A new viewer: it begins with the kept GOP, or with why there is no picture.
    pub fn watch(&self) -> Watch {
        Watch {
            place: self.shared.lock().join(),
            shared: Arc::clone(&self.shared),
            end: self.end.subscribe(),
        }
    }

    /// How many viewers there are.
    pub fn viewers(&self) -> usize {
        self.end.receiver_count()
    }
}

impl Watch {
    /// The next event in order; `None` when the feed has ended and everything was given.
    ///
    /// Cancel-safe: what is not returned is not taken.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            // Seen before looking, so that nothing published in between is slept through.
            self.end.mark_unchanged();
            if let Some(event) = self.try_next() {
                return Some(event);
            }
            if self.end.changed().await.is_err() {
                return self.try_next();
            }
        }
    }

    /// The next event if one is waiting.
    pub fn try_next(&mut self) -> Option<Event> {
        self.shared.lock().take(&mut self.place)
    }

    /// Begins again with the kept GOP, for a viewer who cannot decode what came last.
    pub fn again(&mut self) {
        self.place = self.shared.lock().join();
    }
}

#[cfg(test)]
mod tests;
