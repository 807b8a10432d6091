//! What agents tell and send: greetings, heartbeats, metadata, bytes.
//!
//! Nothing here parses media: what a segment is made of stands in its index, and its bytes are only
//! compared with that.

mod belief;
mod offer;
mod room;
mod sink;

use std::sync::Arc;

use shared::clock::Clock;
use shared::id::{AgentId, CommandId};
use shared::wire::control::{CameraInfo, Command, CommandOutcome, Heartbeat, Hello};
use shared::wire::segment::{Report, ReportAck};

pub use offer::Offered;
pub use sink::{UploadSink, Written};

use self::room::Room;
use super::agents::AgentGrant;
use super::{Figures, Parts, ServicesConfig};
use crate::domain::agent::{AgentStatus, Greeting};
use crate::stores::objects::{ObjectError, Objects};
use crate::stores::{Applied, Owner, Store, StoreError};

/// The centre's side of the synchronisation. Everything is idempotent by id and durable before it
/// is acknowledged.
#[derive(Debug)]
pub struct Ingest {
    store: Arc<dyn Store>,
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
    figures: Arc<Figures>,
    room: Room,
    /// Who we are in leases.
    owner: Owner,
    reserve_bytes: u64,
}

/// Nothing was stored; the agent will try again.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("the greeting names agent {named}, the certificate agent {certified}")]
    WrongAgent { named: AgentId, certified: AgentId },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Objects(#[from] ObjectError),
}

impl Ingest {
    pub(super) fn new(
        parts: &Parts,
        objects: Arc<dyn Objects>,
        config: &ServicesConfig,
        owner: Owner,
    ) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            objects,
            clock: Arc::clone(&parts.clock),
            figures: Arc::clone(&parts.figures),
            room: Room::new(config.uploads_per_agent, config.uploads_total),
            owner,
            reserve_bytes: config.reserve_bytes,
        }
    }

    /// Notes the agent's greeting and cameras. Returns a command that it has to be sent after the
    /// welcome: settings that it has not confirmed yet.
    ///
    /// # Errors
    /// The greeting is another agent's, or the store failed.
    pub async fn hello(
        &self,
        agent: &AgentGrant,
        hello: &Hello,
    ) -> Result<Option<Command>, IngestError> {
        if hello.agent != agent.id() {
            return Err(IngestError::WrongAgent {
                named: hello.agent,
                certified: agent.id(),
            });
        }
        let greeting = Greeting {
            boot: hello.boot,
            version: belief::line(&hello.version),
            host: belief::line(&hello.host),
            time_zone: hello.time_zone.as_deref().and_then(belief::zone),
            at: self.clock.wall(),
        };
        self.store.greet(agent.id(), greeting).await?;
        self.cameras(agent, hello.cameras.clone()).await?;
        Ok(self.store.pending_command(agent.id()).await?)
    }

    /// The agent's list of cameras changed.
    ///
    /// # Errors
    /// The store failed.
    pub async fn cameras(
        &self,
        agent: &AgentGrant,
        mut cameras: Vec<CameraInfo>,
    ) -> Result<(), IngestError> {
        for camera in &mut cameras {
            camera.name = belief::line(&camera.name);
        }
        for camera in self.store.tell_cameras(agent.id(), cameras).await? {
            tracing::warn!(
                agent.id = %agent.id(), camera.id = %camera,
                "an agent names a camera that belongs to another one; ignored"
            );
        }
        Ok(())
    }

    /// # Errors
    /// The store failed; the next heartbeat will do.
    pub async fn heartbeat(
        &self,
        agent: &AgentGrant,
        heartbeat: Heartbeat,
    ) -> Result<(), IngestError> {
        let status = AgentStatus {
            received_at: self.clock.wall(),
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
    /// A record that cannot be believed (it contradicts itself, its signature is wrong, it is about
    /// another agent's camera) is set aside and acknowledged like the others.
    ///
    /// # Errors
    /// Nothing of it was stored.
    pub async fn report(
        &self,
        agent: &AgentGrant,
        report: Report,
    ) -> Result<Option<ReportAck>, IngestError> {
        let through = report.records.iter().map(|record| record.seq).max();
        let records = report.records.len() as u64;
        let judged = belief::judge(agent, report).await;
        if judged.changes.is_empty() && through.is_none() {
            return Ok(None);
        }
        let applied = self
            .store
            .apply(agent.id(), judged.changes, through, self.clock.wall())
            .await?;
        warn(agent, &applied);
        self.figures.reports.add(1);
        self.figures.records.add(records);
        let set_aside = judged.disbelieved + applied.foreign.len() as u64;
        self.figures.records_set_aside.add(set_aside);
        Ok(through.map(|through| ReportAck { through }))
    }

    /// The agent's connection has ended. What it had begun ends with its streams; nothing is held
    /// for it.
    pub fn disconnected(&self, agent: &AgentGrant) {
        tracing::info!(agent.id = %agent.id(), "an agent's connection ended");
    }
}

fn warn(agent: &AgentGrant, applied: &Applied) {
    if !applied.foreign.is_empty() {
        tracing::error!(
            agent.id = %agent.id(), records = applied.foreign.len(),
            "an agent reported what belongs to another one; set aside"
        );
    }
    for segment in &applied.unconnected {
        tracing::warn!(
            agent.id = %agent.id(), segment.id = %segment,
            "news of a growing segment does not continue what is known; ignored until it is closed"
        );
    }
}

#[cfg(test)]
mod tests;
