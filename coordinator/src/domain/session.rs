//! Standing sign-ins: a browser's, a program's that has tokens, a machine's.
//!
//! Whatever somebody comes in with hangs on a session, and so do the playbacks they prepare; with
//! the session all of it ends.

use std::time::Duration;

use shared::hash::Sha256;
use shared::id::{SessionId, UserId};
use shared::time::WallTime;

use super::audit::Origin;

/// How long a session lives without a request.
pub const SESSION_IDLE: Duration = Duration::from_secs(12 * 3600);
/// And at most.
pub const SESSION_ABSOLUTE: Duration = Duration::from_secs(7 * 24 * 3600);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub user: UserId,
    pub kind: SessionKind,
    /// Hash of what is presented. Of a program, of something nobody has: it presents access tokens,
    /// which name the session.
    pub token: Sha256,
    pub created_at: WallTime,
    pub last_seen: WallTime,
    /// Where it was begun.
    pub origin: Origin,
}

/// Who holds it, and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// A browser with a cookie.
    Browser,
    /// A program with access and refresh tokens.
    Client,
    /// A machine with an API token, until it expires however seldom it is used.
    Machine {
        expires_at: WallTime,
        /// Permissions such as `camera:*:view` that narrow those of its owner; none: all of them.
        scopes: Vec<String>,
    },
    /// Whoever comes with access tokens of an issuer outside, until the last of them expires.
    Outside {
        expires_at: WallTime,
        issuer: String,
    },
}

impl Session {
    /// The earlier of its two expiries.
    pub fn expires_at(&self) -> WallTime {
        match self.kind {
            SessionKind::Browser | SessionKind::Client => {
                (self.last_seen + SESSION_IDLE).min(self.created_at + SESSION_ABSOLUTE)
            }
            SessionKind::Machine { expires_at, .. } | SessionKind::Outside { expires_at, .. } => {
                expires_at
            }
        }
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
    fn a_session_ends_by_idleness_and_by_age_and_a_machine_by_its_date() {
        let start = WallTime::from_secs(1_000_000);
        let mut session = Session {
            id: SessionId::new(start),
            user: UserId::new(start),
            kind: SessionKind::Browser,
            token: Sha256::of(b"t"),
            created_at: start,
            last_seen: start,
            origin: Origin::default(),
        };
        assert!(session.is_live(start + SESSION_IDLE - Duration::from_secs(1)));
        assert!(!session.is_live(start + SESSION_IDLE));
        session.last_seen = start + SESSION_ABSOLUTE - Duration::from_secs(2);
        assert!(session.is_live(start + SESSION_ABSOLUTE - Duration::from_secs(1)));
        assert!(!session.is_live(start + SESSION_ABSOLUTE));
        session.kind = SessionKind::Machine {
            expires_at: start + SESSION_ABSOLUTE * 9,
            scopes: Vec::new(),
        };
        assert!(session.is_live(start + SESSION_ABSOLUTE * 9 - Duration::from_secs(1)));
        assert!(!session.is_live(start + SESSION_ABSOLUTE * 9));
    }
}
