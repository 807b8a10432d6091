//! Settings: what the file may say, and the value of everything it leaves out.
//!
//! `configs/agent.toml` shows every setting with its default; a test keeps the two equal. Reading
//! is in `load`, what may be said in `check` and `values`, pointing at the wrong line in `place`, time
//! windows are in [`schedule`]. What a
//! setting does is decided by the part of the agent that owns it.

mod check;
mod convert;
mod load;
mod place;
pub mod schedule;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;

use data_encoding::HEXLOWER_PERMISSIVE;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use serde::Deserialize;
use shared::hash::Sha256;
use shared::wire::control::{RecordingMode, UploadPolicy};
use url::Url;

pub use load::{ConfigError, Problem};
pub use schedule::{Schedule, Window};

/// The whole file. Unknown keys are refused everywhere.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub agent: AgentSection,
    pub log: LogSection,
    pub coordinator: CoordinatorSection,
    pub buffer: BufferSection,
    pub recording: RecordingSection,
    pub upload: UploadSection,
    pub status: StatusSection,
    #[serde(rename = "camera")]
    pub cameras: Vec<CameraSection>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentSection {
    /// What people call this agent; suggested to the coordinator at enrolment.
    pub name: String,
    /// Key, certificate, index and, unless `buffer.dir` says otherwise, recordings.
    pub data_dir: PathBuf,
    /// IANA name of the zone in which time windows are meant; the host's own when empty.
    pub time_zone: String,
}

impl Default for AgentSection {
    fn default() -> Self {
        Self {
            name: "agent".to_owned(),
            data_dir: PathBuf::from("/var/lib/cctv-agent"),
            time_zone: String::new(),
        }
    }
}

