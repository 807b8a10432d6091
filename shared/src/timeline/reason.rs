//! Why something is not recorded, and who is to blame. Their sentences are in [`crate::message`].

use serde::{Deserialize, Serialize};

/// Who is to blame, coarsely; what an operator filters by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    Camera,
    Network,
    Disk,
    Host,
    Operator,
    /// Not a loss: nobody wanted a recording, or it has been kept as long as was wanted.
    Policy,
}

/// Why a stretch of a stream is not there. Each has a sentence in English and Arabic wherever
/// people read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nothing answers at the camera's address.
    CameraUnreachable,
    /// The camera refuses the user name or the password.
    CameraRefusedCredentials,
    /// The camera answers, but not with a stream we can use (wrong path, no video, broken
    /// description).
    CameraProtocolError,
    /// The camera sends a codec no segment can hold.
    CameraCodecUnsupported,
    /// The camera ended the session.
    CameraDisconnected,
    /// The connection stands, but no picture came for too long.
    CameraStalled,
    /// The camera's clock or its timestamps jumped.
    CameraClockJumped,
    /// The camera changed its codec, resolution or parameter sets; pictures until the next key
    /// frame were unusable.
    CameraParametersChanged,
    /// Pictures were sent and lost on the way.
    PacketsLost,
    /// No space left, also not after deleting what may be deleted.
    DiskFull,
    /// The disk refuses to be written to.
    DiskReadOnly,
    /// Reading or writing failed.
    DiskError,
    /// The disk could not keep up.
    DiskTooSlow,
    /// Written, but not yet on stable storage when power or process went.
    TailLost,
    /// The recorded file was damaged; what could be read of it was kept.
    FileDamaged,
    /// The agent was stopped and started again in an orderly way.
    AgentStopped,
    /// The agent ended without being asked to.
    AgentCrashed,
    /// The task of this one stream failed for a fault in the agent, and was started again.
    AgentFault,
    /// The host was off, or lost power.
    HostDown,
    /// The host could not keep up.
    HostOverloaded,
    /// The host's clock was set back or forward; the stretch never happened or happened twice.
    HostClockStepped,
    /// Someone restarted the camera's task or changed its settings.
    OperatorRestart,
    /// Someone added the camera, and it was being connected to for the first time.
    CameraAdded,
    /// Someone removed the recording by hand.
    OperatorDeleted,
    /// Recording is switched off for this stream.
    RecordingOff,
    /// The schedule does not ask for a recording now.
    OutsideSchedule,
    /// The stream is recorded only on events, and there was none.
    NoEvent,
    /// Deleted at the age the retention policy names.
    ExpiredByAge,
    /// Deleted to keep the size or free space that the retention policy names, after upload.
    ExpiredBySpace,
    /// Deleted for space before it was uploaded.
    ExpiredBeforeUpload,
}

impl Reason {
    /// Every reason, in the order of the declaration.
    pub const ALL: [Self; 30] = [
        Self::CameraUnreachable,
        Self::CameraRefusedCredentials,
        Self::CameraProtocolError,
        Self::CameraCodecUnsupported,
        Self::CameraDisconnected,
        Self::CameraStalled,
        Self::CameraClockJumped,
        Self::CameraParametersChanged,
        Self::PacketsLost,
        Self::DiskFull,
        Self::DiskReadOnly,
        Self::DiskError,
        Self::DiskTooSlow,
        Self::TailLost,
        Self::FileDamaged,
        Self::AgentStopped,
        Self::AgentCrashed,
        Self::AgentFault,
        Self::HostDown,
        Self::HostOverloaded,
        Self::HostClockStepped,
        Self::OperatorRestart,
        Self::CameraAdded,
        Self::OperatorDeleted,
        Self::RecordingOff,
        Self::OutsideSchedule,
        Self::NoEvent,
        Self::ExpiredByAge,
        Self::ExpiredBySpace,
        Self::ExpiredBeforeUpload,
    ];

    pub const fn cause(self) -> Cause {
        match self {
            Self::CameraUnreachable | Self::PacketsLost => Cause::Network,
            Self::CameraRefusedCredentials
            | Self::CameraProtocolError
            | Self::CameraCodecUnsupported
            | Self::CameraDisconnected
            | Self::CameraStalled
            | Self::CameraClockJumped
            | Self::CameraParametersChanged => Cause::Camera,
            Self::DiskFull
            | Self::DiskReadOnly
            | Self::DiskError
            | Self::DiskTooSlow
            | Self::FileDamaged => Cause::Disk,
            Self::TailLost
            | Self::AgentStopped
            | Self::AgentCrashed
            | Self::AgentFault
            | Self::HostDown
            | Self::HostOverloaded
            | Self::HostClockStepped => Cause::Host,
            Self::OperatorRestart | Self::CameraAdded | Self::OperatorDeleted => Cause::Operator,
            Self::RecordingOff
            | Self::OutsideSchedule
            | Self::NoEvent
            | Self::ExpiredByAge
            | Self::ExpiredBySpace
            | Self::ExpiredBeforeUpload => Cause::Policy,
        }
    }

    /// Whether the stretch was recorded once and has been deleted since. Such an entry outranks the
    /// coverage it deleted.
    pub const fn is_deletion(self) -> bool {
        matches!(
            self,
            Self::ExpiredByAge
                | Self::ExpiredBySpace
                | Self::ExpiredBeforeUpload
                | Self::OperatorDeleted
        )
    }
}
