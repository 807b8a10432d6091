//! How the agent is doing, as one value: what `/api/status` says and the page shows.

use serde::{Deserialize, Serialize};
use shared::codec::VideoCodec;
use shared::id::{AgentId, CameraId, SegmentId};
use shared::message::{self, Message};
use shared::time::WallTime;
use shared::timeline::Reason;
use shared::wire::control::{BufferStatus, RecordingMode, StreamState, UploadPolicy};

use super::text;
use crate::camera::status::CameraStatus;
use crate::supervisor::{CameraView, Site};
use crate::uplink::Route;
use crate::uplink::status::{State, Status};

/// A picture older than this is not live, whatever the connection says.
const STALE_US: i64 = 5_000_000;

/// A certificate or a disk that ends sooner than this needs attention.
const SOON_US: i64 = 30 * 24 * 3_600 * 1_000_000;

/// More recordings than this wait only for a line that is too slow.
const LONG_BACKLOG: u64 = 100;

/// How much somebody should worry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    Good,
    /// Nothing is lost now; something will be if nobody looks.
    Attention,
    /// Something is being lost.
    Trouble,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub health: Health,
    pub agent: AgentReport,
    pub cameras: Vec<CameraReport>,
    pub buffer: BufferReport,
    pub uplink: UplinkReport,
}

#[derive(Clone, Debug, Serialize)]
pub struct AgentReport {
    pub name: String,
    pub version: &'static str,
    pub now: Time,
    pub started: Time,
}

/// An instant as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub WallTime);

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CameraState {
    /// Pictures are seconds old.
    Live,
    /// The connection stands, and the last picture is old.
    Stale,
    Connecting,
    Down,
    /// Not asked for.
    Off,
}

