//! Settings as the parts of the agent take them.

use std::path::PathBuf;
use std::time::Duration;

use shared::wire::control::RecordingMode;
use url::Url;

use super::values::split_host_port;
use super::{CameraCertificate, CameraSection, Config, Schedule, Transport};
use crate::buffer::{BufferConfig, Limits};
use crate::camera::source::{self, CertificatePolicy, Credentials, Source, SourceError};
use crate::recorder::RecorderSettings;
use crate::uplink;
use crate::uplink::planner::budget::{Plan, Rate};

impl Config {
    pub fn buffer(&self) -> BufferConfig {
        let section = &self.buffer;
        let data_dir = &self.agent.data_dir;
        let segments = if section.dir.as_os_str().is_empty() {
            data_dir.join("segments")
        } else {
            section.dir.clone()
        };
        BufferConfig {
            index: data_dir.join("index.sqlite"),
            segments,
            limits: Limits {
                max_bytes: (section.max_bytes > 0).then_some(section.max_bytes),
                reserve_bytes: section.reserve_bytes,
                max_age: (section.max_age_hours > 0).then(|| hours(section.max_age_hours)),
            },
        }
    }

    /// How `camera` is recorded in `mode`.
    pub fn recorder(&self, camera: &CameraSection, mode: RecordingMode) -> RecorderSettings {
        let section = &self.recording;
        RecorderSettings {
            mode,
            schedule: Schedule::new(camera.schedule.clone(), self.agent.zone()),
            segment: Duration::from_secs(section.segment_seconds.into()),
            fragment: Duration::from_millis(section.fragment_ms.into()),
            pre_roll: Duration::from_secs(section.pre_roll_seconds.into()),
            post_roll: Duration::from_secs(section.post_roll_seconds.into()),
        }
    }

    /// When cameras with the upload policy `schedule` upload.
    pub fn upload_schedule(&self) -> Schedule {
        Schedule::new(self.upload.schedule.clone(), self.agent.zone())
    }

    pub fn uplink(&self) -> uplink::Settings {
        uplink::Settings {
            data_dir: PathBuf::from(&self.agent.data_dir),
            address: address(&self.coordinator.address),
            tcp_address: address(&self.coordinator.tcp_address),
            tcp_fallback: self.coordinator.tcp_fallback,
            plan: self.upload_plan(),
            parallel: usize::try_from(self.upload.parallel).unwrap_or(usize::MAX),
        }
    }

    fn upload_plan(&self) -> Plan {
        let zone = self.agent.zone();
        let exceptions = self.upload.limits.iter().map(|limit| {
            let rate = match bytes(limit.megabits_per_second, 125_000.0) {
                Some(rate) => Rate::BytesPerSecond(rate),
                None => Rate::Stopped,
            };
            (Schedule::new(limit.when.clone(), zone.clone()), rate)
        });
        Plan {
            exceptions: exceptions.collect(),
            otherwise: bytes(self.upload.megabits_per_second, 125_000.0)
                .map_or(Rate::Unlimited, Rate::BytesPerSecond),
            bytes_per_day: bytes(self.upload.gigabytes_per_day, 1e9),
            zone: zone.clone(),
        }
    }
}

impl CameraSection {
    /// The main stream.
    ///
    /// # Errors
    /// The address is none of a camera.
    pub fn source(&self) -> Result<Source, SourceError> {
        self.source_at(&self.url)
    }

    /// The small stream, if there is one.
    ///
    /// # Errors
    /// The address is none of a camera.
    pub fn sub_source(&self) -> Result<Option<Source>, SourceError> {
        self.sub_url
            .as_ref()
            .map(|url| self.source_at(url))
            .transpose()
    }

    fn source_at(&self, url: &Url) -> Result<Source, SourceError> {
        let credentials = (!self.username.is_empty()).then(|| Credentials {
            username: self.username.clone(),
            password: self.password.clone().unwrap_or_default(),
        });
        let transport = match self.transport {
            Transport::Tcp => source::Transport::Tcp,
            Transport::Udp => source::Transport::Udp,
        };
        let certificate = match &self.certificate {
            CameraCertificate::Verify => CertificatePolicy::Verify,
            CameraCertificate::Any => CertificatePolicy::AcceptAny,
            CameraCertificate::Pinned(hash) => CertificatePolicy::Pin(*hash),
        };
        Ok(Source::new(url.clone(), credentials)?
            .over(transport)
            .trusting(certificate))
    }
}

pub(crate) fn hours(count: u32) -> Duration {
    Duration::from_secs(u64::from(count) * 3_600)
}

fn address(text: &str) -> Option<(String, u16)> {
    split_host_port(text).map(|(host, port)| (host.to_owned(), port))
}

/// `None` for zero, which means no limit or none at all; loading has refused what is no number.
fn bytes(value: f64, unit: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a conversion from float saturates, and nobody has a line of 2^64 bytes a second"
    )]
    let bytes = (value * unit) as u64;
    (value > 0.0).then_some(bytes.max(1))
}
