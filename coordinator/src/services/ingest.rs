//! What agents tell and send: greetings, heartbeats, metadata, bytes.

use std::sync::Arc;

use bytes::Bytes;
use shared::clock::Clock;
use shared::id::CommandId;
use shared::wire::control::{CameraInfo, Command, CommandOutcome, Heartbeat, Hello};
use shared::wire::segment::{Report, ReportAck, UploadOffer, UploadResult};

use super::Parts;
use super::agents::AgentGrant;
use crate::stores::objects::ObjectError;
use crate::stores::{Store, StoreError};

/// The centre's side of the synchronisation. Everything is idempotent by id and durable before it
/// is acknowledged.
#[derive(Debug)]
pub struct Ingest {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

/// Nothing was stored; the agent will try again.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Objects(#[from] ObjectError),
}

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

/// Where the bytes of one upload go. Dropping it keeps what was verified for the next attempt.
#[derive(Debug)]
pub struct UploadSink(());

/// What became of bytes that were written into a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Send more.
    More,
    /// A fragment does not have the hash of the index, or there are more bytes than announced:
    /// nothing more is taken, [`UploadSink::finish`] says what to answer. Stop the stream.
    Stop,
}

impl UploadSink {
    /// Takes the next bytes; waits when the disk cannot keep up. Small pieces are gathered.
    pub async fn write(&mut self, _piece: Bytes) -> Written {
        tokio::task::yield_now().await;
        Written::Stop
    }

    /// After the last byte: makes the object durable, then enters it into the catalogue.
    pub async fn finish(self) -> UploadResult {
        tokio::task::yield_now().await;
        UploadResult::Failed {
            message: "not open".to_owned(),
        }
    }
}

impl Ingest {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            clock: Arc::clone(&parts.clock),
        }
    }

    /// Notes the agent's greeting and cameras. Returns a command that it has to be sent after the
    /// welcome: settings that it has not confirmed yet.
    ///
    /// # Errors
    /// The store failed.
    pub async fn hello(
        &self,
        agent: &AgentGrant,
        hello: &Hello,
    ) -> Result<Option<Command>, IngestError> {
        let _ = hello;
        Ok(self.store.pending_command(agent.id()).await?)
    }

    /// The agent's list of cameras changed.
    ///
    /// # Errors
    /// The store failed.
    pub async fn cameras(
        &self,
        agent: &AgentGrant,
        cameras: Vec<CameraInfo>,
    ) -> Result<(), IngestError> {
        self.store.tell_cameras(agent.id(), cameras).await?;
        Ok(())
    }

    /// # Errors
    /// The store failed; the next heartbeat will do.
    pub async fn heartbeat(
        &self,
        agent: &AgentGrant,
        heartbeat: Heartbeat,
    ) -> Result<(), IngestError> {
        let received_at = self.clock.wall();
        let status = crate::domain::agent::AgentStatus {
            received_at,
            heartbeat,
        };
        Ok(self.store.save_status(agent.id(), status).await?)
    }

    /// The outcome of a command that [`Ingest::hello`] returned.
    ///
    /// # Errors
    /// The store failed.
    pub async fn command_result(
        &self,
        agent: &AgentGrant,
        id: CommandId,
        outcome: CommandOutcome,
    ) -> Result<(), IngestError> {
        let now = self.clock.wall();
        Ok(self
            .store
            .finish_command(agent.id(), id, outcome, now)
            .await?)
    }

    /// Stores a batch of metadata in one transaction. The acknowledgement, absent for a report
    /// without durable records, may be sent as soon as this returns.
    ///
    /// # Errors
    /// Nothing of it was stored.
    pub async fn report(
        &self,
        agent: &AgentGrant,
        report: Report,
    ) -> Result<Option<ReportAck>, IngestError> {
        let _ = (agent, report);
        Err(StoreError::Closed.into())
    }

    /// Decides about an offered upload.
    ///
    /// # Errors
    /// The store failed; answer that it is to come later.
    pub async fn offer(
        &self,
        agent: &AgentGrant,
        offer: UploadOffer,
    ) -> Result<Offered, IngestError> {
        let _ = (agent, offer);
        Err(StoreError::Closed.into())
    }

    /// The agent's connection has ended.
    pub fn disconnected(&self, agent: &AgentGrant) {
        tracing::debug!(agent.id = %agent.id(), "an agent's connection ended");
    }
}
