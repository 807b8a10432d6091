//! The control stream: greeting, heartbeats, commands.

use serde::{Deserialize, Serialize};

use crate::hash::Sha256;
use crate::id::{AgentId, BootId, CameraId, CommandId, RunId, SegmentId};
use crate::segment::StreamKind;
use crate::time::WallTime;
use crate::timeline::Reason;

/// Agent → coordinator on the control stream. The first message is [`FromAgent::Hello`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromAgent {
    Hello(Hello),
    /// Every `heartbeat_ms` of the welcome, and at once when a camera's state changes.
    Heartbeat(Heartbeat),
    /// The answer to one [`Command`].
    CommandResult {
        id: CommandId,
        outcome: CommandOutcome,
    },
    /// The whole list, whenever it changed since the hello.
    Cameras {
        cameras: Vec<CameraInfo>,
    },
    #[serde(other)]
    Unknown,
}

/// Coordinator → agent on the control stream. The first message is [`ToAgent::Welcome`], or the
/// connection closes with a reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToAgent {
    Welcome(Welcome),
    Command(Command),
    /// After the welcome, and when the audit has grown; to be kept.
    AuditHead(AuditHead),
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub protocol_min: u32,
    pub protocol_max: u32,
    pub agent: AgentId,
    pub boot: BootId,
    /// Of the agent program, such as `0.1.0`.
    pub version: String,
    /// Of the operating system, for support.
    pub host: String,
    /// IANA name of the zone that people at the site read their clocks in, such as `Asia/Dubai`.
    /// Absent from older agents, and where the host does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The agent's wall clock as it sent this.
    pub now: WallTime,
    pub cameras: Vec<CameraInfo>,
    /// The newest that this agent keeps of the coordinator it is enrolled with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_head: Option<AuditHead>,
}

/// The newest entry of the coordinator's audit, whose hash covers all entries before it. An agent
/// that keeps it is a witness: the coordinator's own host cannot rewrite what was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// Several coordinators over one store have a chain each.
    pub chain: u32,
    /// Of the entry, from one.
    pub number: u64,
    pub hash: Sha256,
    /// When the coordinator told it, by its clock.
    pub at: WallTime,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameraInfo {
    pub id: CameraId,
    /// As the installer called it; unique within the agent.
    pub name: String,
    pub streams: Vec<StreamKind>,
    /// Whether the configuration asks for recordings at all.
    pub recording: bool,
    /// When the agent first knew the camera; nothing is expected before.
    pub since: WallTime,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version both speak from now on.
    pub protocol: u32,
    pub version: String,
    /// The coordinator's wall clock as it sent this; the agent estimates its own offset from it.
    pub now: WallTime,
    pub heartbeat_ms: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The agent's wall clock as it sent this.
    pub now: WallTime,
    pub streams: Vec<StreamStatus>,
    pub buffer: BufferStatus,
    pub uplink: UplinkStatus,
}

/// How one stream is doing. All times are wall times of pictures, not of messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamStatus {
    pub camera: CameraId,
    pub stream: StreamKind,
    pub state: StreamState,
    /// When the newest picture was seen; staleness is judged by this alone.
    pub last_picture: Option<WallTime>,
    /// Everything before has been written or is explained by a ledger entry.
    pub recorded_until: Option<WallTime>,
    /// Everything before is on stable storage.
    pub durable_until: Option<WallTime>,
    /// Over the last ten seconds.
    pub bits_per_second: u64,
    /// Over the last ten seconds, in thousandths of a picture per second.
    pub milli_fps: u32,
    /// Uncertainty of the camera's clock, in microseconds.
    pub clock_uncertainty_us: Option<u64>,
    /// Camera clock minus host clock, in microseconds, where sender reports tell it.
    pub clock_offset_us: Option<i64>,
    /// Of the newest run.
    pub run: Option<RunId>,
    /// The segment being written.
    pub segment: Option<SegmentId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StreamState {
    /// Not asked for by configuration or schedule.
    Off,
    Connecting,
    /// Pictures arrive.
    Live,
    /// No picture, for this reason, since then.
    Down {
        reason: Reason,
        since: WallTime,
    },
}

/// The local buffer, as the filesystem and the index see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BufferStatus {
    /// Size of the filesystem.
    pub total_bytes: u64,
    pub free_bytes: u64,
    /// Of our segments.
    pub used_bytes: u64,
    /// Kept free by configuration.
    pub reserve_bytes: u64,
    /// Recorded and not yet acknowledged by the coordinator.
    pub unsent_bytes: u64,
    pub oldest: Option<WallTime>,
    /// When the buffer will begin to delete what was never uploaded, at the present rates.
    pub deletes_unsent_at: Option<WallTime>,
    /// Set when the disk cannot be written.
    pub fault: Option<Reason>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UplinkStatus {
    /// Records of metadata not yet acknowledged.
    pub metadata_backlog: u64,
    /// Segments that policy wants uploaded and that are not yet.
    pub upload_backlog: u64,
    /// Agent clock minus coordinator clock, in microseconds.
    pub clock_offset_us: Option<i64>,
    pub round_trip_us: Option<u64>,
}

/// Something for the agent to do. Repeating a command with the same id changes nothing; the first
/// outcome is sent again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    pub id: CommandId,
    pub action: Action,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Measure a camera as `cctv-agent probe` does.
    Probe {
        camera: CameraId,
        stream: StreamKind,
    },
    /// End the camera's session and begin anew.
    RestartCamera { camera: CameraId },
    /// Settings from the centre. They outlive a restart and outrank the file's until `revision`
    /// grows again; `policies` is the whole set.
    Configure {
        revision: u64,
        policies: Vec<CameraPolicy>,
    },
    /// An older agent answers [`CommandOutcome::Unsupported`].
    #[serde(other)]
    Unknown,
}

/// What the centre may decide for a camera. Fields left out stay as the agent's file has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameraPolicy {
    pub camera: CameraId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<RecordingMode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<UploadPolicy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_hours: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingMode {
    Continuous,
    /// By the schedule in the agent's file.
    Scheduled,
    /// Around events.
    Event,
    Off,
}

/// Which recorded bytes leave the site by themselves. Metadata always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UploadPolicy {
    All,
    /// Segments that overlap an event.
    Events,
    /// Nothing; the centre fetches what somebody looks at.
    OnDemand,
    /// Everything, but only inside the time windows of the agent's file.
    Schedule,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum CommandOutcome {
    Done {
        /// What was asked for, such as a probe's report.
        #[serde(default)]
        report: Option<serde_json::Value>,
    },
    Failed {
        /// For the technician.
        message: String,
    },
    /// This agent does not know the action.
    Unsupported,
}
