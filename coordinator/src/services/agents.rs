//! Agents: inviting, enrolling, admitting, revoking.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use shared::clock::Clock;
use shared::hash::Sha256;
use shared::id::{AgentId, InviteId, SiteId};
use shared::time::WallTime;
use shared::wire::control::{BufferStatus, UplinkStatus};
use shared::wire::enrol::EnrolRefusal;

use super::access::{AccessError, AdminGrant};
use super::users::random_bytes;
use super::{EdgeSource, Parts};
use crate::domain::access::Deed;
use crate::domain::agent::{Agent, Invite, InviteState, MAX_INVITE_VALIDITY, PublicKey};
use crate::domain::audit::{Entry, What, Who};
use crate::stores::{
    Enrolled, Enrolment as EnrolmentRow, NewInvite as InviteRow, Store, StoreError,
};

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

/// What to invite.
#[derive(Clone, Debug)]
pub struct NewInvite {
    /// Made when there is none of that name.
    pub site_name: String,
    /// Outranks the installer's suggestion.
    pub agent_name: Option<String>,
    /// At most 30 days.
    pub valid_for: Duration,
}

/// A fresh invitation. The secret is told this once; with the coordinator's address and the hash of
/// its authority it makes an enrolment code.
#[derive(Debug)]
pub struct Invited {
    pub id: InviteId,
    pub secret: SecretString,
    pub expires_at: WallTime,
}

/// An agent that may be enrolled: everything its certificate has to say. Ends in
/// [`Agents::complete_enrolment`], or in nothing.
#[derive(Debug)]
pub struct Enrolment {
    pub agent: AgentId,
    pub site: SiteId,
    pub site_name: String,
    /// What the agent is called from now on.
    pub name: String,
    pub public_key: PublicKey,
    invite: InviteId,
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

/// Why an enrolment goes no further.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// For the agent.
    #[error(transparent)]
    Refused(#[from] EnrolRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

const MAX_NAME_LENGTH: usize = 100;

impl Agents {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            store: Arc::clone(&parts.store),
            edges: Arc::clone(&parts.edges),
            clock: Arc::clone(&parts.clock),
        }
    }

    /// # Errors
    /// A name or the validity is out of range.
    pub async fn create_invite(
        &self,
        grant: &AdminGrant,
        new: NewInvite,
    ) -> Result<Invited, AgentError> {
        grant.for_deed(Deed::ManageAgents)?;
        let site_name = checked_name("the site", &new.site_name)?;
        let agent_name = match &new.agent_name {
            Some(name) => Some(checked_name("the agent", name)?),
            None => None,
        };
        if new.valid_for < Duration::from_secs(60) || new.valid_for > MAX_INVITE_VALIDITY {
            return Err(AgentError::Validity);
        }
        let now = self.clock.wall();
        let secret = SecretString::from(BASE64URL_NOPAD.encode(&random_bytes::<16>()));
        let row = InviteRow {
            id: InviteId::new(now),
            site_name,
            new_site: SiteId::new(now),
            agent_name,
            secret: hash_of(&secret),
            created_at: now,
            created_by: grant.user_id(),
            expires_at: now + new.valid_for,
        };
        let entry = Entry::new(now, grant.who(), What::InviteCreated).on(row.id);
        let entry = entry.with(json!({ "site": &row.site_name, "agent": &row.agent_name }));
        let invite = self.store.create_invite(row, entry).await?;
        Ok(Invited {
            id: invite.id,
            secret,
            expires_at: invite.expires_at,
        })
    }

    /// Newest first, without secrets.
    ///
    /// # Errors
    /// The store failed.
    pub async fn invites(&self, grant: &AdminGrant) -> Result<Vec<Invite>, AgentError> {
        grant.for_deed(Deed::ManageAgents)?;
        Ok(self.store.invites().await?)
    }

