//! Live pictures: the coordinator pulls a stream, the agent sends one unidirectional stream for each
//! GOP.
//!
//! **Pull** ([`LiveRequest`] → [`LiveFact`]s): lives exactly as long as its bidirectional stream;
//! whoever ends that ends the pull, so nothing has to be given back.
//!
//! **GOP**: a [`GopHeader`], then frames, each a [`FrameHead`] and its payload raw. A GOP can be
//! decoded by itself. The sender ends a GOP that is late by a reset.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::codec::{
    AudioCodec, AudioParameters, ParameterError, StreamParameters, VideoCodec, VideoParameters, aac,
};
use crate::id::{CameraId, RunId};
use crate::segment::StreamKind;
use crate::time::{Ticks90k, WallTime};
use crate::timeline::Reason;

/// Coordinator → agent: pictures of this stream until either side ends the stream of messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveRequest {
    /// Names the pull on this connection; never used twice on it.
    pub pull: u64,
    pub camera: CameraId,
    pub stream: StreamKind,
}

/// Agent → coordinator, on the stream of the pull.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum LiveFact {
    /// Every second, so that the centre knows within two that nothing comes any more.
    Alive,
    /// No picture, and why; ends with the next GOP.
    Down { reason: Reason, since: WallTime },
    /// There is no such stream. The agent finishes after it.
    NotFound { message: String },
    #[serde(other)]
    Unknown,
}

/// First message of the unidirectional stream of a GOP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GopHeader {
    /// Of the [`LiveRequest`].
    pub pull: u64,
    /// Counts the GOPs of the pull.
    pub gop: u64,
    pub run: RunId,
    pub video: TrackConfig<VideoCodec>,
    #[serde(default)]
    pub audio: Option<AudioConfig>,
}

/// What a decoder needs before the first picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackConfig<C> {
    pub codec: C,
    /// As [`VideoParameters::config`] and [`AudioParameters::config`]; base64 in JSON.
    #[serde(with = "base64")]
    pub config: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioConfig {
    #[serde(flatten)]
    pub track: TrackConfig<AudioCodec>,
    /// In Hz.
    pub sample_rate: u32,
    pub channels: u8,
}

impl GopHeader {
    pub fn new(pull: u64, gop: u64, run: RunId, parameters: &StreamParameters) -> Self {
        let audio = parameters.audio.as_ref().map(|audio| AudioConfig {
            track: TrackConfig {
                codec: audio.codec,
                config: audio.config.clone(),
            },
            sample_rate: audio.sample_rate,
            channels: audio.channels,
        });
        Self {
            pull,
            gop,
            run,
            video: TrackConfig {
                codec: parameters.video.codec,
                config: parameters.video.config.clone(),
            },
            audio,
        }
    }

    /// What the configuration records say.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn parameters(&self) -> Result<StreamParameters, ParameterError> {
        let video = &self.video;
        Ok(StreamParameters {
            video: VideoParameters::from_config(video.codec, video.config.clone())?,
            audio: self
                .audio
                .as_ref()
                .map(AudioConfig::parameters)
                .transpose()?,
        })
    }
}

impl AudioConfig {
    fn parameters(&self) -> Result<AudioParameters, ParameterError> {
        match self.track.codec {
            AudioCodec::Aac => aac::parameters(self.track.config.clone()),
            codec => AudioParameters::without_config(codec, self.sample_rate, self.channels),
        }
    }
}

/// Octets as text in JSON.
mod base64 {
    use bytes::Bytes;
    use data_encoding::BASE64;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        let bytes = BASE64.decode(text.as_bytes());
        bytes.map(Bytes::from).map_err(serde::de::Error::custom)
    }
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// A picture that needs the ones before it.
    Delta = 0,
    /// A picture at which decoding can start; the first frame of every GOP.
    Sync = 1,
    Audio = 2,
}

/// Before each frame, [`FrameHead::BYTES`] long, integers big endian: kind in one byte, three bytes
/// of zero, length of the payload in four, then three times eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    pub kind: FrameKind,
    /// Bytes of payload that follow.
    pub length: u32,
    /// Of sound: when it begins, in units of its sample rate.
    pub dts: i64,
    /// Of sound: when it ends, in the same units.
    pub pts: i64,
    /// Of sound: zero.
    pub wall: WallTime,
}

/// A frame's head is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    #[error("a frame of {0} bytes is larger than the {max} allowed", max = FrameHead::MAX_PAYLOAD)]
    Length(u32),
}

impl FrameHead {
    pub const BYTES: usize = 32;

    /// A picture of a camera is smaller.
    pub const MAX_PAYLOAD: u32 = 8 << 20;

    pub fn picture(sync: bool, length: u32, dts: Ticks90k, pts: Ticks90k, wall: WallTime) -> Self {
        Self {
            kind: if sync {
                FrameKind::Sync
            } else {
                FrameKind::Delta
            },
            length,
            dts: dts.get(),
            pts: pts.get(),
            wall,
        }
    }

    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[0] = self.kind as u8;
        bytes[4..8].copy_from_slice(&self.length.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.dts.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.pts.to_be_bytes());
        bytes[24..].copy_from_slice(&self.wall.as_micros().to_be_bytes());
        bytes
    }

    /// # Errors
    /// It is of no known kind, or announces too much.
    pub fn decode(bytes: &[u8; Self::BYTES]) -> Result<Self, FrameError> {
        let kind = match bytes[0] {
            0 => FrameKind::Delta,
            1 => FrameKind::Sync,
            2 => FrameKind::Audio,
            other => return Err(FrameError::Kind(other)),
        };
        let [_, _, _, _, a, b, c, d, times @ ..] = bytes;
        let length = u32::from_be_bytes([*a, *b, *c, *d]);
        if length > Self::MAX_PAYLOAD {
            return Err(FrameError::Length(length));
        }
        let time = |index: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&times[index * 8..][..8]);
            i64::from_be_bytes(eight)
        };
        Ok(Self {
            kind,
            length,
            dts: time(0),
            pts: time(1),
            wall: WallTime::from_micros(time(2)),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_frame_head_is_read_as_it_was_written(
            kind in prop_oneof![Just(FrameKind::Delta), Just(FrameKind::Sync), Just(FrameKind::Audio)],
            length in 0..=FrameHead::MAX_PAYLOAD,
            dts: i64, pts: i64, wall: i64,
        ) {
            let head = FrameHead { kind, length, dts, pts, wall: WallTime::from_micros(wall) };
            prop_assert_eq!(FrameHead::decode(&head.encode()), Ok(head));
        }

        #[test]
        fn no_bytes_are_read_as_more_than_is_allowed(bytes: [u8; 32]) {
            if let Ok(head) = FrameHead::decode(&bytes) {
                prop_assert!(head.length <= FrameHead::MAX_PAYLOAD);
            }
        }
    }
}
