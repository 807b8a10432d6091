//! What a source hands to the RTSP sessions: access units cut into RTP payloads, and what an SDP says about them.
//!
//! No sockets and no codec library here.

pub(crate) mod nal;

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Video codec of a rendition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// H.264 / AVC, RFC 6184.
    #[default]
    H264,
    /// H.265 / HEVC, RFC 7798.
    H265,
}

/// Audio of a rendition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audio {
    /// Video only.
    #[default]
    None,
    /// AAC-LC, 16 kHz mono, RFC 3640 (AAC-hbr).
    Aac,
    /// G.711 A-law, 8 kHz.
    Pcma,
    /// G.711 µ-law, 8 kHz.
    Pcmu,
}

/// One of the two streams of a rendition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Track {
    Video,
    Audio,
}

impl Track {
    pub(crate) const ALL: [Self; 2] = [Self::Video, Self::Audio];

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Video => 0,
            Self::Audio => 1,
        }
    }

    /// Last part of the track's control URL.
    pub(crate) const fn control(self) -> &'static str {
        match self {
            Self::Video => "trackID=0",
            Self::Audio => "trackID=1",
        }
    }
}

/// RTP clock of video, and of nothing else.
pub(crate) const VIDEO_CLOCK: u32 = 90_000;

/// A rendition as an SDP describes it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Description {
    pub(crate) video: VideoDescription,
    pub(crate) audio: Option<AudioDescription>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VideoDescription {
    pub(crate) codec: Codec,
    pub(crate) parameter_sets: nal::ParameterSets,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) fps: f64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AudioDescription {
    pub(crate) audio: Audio,
    /// Samples per second, also the RTP clock.
    pub(crate) rate: u32,
    pub(crate) channels: u16,
    /// AudioSpecificConfig of AAC (ISO 14496-3); empty otherwise.
    pub(crate) config: Vec<u8>,
}

/// Payload of one RTP packet.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    pub(crate) bytes: Bytes,
    /// Last packet of its access unit.
    pub(crate) marker: bool,
}

/// One access unit or audio frame, ready to be sent to any number of clients.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    pub(crate) track: Track,
    /// A client may begin here.
    pub(crate) key: bool,
    /// Presentation time in the track's RTP clock since the source's beginning; does not wrap.
    pub(crate) ticks: u64,
    /// When it was captured, microseconds since 1970, by a clock without fault.
    pub(crate) wall_us: i64,
    /// Parameter sets and the message that says which frame this is.
    pub(crate) head: Vec<Payload>,
    /// The rest, shared by everyone who sends the same encoded frame.
    pub(crate) body: Arc<[Payload]>,
}

impl Unit {
    pub(crate) fn payloads(&self) -> impl Iterator<Item = &Payload> {
        self.head.iter().chain(self.body.iter())
    }
}
