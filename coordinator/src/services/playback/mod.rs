//! Playback: playlists over the catalogue, and the bytes they point to, wherever those are.

mod cache;
mod edge;
mod live;
mod open;
mod pull;

use std::sync::Arc;

use serde_json::{Value, json};
use shared::clock::Clock;
use shared::id::{PlaybackId, SegmentId};
use shared::segment::StreamKind;
use shared::time::WallTime;

pub use open::{Opened, SegmentRequest, Wanted};

use self::edge::EdgeFootage;
use super::access::{AccessError, CameraGrant, Ended, PlaybackGrant};
use super::audit::notes::Notes;
use super::edge_source::EdgeError;
use super::users::random_bytes;
use super::{Access, EdgeSource, Figures, Parts, ServicesConfig};
use crate::domain::access::Deed;
use crate::domain::audit::What;
use crate::domain::playback::{LINK_VALIDITY, MAX_RANGE, Playback, Show, SigningKey};
use crate::domain::playlist::grouping::Snapshot;
use crate::domain::playlist::{Sign, vod};
use crate::stores::objects::{ObjectError, Objects};
use crate::stores::{Store, StoreError};

#[derive(Debug)]
pub struct Playbacks {
    access: Access,
    store: Arc<dyn Store>,
    objects: Arc<dyn Objects>,
    edges: Arc<dyn EdgeSource>,
    clock: Arc<dyn Clock>,
    figures: Arc<Figures>,
    notes: Arc<Notes>,
    footage: EdgeFootage,
    key: SigningKey,
}

/// A playback for display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaybackView {
    pub playback: Playback,
    /// Begin of the stretch; of a live playback the oldest moment its playlist lists, if any.
    pub from: Option<WallTime>,
    /// `None` for a live playback.
    pub to: Option<WallTime>,
    pub expires_at: WallTime,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum PlaybackError {
    #[error("nobody is signed in")]
    Unauthenticated,
    #[error("there is no such playback or camera for this actor")]
    Hidden,
    #[error("the actor may not do this")]
    Forbidden,
    #[error("a playback covers more than nothing and at most 24 hours")]
    Range,
    /// The signature is not ours, or not for this address.
    #[error("the address is not valid")]
    LinkInvalid,
    #[error("the address has expired")]
    LinkExpired,
    /// A live playback of a camera that records nothing at the moment.
    #[error("nothing has been recorded lately")]
    NothingYet,
    /// Nothing of what was asked for is stored, here or at the edge.
    #[error("the footage is not stored anywhere (any more)")]
    Gone,
    #[error("the file has {size} bytes; others were asked for")]
    OutOfRange { size: u64 },
    #[error("footage at the edge: {0}")]
    Edge(#[from] EdgeError),
    #[error(transparent)]
    Objects(#[from] ObjectError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Ended> for PlaybackError {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Session => Self::Unauthenticated,
            Ended::Forbidden => Self::Forbidden,
            Ended::Unknown(error) => Self::Store(error),
            Ended::Stopping => Self::Store(StoreError::Closed),
        }
    }
}

impl From<AccessError> for PlaybackError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Unauthenticated => Self::Unauthenticated,
            AccessError::Hidden => Self::Hidden,
            AccessError::Forbidden => Self::Forbidden,
            AccessError::Store(error) => Self::Store(error),
        }
    }
}

/// Segments of a run that are asked for at once on the way back to a sync sample.
const LOOK_BACK: usize = 8;
/// And so many times: an hour of minutes.
const LOOK_BACKS: usize = 8;

impl Playbacks {
    pub(super) async fn new(
        parts: &Parts,
        objects: Arc<dyn Objects>,
        config: &ServicesConfig,
        access: Access,
    ) -> Result<Self, StoreError> {
        let candidate = random_bytes::<{ SigningKey::LENGTH }>().to_vec();
        let key = parts.store.secret("playback_links", candidate).await?;
        Ok(Self {
            access,
            store: Arc::clone(&parts.store),
            objects,
            edges: Arc::clone(&parts.edges),
            clock: Arc::clone(&parts.clock),
            figures: Arc::clone(&parts.figures),
            notes: Arc::clone(&parts.notes),
            footage: EdgeFootage::new(parts, config),
            key: SigningKey::new(&key),
        })
    }

    /// # Errors
    /// The range is empty or too long.
    pub async fn prepare(
        &self,
        grant: &CameraGrant,
        stream: StreamKind,
        show: Show,
    ) -> Result<PlaybackView, PlaybackError> {
        let camera = grant.for_deed(Deed::PlayCamera)?;
        if let Show::Range(range) = show
            && (range.is_empty() || range.duration() > MAX_RANGE)
        {
            return Err(PlaybackError::Range);
        }
        let now = self.clock.wall();
        let playback = Playback {
            id: PlaybackId::new(now),
            owner: grant.actor().user_id(),
            session: grant.actor().session(),
            camera: camera.id,
            stream,
            show,
            created_at: now,
            last_used: now,
        };
        let details = described(&playback);
        let entry = grant.entry(now, What::PlaybackPrepared).with(details);
        self.store.create_playback(playback.clone(), entry).await?;
        Ok(view(playback, None))
    }

