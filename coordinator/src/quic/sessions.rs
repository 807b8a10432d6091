//! The connected agents, one session each, and what services may ask of them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use shared::clock::Clock;
use shared::id::{AgentId, CameraId, SegmentId};
use shared::segment::StreamKind;
use shared::time::WallTime;
use shared::wire::CloseCode;
use shared::wire::control::{Action, Command, CommandOutcome};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::agent_session::Session;
use super::control::Order;
use super::live;
use crate::metrics::Meters;
use crate::services::edge_source::{EdgeBytes, EdgeError, EdgePictures, EdgeSource};

/// How long a command may take.
const COMMAND_PATIENCE: Duration = Duration::from_secs(10);
/// A probe measures for up to 20 seconds.
const PROBE_PATIENCE: Duration = Duration::from_secs(30);

/// Which agents are connected. No truth: a restart forgets it, and they connect again.
pub struct Sessions {
    connected: RwLock<HashMap<AgentId, Arc<Session>>>,
    meters: Meters,
    clock: Arc<dyn Clock>,
}

impl Sessions {
    pub fn new(meters: Meters, clock: Arc<dyn Clock>) -> Self {
        Self {
            connected: RwLock::default(),
            meters,
            clock,
        }
    }

    /// A newer session of the same agent takes the older one's place: the older connection may be
    /// dead without anybody having noticed.
    pub(super) fn add(&self, session: &Arc<Session>) {
        let mut connected = self.write();
        let older = connected.insert(session.grant.id(), session.clone());
        self.meters.agents_connected(connected.len());
        drop(connected);
        if let Some(older) = older {
            older.close(CloseCode::Replaced, "a newer connection takes over");
        }
    }

    /// Whether it was still the agent's present session.
    pub(super) fn remove(&self, session: &Arc<Session>) -> bool {
        let mut connected = self.write();
        let agent = session.grant.id();
        let present = connected
            .get(&agent)
            .is_some_and(|found| Arc::ptr_eq(found, session));
        if present {
            connected.remove(&agent);
            self.meters.agents_connected(connected.len());
        }
        present
    }

    fn session(&self, agent: AgentId) -> Option<Arc<Session>> {
        let connected = self.connected.read();
        let connected = connected.unwrap_or_else(PoisonError::into_inner);
        let session = connected.get(&agent)?;
        // Its task may not have noticed the end yet.
        let open = session.connection.close_reason().is_none();
        open.then(|| session.clone())
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<AgentId, Arc<Session>>> {
        self.connected
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sessions")
    }
}

#[async_trait]
impl EdgeSource for Sessions {
    fn is_connected(&self, agent: AgentId) -> bool {
        self.session(agent).is_some()
    }

    fn connected_since(&self, agent: AgentId) -> Option<WallTime> {
        Some(self.session(agent)?.connected_at)
    }

    async fn fetch(
        &self,
        agent: AgentId,
        segment: SegmentId,
        range: Range<u64>,
    ) -> Result<EdgeBytes, EdgeError> {
        let session = self.session(agent).ok_or(EdgeError::Offline)?;
        let started = self.clock.monotonic();
        let bytes = session.fetch(segment, range).await;
        let mut bytes = bytes.inspect_err(|_| self.meters.pull(None))?;
        let (meters, clock) = (self.meters.clone(), self.clock.clone());
        let mut first = true;
        // The first piece tells how long the viewer waited.
        let measured = futures::stream::poll_fn(move |context| {
            let piece = futures::ready!(bytes.poll_next_unpin(context));
            if std::mem::take(&mut first) {
                let took = clock.monotonic().saturating_sub(started);
                let brought = matches!(piece, Some(Ok(_)));
                meters.pull(brought.then_some(took));
            }
            std::task::Poll::Ready(piece)
        });
        Ok(measured.boxed())
    }

    async fn live(
        &self,
        agent: AgentId,
        camera: CameraId,
        stream: StreamKind,
    ) -> Result<EdgePictures, EdgeError> {
        let session = self.session(agent).ok_or(EdgeError::Offline)?;
        live::pull(&session, camera, stream).await
    }

    async fn command(&self, agent: AgentId, command: Command) -> Result<CommandOutcome, EdgeError> {
        let session = self.session(agent).ok_or(EdgeError::Offline)?;
        let patience = match command.action {
            Action::Probe { .. } => PROBE_PATIENCE,
            _ => COMMAND_PATIENCE,
        };
        let (outcome, answer) = oneshot::channel();
        let order = Order { command, outcome };
        session
            .orders
            .try_send(order)
            .map_err(|error| match error {
                TrySendError::Full(_) => EdgeError::Overloaded,
                TrySendError::Closed(_) => EdgeError::Offline,
            })?;
        tokio::time::timeout(patience, answer)
            .await
            .map_err(|_| EdgeError::TimedOut)?
            .map_err(|_| EdgeError::Offline)
    }

    fn disconnect(&self, agent: AgentId) {
        if let Some(session) = self.session(agent) {
            session.close(CloseCode::Revoked, "the agent was revoked");
        }
    }
}
