//! Deciding about an offered upload.

use std::sync::Arc;
use std::time::Duration;

use shared::hash::Sha256;
use shared::time::WallTime;
use shared::wire::segment::UploadOffer;

use super::super::agents::AgentGrant;
use super::super::storage::note_lost;
use super::super::storage::verify::{Stored, verify_partial, verify_stored};
use super::sink::{Lease, UploadSink};
use super::{Ingest, IngestError};
use crate::domain::segment::{CentreCopy, Segment, object_path};
use crate::domain::verifier::{Verifier, pieces};
use crate::stores::objects::{ObjectError, PartialObject};
use crate::stores::{NewUpload, UploadBegun};

/// The answer to an offer.
#[derive(Debug)]
pub enum Offered {
    /// The agent shall send the bytes from `from` on; they go into `sink`.
    Want {
        from: u64,
        sink: UploadSink,
    },
    /// Stored durably already.
    Have,
    Later {
        after_ms: u32,
    },
    Refused {
        message: String,
    },
}

/// A lease that is not renewed for so long is anybody's.
pub(super) const LEASE: Duration = Duration::from_secs(30);
/// When to ask again where something ends by itself soon.
const SOON_MS: u32 = 1_000;
/// When to ask again for want of space.
const SPACE_MS: u32 = 30_000;

impl Ingest {
    /// Decides about an offered upload.
    ///
    /// # Errors
    /// The store failed; answer that it is to come later.
    pub async fn offer(
        &self,
        agent: &AgentGrant,
        offer: UploadOffer,
    ) -> Result<Offered, IngestError> {
        let id = offer.segment;
        let segment = self.store.segment(id).await?;
        let Some(segment) = segment.filter(|segment| segment.agent == agent.id()) else {
            return Ok(refused("the segment is not known here"));
        };
        let Some(root) = segment.root else {
            // Its record is on the way.
            return Ok(self.put_off(SOON_MS));
        };
        if self.is_here(&segment).await? {
            return Ok(Offered::Have);
        }
        if root != offer.root || segment.size != offer.size {
            return Ok(refused("the offer contradicts the segment's record"));
        }
        let Some(place) = self.room.take(agent.id()) else {
            return Ok(self.put_off(SOON_MS));
        };
        if self.objects.space().await?.free_bytes < self.reserve_bytes + segment.size {
            tracing::error!("uploads wait: the object store has no space above the reserve");
            return Ok(self.put_off(SPACE_MS));
        }
        let now = self.clock.wall();
        let path = match self.begin(&segment, now).await? {
            UploadBegun::Yes { path } => path,
            UploadBegun::Held { until } => {
                let wait = until.saturating_duration_since(now).as_millis();
                return Ok(self.put_off(u32::try_from(wait).unwrap_or(SPACE_MS)));
            }
            UploadBegun::NoSegment => return Ok(refused("the segment is not known here")),
        };
        let lease = Lease::new(self, id, place, now);
        self.open(&segment, root, path, lease).await
    }

    /// Whether our copy is there. If its object has disappeared, that is noted, and the agent's
    /// copy is welcome.
    async fn is_here(&self, segment: &Segment) -> Result<bool, IngestError> {
        let Some(path) = segment
            .object
            .as_deref()
            .filter(|_| segment.centre == CentreCopy::Stored)
        else {
            return Ok(false);
        };
        if self.objects.size(path).await? == Some(segment.size) {
            return Ok(true);
        }
        let now = self.clock.wall();
        note_lost(&*self.store, &self.figures, segment, now).await?;
        Ok(false)
    }

    async fn begin(&self, segment: &Segment, now: WallTime) -> Result<UploadBegun, IngestError> {
        let Some(camera) = self.store.camera(segment.head.camera).await? else {
            return Ok(UploadBegun::NoSegment);
        };
        let path = object_path(
            &camera.agency,
            camera.id,
            segment.id(),
            segment.range.start(),
        );
        let upload = NewUpload {
            segment: segment.id(),
            path,
            owner: self.owner,
            until: now + LEASE,
        };
        Ok(self.store.begin_upload(upload, now).await?)
    }

    /// Takes up what an earlier attempt has left, whole or in part.
    async fn open(
        &self,
        segment: &Segment,
        root: Sha256,
        path: String,
        lease: Lease,
    ) -> Result<Offered, IngestError> {
        let fragments = self.store.fragments(segment.id()).await?;
        let pieces = pieces(&segment.head, &fragments);
        match verify_stored(&*self.objects, &path, pieces.clone()).await? {
            Stored::Right => return self.enter(segment, root).await,
            Stored::Wrong => self.objects.delete(&path).await?,
            Stored::Missing => {}
        }
        match self.resume(&path, Verifier::new(pieces)).await {
            // Everything had come before the end of the last attempt.
            Ok((verifier, partial)) if verifier.is_complete() => {
                partial.commit().await?;
                self.enter(segment, root).await
            }
            Ok((verifier, partial)) => Ok(Offered::Want {
                from: verifier.verified(),
                sink: UploadSink::new(lease, root, verifier, partial),
            }),
            // The attempt before this one is just ending.
            Err(IngestError::Objects(ObjectError::InUse { .. })) => Ok(self.put_off(SOON_MS)),
            Err(error) => Err(error),
        }
    }

    /// Enters an object that is there and right.
    async fn enter(&self, segment: &Segment, root: Sha256) -> Result<Offered, IngestError> {
        let now = self.clock.wall();
        if self.store.mark_stored(segment.id(), root, now).await? {
            self.figures.uploads_stored.add(1);
            return Ok(Offered::Have);
        }
        // Its record has changed since.
        Ok(self.put_off(SOON_MS))
    }

    /// Goes on behind the last whole piece that is kept and right.
    async fn resume(
        &self,
        path: &str,
        verifier: Verifier,
    ) -> Result<(Verifier, Box<dyn PartialObject>), IngestError> {
        let kept = self.objects.partial_length(path).await?;
        let verifier = if kept > 0 {
            verify_partial(&*self.objects, path, kept, verifier).await?
        } else {
            verifier
        };
        let partial = self.objects.resume(path, verifier.verified()).await?;
        Ok((verifier, partial))
    }

    fn put_off(&self, after_ms: u32) -> Offered {
        self.figures.uploads_put_off.add(1);
        Offered::Later { after_ms }
    }

    pub(super) fn lease_parts(&self) -> LeaseParts {
        LeaseParts {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            figures: Arc::clone(&self.figures),
            owner: self.owner,
        }
    }
}

/// What a lease needs to end itself.
#[derive(Debug)]
pub(super) struct LeaseParts {
    pub(super) store: Arc<dyn crate::stores::Store>,
    pub(super) clock: Arc<dyn shared::clock::Clock>,
    pub(super) figures: Arc<super::Figures>,
    pub(super) owner: crate::stores::Owner,
}

fn refused(message: &str) -> Offered {
    Offered::Refused {
        message: message.to_owned(),
    }
}
