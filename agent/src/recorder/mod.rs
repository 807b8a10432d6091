//! From samples to segment files.
//!
//! One task per stream ([`run`]) reads the camera's fan-out and decides what is recorded
//! ([`gate`], [`pre_roll`]), where it is cut ([`cutter`]) and what is missing ([`intake`]); one
//! thread per storage directory ([`disk`]) writes, hashes, syncs and keeps each stream's ledger in
//! the order in which things happened. The task never waits for the disk and the disk never for the
//! database. What is kept, for how long, and what is owed to the coordinator is
//! [`crate::buffer`]'s. See `design/storage.md`.

mod cutter;
mod disk;
mod gate;
mod intake;
mod job;
mod pre_roll;
pub mod storage;
mod task;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use shared::clock::Clock;
use shared::id::{CameraId, RunId, SegmentId};
use shared::segment::StreamKind;
use shared::time::WallTime;
use shared::timeline::Reason;
use shared::wire::control::RecordingMode;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use disk::{Disk, DiskConfig};
pub use gate::Trigger;

use crate::buffer::{Buffer, Predecessor};
use crate::camera::fanout::Subscription;
use crate::config::Schedule;

/// How one stream is recorded; may change at any time.
#[derive(Clone, Debug, PartialEq)]
pub struct RecorderSettings {
    pub mode: RecordingMode,
    /// When [`RecordingMode::Scheduled`] records.
    pub schedule: Schedule,
    /// Media time of a segment, 10 s to 600 s.
    pub segment: Duration,
    /// Longest fragment, 0.2 s to 1 s.
    pub fragment: Duration,
    /// What [`RecordingMode::Event`] keeps from before an event.
    pub pre_roll: Duration,
    /// And after it.
    pub post_roll: Duration,
}

impl Default for RecorderSettings {
    fn default() -> Self {
        Self {
            mode: RecordingMode::Continuous,
            schedule: Schedule::new(Vec::new(), TimeZone::UTC),
            segment: Duration::from_secs(60),
            fragment: Duration::from_millis(600),
            pre_roll: Duration::from_secs(10),
            post_roll: Duration::from_secs(30),
        }
    }
}

/// How the recording of one stream is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecorderStatus {
    /// Everything before has been written or is explained by a ledger entry.
    pub recorded_until: Option<WallTime>,
    /// Everything before is on stable storage.
    pub durable_until: Option<WallTime>,
    /// Of the newest fragment.
    pub run: Option<RunId>,
    /// The segment being written.
    pub segment: Option<SegmentId>,
    /// Why nothing is recorded at the moment.
    pub missing: Option<Reason>,
    /// Bytes that wait for the disk.
    pub queued_bytes: u64,
}

/// Everything [`run`] needs for one stream.
#[derive(Debug)]
pub struct Assignment {
    pub camera: CameraId,
    pub stream: StreamKind,
    /// Nothing is expected before; when the camera became known to the agent.
    pub since: WallTime,
    /// Why nothing was recorded of it before.
    pub predecessor: Predecessor,
    pub subscription: Subscription,
    pub settings: watch::Receiver<RecorderSettings>,
    /// Events that [`RecordingMode::Event`] records around. The sender may be dropped.
    pub triggers: mpsc::Receiver<Trigger>,
    pub buffer: Buffer,
    pub disk: Disk,
    pub clock: Arc<dyn Clock>,
    pub status: watch::Sender<RecorderStatus>,
}

/// Records one stream until `cancel`, or until its fan-out is gone. Returns when everything read so
/// far has been handed to the disk.
pub async fn run(assignment: Assignment, cancel: CancellationToken) {
    task::run(assignment, cancel).await;
}
