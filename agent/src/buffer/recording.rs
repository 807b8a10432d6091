//! What the recorder puts in: opened and closed segments, fragments, gaps. Nothing here waits: the
//! answers of the index are polled by the caller.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use shared::id::{CameraId, SegmentId};
use shared::segment::{FragmentMeta, SegmentHead, StreamKind};
use shared::time::{TimeRange, WallTime};
use shared::timeline::{LedgerEntry, Reason};

use super::index::{IndexError, Pending, ledger, segments};
use super::{Buffer, Limits, files, recovery};

/// What could be read again of a segment whose disk had failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verified {
    /// Of init part and whole fragments.
    pub(crate) bytes: u64,
    /// What its lost fragments covered.
    pub(crate) lost: Option<TimeRange>,
}

/// What a recorder follows on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Predecessor {
    /// Whatever was before this start of the agent, if anything.
    #[default]
    EarlierRun,
    /// A task of the same stream that ended by a fault in the program.
    FailedTask,
}

impl Buffer {
    /// The storage directory.
    pub fn segments_directory(&self) -> &Path {
        &self.inner.config.segments
    }

    pub fn limits(&self) -> Limits {
        self.inner.config.limits
    }

    /// Where the file of a new segment goes.
    pub(crate) fn segment_path(&self, head: &SegmentHead) -> PathBuf {
        if let Some(made) = self.inner.made().as_mut() {
            made.insert(head.id);
        }
        let relative = files::relative_path(head, self.inner.clock.wall());
        self.inner.config.segments.join(relative)
    }

    /// The file exists and begins with a whole fragment. The row follows by itself; nobody waits
    /// for it, because the next start also finds files without a row.
    pub(crate) fn segment_opened(&self, head: &SegmentHead, path: &Path) {
        self.inner.growing.open(head.clone(), path.to_owned());
        let relative = self.inner.relative(path);
        let head = head.clone();
        drop(
            self.inner
                .index
                .write("opening a segment", move |connection| {
                    segments::insert_open(connection, &head, &relative)
                }),
        );
    }

    /// The fragment is in the file, and the stream is accounted for up to `explained_until`.
    pub(crate) fn fragment_written(
        &self,
        segment: SegmentId,
        fragment: FragmentMeta,
        explained_until: WallTime,
    ) {
        self.inner
            .recorded_bytes
            .fetch_add(u64::from(fragment.length), Ordering::Relaxed);
        self.inner.growing.add(segment, fragment, explained_until);
    }

    /// Reads an open segment again after the disk failed, and forgets the fragments that are not
    /// there as they were written.
    pub(crate) fn verify_open_segment(&self, segment: SegmentId) -> Verified {
        let Some(open) = self.inner.growing.get(segment) else {
            return Verified {
                bytes: 0,
                lost: None,
            };
        };
        let whole = recovery::whole_fragments(&open.path, &open.fragments);
        let lost = open.fragments.get(whole..).and_then(|lost| {
            let start = lost.first()?.wall_start;
            let end = lost.last()?.wall_range().end();
            Some(TimeRange::starting_at(
                start,
                end.saturating_duration_since(start),
            ))
        });
        self.inner.growing.truncate(segment, whole);
        let kept = open.fragments.get(..whole).and_then(<[_]>::last);
        Verified {
            bytes: kept.map_or_else(
                || u64::from(open.head.init_length),
                FragmentMeta::end_offset,
            ),
            lost,
        }
    }

    /// Closes a segment whose bytes are on stable storage: signs it, completes its row and queues
    /// its record. The answer comes when that is durable too.
    pub(crate) fn close_segment(&self, segment: SegmentId, size: u64) -> Pending<()> {
        let Some(open) = self.inner.growing.get(segment) else {
            return Pending::ready(Err(IndexError::Closed));
        };
        let path = self.inner.relative(&open.path);
        let meta = recovery::signed(&self.inner.sign, open.head, size, open.fragments);
        self.inner
            .index
            .write("closing a segment", move |connection| {
                segments::close(connection, &meta, &path)
            })
    }

    /// The row of a closed segment is durable; it no longer counts as growing.
    pub(crate) fn segment_settled(&self, segment: SegmentId) {
        self.inner.growing.remove(segment);
        self.inner.growing.announce();
    }

    /// A gap exists that is not durable yet: nothing after its beginning counts as explained.
    pub(crate) fn gap_begun(&self, entry: &LedgerEntry) {
        self.inner
            .growing
            .gap_begun(entry.camera, entry.stream, entry.id, entry.range.start());
    }

    /// Writes a gap or its correction. The answer comes when it is durable.
    pub(crate) fn write_gap(&self, entry: &LedgerEntry) -> Pending<()> {
        let entry = entry.clone();
        self.inner
            .index
            .write("recording a gap", move |connection| {
                ledger::record_gap(connection, &entry)
            })
    }

    /// The newest version of a gap is durable.
    pub(crate) fn gap_settled(&self, entry: &LedgerEntry) {
        self.inner
            .growing
            .gap_written(entry.camera, entry.stream, entry.id, entry.range.end());
    }

    /// Why nothing is recorded of a stream between `explained_until` and the first word of a
    /// recorder that follows on `predecessor`.
    pub(crate) fn reason_before(
        &self,
        camera: CameraId,
        stream: StreamKind,
        predecessor: Predecessor,
        explained_until: WallTime,
    ) -> (Reason, Option<String>) {
        let ending = &self.inner.previous_ending;
        let earlier_run = (ending.reason, ending.detail.clone());
        match predecessor {
            Predecessor::FailedTask => (Reason::AgentFault, None),
            // Without the old index nobody knows which cameras are new.
            Predecessor::EarlierRun if self.inner.index_lost => earlier_run,
            Predecessor::EarlierRun if self.inner.new_streams().contains(&(camera, stream)) => {
                (Reason::CameraAdded, None)
            }
            Predecessor::EarlierRun if explained_until > self.inner.started => {
                let detail = "the clock was set back while the agent was not running".to_owned();
                (Reason::HostClockStepped, Some(detail))
            }
            Predecessor::EarlierRun => earlier_run,
        }
    }

    /// Whether recording suffers, and from what.
    pub(crate) fn set_fault(&self, fault: Option<Reason>) {
        let damaged = self.inner.index.is_damaged();
        let fault = fault.or_else(|| damaged.then_some(Reason::DiskError));
        self.inner.status.send_if_modified(|status| {
            let changed = status.fault != fault;
            status.fault = fault;
            changed
        });
    }
}