#[derive(Clone, Debug, Serialize)]
pub struct CameraReport {
    pub id: CameraId,
    pub name: String,
    pub health: Health,
    pub state: CameraState,
    pub message: Message,
    /// For the technician; in English.
    pub detail: Option<String>,
    pub since: Option<Time>,
    pub last_picture: Option<Time>,
    pub age_ms: Option<i64>,
    pub bits_per_second: u64,
    pub milli_fps: u32,
    pub picture: Option<Picture>,
    /// The camera has sound, and why it is not in the recordings.
    pub sound_not_recorded: Option<Message>,
    pub recording: RecordingMode,
    pub upload: UploadPolicy,
    pub retention_hours: Option<u32>,
    /// Why nothing is recorded at the moment.
    pub not_recorded: Option<Message>,
    /// While something is recorded: everything before is in a file or in the ledger.
    pub recorded_until: Option<Time>,
    pub durable_until: Option<Time>,
    pub segment: Option<SegmentId>,
    pub queued_bytes: u64,
    pub clock_uncertainty_us: Option<u64>,
    pub clock_offset_us: Option<i64>,
    pub sessions: u64,
    pub lost_packets: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Picture {
    pub codec: VideoCodec,
    pub width: u16,
    pub height: u16,
    pub has_sound: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct BufferReport {
    pub health: Health,
    pub message: Message,
    pub total_bytes: u64,
    pub free_bytes: u64,
    pub used_bytes: u64,
    pub reserve_bytes: u64,
    pub unsent_bytes: u64,
    pub oldest: Option<Time>,
    /// When recordings that are not uploaded begin to be deleted, at the present rates.
    pub deletes_unsent_at: Option<Time>,
    pub fault: Option<Reason>,
}

#[derive(Clone, Debug, Serialize)]
pub struct UplinkReport {
    pub health: Health,
    pub state: &'static str,
    pub message: Message,
    /// For the technician; in English.
    pub detail: Option<String>,
    pub since: Time,
    pub agent_id: Option<AgentId>,
    pub site_name: Option<String>,
    pub address: Option<String>,
    pub route: Option<&'static str>,
    pub coordinator_version: Option<String>,
    pub last_connected: Option<Time>,
    pub round_trip_us: Option<u64>,
    /// Agent clock minus coordinator clock.
    pub clock_offset_us: Option<i64>,
    pub metadata_backlog: u64,
    pub upload_backlog: u64,
    pub uploaded_today_bytes: u64,
    /// Bytes of recordings sent more than once since the agent started.
    pub resent_bytes: u64,
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub lost_packets: u64,
    pub certificate_expires: Option<Time>,
}

impl Report {
    pub(crate) fn new(
        site: &Site,
        buffer: &BufferStatus,
        uplink: &Status,
        started: WallTime,
        now: WallTime,
    ) -> Self {
        let views = site.views();
        let cameras: Vec<_> = views.into_iter().map(|view| camera(view, now)).collect();
        let falling_behind = match uplink.state {
            State::Connected => uplink.upload_backlog > LONG_BACKLOG,
            _ => uplink.upload_backlog > 0,
        };
        let buffer = buffer_report(buffer, falling_behind, now);
        let uplink = uplink_report(uplink, now);
        let worst = cameras.iter().map(|camera| camera.health).max();
        Self {
            health: worst
                .unwrap_or(Health::Good)
                .max(buffer.health)
                .max(uplink.health),
            agent: AgentReport {
                name: site.config().agent.name.clone(),
                version: env!("CARGO_PKG_VERSION"),
                now: Time(now),
                started: Time(started),
            },
            cameras,
            buffer,
            uplink,
        }
    }
}

fn camera(view: CameraView, now: WallTime) -> CameraReport {
    let status = view.camera.as_ref();
    let age_us = status
        .and_then(|status| status.last_picture)
        .map(|picture| now.micros_since(picture));
    let (state, message, since) = camera_state(status, age_us);
    let wanted = view.recording != RecordingMode::Off;
    let not_recorded = view.recorder.missing;
    let health = match (state, not_recorded) {
        (CameraState::Live | CameraState::Off, None) => Health::Good,
        (_, Some(reason)) if reason.cause() == shared::timeline::Cause::Policy => Health::Good,
        (CameraState::Connecting, _) => Health::Attention,
        _ if wanted => Health::Trouble,
        _ => Health::Attention,
    };
    CameraReport {
        id: view.id,
        name: view.name,
        health,
        state,
        message,
        detail: status.and_then(|status| status.detail.clone()),
        since: since.map(Time),
        last_picture: status.and_then(|status| status.last_picture).map(Time),
        age_ms: age_us.map(|age| age / 1_000),
        bits_per_second: status.map_or(0, |status| status.bits_per_second),
        milli_fps: status.map_or(0, |status| status.milli_fps),
        picture: status
            .and_then(|status| status.picture)
            .map(|format| Picture {
                codec: format.codec,
                width: format.width,
                height: format.height,
                has_sound: format.has_sound,
            }),
        sound_not_recorded: status
            .filter(|status| status.unrecorded_sound.is_some())
            .map(|_| text::SOUND_UNSUPPORTED),
        recording: view.recording,
        upload: view.upload,
        retention_hours: view.retention_hours,
        not_recorded: not_recorded.map(message::reason),
        recorded_until: view
            .recorder
            .recorded_until
            .filter(|_| not_recorded.is_none())
            .map(Time),
        durable_until: view.recorder.durable_until.map(Time),
        segment: view.recorder.segment,
        queued_bytes: view.recorder.queued_bytes,
        clock_uncertainty_us: status.and_then(|status| status.clock_uncertainty_us),
        clock_offset_us: status.and_then(|status| status.clock_offset_us),
        sessions: status.map_or(0, |status| status.sessions),
        lost_packets: status.map_or(0, |status| status.lost_packets),
    }
}

/// Live is what the age of the newest picture says, never the connection.
fn camera_state(
    status: Option<&CameraStatus>,
    age_us: Option<i64>,
) -> (CameraState, Message, Option<WallTime>) {
    match status.map(|status| status.state) {
        None | Some(StreamState::Connecting) => (CameraState::Connecting, text::CONNECTING, None),
        Some(StreamState::Off) => (CameraState::Off, text::OFF, None),
        Some(StreamState::Down { reason, since }) => {
            (CameraState::Down, message::reason(reason), Some(since))
        }
        Some(StreamState::Live) if age_us.is_some_and(|age| age < STALE_US) => {
            (CameraState::Live, text::LIVE, None)
        }
        Some(StreamState::Live) => (CameraState::Stale, text::STALE, None),
    }
}

fn buffer_report(status: &BufferStatus, falling_behind: bool, now: WallTime) -> BufferReport {
    // What policy does not want uploaded may be deleted without a warning.
    let soon = falling_behind
        && status
            .deletes_unsent_at
            .is_some_and(|at| at.micros_since(now) < SOON_US);
    // Such a disk is full as well, but deleting makes no room on it.
    let hopeless = status.total_bytes > 0 && status.total_bytes <= status.reserve_bytes;
    let (health, message) = match status.fault {
        None | Some(Reason::DiskFull) if hopeless => (Health::Trouble, text::RESERVE_TOO_LARGE),
        Some(reason) => (Health::Trouble, message::reason(reason)),
        None if soon => (Health::Attention, text::DELETES_SOON),
        None => (Health::Good, text::DISK_GOOD),
    };
    BufferReport {
        health,
        message,
        total_bytes: status.total_bytes,
        free_bytes: status.free_bytes,
        used_bytes: status.used_bytes,
        reserve_bytes: status.reserve_bytes,
        unsent_bytes: status.unsent_bytes,
        oldest: status.oldest.map(Time),
        deletes_unsent_at: status.deletes_unsent_at.map(Time),
        fault: status.fault,
    }
}

fn uplink_report(status: &Status, now: WallTime) -> UplinkReport {
    let expiring = status
        .certificate_expires
        .is_some_and(|at| at.micros_since(now) < SOON_US);
    let (health, message) = match status.state {
        State::Connected if expiring => (Health::Attention, text::CERTIFICATE_ENDS),
        State::Connected => (Health::Good, text::CONNECTED),
        State::Connecting => (Health::Attention, text::DIALLING),
        State::Waiting => (Health::Attention, text::WAITING),
        State::NotEnrolled => (Health::Attention, text::NOT_ENROLLED),
        State::Elsewhere => (Health::Trouble, text::ELSEWHERE),
        State::Revoked => (Health::Trouble, text::REVOKED),
        State::Version => (Health::Trouble, text::VERSION),
        State::Replaced => (Health::Trouble, text::REPLACED),
        State::Broken => (Health::Trouble, text::BROKEN),
    };
    UplinkReport {
        health,
        state: message.code,
        message,
        detail: status.problem.clone(),
        since: Time(status.since),
        agent_id: status.agent,
        site_name: status.site_name.clone(),
        address: status.address.clone(),
        route: status.route.map(|route| match route {
            Route::Udp => "udp",
            Route::Tcp => "tcp",
        }),
        coordinator_version: status.coordinator_version.clone(),
        last_connected: status.last_connected.map(Time),
        round_trip_us: status
            .round_trip
            .and_then(|time| u64::try_from(time.as_micros()).ok()),
        clock_offset_us: status.clock_offset_us,
        metadata_backlog: status.metadata_backlog,
        upload_backlog: status.upload_backlog,
        uploaded_today_bytes: status.uploaded_today,
        resent_bytes: status.resent,
        sent_bytes: status.traffic.sent_bytes,
        received_bytes: status.traffic.received_bytes,
        lost_packets: status.traffic.lost_packets,
        certificate_expires: status.certificate_expires.map(Time),
    }
}

#[cfg(test)]
mod tests {
    use shared::segment::StreamKind;

    use super::*;
    use crate::camera::quirks::Quirks;
    use crate::recorder::RecorderStatus;

    const NOW: WallTime = WallTime::from_secs(1_000_000);

    fn view(state: StreamState, age_ms: i64, missing: Option<Reason>) -> CameraView {
        let id = CameraId::new(NOW);
        CameraView {
            id,
            name: "gate".to_owned(),
            recording: RecordingMode::Continuous,
            upload: UploadPolicy::All,
            retention_hours: None,
            camera: Some(CameraStatus {
                camera: id,
                stream: StreamKind::Main,
                state,
                detail: None,
                last_picture: Some(NOW.offset_micros(-age_ms * 1_000)),
                bits_per_second: 4_000_000,
                milli_fps: 25_000,
                clock_uncertainty_us: None,
                clock_offset_us: None,
                run: None,
                picture: None,
                unrecorded_sound: None,
                sessions: 1,
                lost_packets: 0,
                quirks: Quirks::default(),
            }),
            recorder: RecorderStatus {
                missing,
                ..RecorderStatus::default()
            },
        }
    }

    #[test]
    fn a_connection_without_fresh_pictures_is_not_live() {
        let fresh = camera(view(StreamState::Live, 4_900, None), NOW);
        assert_eq!(
            (fresh.state, fresh.health),
            (CameraState::Live, Health::Good)
        );
        let old = camera(view(StreamState::Live, 5_000, None), NOW);
        assert_eq!(
            (old.state, old.health),
            (CameraState::Stale, Health::Trouble)
        );
        assert_eq!(old.age_ms, Some(5_000));
    }

    #[test]
    fn a_refused_password_is_told_apart_from_an_unreachable_camera() {
        let down = |reason| {
            let state = StreamState::Down { reason, since: NOW };
            camera(view(state, 60_000, Some(reason)), NOW)
        };
        let refused = down(Reason::CameraRefusedCredentials);
        let unreachable = down(Reason::CameraUnreachable);
        assert_ne!(refused.message, unreachable.message);
        assert_eq!(
            (refused.state, refused.health),
            (CameraState::Down, Health::Trouble)
        );
    }

    #[test]
    fn pictures_that_are_not_written_are_trouble_unless_nobody_wants_them() {
        let full = camera(view(StreamState::Live, 0, Some(Reason::DiskFull)), NOW);
        assert_eq!(full.health, Health::Trouble);
        let idle = camera(
            view(StreamState::Live, 0, Some(Reason::OutsideSchedule)),
            NOW,
        );
        assert_eq!(idle.health, Health::Good);
    }

    #[test]
    fn a_disk_smaller_than_the_reserve_has_its_own_sentence() {
        let mut status = BufferStatus {
            total_bytes: 1_000,
            free_bytes: 900,
            reserve_bytes: 2_000,
            ..BufferStatus::default()
        };
        let report = buffer_report(&status, false, NOW);
        assert_eq!(
            (report.message, report.health),
            (text::RESERVE_TOO_LARGE, Health::Trouble)
        );
        status.fault = Some(Reason::DiskFull);
        let report = buffer_report(&status, false, NOW);
        assert_eq!(report.message, text::RESERVE_TOO_LARGE);
        status.fault = Some(Reason::DiskReadOnly);
        let report = buffer_report(&status, false, NOW);
        assert_eq!(report.message, message::reason(Reason::DiskReadOnly));
    }

    #[test]
    fn a_forecast_is_a_warning_only_while_uploads_fall_behind() {
        let status = BufferStatus {
            total_bytes: 1_000,
            deletes_unsent_at: Some(NOW + std::time::Duration::from_secs(3_600)),
            ..BufferStatus::default()
        };
        assert_eq!(buffer_report(&status, false, NOW).health, Health::Good);
        assert_eq!(buffer_report(&status, true, NOW).health, Health::Attention);
    }
}
