//! What the centre stores, and keeping catalogue and objects in agreement.

use std::sync::Arc;

use super::Parts;
use super::access::{AccessError, AdminGrant};
use crate::domain::access::Deed;
use crate::stores::objects::{ObjectError, Objects};
use crate::stores::{Store, StoreError};

#[derive(Debug)]
pub struct Storage {
    store: Arc<dyn Store>,
    objects: Arc<dyn Objects>,
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
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            objects: Arc::clone(&parts.objects),
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
