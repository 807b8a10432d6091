//! How a camera is doing, judged by the time of its newest picture and by nothing else: a standing
//! connection proves no picture.

use std::time::Duration;

use shared::id::CameraId;
use shared::segment::StreamKind;
use shared::time::WallTime;
use shared::timeline::{Cause, Reason};
use shared::wire::control::{StreamState, StreamStatus};

use super::agent::AgentStatus;

/// A picture older than this is not live.
pub const LIVE_WITHIN: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthState {
    /// A picture younger than [`LIVE_WITHIN`] has been seen.
    Live,
    /// The agent is connected and knows no reason, but the newest picture is older.
    Stale,
    /// The agent says why there is no picture.
    Down,
    /// The agent is not connected.
    Offline,
    /// Nobody wants pictures of it now.
    Off,
    /// The agent has not said anything about it.
    Unknown,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    pub state: HealthState,
    pub reason: Option<Reason>,
    pub cause: Option<Cause>,
    /// Since when it has been down.
    pub since: Option<WallTime>,
    pub last_picture: Option<WallTime>,
    /// Age of that picture now.
    pub age: Option<Duration>,
    pub recorded_until: Option<WallTime>,
    pub durable_until: Option<WallTime>,
    pub bits_per_second: u64,
    /// Thousandths of a picture per second.
    pub milli_fps: u32,
    pub clock_uncertainty_us: Option<u64>,
    pub clock_offset_us: Option<i64>,
}

impl Health {
    const fn without_news(state: HealthState) -> Self {
        Self {
            state,
            reason: None,
            cause: None,
            since: None,
            last_picture: None,
            age: None,
            recorded_until: None,
            durable_until: None,
            bits_per_second: 0,
            milli_fps: 0,
            clock_uncertainty_us: None,
            clock_offset_us: None,
        }
    }
}

/// The health of a camera's main stream, or of its sub stream where it has no other.
///
/// `status` is the latest heartbeat of its agent, `connected` whether the agent is there now.
pub fn of_camera(
    camera: CameraId,
    connected: bool,
    status: Option<&AgentStatus>,
    now: WallTime,
) -> Health {
    let stream = status.and_then(|status| {
        let of = |kind| {
            let mut streams = status.heartbeat.streams.iter();
            streams.find(|stream| stream.camera == camera && stream.stream == kind)
        };
        Some((
            status,
            of(StreamKind::Main).or_else(|| of(StreamKind::Sub))?,
        ))
    });
    let Some((status, stream)) = stream else {
        return Health::without_news(if connected {
            HealthState::Unknown
        } else {
            HealthState::Offline
        });
    };
    of_stream(stream, connected, status, now)
}

fn of_stream(
    stream: &StreamStatus,
    connected: bool,
    status: &AgentStatus,
    now: WallTime,
) -> Health {
    let age = stream
        .last_picture
        .and_then(|picture| age_of(picture, status, now));
    let mut health = Health {
        last_picture: stream.last_picture,
        age,
        recorded_until: stream.recorded_until,
        durable_until: stream.durable_until,
        bits_per_second: stream.bits_per_second,
        milli_fps: stream.milli_fps,
        clock_uncertainty_us: stream.clock_uncertainty_us,
        clock_offset_us: stream.clock_offset_us,
        ..Health::without_news(HealthState::Offline)
    };
    if !connected {
        // What it sent and measured before says nothing about now.
        health.bits_per_second = 0;
        health.milli_fps = 0;
        return health;
    }
    health.state = match stream.state {
        StreamState::Off => HealthState::Off,
        StreamState::Down { reason, since } => {
            health.reason = Some(reason);
            health.cause = Some(reason.cause());
            health.since = Some(since);
            HealthState::Down
        }
        StreamState::Live if age.is_some_and(|age| age < LIVE_WITHIN) => HealthState::Live,
        StreamState::Live => HealthState::Stale,
        StreamState::Connecting if stream.last_picture.is_some() => HealthState::Stale,
        StreamState::Connecting => HealthState::Unknown,
    };
    health
}

