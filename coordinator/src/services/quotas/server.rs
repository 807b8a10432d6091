//! The server that coordinators count on together: whether its word counts at the moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::domain::quota::Limits;
use crate::services::Figures;
use crate::stores::quotas::in_process::InProcess;
use crate::stores::quotas::valkey::Shared;
use crate::stores::quotas::{Quotas, QuotasError};
use crate::stores::valkey::Valkey;

/// How often a server that is gone is looked for.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Server {
    connection: Arc<Valkey>,
    shared: Shared,
    /// It knows of everything that runs here.
    counts: AtomicBool,
    /// Its loss has been told.
    missed: AtomicBool,
    lost: Notify,
    figures: Arc<Figures>,
}

impl Server {
    pub(super) fn new(connection: Arc<Valkey>, figures: Arc<Figures>) -> Self {
        Self {
            shared: Shared::new(connection.clone()),
            connection,
            counts: AtomicBool::new(false),
            missed: AtomicBool::new(false),
            lost: Notify::new(),
            figures,
        }
    }

    /// One whose leases end by this clock.
    #[cfg(test)]
    pub(super) fn simulated(connection: Arc<Valkey>, clock: Arc<dyn shared::clock::Clock>) -> Self {
        Self {
            shared: Shared::simulated(connection.clone(), clock),
            ..Self::new(connection, Arc::default())
        }
    }

    /// What it says; `None` while its word does not count.
    pub(super) async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&Shared) -> Result<T, QuotasError>,
    ) -> Option<T> {
        if !self.counts.load(Ordering::Acquire) {
            return None;
        }
        match question(&self.shared).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.counts.store(false, Ordering::Release);
                self.miss(&error);
                self.lost.notify_one();
                None
            }
        }
    }

    /// Whether its loss has been told and its return not.
    pub(super) fn is_lost(&self) -> bool {
        self.missed.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(super) fn counts(&self) -> bool {
        self.counts.load(Ordering::Acquire)
    }

    /// Connects, tells what runs here, and again whenever it was lost, until dropped.
    pub(super) async fn follow(&self, own: &InProcess) {
        loop {
            match self.join(own).await {
                Ok(()) => self.lost.notified().await,
                Err(error) => {
                    self.counts.store(false, Ordering::Release);
                    self.miss(&error);
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    pub(super) async fn join(&self, own: &InProcess) -> Result<(), QuotasError> {
        self.connection.connect().await?;
        self.tell(own).await?;
        self.counts.store(true, Ordering::Release);
        // And of what began while it was told of the others.
        self.tell(own).await?;
        let server = self.connection.name();
        if self.missed.swap(false, Ordering::Relaxed) {
            self.figures.quotas_apart.subtract(1);
            tracing::warn!(server, "streams are counted together again");
        } else {
            tracing::info!(server, "streams are counted together");
        }
        Ok(())
    }

    /// What runs is counted, whatever the limits are.
    async fn tell(&self, own: &InProcess) -> Result<(), QuotasError> {
        for (held, left) in own.live() {
            self.shared.reserve(&held, left, Limits::NONE).await?;
            // Given back in between: whoever did so may have been faster at the server.
            if own.find_now(held.id).as_ref() != Some(&held) {
                self.shared.release(&held).await?;
            }
        }
        Ok(())
    }

    /// Says once that it is gone.
    fn miss(&self, error: &QuotasError) {
        if !self.missed.swap(true, Ordering::Relaxed) {
            self.figures.quotas_apart.add(1);
            tracing::error!(%error, "streams cannot be counted together until the server is back");
        }
    }
}
