//! People, their passwords' rules, and their signed-in sessions.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::hash::Sha256;
use shared::id::{GroupId, SessionId, UserId};
use shared::time::WallTime;

use super::access::Rule;
use super::agency::AgencyCode;
use super::group::RoleCode;
pub use super::login::Login;
pub use super::password::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS};
use super::text::{Email, Line};

/// A person with an account. What they may do comes from their roles, their groups and their own
/// rules; see [`super::directory`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub login: Login,
    pub display_name: Line<128>,
    /// The full name in Arabic.
    pub arabic_name: Option<Line<128>>,
    pub email: Option<Email>,
    pub employee_number: Option<Line<32>>,
    /// What `own` means in a rule; `None` for people of the whole authority.
    pub agency: Option<AgencyCode>,
    pub department: Option<Line<128>>,
    pub section: Option<Line<128>>,
    pub status: Status,
    pub roles: BTreeSet<RoleCode>,
    pub groups: BTreeSet<GroupId>,
    /// Exceptions: what this person may, or may not, beside what roles and groups say.
    pub rules: Vec<Rule>,
    pub created_at: WallTime,
    /// Counts the changes of this person.
    pub revision: u64,
}

impl User {
    /// Rules of one person, group or role.
    pub const MAX_RULES: usize = 200;
    /// Roles, or groups, of one person.
    pub const MAX_MEMBERSHIPS: usize = 100;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    Active,
    /// May not sign in; everything they had open has ended.
    Disabled,
}

/// How long a session lives without a request.
pub const SESSION_IDLE: Duration = Duration::from_secs(12 * 3600);
/// And at most.
pub const SESSION_ABSOLUTE: Duration = Duration::from_secs(7 * 24 * 3600);

/// One signed-in browser or client. Its token is kept only as a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub user: UserId,
    pub token: Sha256,
    pub created_at: WallTime,
    pub last_seen: WallTime,
}

impl Session {
    /// The earlier of its two expiries.
    pub fn expires_at(&self) -> WallTime {
        (self.last_seen + SESSION_IDLE).min(self.created_at + SESSION_ABSOLUTE)
    }

    pub fn is_live(&self, now: WallTime) -> bool {
        now < self.expires_at()
    }

    /// Whether the use of it should be written down: once a minute is often enough.
    pub fn wants_touch(&self, now: WallTime) -> bool {
        now.saturating_duration_since(self.last_seen) >= Duration::from_secs(60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_by_idleness_and_by_age() {
        let start = WallTime::from_secs(1_000_000);
        let mut session = Session {
            id: SessionId::new(start),
            user: UserId::new(start),
            token: Sha256::of(b"t"),
            created_at: start,
            last_seen: start,
        };
        assert!(session.is_live(start + SESSION_IDLE - Duration::from_secs(1)));
        assert!(!session.is_live(start + SESSION_IDLE));
        session.last_seen = start + SESSION_ABSOLUTE - Duration::from_secs(2);
        assert!(session.is_live(start + SESSION_ABSOLUTE - Duration::from_secs(1)));
        assert!(!session.is_live(start + SESSION_ABSOLUTE));
    }
}
