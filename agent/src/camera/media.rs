//! What a camera's task says: runs, pictures, sound, and why there are none.
//!
//! Values only. How they reach consumers is [`super::fanout`]; where they come from is
//! [`super::rtsp`] and [`super::session`].

use std::sync::Arc;

use shared::codec::StreamParameters;
use shared::id::{CameraId, RunId};
use shared::sample::{AudioFrame, Sample};
use shared::segment::StreamKind;
use shared::time::WallTime;
use shared::timeline::Reason;

/// A stretch of a stream with unbroken media time, one codec configuration and slewed wall time.
///
/// Media times count from its first picture; nothing is continuous from one run to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub id: RunId,
    pub camera: CameraId,
    pub stream: StreamKind,
    /// The same for all samples of the run.
    pub parameters: Arc<StreamParameters>,
    /// Wall time of its first picture.
    pub origin: WallTime,
    /// How far its wall times may be from the truth, in microseconds, as far as is known when it
    /// begins; `None` when the camera sends no usable sender reports.
    pub wall_uncertainty_us: Option<u64>,
    pub started_because: RunStart,
}

/// What began a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunStart {
    /// A session with the camera was opened.
    Connected,
    /// The camera's timestamps or clock jumped; the session went on.
    ClockJumped,
    /// The host's wall clock was set; the session went on.
    HostClockStepped,
    /// Codec, resolution or parameter sets changed; the session went on.
    ParametersChanged,
}

/// What the fan-out carries. Cheap to clone: payloads and parameters are shared.
///
/// A subscription sees [`Event::RunStarted`] and [`Event::RunEnded`] in turns; `Video`, `Audio`,
/// `Lost` and `Skipped` only between them (a `Skipped` may also stand between two runs when both
/// its ends were missed), `Down` only outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    RunStarted(Arc<Run>),
    /// One picture. Times in `sample` count from the start of the run; `wall` is its slewed wall
    /// time, never before the previous picture's in presentation order.
    Video {
        sample: Sample,
        wall: WallTime,
    },
    /// Times count from the start of the run, in units of the track's sample rate.
    Audio(AudioFrame),
    /// Pictures known to be missing inside a run because packets were lost. The pictures after it
    /// are passed on, decodable or not, until the next sync sample.
    Lost {
        from: WallTime,
        to: WallTime,
        reason: Reason,
    },
    RunEnded {
        /// Wall time of the end of the last picture.
        at: WallTime,
        reason: Reason,
        /// For the technician; never a secret.
        detail: Option<String>,
    },
    /// No picture; the task goes on trying. Repeated when the reason changes.
    Down {
        reason: Reason,
        /// For the technician; never a secret.
        detail: Option<String>,
        since: WallTime,
    },
    /// Made by the subscription itself when its consumer was too slow: these pictures existed and
    /// were not delivered to it. The next picture is a sync sample.
    Skipped {
        from: WallTime,
        to: WallTime,
        pictures: u32,
    },
}

impl Event {
    /// Bytes of payload it holds on to.
    pub fn payload_len(&self) -> usize {
        match self {
            Self::Video { sample, .. } => sample.payload.len(),
            Self::Audio(frame) => frame.payload.len(),
            _ => 0,
        }
    }

    /// Whether it carries media, which may be skipped, or a fact, which may not.
    pub const fn is_media(&self) -> bool {
        matches!(self, Self::Video { .. } | Self::Audio(_))
    }
}
