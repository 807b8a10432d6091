//! Who did what, when, from where: one entry for every change made by a person or on an agent's
//! behalf, written in the same transaction as the change.

pub mod chain;
mod origin;
pub mod refusals;
pub mod search;
pub mod viewing;
pub mod witness;

pub use origin::Origin;

use std::fmt;

use serde_json::Value;
use shared::id::{AgentId, UserId};
use shared::time::WallTime;

use super::agency::AgencyCode;

/// Who acted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    User(UserId),
    Agent(AgentId),
    /// Somebody at the command line of the coordinator's host.
    Console,
    /// The coordinator by itself, such as on its first start.
    System,
}

macro_rules! whats {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What was done. The names are kept for ever: entries outlive the code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum What {
            $($(#[$doc])* $variant,)*
        }

        impl What {
            /// By name.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

whats! {
    /// Refusals of one person, or from one address, in a quarter of an hour, with their number.
    AccessRefused = "access_refused",
    AgencyChanged = "agency_changed",
    AgencyCreated = "agency_created",
    AgentEnrolled = "agent_enrolled",
    AgentRevoked = "agent_revoked",
    ApiTokenCreated = "api_token_created",
    ApiTokenRevoked = "api_token_revoked",
    /// Entries from before there was a chain were put into it.
    AuditChained = "audit_chained",
    /// An agent remembers an entry that is not in the audit.
    AuditDisputed = "audit_disputed",
    /// Somebody at the console said why agents remember another audit.
    AuditExplained = "audit_explained",
    AuditExported = "audit_exported",
    /// The daily walk met an entry that is not what was written.
    AuditFoundBroken = "audit_found_broken",
    AuditSearched = "audit_searched",
    CameraChanged = "camera_changed",
    CameraProbed = "camera_probed",
    CameraRestarted = "camera_restarted",
    /// The settings at this start differ from those of the start before.
    ConfigurationChanged = "configuration_changed",
    EnrolmentRefused = "enrolment_refused",
    /// Entries about views that were not written, with their number.
    EntriesLost = "entries_lost",
    GroupChanged = "group_changed",
    GroupCreated = "group_created",
    GroupDeleted = "group_deleted",
    /// The authority's identity management told of a person.
    IamEventReceived = "iam_event_received",
    /// Something that claimed to be such an event did not count.
    IamEventRefused = "iam_event_refused",
    IdentitiesUnlinked = "identities_unlinked",
    IdentityLinked = "identity_linked",
    InviteCreated = "invite_created",
    KeysRotated = "keys_rotated",
    LiveClosed = "live_closed",
    /// Somebody began to watch a camera live.
    LiveOpened = "live_opened",
    MemberAdded = "member_added",
    MemberRemoved = "member_removed",
    ObjectLost = "object_lost",
    PasswordSet = "password_set",
    PlaybackPrepared = "playback_prepared",
    /// Another stretch of a prepared playback was fetched.
    PlaybackSought = "playback_sought",
    /// The playlist of a prepared playback was fetched for the first time.
    PlaybackViewed = "playback_viewed",
    /// Requests beyond what somebody may ask in a time.
    RateLimited = "rate_limited",
    RecoveryCodeUsed = "recovery_code_used",
    RecoveryCodesMade = "recovery_codes_made",
    RoleChanged = "role_changed",
    RoleCreated = "role_created",
    RoleDeleted = "role_deleted",
    SecondFactorAdded = "second_factor_added",
    SecondFactorRemoved = "second_factor_removed",
    /// Somebody else's, or one in another browser.
    SessionRevoked = "session_revoked",
    SignInRefused = "sign_in_refused",
    SignInUnlocked = "sign_in_unlocked",
    SignedIn = "signed_in",
    SignedOut = "signed_out",
    /// How many streams an agency, or all of them, may have.
    StreamLimitsChanged = "stream_limits_changed",
    /// A limit was reached.
    StreamRefused = "stream_refused",
    /// Somebody reached for the reservation of somebody else.
    StreamTampered = "stream_tampered",
    /// Something was presented as a token that is none of ours.
    TokenRefused = "token_refused",
    /// A refresh token was presented that had been exchanged.
    TokenStolen = "token_stolen",
    UserChanged = "user_changed",
    UserCreated = "user_created",
    UserDisabled = "user_disabled",
    UserEnabled = "user_enabled",
}

impl What {
    /// `None` for a name that is not known (any more).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|what| what.name() == name)
    }
}

impl fmt::Display for What {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// One entry. Services get theirs from `Actor::entry` or a grant's `entry`, which fill in who, the
/// agency and where from.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub at: WallTime,
    pub who: Who,
    pub what: What,
    /// The agency it concerns, whose auditors see it: that of the thing it was done to, or of
    /// whoever did it where the thing belongs to none.
    pub agency: Option<AgencyCode>,
    /// Id of the thing it was done to, as text.
    pub object: Option<String>,
    /// Whatever explains it. Never a secret.
    pub details: Value,
    pub origin: Origin,
}

impl Entry {
    pub fn new(at: WallTime, who: Who, what: What) -> Self {
        Self {
            at,
            who,
            what,
            agency: None,
            object: None,
            details: Value::Null,
            origin: Origin::default(),
        }
    }

    #[must_use]
    pub fn on(mut self, object: impl ToString) -> Self {
        self.object = Some(object.to_string());
        self
    }

    #[must_use]
    pub fn with(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    /// Says which agency it concerns, where that is not the one of whoever acts.
    #[must_use]
    pub fn in_agency(mut self, agency: Option<AgencyCode>) -> Self {
        self.agency = agency;
        self
    }

    #[must_use]
    pub fn from_origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_name_and_is_found_by_it() {
        let names: Vec<_> = What::ALL.iter().map(|what| what.name()).collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
        for what in What::ALL {
            assert_eq!(What::from_name(what.name()), Some(*what));
        }
        assert_eq!(What::from_name("no_such_thing"), None);
    }
}
