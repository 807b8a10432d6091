//! Bringing catalogue and objects into agreement.
//!
//! An object becomes durable before its row says so, and a path is fixed before the first byte is
//! written. So a crash can leave only one thing half done, an object without its mark, and it can be
//! found among the rows that have a path: [`Storage::settle`] looks there at every start. What else
//! may go wrong (a disk that was swapped, a file removed by hand, a database restored from a backup)
//! is found by [`Storage::reconcile`], which looks at everything and takes its time.
//!
//! Footage is never deleted here: an object that nobody knows is reported and left alone.

use futures::TryStreamExt;
use shared::id::SegmentId;

use super::verify::{Stored, verify_stored};
use super::{Storage, StorageError, note_lost};
use crate::domain::segment::{CentreCopy, EdgeCopy, Segment, segment_of_object};
use crate::domain::verifier::pieces;
use crate::stores::objects::{Listed, ObjectError};

/// Rows looked at after a crash. More uploads than this are never under way.
const SETTLE: usize = 4_096;
/// Rows asked for at once.
const PAGE: usize = 500;

/// What was found and done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Complete objects that had not been entered; they are now.
    pub adopted: u64,
    /// Objects that do not have the bytes of their index and are offered again by their agent.
    pub removed: u64,
    /// Rows whose object is gone or has another size; marked as lost.
    pub lost: u64,
    /// Objects that no row knows; left alone.
    pub unknown: u64,
    /// Partial objects that nobody will complete; removed.
    pub discarded: u64,
}

impl Storage {
    /// Finishes what a crash interrupted between an object's last sync and its row.
    ///
    /// # Errors
    /// Database or objects could not be read.
    pub async fn settle(&self) -> Result<Reconciled, StorageError> {
        let mut done = Reconciled::default();
        for segment in self.store.unfinished_uploads(SETTLE).await? {
            self.adopt(&segment, &mut done).await?;
        }
        if done != Reconciled::default() {
            tracing::info!(
                adopted = done.adopted,
                removed = done.removed,
                "interrupted uploads were settled"
            );
        }
        Ok(done)
    }

    /// Compares everything both ways.
    ///
    /// # Errors
    /// Database or objects could not be read; what was done so far stays.
    pub async fn reconcile(&self) -> Result<Reconciled, StorageError> {
        let mut done = Reconciled::default();
        let mut objects = self.objects.list().await?;
        while let Some(object) = objects.try_next().await? {
            self.compare_object(object, &mut done).await?;
        }
        self.compare_rows(&mut done).await?;
        tracing::info!(
            adopted = done.adopted,
            removed = done.removed,
            lost = done.lost,
            unknown = done.unknown,
            discarded = done.discarded,
            "catalogue and objects were compared"
        );
        Ok(done)
    }

    async fn compare_object(
        &self,
        object: Listed,
        done: &mut Reconciled,
    ) -> Result<(), StorageError> {
        let segment = match segment_of_object(&object.path) {
            Some(id) => self.store.segment(id).await?,
            None => None,
        };
        let Some(segment) =
            segment.filter(|segment| segment.object.as_deref() == Some(&*object.path))
        else {
            done.unknown += 1;
            tracing::warn!(object = object.path, "nobody knows this object; left alone");
            return Ok(());
        };
        if object.partial {
            self.compare_partial(&segment, &object.path, done).await
        } else if segment.centre == CentreCopy::Stored {
            Ok(())
        } else {
            self.adopt(&segment, done).await
        }
    }

    /// A partial object is for the next attempt, unless there is none to come.
    async fn compare_partial(
        &self,
        segment: &Segment,
        path: &str,
        done: &mut Reconciled,
    ) -> Result<(), StorageError> {
        if segment.centre != CentreCopy::Stored {
            return Ok(());
        }
        match self.objects.discard_partial(path).await {
            Ok(()) => {
                done.discarded += 1;
                Ok(())
            }
            Err(ObjectError::InUse { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Enters the object of a segment if it is there and right.
    async fn adopt(&self, segment: &Segment, done: &mut Reconciled) -> Result<(), StorageError> {
        let (Some(path), Some(root)) = (&segment.object, segment.root) else {
            return Ok(());
        };
        let fragments = self.store.fragments(segment.id()).await?;
        let pieces = pieces(&segment.head, &fragments);
        match verify_stored(&*self.objects, path, pieces).await? {
            Stored::Missing => {}
            Stored::Right => {
                let now = self.clock.wall();
                if self.store.mark_stored(segment.id(), root, now).await? {
                    done.adopted += 1;
                }
            }
            // While the agent has the segment it will be uploaded again; otherwise what is left of
            // it is all there is.
            Stored::Wrong if segment.edge != EdgeCopy::Deleted => {
                self.objects.delete(path).await?;
                done.removed += 1;
            }
            Stored::Wrong => {
                tracing::error!(segment.id = %segment.id(), "the only copy of a segment is damaged");
            }
        }
        Ok(())
    }

    async fn compare_rows(&self, done: &mut Reconciled) -> Result<(), StorageError> {
        let mut after: Option<SegmentId> = None;
        loop {
            let page = self.store.stored_after(after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.id());
            for segment in &page {
                self.compare_row(segment, done).await?;
            }
        }
    }

    async fn compare_row(
        &self,
        segment: &Segment,
        done: &mut Reconciled,
    ) -> Result<(), StorageError> {
        let Some(path) = &segment.object else {
            return Ok(());
        };
        if self.objects.size(path).await? == Some(segment.size) {
            return Ok(());
        }
        tracing::error!(segment.id = %segment.id(), object = path, "a stored segment is gone");
        note_lost(&*self.store, &self.figures, segment, self.clock.wall()).await?;
        done.lost += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
