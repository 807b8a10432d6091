//! Opening bytes of a segment for a player.

use std::ops::Range;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use serde_json::json;
use shared::id::{PlaybackId, SegmentId};

use super::super::access::{Actor, Ground, PlaybackGrant};
use super::super::storage::note_lost;
use super::{PlaybackError, Playbacks};
use crate::domain::access::Deed;
use crate::domain::audit::What;
use crate::domain::segment::{CentreCopy, EdgeCopy, Segment};
use crate::stores::objects::ObjectError;

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

impl Wanted {
    /// The bytes meant of a file of `size`; `None` when there are none.
    pub fn of(self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::All => 0..size,
            Self::From(start) => start..size,
            Self::Between(start, end) => start..end.min(size),
            Self::Last(count) => size.saturating_sub(count)..size,
        };
        (range.start < range.end).then_some(range)
    }
}

/// Bytes of a segment on their way.
pub struct Opened {
    /// Size of the file; `None` while it grows.
    pub total: Option<u64>,
    /// Which bytes these are; never empty.
    pub range: Range<u64>,
    /// Exactly the range, or an error in mid-stream: also when whoever watches may no longer.
    pub bytes: BoxStream<'static, Result<Bytes, PlaybackError>>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("total", &self.total)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

impl Playbacks {
    /// Opens bytes of a segment, from the object store or from the edge.
    ///
    /// A signed address works by itself for five minutes; after that only for the signed-in owner
    /// of the playback (`actor`), whose player may hold a playlist for hours. A signature that was
    /// never ours opens nothing for anybody, and whoever may no longer watch the camera, or has
    /// signed out, gets nothing at all.
    ///
    /// # Errors
    /// See [`PlaybackError`].
    pub async fn open(
        &self,
        request: &SegmentRequest,
        actor: Option<&Actor>,
        wanted: Wanted,
    ) -> Result<Opened, PlaybackError> {
        let grant = self.admit(request, actor).await?;
        self.touch(grant.playback()).await?;
        let segment = self.store.segment(request.segment).await?;
        let segment = segment.ok_or(PlaybackError::Gone)?;
        let playback = grant.playback();
        if segment.head.camera != playback.camera || segment.head.stream != playback.stream {
            return Err(PlaybackError::Hidden);
        }
        let size = segment.size;
        let range = wanted.of(size).ok_or(PlaybackError::OutOfRange { size })?;
        let bytes = self.bytes(&segment, range.clone()).await?;
        let figures = std::sync::Arc::clone(&self.figures);
        self.notes.fetched(playback.id, segment.range, || {
            let details = json!({
                "playback": playback.id,
                "stream": playback.stream,
                "from": segment.range.start().to_rfc3339(),
            });
            let now = self.clock.wall();
            grant.entry(now, What::PlaybackSought).with(details)
        });
        let counted = bytes.inspect_ok(move |piece| figures.playback_bytes.add(piece.len() as u64));
        let ground = Ground::Camera(playback.camera, Deed::PlayCamera);
        let standing = self.access.standing(grant.actor(), ground);
        Ok(Opened {
            total: segment.root.map(|_| size),
            range,
            bytes: standing.guard(counted).boxed(),
        })
    }

    /// The signature first: a stranger costs no look into the database.
    async fn admit(
        &self,
        request: &SegmentRequest,
        actor: Option<&Actor>,
    ) -> Result<PlaybackGrant, PlaybackError> {
        let SegmentRequest {
            playback,
            segment,
            expires,
            ref signature,
        } = *request;
        if !self.key.verifies(playback, segment, expires, signature) {
            return Err(PlaybackError::LinkInvalid);
        }
        if self.clock.wall().as_micros() < expires.saturating_mul(1_000_000) {
            let origin = actor.map(|actor| actor.origin().clone());
            let origin = origin.unwrap_or_default();
            return Ok(self.access.playback_of_owner(playback, origin).await?);
        }
        match actor {
            Some(actor) => Ok(self.access.playback(actor, playback).await?),
            None => Err(PlaybackError::LinkExpired),
        }
    }

    async fn bytes(
        &self,
        segment: &Segment,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, PlaybackError>>, PlaybackError> {
        if let Some(path) = segment
            .object
            .as_deref()
            .filter(|_| segment.centre == CentreCopy::Stored)
        {
            match self.objects.read(path, range.clone()).await {
                Ok(bytes) => return Ok(bytes.map_err(PlaybackError::from).boxed()),
                Err(ObjectError::NotFound { .. }) => {
                    tracing::error!(segment.id = %segment.id(), "a stored segment is gone");
                    let now = self.clock.wall();
                    note_lost(&*self.store, &self.figures, segment, now).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if segment.edge == EdgeCopy::Deleted {
            return Err(PlaybackError::Gone);
        }
        self.footage.open(segment, range).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_rfc_9110() {
        assert_eq!(Wanted::All.of(10), Some(0..10));
        assert_eq!(Wanted::From(3).of(10), Some(3..10));
        assert_eq!(Wanted::Between(3, 5).of(10), Some(3..5));
        assert_eq!(Wanted::Between(3, 50).of(10), Some(3..10));
        assert_eq!(Wanted::Last(4).of(10), Some(6..10));
        assert_eq!(Wanted::Last(40).of(10), Some(0..10));
        for nothing in [
            Wanted::All.of(0),
            Wanted::From(10).of(10),
            Wanted::Between(10, 12).of(10),
            Wanted::Between(5, 4).of(10),
            Wanted::Last(0).of(10),
        ] {
            assert_eq!(nothing, None);
        }
    }
}
