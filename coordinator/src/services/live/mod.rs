//! Live viewing: who watches which stream, and that each is pulled once for all who do.
//!
//! A [`Viewing`] is all that a viewer needs and all that it holds: its reservation, its place in the
//! feed, its share of the pull. Dropping it gives everything back.

mod feeds;
mod keeper;

use std::sync::Arc;

use serde_json::json;
use shared::clock::Clock;
use shared::id::ReservationId;
use shared::segment::StreamKind;
use shared::time::WallTime;

use self::feeds::{Channel, Feeds, Key};
use super::access::{AccessError, CameraGrant};
use super::audit::notes::Notes;
use super::live_hub::Watch;
use super::quotas::{Hold, QuotaError, Quotas};
use super::{EdgeSource, Parts};
use crate::domain::access::Deed;
use crate::domain::audit::What;
use crate::domain::quota::Tier;

/// How streams are watched live.
#[derive(Debug)]
pub struct Live {
    edges: Arc<dyn EdgeSource>,
    clock: Arc<dyn Clock>,
    notes: Arc<Notes>,
    quotas: Arc<Quotas>,
    feeds: Arc<Feeds>,
}

/// What somebody wants to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub stream: StreamKind,
    /// Made before; one is made otherwise.
    pub reservation: Option<ReservationId>,
}

#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("the camera has no such stream")]
    NoSuchStream,
    #[error(transparent)]
    Quota(#[from] QuotaError),
}

/// Somebody watching one stream.
#[derive(Debug)]
pub struct Viewing {
    hold: Hold,
    grant: CameraGrant,
    channel: Arc<Channel>,
    end: End,
}

impl Live {
    pub(super) fn new(parts: &Parts, quotas: Arc<Quotas>) -> Self {
        Self {
            edges: Arc::clone(&parts.edges),
            clock: Arc::clone(&parts.clock),
            notes: Arc::clone(&parts.notes),
            quotas,
            feeds: Arc::default(),
        }
    }

    /// Begins to watch: takes the reservation, and has the stream pulled if nobody watches it yet.
    /// Whether there is a picture is told by what comes.
    ///
    /// # Errors
    /// The actor may not, the camera has no such stream, or a limit is reached.
    pub async fn open(&self, grant: &CameraGrant, wanted: Wanted) -> Result<Viewing, LiveError> {
        let camera = grant.for_deed(Deed::ViewCamera)?;
        // Every camera has a main stream, also one whose agent has not listed it yet.
        if wanted.stream != StreamKind::Main && !camera.streams.contains(&wanted.stream) {
            return Err(LiveError::NoSuchStream);
        }
        let tier = match wanted.stream {
            StreamKind::Main => Tier::Full,
            StreamKind::Sub => Tier::Reduced,
        };
        let hold = self.quotas.hold(grant, tier, wanted.reservation).await?;
        let key = Key {
            camera: camera.id,
            stream: wanted.stream,
        };
        let (edges, clock) = (&self.edges, &self.clock);
        let channel = self.feeds.join(key, |feed, over| {
            let source = keeper::Source {
                edges: Arc::clone(edges),
                clock: Arc::clone(clock),
                agent: camera.agent,
                key,
            };
            tokio::spawn(over.run_until_cancelled_owned(keeper::keep(source, feed)));
        });
        let began = self.clock.wall();
        let details = json!({ "stream": wanted.stream });
        let entry = grant.entry(began, What::LiveOpened).with(details);
        self.notes.note(entry);
        Ok(Viewing {
            hold,
            grant: grant.clone(),
            channel,
            end: End {
                began,
                stream: wanted.stream,
                clock: Arc::clone(&self.clock),
                notes: Arc::clone(&self.notes),
            },
        })
    }

    /// How many streams are pulled, and how many viewers there are.
    pub fn counts(&self) -> (usize, usize) {
        self.feeds.counts()
    }
}

/// What is needed to note the end of a viewing.
#[derive(Debug)]
struct End {
    began: WallTime,
    stream: StreamKind,
    clock: Arc<dyn Clock>,
    notes: Arc<Notes>,
}

impl Viewing {
    /// A place in the feed, at its kept GOP.
    pub fn watch(&self) -> Watch {
        self.channel.feed.watch()
    }

    /// Ready when the reservation is gone: nothing may be shown any more.
    pub async fn lost(&self) {
        self.hold.lost().await;
    }
}

impl Drop for Viewing {
    fn drop(&mut self) {
        feeds::linger(&self.channel);
        let now = self.end.clock.wall();
        let lasted = now.saturating_duration_since(self.end.began);
        let details = json!({ "stream": self.end.stream, "seconds": lasted.as_secs() });
        let entry = self.grant.entry(now, What::LiveClosed).with(details);
        self.end.notes.note(entry);
    }
}

#[cfg(test)]
mod tests;
