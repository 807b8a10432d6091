//! Sites, the agents installed there, and the invitations that enrol them.

use std::time::Duration;

use shared::hash::Sha256;
use shared::id::{AgentId, BootId, InviteId, SiteId, UserId};
use shared::time::WallTime;
use shared::wire::control::Heartbeat;

/// A place with cameras.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    pub id: SiteId,
    pub name: String,
}

/// An enrolled agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent {
    pub id: AgentId,
    pub site: SiteId,
    pub site_name: String,
    pub name: String,
    /// Ed25519; the key of its certificate, and of the signatures under its segments.
    pub public_key: PublicKey,
    /// SHA-256 of the DER of the newest certificate issued to it; older ones are not admitted.
    pub certificate: Sha256,
    pub enrolled_at: WallTime,
    pub revoked_at: Option<WallTime>,
    /// As of its latest greeting; `None` until it first connected.
    pub greeting: Option<Greeting>,
    /// Its latest heartbeat.
    pub status: Option<AgentStatus>,
}

/// An Ed25519 public key (RFC 8032).
pub type PublicKey = [u8; 32];

/// What an agent said of itself as it connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    pub boot: BootId,
    pub version: String,
    pub host: String,
    /// IANA name of the zone of its site.
    pub time_zone: Option<String>,
    /// By the coordinator's clock.
    pub at: WallTime,
}

/// A heartbeat with the coordinator's time of its arrival.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentStatus {
    pub received_at: WallTime,
    pub heartbeat: Heartbeat,
}

/// An invitation to enrol one agent. The code's secret is kept only as a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    pub id: InviteId,
    pub site: SiteId,
    pub site_name: String,
    /// Outranks the installer's suggestion.
    pub agent_name: Option<String>,
    pub secret: Sha256,
    pub created_at: WallTime,
    /// `None` when created at the host's command line.
    pub created_by: Option<UserId>,
    pub expires_at: WallTime,
    pub used: Option<InviteUse>,
}

/// Who enrolled with an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteUse {
    pub at: WallTime,
    pub agent: AgentId,
    pub public_key: PublicKey,
}

/// What an invitation is good for at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteState {
    Open,
    /// The same key enrolled with it before and may have missed the answer; it gets the same again.
    Repeated(AgentId),
    Used,
    Expired,
}

/// How long an invitation may be valid.
pub const MAX_INVITE_VALIDITY: Duration = Duration::from_secs(30 * 24 * 3600);

impl Invite {
    /// For an agent that presents this key. A used invitation stays good for the key that used it
    /// until it expires, because the answer to the first attempt may have been lost on the way.
    pub fn state(&self, public_key: &PublicKey, now: WallTime) -> InviteState {
        match &self.used {
            Some(used) if used.public_key == *public_key && now < self.expires_at => {
                InviteState::Repeated(used.agent)
            }
            Some(_) => InviteState::Used,
            None if now < self.expires_at => InviteState::Open,
            None => InviteState::Expired,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite(used: Option<InviteUse>) -> Invite {
        let now = WallTime::from_secs(1_000);
        Invite {
            id: InviteId::new(now),
            site: SiteId::new(now),
            site_name: "Depot".into(),
            agent_name: None,
            secret: Sha256::of(b"secret"),
            created_at: now,
            created_by: None,
            expires_at: WallTime::from_secs(2_000),
            used,
        }
    }

    #[test]
    fn an_invitation_works_once_but_again_for_the_key_that_used_it() {
        let (mine, other) = ([1; 32], [2; 32]);
        let before = WallTime::from_secs(1_999);
        let after = WallTime::from_secs(2_000);
        assert_eq!(invite(None).state(&mine, before), InviteState::Open);
        assert_eq!(invite(None).state(&mine, after), InviteState::Expired);
        let agent = AgentId::new(before);
        let used = invite(Some(InviteUse {
            at: before,
            agent,
            public_key: mine,
        }));
        assert_eq!(used.state(&mine, before), InviteState::Repeated(agent));
        assert_eq!(used.state(&other, before), InviteState::Used);
        assert_eq!(used.state(&mine, after), InviteState::Used);
    }
}
