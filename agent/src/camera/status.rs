//! How a stream is doing, for health page, metrics and heartbeat.

use std::time::Duration;

use shared::codec::VideoCodec;
use shared::id::{CameraId, RunId, SegmentId};
use shared::segment::StreamKind;
use shared::time::WallTime;
use shared::wire::control::{StreamState, StreamStatus};

use super::quirks::Quirks;

/// What the task of a stream knows about it. Renewed twice a second, and at once when the
/// state changes.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraStatus {
    pub camera: CameraId,
    pub stream: StreamKind,
    pub state: StreamState,
    /// Why it is down, for the technician; never a secret.
    pub detail: Option<String>,
    /// Wall time of the newest picture; staleness is judged by this alone.
    pub last_picture: Option<WallTime>,
    /// Of payload over the last ten seconds.
    pub bits_per_second: u64,
    /// Over the last ten seconds.
    pub milli_fps: u32,
    pub clock_uncertainty_us: Option<u64>,
    pub clock_offset_us: Option<i64>,
    pub run: Option<RunId>,
    /// Of the newest run.
    pub picture: Option<PictureFormat>,
    /// Encoding of a sound that the camera offers and that cannot be recorded, as its description
    /// calls it.
    pub unrecorded_sound: Option<String>,
    /// Since the agent was started.
    pub sessions: u64,
    /// Since the agent was started.
    pub lost_packets: u64,
    pub quirks: Quirks,
}

/// What the pictures of a run look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureFormat {
    pub codec: VideoCodec,
    pub width: u16,
    pub height: u16,
    pub has_sound: bool,
}

/// What the recorder knows of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    pub recorded_until: Option<WallTime>,
    pub durable_until: Option<WallTime>,
    pub segment: Option<SegmentId>,
}

impl CameraStatus {
    pub(super) fn new(camera: CameraId, stream: StreamKind) -> Self {
        Self {
            camera,
            stream,
            state: StreamState::Off,
            detail: None,
            last_picture: None,
            bits_per_second: 0,
            milli_fps: 0,
            clock_uncertainty_us: None,
            clock_offset_us: None,
            run: None,
            picture: None,
            unrecorded_sound: None,
            sessions: 0,
            lost_packets: 0,
            quirks: Quirks::default(),
        }
    }

    /// As the heartbeat carries it.
    pub const fn to_wire(&self, recorded: Recorded) -> StreamStatus {
        StreamStatus {
            camera: self.camera,
            stream: self.stream,
            state: self.state,
            last_picture: self.last_picture,
            recorded_until: recorded.recorded_until,
            durable_until: recorded.durable_until,
            bits_per_second: self.bits_per_second,
            milli_fps: self.milli_fps,
            clock_uncertainty_us: self.clock_uncertainty_us,
            clock_offset_us: self.clock_offset_us,
            run: self.run,
            segment: recorded.segment,
        }
    }
}

const WINDOW_SECONDS: usize = 10;

/// Bits and pictures of the last ten whole seconds. Pure.
#[derive(Debug, Default)]
pub(super) struct Rates {
    seconds: [Second; WINDOW_SECONDS + 1],
}

#[derive(Clone, Copy, Debug, Default)]
struct Second {
    /// Of the monotonic clock, plus one so that zero means unused.
    number: u64,
    bytes: u64,
    pictures: u32,
}

impl Rates {
    pub(super) fn picture(&mut self, bytes: usize, now: Duration) {
        let second = self.second(now);
        second.bytes += bytes as u64;
        second.pictures += 1;
    }

    pub(super) fn sound(&mut self, bytes: usize, now: Duration) {
        self.second(now).bytes += bytes as u64;
    }

    /// Bits a second, and thousandths of a picture a second.
    pub(super) fn per_second(&self, now: Duration) -> (u64, u32) {
        let current = now.as_secs() + 1;
        let window = current.saturating_sub(WINDOW_SECONDS as u64).max(1)..current;
        let whole = || {
            self.seconds
                .iter()
                .filter(|second| window.contains(&second.number))
        };
        // A stream that began two seconds ago is measured over those.
        let oldest = whole().map(|second| second.number).min();
        let seconds = oldest.map_or(1, |oldest| current - oldest);
        let bytes: u64 = whole().map(|second| second.bytes).sum();
        let pictures: u64 = whole().map(|second| u64::from(second.pictures)).sum();
        let milli_fps = u32::try_from(pictures * 1_000 / seconds).unwrap_or(u32::MAX);
        (bytes * 8 / seconds, milli_fps)
    }

    fn second(&mut self, now: Duration) -> &mut Second {
        let number = now.as_secs() + 1;
        // The remainder is below the length.
        let place = usize::try_from(number % (WINDOW_SECONDS as u64 + 1)).unwrap_or(0);
        let second = &mut self.seconds[place];
        if second.number != number {
            *second = Second {
                number,
                ..Second::default()
            };
        }
        second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_last_ten_seconds() {
        let mut rates = Rates::default();
        let frame = Duration::from_millis(40);
        for number in 0..25 * 60 {
            rates.picture(20_000, frame * number);
        }
        let (bits, milli_fps) = rates.per_second(Duration::from_secs(60));
        assert_eq!(bits, 4_000_000);
        assert_eq!(milli_fps, 25_000);
        let (bits, milli_fps) = rates.per_second(Duration::from_secs(65));
        assert_eq!((bits, milli_fps), (2_000_000, 12_500));
        assert_eq!(rates.per_second(Duration::from_secs(80)), (0, 0));
    }

    #[test]
    fn a_young_stream_is_measured_over_its_life() {
        let mut rates = Rates::default();
        for number in 0..75 {
            rates.picture(1_000, Duration::from_millis(5_000 + number * 40));
        }
        assert_eq!(rates.per_second(Duration::from_secs(8)), (200_000, 25_000));
    }
}