    /// Looks at an enrolment code's secret. `public_key` is that of the certificate request, whose
    /// own signature the caller has verified; a key that was enrolled before keeps its agent id.
    ///
    /// # Errors
    /// The refusal to send to the agent.
    pub async fn begin_enrolment(
        &self,
        secret: &SecretString,
        public_key: PublicKey,
        suggested_name: &str,
    ) -> Result<Enrolment, EnrolError> {
        let now = self.clock.wall();
        let invite = self.store.invite_by_secret(hash_of(secret)).await?;
        let invite = invite.ok_or(EnrolRefusal::UnknownCode)?;
        let known = match invite.state(&public_key, now) {
            InviteState::Open => self.store.agent_by_key(public_key).await?,
            InviteState::Repeated(agent) => self.store.agent(agent).await?,
            InviteState::Used => return Err(EnrolRefusal::CodeUsed.into()),
            InviteState::Expired => return Err(EnrolRefusal::CodeExpired.into()),
        };
        let name = match &invite.agent_name {
            Some(name) => name.clone(),
            None => {
                checked_name("the agent", suggested_name).map_err(|_| EnrolRefusal::BadRequest)?
            }
        };
        Ok(Enrolment {
            agent: known.map_or_else(|| AgentId::new(now), |agent| agent.id),
            site: invite.site,
            site_name: invite.site_name,
            name,
            public_key,
            invite: invite.id,
        })
    }

    /// Uses the code and enters the agent with the certificate that was issued to it. Only after
    /// this may the certificate be handed out.
    ///
    /// # Errors
    /// The code has been used in the meantime.
    pub async fn complete_enrolment(
        &self,
        enrolment: Enrolment,
        certificate: Sha256,
    ) -> Result<(), EnrolError> {
        let now = self.clock.wall();
        let entry = Entry::new(now, Who::Agent(enrolment.agent), What::AgentEnrolled)
            .on(enrolment.agent)
            .with(json!({ "invite": enrolment.invite, "name": &enrolment.name }));
        let row = EnrolmentRow {
            invite: enrolment.invite,
            agent: enrolment.agent,
            name: enrolment.name,
            public_key: enrolment.public_key,
            certificate,
            at: now,
        };
        match self.store.enrol(row, entry).await? {
            Enrolled::Yes => Ok(()),
            Enrolled::No => Err(EnrolRefusal::CodeUsed.into()),
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
                .filter(|camera| camera.agent == id && grant.may_view(&camera.agency));
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
        let entry = Entry::new(now, grant.who(), What::AgentRevoked).on(id);
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
        let (version, host) = agent
            .greeting
            .map(|greeting| (greeting.version, greeting.host))
            .unzip();
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
            state,
            last_seen: heard.max(greeted),
            connected_since: self.edges.connected_since(agent.id),
            buffer,
            uplink: uplink.unwrap_or_default(),
            cameras,
        }
    }
}

fn hash_of(secret: &SecretString) -> Sha256 {
    Sha256::of(secret.expose_secret().as_bytes())
}

