//! What is in a stream: codecs and the parameters a decoder or a player needs before the first
//! sample.
//!
//! Parsing of the parameter sets themselves is in [`h264`], [`h265`] and [`aac`].

pub mod aac;
pub mod h264;
pub mod h265;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VideoCodec {
    H264,
    H265,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AudioCodec {
    Aac,
    /// G.711 A-law.
    Pcma,
    /// G.711 µ-law.
    Pcmu,
    Opus,
}

/// A video track's decoder configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoParameters {
    pub codec: VideoCodec,
    /// `AVCDecoderConfigurationRecord` or `HEVCDecoderConfigurationRecord` (ISO/IEC 14496-15
    /// sections 5.3.3 and 8.3.3).
    pub config: Bytes,
    /// As RFC 6381 names it, such as `avc1.4d401f` or `hvc1.1.6.L93.B0`.
    pub rfc6381: String,
    pub width: u16,
    pub height: u16,
    /// How many pictures may follow in decoding order and precede in output order; 0 when pictures
    /// are never reordered.
    pub reorder_frames: u8,
}

/// An audio track's decoder configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioParameters {
    pub codec: AudioCodec,
    /// `AudioSpecificConfig` for AAC (ISO/IEC 14496-3 section 1.6.2.1), empty for G.711 and Opus.
    pub config: Bytes,
    /// As RFC 6381 names it, such as `mp4a.40.2`; `alaw`, `ulaw` and `opus` for the others.
    pub rfc6381: String,
    /// In Hz; also the timescale of the track.
    pub sample_rate: u32,
    pub channels: u8,
}

/// Everything that has to change for a new run and a new init segment to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamParameters {
    pub video: VideoParameters,
    pub audio: Option<AudioParameters>,
}
