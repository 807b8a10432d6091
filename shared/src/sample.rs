//! Access units as the agent passes them around: payload by reference, times in the units of their
//! track.

use bytes::Bytes;

use crate::time::Ticks90k;

/// One video access unit (one coded picture with its parameter sets and SEI).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When the picture is shown, from the start of the run.
    pub pts: Ticks90k,
    /// When it is decoded. Never after `pts`, and strictly increasing within a run.
    pub dts: Ticks90k,
    /// Whether decoding can start here.
    pub sync: bool,
    /// NAL units, each behind a four-byte big-endian length (ISO/IEC 14496-15 section 4.3.2).
    pub payload: Bytes,
}

/// One frame of audio, as RTP carried it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioFrame {
    /// From the start of the run, in units of the track's sample rate.
    pub start: i64,
    /// In units of the track's sample rate.
    pub duration: u32,
    /// A raw AAC access unit, G.711 octets or an Opus packet.
    pub payload: Bytes,
}
