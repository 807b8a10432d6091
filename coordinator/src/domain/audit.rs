//! Who did what, when: one entry for every change made by a person or on an agent's behalf, written
//! in the same transaction as the change.

use std::net::IpAddr;

use serde_json::Value;
use shared::id::{AgentId, UserId};
use shared::time::WallTime;

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

/// What was done. The names are kept for ever: entries outlive the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    AgentEnrolled,
    AgentRevoked,
    CameraChanged,
    CameraProbed,
    CameraRestarted,
    InviteCreated,
    ObjectLost,
    PlaybackPrepared,
    SignedIn,
    SignedOut,
    SignInRefused,
    UserChanged,
    UserCreated,
}

impl What {
    pub const fn name(self) -> &'static str {
        match self {
            Self::AgentEnrolled => "agent_enrolled",
            Self::AgentRevoked => "agent_revoked",
            Self::CameraChanged => "camera_changed",
            Self::CameraProbed => "camera_probed",
            Self::CameraRestarted => "camera_restarted",
            Self::InviteCreated => "invite_created",
            Self::ObjectLost => "object_lost",
            Self::PlaybackPrepared => "playback_prepared",
            Self::SignedIn => "signed_in",
            Self::SignedOut => "signed_out",
            Self::SignInRefused => "sign_in_refused",
            Self::UserChanged => "user_changed",
            Self::UserCreated => "user_created",
        }
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub at: WallTime,
    pub who: Who,
    pub what: What,
    /// Id of the thing it was done to, as text.
    pub object: Option<String>,
    /// Whatever explains it. Never a secret.
    pub details: Value,
    /// Where the request came from.
    pub address: Option<IpAddr>,
}

impl Entry {
    pub const fn new(at: WallTime, who: Who, what: What) -> Self {
        Self {
            at,
            who,
            what,
            object: None,
            details: Value::Null,
            address: None,
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

    #[must_use]
    pub const fn from_address(mut self, address: Option<IpAddr>) -> Self {
        self.address = address;
        self
    }
}