    /// # Errors
    /// The store failed.
    pub async fn status(&self, grant: &PlaybackGrant) -> Result<PlaybackView, PlaybackError> {
        let playback = grant.playback().clone();
        self.touch(&playback).await?;
        let listed = match playback.show {
            Show::Live => self.listed(playback.id).await?,
            Show::Range(_) => None,
        };
        Ok(view(playback, listed))
    }

    /// The playlist, as `application/vnd.apple.mpegurl`. Addresses in it are relative to its own:
    /// `segments/{segment}.mp4?expires=…&signature=…`.
    ///
    /// # Errors
    /// [`PlaybackError::NothingYet`] for a live playback of a camera that records nothing,
    /// [`PlaybackError::Gone`] for a stretch without footage.
    pub async fn playlist(&self, grant: &PlaybackGrant) -> Result<String, PlaybackError> {
        let playback = grant.playback();
        self.touch(playback).await?;
        let links = self.links(playback.id);
        let text = match playback.show {
            Show::Live => self.live(grant, &links).await?,
            Show::Range(range) => {
                let snapshot = self.snapshot(playback, range).await?;
                let rendered = tokio::task::spawn_blocking(move || {
                    let entries = snapshot.entries(range);
                    (!entries.is_empty()).then(|| vod(&entries, range.start(), &links))
                });
                let rendered = rendered.await.map_err(|error| StoreError::Failed {
                    attempted: "render a playlist",
                    message: error.to_string(),
                })?;
                rendered.ok_or(PlaybackError::Gone)?
            }
        };
        self.figures.playlists.add(1);
        self.notes.listed(playback.id, || {
            let now = self.clock.wall();
            let details = described(playback);
            grant.entry(now, What::PlaybackViewed).with(details)
        });
        Ok(text)
    }

    /// Footage of a range with what its beginning depends on.
    async fn snapshot(
        &self,
        playback: &Playback,
        range: shared::time::TimeRange,
    ) -> Result<Snapshot, StoreError> {
        let (camera, stream) = (playback.camera, playback.stream);
        let footage = self.store.footage(camera, stream, range).await?;
        let mut snapshot = Snapshot::new(footage);
        for _ in 0..LOOK_BACKS {
            let Some((run, before)) = snapshot.wants_earlier(range) else {
                break;
            };
            let earlier = self.store.footage_before(run, before, LOOK_BACK).await?;
            if earlier.is_empty() {
                break;
            }
            snapshot = snapshot.with(earlier);
        }
        Ok(snapshot)
    }

    fn links(&self, playback: PlaybackId) -> Links {
        // In steps, so that a live playlist does not show a segment under another address at each
        // reload; a player would fetch its init segment anew every time.
        const STEP_S: i64 = 60;
        let latest = (self.clock.wall() + LINK_VALIDITY).as_micros() / 1_000_000;
        Links {
            key: self.key.clone(),
            playback,
            expires: latest.div_euclid(STEP_S) * STEP_S,
        }
    }

    /// Notes now and then that the playback is in use.
    async fn touch(&self, playback: &Playback) -> Result<(), StoreError> {
        let now = self.clock.wall();
        if now.saturating_duration_since(playback.last_used) < std::time::Duration::from_secs(60) {
            return Ok(());
        }
        self.store.touch_playback(playback.id, now).await
    }
}

/// Signs the addresses in one playlist.
#[derive(Debug)]
struct Links {
    key: SigningKey,
    playback: PlaybackId,
    /// Seconds since 1970.
    expires: i64,
}

impl Sign for Links {
    fn query(&self, segment: SegmentId) -> String {
        let signature = self.key.sign(self.playback, segment, self.expires);
        format!("expires={}&signature={signature}", self.expires)
    }
}

/// For the audit.
/// What the audit tells of a playback; its id ties together what was done with it.
fn described(playback: &Playback) -> Value {
    let Playback { id, stream, .. } = playback;
    match playback.show {
        Show::Range(range) => json!({
            "playback": id,
            "stream": stream,
            "from": range.start().to_rfc3339(),
            "to": range.end().to_rfc3339(),
        }),
        Show::Live => json!({ "playback": id, "stream": stream, "live": true }),
    }
}

fn view(playback: Playback, listed_from: Option<WallTime>) -> PlaybackView {
    let (from, to) = match playback.show {
        Show::Range(range) => (Some(range.start()), Some(range.end())),
        Show::Live => (listed_from, None),
    };
    PlaybackView {
        expires_at: playback.expires_at(),
        playback,
        from,
        to,
    }
}

#[cfg(test)]
mod tests;
