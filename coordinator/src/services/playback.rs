//! Playback: playlists over the catalogue, and the bytes they point to, wherever those are.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use shared::clock::Clock;
use shared::id::{PlaybackId, SegmentId};
use shared::segment::StreamKind;
use shared::time::WallTime;

use super::Parts;
use super::access::{AccessError, Actor, CameraGrant, PlaybackGrant};
use super::edge_source::EdgeError;
use crate::domain::playback::{Playback, Show};
use crate::stores::objects::ObjectError;
use crate::stores::{Store, StoreError};

#[derive(Debug)]
pub struct Playbacks {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
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

/// The address of a segment, as a playlist wrote it.
#[derive(Clone, Debug)]
pub struct SegmentRequest {
    pub playback: PlaybackId,
    pub segment: SegmentId,
    /// Seconds since 1970.
    pub expires: i64,
    pub signature: String,
}

/// Which bytes of a segment (RFC 9110 section 14.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    All,
    /// From this byte to the end.
    From(u64),
    /// These bytes, the end excluded; it may lie beyond that of the file.
    Between(u64, u64),
    /// So many at the end.
    Last(u64),
}

/// Bytes of a segment on their way.
pub struct Opened {
    /// Size of the file; `None` while it grows.
    pub total: Option<u64>,
    /// Which bytes these are; never empty.
    pub range: Range<u64>,
    /// Exactly the range, or an error in mid-stream.
    pub bytes: BoxStream<'static, Result<Bytes, PlaybackError>>,
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
    /// A live playback of a camera that has not recorded anything lately.
    #[error("nothing has been recorded lately")]
    NothingYet,
    #[error("the footage is no longer stored anywhere")]
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

impl Playbacks {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            clock: Arc::clone(&parts.clock),
        }
    }

    /// # Errors
    /// The range is empty or too long.
    pub async fn prepare(
        &self,
        grant: &CameraGrant,
        stream: StreamKind,
        show: Show,
    ) -> Result<PlaybackView, PlaybackError> {
        let _ = (grant, stream, show, self.clock.wall(), &self.store);
        Err(StoreError::Closed.into())
    }

    /// # Errors
    /// The store failed.
    pub async fn status(&self, grant: &PlaybackGrant) -> Result<PlaybackView, PlaybackError> {
        let _ = grant;
        Err(StoreError::Closed.into())
    }

    /// The playlist, as `application/vnd.apple.mpegurl`. Addresses in it are relative to its own:
    /// `segments/{segment}.mp4?expires=…&signature=…`.
    ///
    /// # Errors
    /// [`PlaybackError::NothingYet`] for a live playback without recent footage.
    pub async fn playlist(&self, grant: &PlaybackGrant) -> Result<String, PlaybackError> {
        let _ = grant;
        Err(StoreError::Closed.into())
    }

    /// Opens bytes of a segment, from the object store or from the edge.
    ///
    /// A signed address works by itself for five minutes; after that only for the signed-in owner
    /// of the playback (`actor`), whose player may hold a playlist for hours. A signature that was
    /// never ours opens nothing for anybody.
    ///
    /// # Errors
    /// See [`PlaybackError`].
    pub async fn open(
        &self,
        request: &SegmentRequest,
        actor: Option<&Actor>,
        wanted: Wanted,
    ) -> Result<Opened, PlaybackError> {
        let _ = (request, actor, wanted);
        Err(StoreError::Closed.into())
    }
}
