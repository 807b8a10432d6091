//! Inviting and enrolling: from a code that works once to an agent that is entered.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use shared::hash::Sha256;
use shared::id::{AgentId, InviteId, SiteId};
use shared::time::WallTime;
use shared::wire::enrol::EnrolRefusal;

use super::super::access::AdminGrant;
use super::super::users::random_bytes;
use super::{AgentError, Agents};
use crate::domain::access::Deed;
use crate::domain::agent::{Invite, InviteState, MAX_INVITE_VALIDITY, PublicKey};
use crate::domain::audit::{Entry, What, Who};
use crate::stores::{Enrolled, Enrolment as EnrolmentRow, NewInvite as InviteRow, StoreError};

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

/// Why an enrolment goes no further.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// For the agent.
    #[error(transparent)]
    Refused(#[from] EnrolRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub(super) const MAX_NAME_LENGTH: usize = 100;

impl Agents {
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
        let entry = grant.entry(now, What::InviteCreated).on(row.id);
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
