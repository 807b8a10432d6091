//! The audit as a whole: whether its chain holds, and who remembers it. Entries are made where
//! things are done.

pub(in crate::services) mod notes;
mod outside;
mod search;
mod witnesses;

pub use witnesses::ChainView;

use std::sync::Arc;

use shared::clock::Clock;
use shared::wire::control::AuditHead;
use tokio::sync::watch;

use super::access::{AccessError, AdminGrant};
use notes::Notes;

use super::{Figures, Parts};
use crate::domain::access::Deed;
use crate::domain::audit::chain::{Broken, Head, Verifier};
use crate::stores::{Store, StoreError};

#[derive(Debug)]
pub struct Audit {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    figures: Arc<Figures>,
    notes: Arc<Notes>,
    head: watch::Sender<Option<AuditHead>>,
    walked: watch::Sender<witnesses::Walked>,
}

#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("the audit is broken: {0}")]
    Broken(#[from] Broken),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// To see the chain and what is known of it.
const VIEW: Deed = Deed::ViewAudit;
/// Entries read at once.
const PAGE: usize = 4_096;

impl Audit {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            clock: Arc::clone(&parts.clock),
            figures: Arc::clone(&parts.figures),
            notes: Arc::clone(&parts.notes),
            head: watch::Sender::default(),
            walked: watch::Sender::default(),
        }
    }

    /// Walks the whole chain, also while it grows, and compares it with heads that were noted
    /// somewhere else. Gives the last entry that was walked.
    ///
    /// # Errors
    /// [`AuditError::Broken`] names the first entry that is not what it was.
    pub async fn verify(
        &self,
        grant: &AdminGrant,
        remembered: Vec<Head>,
    ) -> Result<Option<Head>, AuditError> {
        grant.for_deed(VIEW)?;
        self.walk(remembered).await
    }

    async fn walk(&self, remembered: Vec<Head>) -> Result<Option<Head>, AuditError> {
        let mut verifier = Verifier::new(remembered);
        loop {
            let records = self.store.audit_records(verifier.length(), PAGE);
            let records = records.await?;
            if records.is_empty() {
                return Ok(verifier.end()?);
            }
            let walked = tokio::task::spawn_blocking(move || {
                let walked = records.iter().try_for_each(|record| verifier.next(record));
                walked.map(|()| verifier)
            });
            verifier = walked.await.map_err(|error| StoreError::Failed {
                attempted: "verify the audit",
                message: error.to_string(),
            })??;
        }
    }
}

#[cfg(test)]
mod tests;