/// How old a picture is now. Agent times are only compared with agent times, and ours with ours, so
/// that a clock that is wrong at the site neither freezes nor freshens a picture; the time a
/// heartbeat spent on the way counts where the clocks' difference is known.
///
/// `None` for a picture from the agent's future, of which no age can be told.
fn age_of(picture: WallTime, status: &AgentStatus, now: WallTime) -> Option<Duration> {
    let sent = status.heartbeat.now;
    if picture.saturating_duration_since(sent) >= LIVE_WITHIN {
        return None;
    }
    let on_the_way = status
        .heartbeat
        .uplink
        .clock_offset_us
        .map_or(Duration::ZERO, |offset| {
            let sent_by_our_clock = sent.offset_micros(offset.saturating_neg());
            status
                .received_at
                .saturating_duration_since(sent_by_our_clock)
        });
    Some(
        sent.saturating_duration_since(picture)
            + on_the_way
            + now.saturating_duration_since(status.received_at),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shared::wire::control::{BufferStatus, Heartbeat, UplinkStatus};

    use super::*;

    const NOW: WallTime = WallTime::from_secs(1_800_000_000);

    fn stream(state: StreamState, last_picture: Option<WallTime>) -> StreamStatus {
        StreamStatus {
            camera: CameraId::new(WallTime::from_secs(1)),
            stream: StreamKind::Main,
            state,
            last_picture,
            recorded_until: last_picture,
            durable_until: None,
            bits_per_second: 4_000_000,
            milli_fps: 25_000,
            clock_uncertainty_us: None,
            clock_offset_us: None,
            run: None,
            segment: None,
        }
    }

    fn status(sent: WallTime, received_at: WallTime, streams: Vec<StreamStatus>) -> AgentStatus {
        AgentStatus {
            received_at,
            heartbeat: Heartbeat {
                now: sent,
                streams,
                buffer: BufferStatus::default(),
                uplink: UplinkStatus::default(),
            },
        }
    }

    fn state_of(stream: &StreamStatus, connected: bool, sent: WallTime, now: WallTime) -> Health {
        let status = status(sent, NOW, vec![stream.clone()]);
        of_camera(stream.camera, connected, Some(&status), now)
    }

    #[test]
    fn a_picture_five_seconds_old_is_not_live() {
        let live = stream(StreamState::Live, Some(NOW));
        let after = |millis| NOW + Duration::from_millis(millis);
        assert_eq!(
            state_of(&live, true, NOW, after(4_999)).state,
            HealthState::Live
        );
        assert_eq!(
            state_of(&live, true, NOW, after(5_000)).state,
            HealthState::Stale
        );
        let offline = state_of(&live, false, NOW, after(0));
        assert_eq!(offline.state, HealthState::Offline);
        assert_eq!((offline.bits_per_second, offline.milli_fps), (0, 0));
        assert_eq!(offline.last_picture, Some(NOW));
    }

    #[test]
    fn a_picture_from_the_future_cannot_stay_live() {
        let hour = Duration::from_secs(3600);
        let ahead = stream(StreamState::Live, Some(NOW + hour));
        let health = state_of(&ahead, true, NOW, NOW);
        assert_eq!((health.state, health.age), (HealthState::Stale, None));
    }

    #[test]
    fn the_agents_reason_is_passed_on() {
        let since = NOW - Duration::from_secs(60);
        let down = stream(
            StreamState::Down {
                reason: Reason::CameraStalled,
                since,
            },
            Some(since),
        );
        let health = state_of(&down, true, NOW, NOW);
        assert_eq!(health.state, HealthState::Down);
        assert_eq!(health.reason, Some(Reason::CameraStalled));
        assert_eq!(health.cause, Some(Cause::Camera));
        assert_eq!(health.since, Some(since));
    }

    #[test]
    fn what_was_never_reported_is_unknown_and_not_healthy() {
        let camera = CameraId::new(NOW);
        let state = |connected| of_camera(camera, connected, None, NOW).state;
        assert_eq!(state(true), HealthState::Unknown);
        assert_eq!(state(false), HealthState::Offline);
        let connecting = stream(StreamState::Connecting, None);
        assert_eq!(
            state_of(&connecting, true, NOW, NOW).state,
            HealthState::Unknown
        );
    }

    #[test]
    fn a_heartbeat_that_was_long_on_the_way_makes_no_picture_young() {
        let delay = Duration::from_secs(20);
        let live = stream(StreamState::Live, Some(NOW - delay));
        let mut status = status(NOW - delay, NOW, vec![live.clone()]);
        let state = |status: &AgentStatus| of_camera(live.camera, true, Some(status), NOW).state;
        status.heartbeat.uplink.clock_offset_us = Some(0);
        assert_eq!(state(&status), HealthState::Stale);
        // The same figures with the clocks known to differ by just that much.
        status.heartbeat.uplink.clock_offset_us = Some(-20_000_000);
        assert_eq!(state(&status), HealthState::Live);
    }

    proptest! {
        /// Whatever the agent's clock says, a picture is live exactly while its age by that clock
        /// plus the time since its heartbeat arrived is under the limit.
        #[test]
        fn a_wrong_clock_at_the_site_changes_nothing(
            skew_s in -100_000_i64..100_000,
            age_ms in 0_u64..12_000,
            since_ms in 0_u64..12_000,
        ) {
            let sent = NOW.offset_micros(skew_s * 1_000_000);
            let live = stream(StreamState::Live, Some(sent - Duration::from_millis(age_ms)));
            let health = state_of(&live, true, sent, NOW + Duration::from_millis(since_ms));
            prop_assert_eq!(health.age, Some(Duration::from_millis(age_ms + since_ms)));
            prop_assert_eq!(health.state == HealthState::Live, age_ms + since_ms < 5_000);
        }
    }
}
