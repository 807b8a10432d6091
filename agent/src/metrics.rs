//! What Prometheus is told. Counters are kept where things happen; everything else is read from the
//! report when somebody asks, so that nothing in the path of a picture touches this module.
//!
//! Names follow Prometheus' conventions: base units, `_total` for counters (which the encoder
//! appends).

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::status::report::{CameraReport, CameraState, Report, Time};

/// A gauge of any number.
type Value = Gauge<f64, AtomicU64>;

/// All counters of the agent.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    pub(crate) uplink: UplinkCounters,
    /// Tasks that ended by a fault in the program and were started again.
    pub(crate) task_faults: Counter,
}

/// Counters of the uplink.
#[derive(Clone, Debug, Default)]
pub struct UplinkCounters {
    connections: Counter,
    failures: Counter,
    upload_bytes: Counter,
    uploads: Counter,
}

impl UplinkCounters {
    pub(crate) fn connected(&self) {
        self.connections.inc();
    }

    pub(crate) fn connection_ended(&self) {
        self.failures.inc();
    }

    pub(crate) fn uploaded_bytes(&self, bytes: u64) {
        self.upload_bytes.inc_by(bytes);
    }

    pub(crate) fn uploaded(&self) {
        self.uploads.inc();
    }

    fn register(&self, registry: &mut Registry) {
        registry.register(
            "cctv_agent_uplink_connections",
            "Connections to the coordinator that were established",
            self.connections.clone(),
        );
        registry.register(
            "cctv_agent_uplink_failures",
            "Connections to the coordinator that failed or ended",
            self.failures.clone(),
        );
        registry.register(
            "cctv_agent_upload_bytes",
            "Bytes of recordings handed to the connection",
            self.upload_bytes.clone(),
        );
        registry.register(
            "cctv_agent_uploads",
            "Recordings the coordinator has stored",
            self.uploads.clone(),
        );
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CameraLabel {
    camera: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    camera: String,
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VersionLabel {
    version: String,
}

impl Metrics {
    /// OpenMetrics text.
    ///
    /// # Errors
    /// None that can happen with a `String`.
    pub(crate) fn text(&self, report: &Report) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        self.uplink.register(&mut registry);
        registry.register(
            "cctv_agent_task_faults",
            "Tasks that ended by a fault in the program and were started again",
            self.task_faults.clone(),
        );
        register_agent(&mut registry, report);
        register_cameras(&mut registry, &report.cameras);
        register_buffer(&mut registry, report);
        register_uplink(&mut registry, report);
        let mut text = String::new();
        text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

fn register_agent(registry: &mut Registry, report: &Report) {
    let version = Family::<VersionLabel, Gauge>::default();
    version
        .get_or_create(&VersionLabel {
            version: report.agent.version.to_owned(),
        })
        .set(1);
    registry.register("cctv_agent_build", "The version that runs", version);
    gauge(
        registry,
        "cctv_agent_start_time_seconds",
        "When the agent started, in seconds of UTC since 1970",
        seconds(report.agent.started),
    );
}

fn register_cameras(registry: &mut Registry, cameras: &[CameraReport]) {
    let mut each = |name: &str, help: &str, value: &dyn Fn(&CameraReport) -> Option<f64>| {
        let family = Family::<CameraLabel, Value>::default();
        for camera in cameras {
            if let Some(value) = value(camera) {
                let label = CameraLabel {
                    camera: camera.name.clone(),
                };
                family.get_or_create(&label).set(value);
            }
        }
        registry.register(name, help, family);
    };
    each(
        "cctv_agent_camera_up",
        "1 while pictures are at most seconds old",
        &|camera| Some(f64::from(u8::from(camera.state == CameraState::Live))),
    );
    each(
        "cctv_agent_camera_bits_per_second",
        "Of payload, over ten seconds",
        &|camera| Some(number(camera.bits_per_second)),
    );
    each(
        "cctv_agent_camera_pictures_per_second",
        "Over ten seconds",
        &|camera| Some(f64::from(camera.milli_fps) / 1e3),
    );
    each(
        "cctv_agent_camera_last_picture_seconds",
        "Wall time of the newest picture, in seconds of UTC since 1970",
        &|camera| camera.last_picture.map(seconds),
    );
    each(
        "cctv_agent_camera_recorded_until_seconds",
        "Everything before is recorded or explained, in seconds of UTC since 1970",
        &|camera| camera.recorded_until.map(seconds),
    );
    each(
        "cctv_agent_camera_durability_lag_seconds",
        "How far stable storage is behind what is recorded",
        &|camera| {
            let behind = camera
                .recorded_until?
                .0
                .micros_since(camera.durable_until?.0);
            Some(number(u64::try_from(behind).unwrap_or(0)) / 1e6)
        },
    );
    each(
        "cctv_agent_camera_queued_bytes",
        "Bytes that wait for the disk",
        &|camera| Some(number(camera.queued_bytes)),
    );
    each(
        "cctv_agent_camera_clock_uncertainty_seconds",
        "How far the wall times of pictures may be from the truth",
        &|camera| camera.clock_uncertainty_us.map(|us| number(us) / 1e6),
    );
    each(
        "cctv_agent_camera_sessions",
        "Sessions with the camera since the agent started",
        &|camera| Some(number(camera.sessions)),
    );
    each(
        "cctv_agent_camera_lost_packets",
        "Packets lost between camera and agent since the agent started",
        &|camera| Some(number(camera.lost_packets)),
    );
    let missing = Family::<ReasonLabel, Gauge>::default();
    for camera in cameras {
        if let Some(reason) = camera.not_recorded {
            let label = ReasonLabel {
                camera: camera.name.clone(),
                reason: reason.code.to_owned(),
            };
            missing.get_or_create(&label).set(1);
        }
    }
    registry.register(
        "cctv_agent_camera_not_recorded",
        "1 while the camera is not recorded, by reason",
        missing,
    );
}

fn register_buffer(registry: &mut Registry, report: &Report) {
    let buffer = &report.buffer;
    for (name, help, value) in [
        ("total", "Size of the filesystem", buffer.total_bytes),
        ("free", "Free on the filesystem", buffer.free_bytes),
        ("used", "Recordings", buffer.used_bytes),
        ("reserve", "Kept free by the settings", buffer.reserve_bytes),
        (
            "unsent",
            "Recordings the coordinator does not have",
            buffer.unsent_bytes,
        ),
    ] {
        let name = format!("cctv_agent_buffer_{name}_bytes");
        gauge(registry, &name, help, number(value));
    }
    if let Some(oldest) = buffer.oldest {
        gauge(
            registry,
            "cctv_agent_buffer_oldest_seconds",
            "Beginning of the oldest recording, in seconds of UTC since 1970",
            seconds(oldest),
        );
    }
    if let Some(at) = buffer.deletes_unsent_at {
        gauge(
            registry,
            "cctv_agent_buffer_deletes_unsent_seconds",
            "When recordings that are not uploaded begin to be deleted, in seconds of UTC since 1970",
            seconds(at),
        );
    }
    gauge(
        registry,
        "cctv_agent_buffer_fault",
        "1 while the disk cannot be written",
        f64::from(u8::from(buffer.fault.is_some())),
    );
}

fn register_uplink(registry: &mut Registry, report: &Report) {
    let uplink = &report.uplink;
    let connected = f64::from(u8::from(uplink.route.is_some()));
    gauge(
        registry,
        "cctv_agent_uplink_connected",
        "1 while the coordinator is connected",
        connected,
    );
    gauge(
        registry,
        "cctv_agent_metadata_backlog",
        "Records the coordinator has not acknowledged",
        number(uplink.metadata_backlog),
    );
    gauge(
        registry,
        "cctv_agent_upload_backlog",
        "Recordings that should be at the coordinator and are not",
        number(uplink.upload_backlog),
    );
    gauge(
        registry,
        "cctv_agent_uploaded_today_bytes",
        "Bytes of recordings that left the site since midnight",
        number(uplink.uploaded_today_bytes),
    );
    gauge(
        registry,
        "cctv_agent_resent_bytes",
        "Bytes of recordings sent more than once since the agent started",
        number(uplink.resent_bytes),
    );
    if let Some(us) = uplink.round_trip_us {
        gauge(
            registry,
            "cctv_agent_uplink_round_trip_seconds",
            "Smoothed round trip to the coordinator",
            number(us) / 1e6,
        );
    }
    if let Some(us) = uplink.clock_offset_us {
        gauge(
            registry,
            "cctv_agent_clock_offset_seconds",
            "Agent clock minus coordinator clock",
            signed(us) / 1e6,
        );
    }
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: f64) {
    let gauge = Value::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

fn seconds(time: Time) -> f64 {
    signed(time.0.as_micros()) / 1e6
}

#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 bytes or microseconds are beyond any agent"
)]
const fn number(value: u64) -> f64 {
    value as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 microseconds are 285 years"
)]
const fn signed(value: i64) -> f64 {
    value as f64
}
