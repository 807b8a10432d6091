//! What can go wrong with a camera. Where it stands what is wrong right now is in [`board`].

mod board;

pub(crate) use board::{Condition, FaultBoard};
use serde::{Deserialize, Serialize};

/// A misbehaviour of a camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Connections are reset at once, and new ones as soon as they ask for this camera.
    Cut,
    /// New connections are reset as soon as they ask for this camera; running sessions go on.
    Refuse,
    /// Connections stay open and nothing is sent, neither media nor answers. Afterwards media goes on with the next key frame.
    Stall,
    /// RTP packets are lost.
    Loss {
        /// Share of packets lost, 0 to 1.
        fraction: f64,
    },
    /// RTP packets over UDP change places with their successor.
    Reorder {
        /// Share of packets that come late, 0 to 1.
        fraction: f64,
    },
    /// RTP timestamps of running sessions jump once. Sender reports agree with the new ones.
    RtpJump {
        /// In units of 1/90000 s, also for audio.
        ticks: i64,
    },
    /// Sessions that begin while this is set have timestamps that pass 2³² after the given time; running ones are not touched.
    RtpWrap {
        /// Milliseconds from PLAY to the wrap.
        after_ms: u32,
    },
    /// The picture changes its size in mid-stream with parameter sets in band. Live scenes only.
    SpsChange {
        /// New width.
        width: u32,
        /// New height.
        height: u32,
    },
    /// Only the first frame of a session is a key frame. Live scenes only.
    LongGop,
    /// The SDP is unusual.
    OddSdp {
        /// In which way.
        variant: OddSdp,
    },
    /// GET_PARAMETER and SET_PARAMETER fail, and do not count as signs of life; OPTIONS still does.
    RefuseKeepAlive {
        /// In which way.
        how: KeepAliveRefusal,
    },
    /// Every sign-in is refused with 401.
    WrongPassword,
    /// The SDP has no video.
    AudioOnly,
    /// The camera's clock runs fast (slow where negative) from now on: RTP timestamps and times of sender reports. Clearing it
    /// makes the clock run true again, with the error it has by then.
    ClockSkew {
        /// Parts per million.
        ppm: f64,
    },
    /// The SDP announces this encoding for the video.
    UnknownCodec {
        /// Name in the `rtpmap`, for example `JPEG` or `X-SECRET`.
        encoding: String,
    },
}

/// Unusual but seen SDPs and sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OddSdp {
    /// No `sprop-parameter-sets` and no `sprop-vps/sps/pps`: parameter sets come in band only.
    NoParameterSets,
    /// Blanks in and after the parameters of `fmtp`.
    ExtraWhitespace,
    /// Absolute URLs in `a=control`, and no `Content-Base`.
    AbsoluteControl,
    /// A session id of unusual characters, longer than usual, and a blank before `timeout`.
    OddSession,
    /// Lines end with LF only, and an attribute is unknown.
    BareLineFeeds,
}

/// How a camera refuses keep-alives it has advertised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeepAliveRefusal {
    /// 405 Method Not Allowed.
    NotAllowed,
    /// 451 Parameter Not Understood.
    NotUnderstood,
    /// 405 with a wrong CSeq.
    WrongSequence,
    /// No answer.
    Silence,
    /// The connection is closed.
    Close,
}

/// A fault that cannot be set.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FaultError {
    /// There is no such camera.
    #[error("no camera is called {0:?}")]
    NoSuchCamera(String),
    /// The camera's source cannot do it.
    #[error("camera {camera:?} cannot show {fault}: its source is not a live scene")]
    NeedsLiveScene {
        /// Which camera.
        camera: String,
        /// Which fault.
        fault: &'static str,
    },
    /// A value is out of range.
    #[error("{0}")]
    OutOfRange(&'static str),
}

impl Fault {
    /// Whether the values make sense.
    pub(crate) fn check(&self) -> Result<(), FaultError> {
        match self {
            Self::Loss { fraction } | Self::Reorder { fraction }
                if !(0.0..=1.0).contains(fraction) =>
            {
                Err(FaultError::OutOfRange("a fraction is between 0 and 1"))
            }
            Self::ClockSkew { ppm } if !(-100_000.0..=100_000.0).contains(ppm) => Err(
                FaultError::OutOfRange("a clock error is between -100000 and 100000 ppm"),
            ),
            Self::SpsChange { width, height }
                if !(320..=3840).contains(width)
                    || !(192..=2160).contains(height)
                    || (width | height) & 1 == 1 =>
            {
                Err(FaultError::OutOfRange(
                    "a picture is 320 x 192 to 3840 x 2160, in even numbers",
                ))
            }
            _ => Ok(()),
        }
    }

    /// Its name where only a live scene can show it.
    pub(crate) const fn needs_live_scene(&self) -> Option<&'static str> {
        match self {
            Self::SpsChange { .. } => Some("a change of picture size"),
            Self::LongGop => Some("an endless GOP"),
            _ => None,
        }
    }
}

/// A fault that is set.
#[derive(Clone, Debug, Serialize)]
pub struct ActiveFault {
    /// What is wrong.
    pub fault: Fault,
    /// End, microseconds since 1970 by the simulated clock; until cleared where absent.
    pub until_us: Option<i64>,
}

impl ActiveFault {
    fn lasts(&self, now_us: i64) -> bool {
        self.until_us.is_none_or(|until_us| now_us < until_us)
    }
}