impl AgentSection {
    /// The zone of [`AgentSection::time_zone`]; UTC where the host has no usable zone either.
    pub fn zone(&self) -> TimeZone {
        if self.time_zone.is_empty() {
            TimeZone::try_system().unwrap_or(TimeZone::UTC)
        } else {
            TimeZone::get(&self.time_zone).unwrap_or(TimeZone::UTC)
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSection {
    /// Directives of `tracing-subscriber`'s `EnvFilter`, such as `info,cctv_agent::uplink=debug`.
    pub filter: String,
    pub format: LogFormat,
}

impl Default for LogSection {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: LogFormat::Text,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for log shippers.
    Json,
}

/// How to reach the centre. Nothing is needed here after `cctv-agent enroll`; without an enrolment
/// the agent records on its own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoordinatorSection {
    /// `host:port` instead of the address in the enrolment code; empty for the latter.
    pub address: String,
    /// `host:port` of the coordinator's TLS port for sites where UDP is blocked; the coordinator's
    /// host and port number by TCP when empty.
    pub tcp_address: String,
    pub tcp_fallback: TcpFallback,
}

impl Default for CoordinatorSection {
    fn default() -> Self {
        Self {
            address: String::new(),
            tcp_address: String::new(),
            tcp_fallback: TcpFallback::Auto,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TcpFallback {
    /// When UDP got no answer, TCP is tried.
    Auto,
    Never,
    /// TCP only.
    Always,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BufferSection {
    /// Where recordings are kept; `<data_dir>/segments` when empty.
    pub dir: PathBuf,
    /// Recordings are deleted, oldest first, above this size in bytes; 0 for no limit.
    pub max_bytes: u64,
    /// Recordings older than this are deleted; 0 for no limit.
    pub max_age_hours: u32,
    /// Bytes of the filesystem never used.
    pub reserve_bytes: u64,
}

impl Default for BufferSection {
    fn default() -> Self {
        Self {
            dir: PathBuf::new(),
            max_bytes: 0,
            max_age_hours: 0,
            reserve_bytes: 2_000_000_000,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordingSection {
    /// A file holds about this much; 10 to 600.
    pub segment_seconds: u32,
    /// A fragment, the unit of writing and of loss, holds at most this much; 200 to 1000.
    pub fragment_ms: u32,
    /// What is kept from before an event; 0 to 60.
    pub pre_roll_seconds: u32,
    /// What is recorded after an event; 0 to 600.
    pub post_roll_seconds: u32,
}

impl Default for RecordingSection {
    fn default() -> Self {
        Self {
            segment_seconds: 60,
            fragment_ms: 600,
            pre_roll_seconds: 10,
            post_roll_seconds: 30,
        }
    }
}

/// Which recorded bytes leave the site, and how fast. Metadata always does, at once.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UploadSection {
    /// For cameras that do not say otherwise.
    pub policy: UploadPolicy,
    /// When cameras with the policy `schedule` upload.
    pub schedule: Vec<Window>,
    /// Limit for all uploads together; 0 for none.
    pub megabits_per_second: f64,
    /// Limit for all uploads of one local day; 0 for none.
    pub gigabytes_per_day: f64,
    /// How many segments are uploaded at the same time; 1 to 16.
    pub parallel: u32,
    /// Other limits at some times of the week; the first that applies counts.
    #[serde(rename = "limit")]
    pub limits: Vec<UploadLimit>,
}

impl Default for UploadSection {
    fn default() -> Self {
        Self {
            policy: UploadPolicy::All,
            schedule: Vec::new(),
            megabits_per_second: 0.0,
            gigabytes_per_day: 0.0,
            parallel: 4,
            limits: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadLimit {
    pub when: Vec<Window>,
    /// Instead of the section's; 0 stops uploads.
    pub megabits_per_second: f64,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StatusSection {
    pub enabled: bool,
    /// Address and port of the health page and the metrics.
    pub listen: SocketAddr,
}

impl Default for StatusSection {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: SocketAddr::from(([127, 0, 0, 1], 7480)),
        }
    }
}

/// One camera. Its name is its identity: a renamed camera is a new one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraSection {
    /// Unique within the agent.
    pub name: String,
    /// `rtsp://host[:port]/path` of the main stream, without user name and password.
    #[serde(deserialize_with = "values::stream_address")]
    pub url: Url,
    /// Of the small stream, where the camera has one.
    #[serde(default, deserialize_with = "values::optional_stream_address")]
    pub sub_url: Option<Url>,
    #[serde(default)]
    pub username: String,
    /// Either this or `password_file`. After loading it holds what the file said.
    #[serde(default, deserialize_with = "values::secret")]
    pub password: Option<SecretString>,
    /// A file whose first line is the password, from the directory of the settings.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    #[serde(default)]
    pub transport: Transport,
    /// Which certificate an `rtsps` camera may show.
    #[serde(default)]
    pub certificate: CameraCertificate,
    #[serde(default = "continuous")]
    pub recording: RecordingMode,
    /// When a camera with `recording = "scheduled"` is recorded.
    #[serde(default)]
    pub schedule: Vec<Window>,
    /// `upload.policy` when left out.
    #[serde(default)]
    pub upload: Option<UploadPolicy>,
    /// `buffer.max_age_hours` when left out.
    #[serde(default)]
    pub retention_hours: Option<u32>,
}

const fn continuous() -> RecordingMode {
    RecordingMode::Continuous
}

/// How RTP travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Inside the RTSP connection.
    #[default]
    Tcp,
    /// In datagrams of its own; for cameras that cannot do otherwise.
    Udp,
}

/// Which certificate a camera may show on `rtsps`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum CameraCertificate {
    /// One that a public authority signed for its name.
    #[default]
    Verify,
    /// Any: encrypts and proves nothing.
    Any,
    /// The one with this hash over its DER form.
    Pinned(Sha256),
}

impl TryFrom<String> for CameraCertificate {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const RIGHT: &str = "write \"verify\", \"any\" or \"sha256:\" and 64 hexadecimal digits";
        match text.as_str() {
            "verify" => Ok(Self::Verify),
            "any" => Ok(Self::Any),
            other => other
                .strip_prefix("sha256:")
                .and_then(|digits| HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok())
                .and_then(|bytes| Sha256::from_slice(&bytes))
                .map(Self::Pinned)
                .ok_or(RIGHT),
        }
    }
}

#[cfg(test)]
mod tests;
