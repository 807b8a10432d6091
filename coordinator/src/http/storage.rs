//! What the centre stores.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::error::{Error, Restricted, SignedIn};
use super::extract::Json;
use crate::domain::access::Deed;
use crate::services::access::Actor;
use crate::services::storage::StorageStats as Stats;

/// The object store as the file system and the index see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StorageStats {
    /// Recordings stored here.
    pub objects: u64,
    /// Of those recordings.
    pub bytes: u64,
    /// Size of the file system.
    pub total_bytes: u64,
    pub free_bytes: u64,
}

impl From<Stats> for StorageStats {
    fn from(stats: Stats) -> Self {
        Self {
            objects: stats.objects,
            bytes: stats.bytes,
            total_bytes: stats.total_bytes,
            free_bytes: stats.free_bytes,
        }
    }
}

/// How much is stored
#[utoipa::path(get, path = "/api/v1/storage/stats", operation_id = "get_storage_stats", tag = "storage",
    responses((status = 200, description = "The object store.", body = StorageStats), SignedIn, Restricted))]
pub async fn get_storage_stats(
    actor: Actor,
    State(api): State<Arc<Api>>,
) -> Result<Json<StorageStats>, Error> {
    let grant = api.services.access.admin(&actor, Deed::ViewStorage)?;
    Ok(Json(api.services.storage.stats(&grant).await?.into()))
}
