//! What the centre stores, and keeping catalogue and objects in agreement.

mod reconcile;
pub(super) mod verify;

use std::sync::Arc;

use serde_json::json;
use shared::clock::Clock;
use shared::time::WallTime;

pub use reconcile::Reconciled;

use super::access::{AccessError, AdminGrant};
use super::{Figures, Parts};
use crate::domain::access::Deed;
use crate::domain::audit::{Entry, What, Who};
use crate::domain::segment::Segment;
use crate::stores::objects::{ObjectError, Objects};
use crate::stores::{Store, StoreError};

#[derive(Debug)]
pub struct Storage {
    store: Arc<dyn Store>,
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
    figures: Arc<Figures>,
}

/// The object store, as the catalogue and the file system see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageStats {
    pub objects: u64,
    pub bytes: u64,
    pub total_bytes: u64,
    pub free_bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Objects(#[from] ObjectError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Storage {
    pub(super) fn new(parts: &Parts, objects: Arc<dyn Objects>) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            objects,
            clock: Arc::clone(&parts.clock),
            figures: Arc::clone(&parts.figures),
        }
    }

    /// # Errors
    /// The store or the file system could not be asked.
    pub async fn stats(&self, grant: &AdminGrant) -> Result<StorageStats, StorageError> {
        grant.for_deed(Deed::ViewStorage)?;
        let (objects, bytes) = self.store.stored_totals().await?;
        let space = self.objects.space().await?;
        Ok(StorageStats {
            objects,
            bytes,
            total_bytes: space.total_bytes,
            free_bytes: space.free_bytes,
        })
    }

    /// Whether the database answers and the object store is there.
    pub(super) async fn check(&self) -> Result<(), StorageError> {
        self.store.stored_totals().await?;
        self.objects.space().await?;
        Ok(())
    }
}

/// Marks a stored segment as lost, because its object is not there.
pub(super) async fn note_lost(
    store: &dyn Store,
    figures: &Figures,
    segment: &Segment,
    now: WallTime,
) -> Result<(), StoreError> {
    let entry = Entry::new(now, Who::System, What::ObjectLost)
        .on(segment.id())
        .with(json!({ "object": segment.object }));
    store.mark_lost(segment.id(), now, entry).await?;
    figures.objects_lost.add(1);
    Ok(())
}
