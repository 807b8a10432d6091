//! Where reservations of streams rest: in this process, or in a server that several coordinators share.
//! The rules are those of [`crate::domain::quota`], there written once more in Lua; who may reserve
//! what, and what happens when the server is gone, is decided in `services`.

pub mod in_process;
#[cfg(test)]
mod suite;
pub mod valkey;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use shared::id::ReservationId;

use super::valkey::ValkeyError;
use crate::domain::quota::{Limits, Pool, Reservation, Verdict};

/// Leases of streams. Each of these is one step that nothing comes between.
#[async_trait]
pub trait Quotas: Debug + Send + Sync {
    /// Reserves, or prolongs what is reserved already.
    async fn reserve(
        &self,
        wanted: &Reservation,
        ttl: Duration,
        limits: Limits,
    ) -> Result<Verdict, QuotasError>;
    /// What is reserved under an id.
    async fn find(&self, id: ReservationId) -> Result<Option<Reservation>, QuotasError>;
    /// Prolongs a lease; `false` when it has ended.
    async fn heartbeat(&self, held: &Reservation, ttl: Duration) -> Result<bool, QuotasError>;
    /// Gives a lease back; `false` when it has ended.
    async fn release(&self, held: &Reservation) -> Result<bool, QuotasError>;
    /// How many leases of each pool live, in the order of the pools.
    async fn counts(&self, pools: &[Pool]) -> Result<Vec<u32>, QuotasError>;
}

/// Why nobody can tell.
#[derive(Debug, thiserror::Error)]
pub enum QuotasError {
    #[error(transparent)]
    Server(#[from] ValkeyError),
    #[error("the server has a reservation that is none of ours: {what}")]
    Damaged { what: String },
}