fn checked_name(what: &'static str, name: &str) -> Result<String, AgentError> {
    let name = name.trim();
    let length = name.chars().count();
    if length == 0 || length > MAX_NAME_LENGTH || name.chars().any(char::is_control) {
        return Err(AgentError::Name { what });
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NOW, World};
    use super::*;

    async fn invite(world: &World, valid_for: u64) -> Invited {
        let grant = world.services.access.console(Deed::ManageAgents);
        let new = NewInvite {
            site_name: " Depot ".to_owned(),
            agent_name: None,
            valid_for: Duration::from_secs(valid_for),
        };
        world
            .services
            .agents
            .create_invite(&grant, new)
            .await
            .unwrap()
    }

    async fn refusal(world: &World, secret: &SecretString, key: u8) -> EnrolRefusal {
        let begun = world
            .services
            .agents
            .begin_enrolment(secret, [key; 32], "nvr")
            .await;
        match begun.unwrap_err() {
            EnrolError::Refused(refusal) => refusal,
            other => panic!("{other}"),
        }
    }

    #[tokio::test]
    async fn a_code_enrols_one_key_and_again_that_one() {
        let world = World::new().await;
        let agents = &world.services.agents;
        let invited = invite(&world, 600).await;
        let enrolment = agents
            .begin_enrolment(&invited.secret, [1; 32], "nvr")
            .await
            .unwrap();
        // Somebody else was looking at the same code at the same time.
        let rival = agents
            .begin_enrolment(&invited.secret, [2; 32], "nvr")
            .await
            .unwrap();
        let id = enrolment.agent;
        assert_eq!(
            (enrolment.name.as_str(), enrolment.site_name.as_str()),
            ("nvr", "Depot")
        );
        agents
            .complete_enrolment(enrolment, Sha256::of(b"1"))
            .await
            .unwrap();
        let late = agents.complete_enrolment(rival, Sha256::of(b"2")).await;
        assert!(matches!(
            late,
            Err(EnrolError::Refused(EnrolRefusal::CodeUsed))
        ));
        assert_eq!(
            refusal(&world, &invited.secret, 2).await,
            EnrolRefusal::CodeUsed
        );
        // The answer was lost.
        let again = agents
            .begin_enrolment(&invited.secret, [1; 32], "nvr")
            .await
            .unwrap();
        assert_eq!(again.agent, id);
        agents
            .complete_enrolment(again, Sha256::of(b"3"))
            .await
            .unwrap();
        assert!(agents.admit(id, Sha256::of(b"3")).await.is_ok());
        let replaced = agents.admit(id, Sha256::of(b"1")).await;
        assert!(matches!(replaced, Err(NotAdmitted::Replaced { .. })));
        let unknown = agents.admit(AgentId::new(NOW), Sha256::of(b"3")).await;
        assert!(matches!(unknown, Err(NotAdmitted::Unknown { .. })));
    }

    #[tokio::test]
    async fn codes_that_are_wrong_or_old_are_refused() {
        let world = World::new().await;
        let invited = invite(&world, 600).await;
        let wrong = SecretString::from("wrong");
        assert_eq!(refusal(&world, &wrong, 1).await, EnrolRefusal::UnknownCode);
        let begun = world
            .services
            .agents
            .begin_enrolment(&invited.secret, [1; 32], "\n")
            .await;
        assert!(matches!(
            begun,
            Err(EnrolError::Refused(EnrolRefusal::BadRequest))
        ));
        world.clock.advance(Duration::from_secs(600));
        assert_eq!(
            refusal(&world, &invited.secret, 1).await,
            EnrolRefusal::CodeExpired
        );
        let grant = world.services.access.console(Deed::ManageAgents);
        for (site_name, valid_for) in [("", 600), ("x", 59), ("x", 31 * 24 * 3600)] {
            let new = NewInvite {
                site_name: site_name.to_owned(),
                agent_name: None,
                valid_for: Duration::from_secs(valid_for),
            };
            assert!(
                world
                    .services
                    .agents
                    .create_invite(&grant, new)
                    .await
                    .is_err()
            );
        }
        let listed = world.services.agents.invites(&grant).await.unwrap();
        assert_eq!(listed.len(), 1);
    }

    #[tokio::test]
    async fn a_revoked_agent_is_sent_away_until_it_is_invited_again() {
        let world = World::new().await;
        let agents = &world.services.agents;
        let agent = world.agent_with([1; 32]).await;
        world.edges.connect(agent.id());
        let grant = world.services.access.console(Deed::ManageAgents);
        agents.revoke(&grant, agent.id()).await.unwrap();
        assert_eq!(world.edges.disconnected(), [agent.id()]);
        let refused = agents.admit(agent.id(), Sha256::of(&[1; 32])).await;
        assert!(matches!(refused, Err(NotAdmitted::Revoked { .. })));
        let viewing = world.services.access.console(Deed::ViewAgents);
        assert_eq!(
            agents.list(&viewing).await.unwrap()[0].state,
            AgentState::Revoked
        );
        let back = world.agent_with([1; 32]).await;
        assert_eq!(back.id(), agent.id());
        assert_eq!(
            agents.list(&viewing).await.unwrap()[0].state,
            AgentState::Offline
        );
        let unknown = agents.revoke(&grant, AgentId::new(NOW)).await;
        assert!(matches!(unknown, Err(AgentError::Unknown { .. })));
    }
}
