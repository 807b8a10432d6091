//! What is known of a segment without opening its file: the fragment index, the hashes and the
//! signature.
//!
//! The index is the truth about coverage (`design/storage.md`). Playlists, partial pulls and the
//! ledger are computed from it, never from file times or sizes.

use std::time::Duration;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use crate::hash::{Sha256, merkle_leaf, merkle_root};
use crate::id::{CameraId, RunId, SegmentId};
use crate::time::{Ticks90k, TimeRange, WallTime};

/// Which of a camera's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamKind {
    Main,
    Sub,
}

/// One `moof` + `mdat` of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FragmentMeta {
    /// Bytes from the start of the file to the `moof`.
    pub offset: u64,
    /// Bytes of `moof` and `mdat` together.
    pub length: u32,
    /// First decoding time of the video, from the start of the run.
    pub media_start: Ticks90k,
    /// Sum of the video samples' durations.
    pub duration: Ticks90k,
    /// When its first picture was seen.
    pub wall_start: WallTime,
    /// Whether its first video sample is a sync sample. A fragment is always cut before a sync
    /// sample, so there is none further in.
    pub sync: bool,
    /// Number of video samples.
    pub samples: u32,
    /// Of the `length` bytes.
    pub sha256: Sha256,
}

impl FragmentMeta {
    /// The stretch of wall time its pictures cover.
    pub fn wall_range(&self) -> TimeRange {
        TimeRange::starting_at(
            self.wall_start,
            self.duration.to_duration().unwrap_or(Duration::ZERO),
        )
    }

    /// One past its last byte in the file.
    pub fn end_offset(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.length))
    }

    /// Its leaf in the segment's Merkle tree; covers place and times as well as the bytes.
    pub fn leaf(&self) -> Sha256 {
        let mut data = Vec::with_capacity(77);
        data.extend_from_slice(&self.offset.to_be_bytes());
        data.extend_from_slice(&self.length.to_be_bytes());
        data.extend_from_slice(&self.media_start.get().to_be_bytes());
        data.extend_from_slice(&self.duration.get().to_be_bytes());
        data.extend_from_slice(&self.wall_start.as_micros().to_be_bytes());
        data.push(u8::from(self.sync));
        data.extend_from_slice(&self.samples.to_be_bytes());
        data.extend_from_slice(self.sha256.as_bytes());
        merkle_leaf(&data)
    }
}

/// A track as a player is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackMeta {
    /// As RFC 6381 names the codec.
    pub codec: String,
    #[serde(flatten)]
    pub kind: TrackKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TrackKind {
    Video { width: u16, height: u16 },
    Audio { sample_rate: u32, channels: u8 },
}

/// What stays the same from the opening of a segment to its close.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentHead {
    pub id: SegmentId,
    pub camera: CameraId,
    pub stream: StreamKind,
    pub run: RunId,
    /// Bytes of `ftyp` + `moov` at the start of the file.
    pub init_length: u32,
    /// Of those bytes; equal for segments that can share one `EXT-X-MAP`.
    pub init_sha256: Sha256,
    pub tracks: Vec<TrackMeta>,
    /// How far `wall_start` of its fragments may be from the truth, in microseconds; `None` when
    /// nothing is known of the camera's clock.
    pub wall_uncertainty_us: Option<u64>,
}

/// A closed segment, as the agent reports it and the coordinator keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentMeta {
    #[serde(flatten)]
    pub head: SegmentHead,
    /// Bytes of the whole file.
    pub size: u64,
    pub fragments: Vec<FragmentMeta>,
    /// Merkle root over [`FragmentMeta::leaf`] of all fragments.
    pub root: Sha256,
    /// The agent's signature over [`SegmentMeta::statement`].
    pub signature: Signature,
}

impl SegmentMeta {
    /// From the first picture to the end of the last fragment; `None` for a segment without
    /// fragments.
    pub fn wall_range(&self) -> Option<TimeRange> {
        let start = self.fragments.first()?.wall_start;
        let end = self.fragments.last()?.wall_range().end();
        TimeRange::new(start, end.max(start)).ok()
    }

    /// The bytes that [`SegmentMeta::signature`] signs.
    pub fn statement(&self) -> Vec<u8> {
        statement(&self.head, self.size, &self.root)
    }

    /// Checks what can be checked without the file: that fragments follow each other without a hole
    /// from the init segment to the end of the file, and that the root is theirs.
    ///
    /// # Errors
    /// The first contradiction found.
    pub fn check(&self) -> Result<(), SegmentError> {
        let mut expected = u64::from(self.head.init_length);
        for (index, fragment) in self.fragments.iter().enumerate() {
            if fragment.offset != expected {
                return Err(SegmentError::Hole {
                    index,
                    offset: fragment.offset,
                    expected,
                });
            }
            if fragment.length == 0 || fragment.duration < Ticks90k::ZERO {
                return Err(SegmentError::EmptyFragment { index });
            }
            expected = fragment.end_offset();
        }
        if expected != self.size {
            return Err(SegmentError::Size {
                size: self.size,
                expected,
            });
        }
        if fragment_root(&self.fragments) != self.root {
            return Err(SegmentError::Root);
        }
        Ok(())
    }
}

/// The Merkle root over the fragments of one segment.
pub fn fragment_root(fragments: &[FragmentMeta]) -> Sha256 {
    let leaves: Vec<_> = fragments.iter().map(FragmentMeta::leaf).collect();
    merkle_root(&leaves)
}

/// What the agent signs when it closes a segment: which camera, which run, which bytes.
pub fn statement(head: &SegmentHead, size: u64, root: &Sha256) -> Vec<u8> {
    let mut data = b"cctv-segment-1\0".to_vec();
    data.extend_from_slice(head.id.as_bytes());
    data.extend_from_slice(head.camera.as_bytes());
    data.push(match head.stream {
        StreamKind::Main => 0,
        StreamKind::Sub => 1,
    });
    data.extend_from_slice(head.run.as_bytes());
    data.extend_from_slice(&head.init_length.to_be_bytes());
    data.extend_from_slice(head.init_sha256.as_bytes());
    data.extend_from_slice(&size.to_be_bytes());
    data.extend_from_slice(root.as_bytes());
    data
}

/// An Ed25519 signature (RFC 8032); base64 in JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// `None` unless exactly 64 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// Whether the holder of `public_key` (32 bytes, as in the agent's certificate) signed
    /// `message`.
    pub fn verify(&self, public_key: &[u8], message: &[u8]) -> bool {
        ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public_key)
            .verify(message, &self.0)
            .is_ok()
    }
}

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signature({})", BASE64.encode(&self.0))
    }
}

impl Serialize for Signature {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        BASE64
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| Self::from_slice(&bytes))
            .ok_or_else(|| serde::de::Error::custom("an Ed25519 signature is 64 bytes in base64"))
    }
}

/// How a segment's metadata contradicts itself.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SegmentError {
    #[error("fragment {index} begins at byte {offset} and should begin at {expected}")]
    Hole {
        index: usize,
        offset: u64,
        expected: u64,
    },
    #[error("fragment {index} is empty or lasts a negative time")]
    EmptyFragment { index: usize },
    #[error("the file is said to have {size} bytes, its fragments end at {expected}")]
    Size { size: u64, expected: u64 },
    #[error("the Merkle root is not that of the fragments")]
    Root,
}
