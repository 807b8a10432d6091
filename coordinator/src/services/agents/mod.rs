//! Agents: inviting, enrolling, admitting, revoking.

mod enrolment;

pub use enrolment::{EnrolError, Enrolment, Invited, NewInvite};

use std::sync::Arc;

use enrolment::MAX_NAME_LENGTH;
use shared::clock::Clock;
use shared::hash::Sha256;
use shared::id::{AgentId, SiteId};
use shared::time::WallTime;
use shared::wire::control::{BufferStatus, UplinkStatus};

use super::access::{AccessError, AdminGrant};
use super::{EdgeSource, Parts};
use crate::domain::access::Deed;
use crate::domain::agent::{Agent, PublicKey};
use crate::domain::audit::What;
use crate::stores::{Store, StoreError};

#[derive(Debug)]
pub struct Agents {
    store: Arc<dyn Store>,
    edges: Arc<dyn EdgeSource>,
    clock: Arc<dyn Clock>,
}

/// That a peer is an agent of ours. Made from its certificate for the life of one connection.
#[derive(Clone, Debug)]
pub struct AgentGrant {
    id: AgentId,
    public_key: PublicKey,
}

impl AgentGrant {
    pub const fn id(&self) -> AgentId {
        self.id
    }

    pub(super) const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
}

/// An agent for display.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentView {
    pub id: AgentId,
    pub name: String,
    pub site: SiteId,
    pub site_name: String,
    pub version: Option<String>,
    pub host: Option<String>,
    /// IANA name of the zone of its site.
    pub time_zone: Option<String>,
    pub state: AgentState,
    pub last_seen: Option<WallTime>,
    pub connected_since: Option<WallTime>,
    pub buffer: Option<BufferStatus>,
    pub uplink: UplinkStatus,
    /// How many of its cameras the actor may see.
    pub cameras: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentState {
    Connected,
    Offline,
    Revoked,
}

#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("the name of {what} has 1 to {MAX_NAME_LENGTH} characters and no control characters")]
    Name { what: &'static str },
    #[error("an invitation is valid from one minute to 30 days")]
    Validity,
    #[error("there is no agent {id}")]
    Unknown { id: AgentId },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a peer with a certificate of our authority is not let in.
#[derive(Debug, thiserror::Error)]
pub enum NotAdmitted {
    #[error("agent {id} is not enrolled here")]
    Unknown { id: AgentId },
    #[error("agent {id} was revoked")]
    Revoked { id: AgentId },
    #[error("agent {id} presented a certificate that a newer one has replaced")]
    Replaced { id: AgentId },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Agents {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            edges: Arc::clone(&parts.edges),
            clock: Arc::clone(&parts.clock),
        }
    }

    /// Lets in a peer whose certificate our authority signed: `id` is the certificate's subject,
    /// `certificate` the SHA-256 of its DER.
    ///
    /// # Errors
    /// It is unknown, revoked, or replaced by a newer certificate.
    pub async fn admit(&self, id: AgentId, certificate: Sha256) -> Result<AgentGrant, NotAdmitted> {
        let agent = self.store.agent(id).await?;
        let agent = agent.ok_or(NotAdmitted::Unknown { id })?;
        if agent.revoked_at.is_some() {
            return Err(NotAdmitted::Revoked { id });
        }
        if agent.certificate != certificate {
            return Err(NotAdmitted::Replaced { id });
        }
        Ok(AgentGrant {
            id,
            public_key: agent.public_key,
        })
    }

    /// By name.
    ///
    /// # Errors
    /// The store failed.
    pub async fn list(&self, grant: &AdminGrant) -> Result<Vec<AgentView>, AgentError> {
        grant.for_deed(Deed::ViewAgents)?;
        let cameras = self.store.cameras().await?;
        let agents = self.store.agents().await?;
        let count = |id| {
            let visible = cameras
                .iter()
                .filter(|camera| camera.agent == id && grant.may_view(camera));
            u32::try_from(visible.count()).unwrap_or(u32::MAX)
        };
        Ok(agents
            .into_iter()
            .map(|agent| {
                let cameras = count(agent.id);
                self.view(agent, cameras)
            })
            .collect())
    }

    /// Refuses the agent from now on and ends its connection. What it sent stays.
    ///
    /// # Errors
    /// There is no such agent.
    pub async fn revoke(&self, grant: &AdminGrant, id: AgentId) -> Result<(), AgentError> {
        grant.for_deed(Deed::ManageAgents)?;
        let now = self.clock.wall();
        let entry = grant.entry(now, What::AgentRevoked).on(id);
        if !self.store.revoke(id, now, entry).await? {
            return Err(AgentError::Unknown { id });
        }
        self.edges.disconnect(id);
        Ok(())
    }

    fn view(&self, agent: Agent, cameras: u32) -> AgentView {
        let state = if agent.revoked_at.is_some() {
            AgentState::Revoked
        } else if self.edges.is_connected(agent.id) {
            AgentState::Connected
        } else {
            AgentState::Offline
        };
        let heard = agent.status.as_ref().map(|status| status.received_at);
        let greeted = agent.greeting.as_ref().map(|greeting| greeting.at);
        let (version, host, time_zone) = match agent.greeting {
            Some(greeting) => (
                Some(greeting.version),
                Some(greeting.host),
                greeting.time_zone,
            ),
            None => (None, None, None),
        };
        let (buffer, uplink) = agent
            .status
            .map(|status| (status.heartbeat.buffer, status.heartbeat.uplink))
            .unzip();
        AgentView {
            id: agent.id,
            name: agent.name,
            site: agent.site,
            site_name: agent.site_name,
            version,
            host,
            time_zone,
            state,
            last_seen: heard.max(greeted),
            connected_since: self.edges.connected_since(agent.id),
            buffer,
            uplink: uplink.unwrap_or_default(),
            cameras,
        }
    }
}

#[cfg(test)]
mod tests;
