//! Where the buckets of rate limits rest: in this process, or in a server that several coordinators
//! share. Which buckets a request counts for, and what happens when the server is gone, is decided
//! in `services::limits`.

pub mod in_process;
#[cfg(test)]
mod suite;
pub mod valkey;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use super::valkey::ValkeyError;
use crate::domain::rate::{Key, Rate};

/// Buckets of requests.
#[async_trait]
pub trait Rates: Debug + Send + Sync {
    /// Takes one request from each of these buckets, or none from any if one of them refuses.
    ///
    /// # Errors
    /// Nobody can tell, because a server does not answer.
    async fn take(&self, buckets: &[(Key, Rate)]) -> Result<Taken, RatesError>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    Granted,
    /// It makes sense to ask again after this time, not before.
    Refused {
        wait: Duration,
    },
}

/// Nobody can tell.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct RatesError(#[from] ValkeyError);
