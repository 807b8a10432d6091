//! The words of the API that come from `shared` and the domain: their times, their enumerations.
//!
//! Neither knows anything of OpenAPI, so each enumeration has its twin here; the conversions match
//! exhaustively, so a new variant does not compile until it has a name.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use shared::time::WallTime;
use utoipa::ToSchema;

use crate::services::live_hub::Outage;

/// A moment: RFC 3339 with milliseconds and `Z` in answers, any offset in requests.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-03-01T14:00:00.000Z")]
pub struct Timestamp(pub WallTime);

impl From<WallTime> for Timestamp {
    fn from(time: WallTime) -> Self {
        Self(time)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        WallTime::from_rfc3339(&text)
            .map(Self)
            .map_err(de::Error::custom)
    }
}

macro_rules! twins {
    ($($(#[$attribute:meta])* $name:ident = $theirs:path { $($variant:ident,)* })*) => {$(
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        $(#[$attribute])*
        pub enum $name { $($variant,)* }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];
        }

        impl From<$theirs> for $name {
            fn from(theirs: $theirs) -> Self {
                use $theirs as Theirs;
                match theirs { $(Theirs::$variant => Self::$variant,)* }
            }
        }

        impl From<$name> for $theirs {
            fn from(ours: $name) -> Self {
                match ours { $($name::$variant => Self::$variant,)* }
            }
        }
    )*};
}

twins! {
    /// Which of a camera's streams.
    #[serde(rename_all = "snake_case")]
    Stream = shared::segment::StreamKind {
        Main,
        Sub,
    }
    /// In which somebody wants the pages.
    #[serde(rename_all = "lowercase")]
    Language = crate::domain::user::Language {
        En,
        Ar,
    }
    /// Where the bytes of a recorded stretch are.
    #[serde(rename_all = "snake_case")]
    Place = shared::timeline::Place {
        Edge,
        Centre,
        Both,
    }
    /// Who is to blame for a missing stretch, coarsely; `policy` is nobody's fault.
    #[serde(rename_all = "snake_case")]
    Cause = shared::timeline::Cause {
        Camera,
        Network,
        Disk,
        Host,
        Operator,
        Policy,
    }
    /// When a camera is recorded.
    #[serde(rename_all = "snake_case")]
    RecordingMode = shared::wire::control::RecordingMode {
        Continuous,
        Scheduled,
        Event,
        Off,
    }
    /// Which recorded bytes leave the site by themselves.
    #[serde(rename_all = "kebab-case")]
    UploadPolicy = shared::wire::control::UploadPolicy {
        All,
        Events,
        OnDemand,
        Schedule,
    }
    /// Why a stretch of a stream is missing, or why no picture comes.
    #[serde(rename_all = "snake_case")]
    Reason = shared::timeline::Reason {
        CameraUnreachable,
        CameraRefusedCredentials,
        CameraProtocolError,
        CameraCodecUnsupported,
        CameraDisconnected,
        CameraStalled,
        CameraClockJumped,
        CameraParametersChanged,
        PacketsLost,
        DiskFull,
        DiskReadOnly,
        DiskError,
        DiskTooSlow,
        TailLost,
        FileDamaged,
        AgentStopped,
        AgentCrashed,
        AgentFault,
        HostDown,
        HostOverloaded,
        HostClockStepped,
        OperatorRestart,
        CameraAdded,
        OperatorDeleted,
        RecordingOff,
        OutsideSchedule,
        NoEvent,
        ExpiredByAge,
        ExpiredBySpace,
        ExpiredBeforeUpload,
    }
}

/// One message in both languages of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sentence {
    pub en: &'static str,
    pub ar: &'static str,
}

impl Reason {
    /// For operators; the same words as at the agent.
    pub fn sentence(self) -> Sentence {
        let message = shared::message::reason(self.into());
        Sentence {
            en: message.en,
            ar: message.ar,
        }
    }
}

/// Why there is no live picture: for a program, and for people.
pub fn outage(outage: Outage) -> (&'static str, Sentence) {
    let (code, en, ar) = match outage {
        Outage::Camera(reason) => {
            let message = shared::message::reason(reason);
            (message.code, message.en, message.ar)
        }
        Outage::SiteOffline => (
            "site_offline",
            "The site is not connected.",
            "الموقع غير متصل.",
        ),
        Outage::SiteSilent => (
            "site_silent",
            "The site is connected, but nothing comes from it.",
            "الموقع متصل، ولكن لا يصل منه شيء.",
        ),
        Outage::SiteTooOld => (
            "site_too_old",
            "The program at the site is too old for live pictures. Update it.",
            "برنامج الموقع قديم ولا يدعم الصور المباشرة. حدّثه.",
        ),
        Outage::NoSuchStream => (
            "no_such_stream",
            "The site has no such stream of this camera.",
            "لا يوجد في الموقع بثّ كهذا لهذه الكاميرا.",
        ),
        Outage::SiteFailed => (
            "site_failed",
            "The site could not send pictures; it is asked again.",
            "تعذّر على الموقع إرسال الصور؛ تُعاد المحاولة.",
        ),
    };
    (code, Sentence { en, ar })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_the_name_of_the_protocol() {
        fn same<Ours, Theirs>(all: &[Ours])
        where
            Ours: Copy + Serialize,
            Theirs: From<Ours> + Serialize,
        {
            for ours in all {
                let theirs = serde_json::to_value(Theirs::from(*ours)).unwrap();
                assert_eq!(serde_json::to_value(ours).unwrap(), theirs);
            }
        }
        same::<_, crate::domain::user::Language>(Language::ALL);
        same::<_, shared::segment::StreamKind>(Stream::ALL);
        same::<_, shared::timeline::Place>(Place::ALL);
        same::<_, shared::timeline::Cause>(Cause::ALL);
        same::<_, shared::timeline::Reason>(Reason::ALL);
        same::<_, shared::wire::control::RecordingMode>(RecordingMode::ALL);
        same::<_, shared::wire::control::UploadPolicy>(UploadPolicy::ALL);
        assert_eq!(Reason::ALL.len(), shared::timeline::Reason::ALL.len());
    }

    #[test]
    fn timestamps_show_milliseconds_in_utc_and_read_offsets() {
        let read: Timestamp = serde_json::from_str("\"2026-03-01T18:00:00.25+04:00\"").unwrap();
        assert_eq!(
            serde_json::to_string(&read).unwrap(),
            "\"2026-03-01T14:00:00.250Z\""
        );
        assert!(serde_json::from_str::<Timestamp>("\"yesterday\"").is_err());
    }
}
