//! The metadata stream, uploads and fetches.
//!
//! **Metadata** ([`Report`] → [`ReportAck`]): records leave the agent's durable outbox in order and
//! are acknowledged when stored.
//!
//! **Upload**, one stream per segment: the agent sends [`UploadOffer`]; the coordinator answers
//! [`UploadAnswer`]; on `want` the agent sends the file's bytes from that offset and finishes its
//! side; the coordinator checks every fragment against the index it already has, commits, and sends
//! [`UploadResult`].
//!
//! **Fetch**, one stream per request: the coordinator sends [`FetchRequest`]; the agent answers
//! [`FetchAnswer`] and, on `bytes`, exactly that many bytes.

use serde::{Deserialize, Serialize};

use crate::hash::Sha256;
use crate::id::{CameraId, SegmentId};
use crate::segment::{FragmentMeta, SegmentHead, SegmentMeta, StreamKind};
use crate::time::WallTime;
use crate::timeline::LedgerEntry;

/// A batch from the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Durable records, in order of `seq`; repeated until acknowledged.
    #[serde(default)]
    pub records: Vec<Record>,
    /// News of segments that are still being written; never acknowledged, never repeated except
    /// after a reconnection, when everything since the opening is sent once more.
    #[serde(default)]
    pub growing: Vec<Growth>,
    /// How far each stream is accounted for by everything sent so far on this stream of messages.
    /// Sent only when the outbox is drained, so that a backlog never makes footage look lost.
    #[serde(default)]
    pub watermarks: Vec<Watermark>,
}

/// One line of the agent's outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Strictly increasing for the life of the enrolment.
    pub seq: u64,
    #[serde(flatten)]
    pub body: RecordBody,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum RecordBody {
    /// A segment was closed (or recovered after a crash). Replaces what was told of it while it
    /// grew.
    Segment(SegmentMeta),
    /// A stretch without recording, new or corrected.
    Gap(LedgerEntry),
    /// The agent deleted its copy.
    Evicted { segment: SegmentId, at: WallTime },
    /// A segment that had been opened turned out to hold nothing.
    Discarded { segment: SegmentId },
    /// From a newer agent; acknowledged and ignored.
    #[serde(other)]
    Unknown,
}

/// Fragments added to an open segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Growth {
    pub head: SegmentHead,
    /// Index of the first of `fragments` within the segment.
    pub first: u32,
    pub fragments: Vec<FragmentMeta>,
}

/// Everything up to and including `through` is stored durably at the coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportAck {
    pub through: u64,
}

/// Every instant of the stream before `reported_until` is in a segment or a ledger entry that has
/// been reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    pub camera: CameraId,
    pub stream: StreamKind,
    pub reported_until: WallTime,
}

/// An agent offers the bytes of a segment whose record has been acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadOffer {
    pub segment: SegmentId,
    pub size: u64,
    pub root: Sha256,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum UploadAnswer {
    /// Send the bytes from `from` on; what lies before is already here and verified.
    Want { from: u64 },
    /// Already stored durably; nothing to send. Counts as [`UploadResult::Stored`].
    Have,
    /// Not now: too many uploads, or no space. Try again after that many milliseconds.
    Later { after_ms: u32 },
    /// Never: the segment is unknown, or the offer contradicts its record.
    Refused { message: String },
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum UploadResult {
    /// Stored, verified and indexed durably. The agent may delete its copy when its policy says so.
    Stored,
    /// The bytes do not have the hash of the index; `from` is the first byte of the first bad
    /// fragment. The agent checks its own file before it tries again.
    Corrupt { from: u64 },
    /// The centre could not store them; try again later.
    Failed { message: String },
    #[serde(other)]
    Unknown,
}

/// Bytes `start..end` of a segment's file, which may still be open at the agent as long as the
/// range lies within reported fragments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchRequest {
    pub segment: SegmentId,
    pub start: u64,
    pub end: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum FetchAnswer {
    /// This many bytes follow.
    Bytes {
        length: u64,
    },
    /// The agent has no such segment, or not that much of it.
    NotFound {
        message: String,
    },
    Failed {
        message: String,
    },
    #[serde(other)]
    Unknown,
}
