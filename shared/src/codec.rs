//! What is in a stream: codecs and the parameters a decoder or a player needs before the first
//! sample.
//!
//! Parsing of the parameter sets themselves is in [`h264`], [`h265`] and [`aac`]; the NAL units of an
//! access unit are listed by [`nal`].

pub mod aac;
pub mod h264;
pub mod h265;
pub mod nal;

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

impl VideoParameters {
    /// Reads a decoder configuration record as RTSP or a file gives it.
    ///
    /// # Errors
    /// See [`h264::parameters`] and [`h265::parameters`].
    pub fn from_config(codec: VideoCodec, config: Bytes) -> Result<Self, ParameterError> {
        match codec {
            VideoCodec::H264 => h264::parameters(config),
            VideoCodec::H265 => h265::parameters(config),
        }
    }
}

impl AudioParameters {
    /// For codecs that need no configuration. Opus always counts time in 1/48,000 s (RFC 7587
    /// section 4.1).
    ///
    /// # Errors
    /// AAC, which has one: see [`aac::parameters`].
    pub fn without_config(
        codec: AudioCodec,
        sample_rate: u32,
        channels: u8,
    ) -> Result<Self, ParameterError> {
        let (rfc6381, sample_rate) = match codec {
            AudioCodec::Aac => return Err(ParameterError::Missing("AudioSpecificConfig")),
            AudioCodec::Pcma => ("alaw", sample_rate),
            AudioCodec::Pcmu => ("ulaw", sample_rate),
            AudioCodec::Opus => ("opus", 48_000),
        };
        Ok(Self {
            codec,
            config: Bytes::new(),
            rfc6381: rfc6381.to_owned(),
            sample_rate,
            channels,
        })
    }
}

impl VideoCodec {
    /// Whether decoding can start at this access unit.
    pub fn is_sync(self, payload: &[u8]) -> bool {
        match self {
            Self::H264 => h264::is_sync(payload),
            Self::H265 => h265::is_sync(payload),
        }
    }

    /// The configuration record to go on with after this access unit, where its parameter sets are
    /// not those of `config`; a new run begins then.
    ///
    /// # Errors
    /// A parameter set cannot be read.
    pub fn updated(self, config: &[u8], payload: &[u8]) -> Result<Option<Bytes>, ParameterError> {
        match self {
            Self::H264 => h264::updated(config, payload),
            Self::H265 => h265::updated(config, payload),
        }
    }
}

/// Why parameters of a stream cannot be used. The camera sent them, so each says what is wrong with
/// them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    #[error("the camera's {record} record cannot be read: {detail}")]
    Record {
        record: &'static str,
        detail: String,
    },
    #[error("the camera's {set} cannot be read: {detail}")]
    Set { set: &'static str, detail: String },
    #[error("the camera's configuration has no {0}")]
    Missing(&'static str),
    #[error("the camera's {0} is not supported")]
    Unsupported(&'static str),
    #[error("a picture side of {0} is not between 1 and 65535")]
    Dimension(u32),
}

impl ParameterError {
    fn record(record: &'static str, error: &mp4_atom::Error) -> Self {
        Self::Record {
            record,
            detail: error.to_string(),
        }
    }

    fn set(set: &'static str, error: &impl std::fmt::Debug) -> Self {
        Self::Set {
            set,
            detail: format!("{error:?}"),
        }
    }
}

fn dimension(length: u32) -> Result<u16, ParameterError> {
    u16::try_from(length)
        .ok()
        .filter(|length| *length > 0)
        .ok_or(ParameterError::Dimension(length))
}

fn check_length_size(bytes: u8) -> Result<(), ParameterError> {
    if usize::from(bytes) == nal::LENGTH_BYTES {
        Ok(())
    } else {
        Err(ParameterError::Unsupported(
            "NAL unit length of other than four bytes",
        ))
    }
}

/// Parameter sets that fit the counts and lengths of a configuration record.
fn at_most(units: Vec<Vec<u8>>, count: usize) -> Result<Vec<Vec<u8>>, ParameterError> {
    let fits = units.len() <= count && units.iter().all(|unit| u16::try_from(unit.len()).is_ok());
    if fits {
        Ok(units)
    } else {
        Err(ParameterError::Unsupported(
            "number or size of parameter sets",
        ))
    }
}
