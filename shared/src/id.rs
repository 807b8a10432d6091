//! Typed identifiers. One alphabetical list; keep it in order.
//!
//! Every id is a UUIDv7 (RFC 9562 section 5.7) made by whoever creates the thing. The time inside
//! an id only helps indexes: it is never read back, so a clock that steps cannot make two things
//! one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::time::WallTime;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id; `now` gives its leading bits so that ids made later sort later.
            pub fn new(now: WallTime) -> Self {
                Self(uuid_at(now))
            }

            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }

            /// The sixteen bytes, for a database key.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// From a database key; `None` unless exactly sixteen bytes.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )*};
}

ids! {
    /// One installed agent, for as long as its enrolment lasts.
    AgentId,
    /// One start of an agent's process; tells a restart from a reconnection.
    BootId,
    /// One camera as the agent knows it.
    CameraId,
    /// A command from the coordinator to an agent.
    CommandId,
    /// One group of people.
    GroupId,
    /// One enrolment code.
    InviteId,
    /// One entry of the gap ledger.
    LedgerId,
    /// One prepared playback.
    PlaybackId,
    /// One reservation of a stream, chosen by whoever asks for it.
    ReservationId,
    /// One run: a stretch of a stream with unbroken media time, one codec configuration and slewed
    /// wall time.
    RunId,
    /// One segment file.
    SegmentId,
    /// One signed-in browser or client, or the standing sign-in of a machine with a token.
    SessionId,
    /// One group of cameras in one place, named by its agents.
    SiteId,
    /// One person.
    UserId,
    /// One viewer of live pictures.
    ViewerId,
}

fn uuid_at(now: WallTime) -> Uuid {
    let micros = now.as_micros().max(0).cast_unsigned();
    let seconds = micros / 1_000_000;
    let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_instant_differ_and_later_ids_sort_later() {
        let now = WallTime::from_micros(1_700_000_000_000_000);
        let first = SegmentId::new(now);
        assert_ne!(first, SegmentId::new(now));
        assert!(first < SegmentId::new(now + std::time::Duration::from_secs(1)));
    }

    #[test]
    fn text_and_bytes_round_trip() {
        let id = CameraId::new(WallTime::from_micros(1));
        assert_eq!(id.to_string().parse::<CameraId>().unwrap(), id);
        assert_eq!(CameraId::from_slice(id.as_bytes()), Some(id));
        assert_eq!(CameraId::from_slice(&[1, 2, 3]), None);
    }
}
