//! One stream as the disk thread sees it: its queue, its open file, its files on the way to the
//! index, and its ledger.
//!
//! Everything about a stream happens here in the order in which it was queued, so the ledger sees
//! fragments and gaps as they followed each other. A lane whose disk fails keeps its queue and
//! tries again; when its patience is over what waits becomes a gap, and from then on every picture does
//! until a write succeeds.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use shared::clock::Clock;
use shared::id::{CameraId, LedgerId};
use shared::segment::StreamKind;
use shared::time::{TimeRange, WallTime};
use shared::timeline::{LedgerEntry, Reason};
use tokio::sync::watch;

use super::super::RecorderStatus;
use super::super::job::{Fragment, Job, Missing};
use super::super::storage::{Storage, reason_of};
use super::super::writer::{self, WriteError, Writer};
use super::LaneShared;
use super::endings::Endings;
use super::ledger_writes::LedgerWrites;
use super::sync::Round;
use super::thread::Refusal;
use crate::buffer::Buffer;
use crate::buffer::gaps::Ledger;

/// A write that failed is tried again after this.
const RETRY: Duration = Duration::from_millis(200);

/// What a lane needs from the thread it lives on.
pub(super) struct Bench<'a> {
    pub(super) storage: &'a dyn Storage,
    pub(super) buffer: &'a Buffer,
    pub(super) clock: &'a dyn Clock,
    /// Set while no more may be written than what is queued already, and why.
    pub(super) refusal: Option<Refusal>,
    /// How long fragments wait for a disk that fails.
    pub(super) patience: Duration,
    /// Number of the sync round that will cover what is written now.
    pub(super) next_round: u64,
}

#[derive(Debug)]
struct Trouble {
    reason: Reason,
    /// As the disk said it.
    detail: String,
    since: Instant,
    retry_at: Instant,
}

#[derive(Debug)]
pub(super) struct LaneState {
    pub(super) shared: Arc<LaneShared>,
    camera: CameraId,
    stream: StreamKind,
    status: watch::Sender<RecorderStatus>,
    ledger: Ledger,
    entries: LedgerWrites,
    queue: VecDeque<Job>,
    trouble: Option<Trouble>,
    writer: Option<Writer>,
    endings: Endings,
    /// Bytes of the last whole segment.
    usual_bytes: u64,
    written_until: Option<WallTime>,
    /// The round that makes `written_until` durable.
    written_in: u64,
    /// What the round under way makes durable.
    round_until: Option<WallTime>,
    closing: bool,
    settled: bool,
}

impl LaneState {
    pub(super) fn new(
        shared: Arc<LaneShared>,
        camera: CameraId,
        stream: StreamKind,
        ledger: Ledger,
        status: watch::Sender<RecorderStatus>,
    ) -> Self {
        Self {
            shared,
            camera,
            stream,
            status,
            ledger,
            entries: LedgerWrites::default(),
            queue: VecDeque::new(),
            trouble: None,
            writer: None,
            endings: Endings::default(),
            usual_bytes: 0,
            written_until: None,
            written_in: 0,
            round_until: None,
            closing: false,
            settled: false,
        }
    }

    pub(super) fn push(&mut self, job: Job) {
        if !matches!(job, Job::Write(_)) {
            self.shared.queued_facts.fetch_sub(1, Ordering::Relaxed);
        }
        self.queue.push_back(job);
    }

    /// Nothing more is queued; the lane is done when its files are in the index.
    pub(super) fn close(&mut self) {
        self.queue.push_back(Job::EndSegment);
        self.closing = true;
    }

    pub(super) fn is_done(&self) -> bool {
        self.closing
            && self.queue.is_empty()
            && self.writer.is_none()
            && self.endings.is_empty()
            && self.entries.is_empty()
    }

    pub(super) fn trouble(&self) -> Option<Reason> {
        self.trouble.as_ref().map(|trouble| trouble.reason)
    }

    /// Does what is queued, as far as the disk lets it.
    pub(super) fn work(&mut self, bench: &Bench<'_>) {
        if self
            .trouble
            .as_ref()
            .is_some_and(|trouble| trouble.retry_at > Instant::now())
        {
            return;
        }
        while let Some(job) = self.queue.pop_front() {
            match job {
                Job::Write(fragment) => {
                    if let Err(fragment) = self.write(fragment, bench) {
                        self.queue.push_front(Job::Write(fragment));
                        break;
                    }
                }
                Job::EndSegment => self.end_segment(bench),
                Job::Missing(missing) => self.missing(missing, bench),
            }
        }
        if self
            .trouble
            .as_ref()
            .is_some_and(|trouble| trouble.since.elapsed() >= bench.patience)
        {
            self.give_up(bench);
        }
    }

    /// Hands the fragment back when it has to wait.
    fn write(&mut self, fragment: Fragment, bench: &Bench<'_>) -> Result<(), Fragment> {
        let bytes = fragment.bytes();
        match self.try_write(&fragment, bench) {
            Ok(()) => {
                self.shared.taken(bytes);
                self.recovered();
                Ok(())
            }
            Err(WriteError::Fragment(error)) => {
                self.shared.taken(bytes);
                tracing::error!(camera.id = %self.camera, %error, "a fragment cannot be written");
                self.missing(
                    Missing {
                        from: fragment.piece.wall_start(),
                        reason: Reason::CameraProtocolError,
                        detail: Some(error.to_string()),
                        hold: Duration::ZERO,
                    },
                    bench,
                );
                Ok(())
            }
            Err(WriteError::Disk { source, path } | WriteError::Torn { source, path }) => {
                self.failed(&source, &path.display().to_string(), bench);
                Err(fragment)
            }
        }
    }

    fn try_write(&mut self, fragment: &Fragment, bench: &Bench<'_>) -> Result<(), WriteError> {
        if let Some(refusal) = &bench.refusal {
            // Only what is closed can be deleted to make room, also where that is this very segment.
            self.end_segment(bench);
            return Err(WriteError::Disk {
                path: bench.buffer.segments_directory().to_owned(),
                source: refusal.error(),
            });
        }
        let other_run = |writer: &Writer| writer.head.run != fragment.run.run.id;
        if fragment.piece.begins_segment || self.writer.as_ref().is_some_and(other_run) {
            self.end_segment(bench);
        }
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.open(fragment, bench)?,
        };
        let fresh = writer.is_empty();
        let meta = match writer.append(fragment) {
            Ok(meta) => meta,
            Err(error) => {
                self.abandon(writer, bench);
                return Err(error);
            }
        };
        let now = bench.clock.wall();
        if fresh {
            bench.buffer.segment_opened(&writer.head, &writer.path);
        }
        let range = meta.wall_range();
        let entries = self.ledger.recorded(range, now);
        self.entries.extend(entries, bench.buffer);
        bench
            .buffer
            .fragment_written(writer.head.id, meta, range.end());
        self.written_until = self.written_until.max(Some(range.end()));
        self.written_in = bench.next_round;
        self.writer = Some(writer);
        self.publish();
        Ok(())
    }

    fn open(&self, fragment: &Fragment, bench: &Bench<'_>) -> Result<Writer, WriteError> {
        let head = writer::head(&fragment.run, bench.clock.wall());
        let path = bench.buffer.segment_path(&head);
        Writer::create(bench.storage, head, path, self.usual_bytes)
    }

    /// After a failed write: what was written before it stays, and a file of nothing goes.
    fn abandon(&mut self, writer: Writer, bench: &Bench<'_>) {
        if writer.is_empty() {
            if let Err(error) = bench.storage.remove(&writer.path) {
                tracing::warn!(path = %writer.path.display(), %error, "cannot delete an empty segment");
            }
        } else {
            self.writer = Some(writer);
            self.end_segment(bench);
        }
    }

    fn end_segment(&mut self, bench: &Bench<'_>) {
        let Some(writer) = self.writer.take() else {
            return;
        };
        self.usual_bytes = writer.end();
        let (id, bytes) = (writer.head.id, writer.end());
        self.endings.push(id, writer.file, bytes, bench.next_round);
        self.publish();
    }

    fn missing(&mut self, missing: Missing, bench: &Bench<'_>) {
        let Missing {
            from,
            reason,
            detail,
            hold,
        } = missing;
        let now = bench.clock.wall();
        let entries = self.ledger.missing(from, reason, detail, hold, now);
        self.entries.extend(entries, bench.buffer);
        self.publish();
    }

    fn failed(&mut self, error: &std::io::Error, path: &str, bench: &Bench<'_>) {
        let reason = reason_of(error);
        if reason == Reason::DiskFull {
            bench.buffer.request_space();
        }
        let now = Instant::now();
        if self.trouble.is_none() {
            tracing::warn!(camera.id = %self.camera, path, %error, "recording waits for the disk");
        }
        self.trouble = Some(Trouble {
            reason,
            detail: error.to_string(),
            since: self.trouble.as_ref().map_or(now, |trouble| trouble.since),
            retry_at: now + RETRY,
        });
        self.shared.set_fault(Some(reason));
    }

    fn recovered(&mut self) {
        if let Some(trouble) = self.trouble.take() {
            tracing::info!(
                camera.id = %self.camera,
                waited_ms = trouble.since.elapsed().as_millis(),
                "recording goes on"
            );
            self.shared.set_fault(None);
        }
    }

    /// The disk has failed for too long, or the agent stops: what waits is missing.
    pub(super) fn give_up(&mut self, bench: &Bench<'_>) {
        let Some(Trouble { reason, detail, .. }) = &self.trouble else {
            return;
        };
        let (reason, detail) = (*reason, detail.clone());
        for job in std::mem::take(&mut self.queue) {
            match job {
                Job::Write(fragment) => {
                    self.shared.taken(fragment.bytes());
                    let lost = Missing {
                        from: fragment.piece.wall_start(),
                        reason,
                        detail: Some(detail.clone()),
                        hold: Duration::ZERO,
                    };
                    self.missing(lost, bench);
                }
                Job::EndSegment => self.end_segment(bench),
                Job::Missing(missing) => self.missing(missing, bench),
            }
        }
    }

    /// Adds what has to be synced for this lane to be durable.
    pub(super) fn join_round(&mut self, round: &mut Round, number: u64) {
        self.round_until = self.written_until;
        if let Some(writer) = &self.writer
            && self.written_in == number
        {
            round.files.push(Arc::clone(&writer.file));
            round
                .directories
                .extend(writer.path.parent().map(Into::into));
        }
        self.endings.join_round(round, number);
    }

    /// Round `number` is over. After a failure nothing since the last good round is certain.
    pub(super) fn round_done(&mut self, number: u64, ok: bool, bench: &Bench<'_>) {
        if !ok {
            self.end_segment(bench);
            self.endings.suspect(bench.next_round);
            self.written_in = bench.next_round;
            return;
        }
        let until = self.round_until;
        self.status.send_if_modified(|status| {
            let changed = status.durable_until < until;
            status.durable_until = status.durable_until.max(until);
            changed
        });
        let lost = self.endings.synced(number, bench.buffer);
        self.note_lost(lost, bench);
    }

    /// What a failed sync lost, although it had been written.
    fn note_lost(&mut self, lost: Vec<TimeRange>, bench: &Bench<'_>) {
        for range in lost {
            let entry = LedgerEntry {
                id: LedgerId::new(bench.clock.wall()),
                camera: self.camera,
                stream: self.stream,
                range,
                reason: Reason::DiskError,
                detail: Some("written, and not readable after the disk failed".to_owned()),
            };
            self.entries.push(entry, bench.buffer);
        }
    }

    /// Once in a while: gaps grow, rows become durable, failures are tried again.
    pub(super) fn tick(&mut self, bench: &Bench<'_>) {
        if self.closing {
            // Nobody will say more: how far the gap came is its end, and what follows is another's.
            self.settle(bench);
        } else if self.queue.is_empty() {
            let entry = self.ledger.tick(bench.clock.wall());
            if entry.is_some() {
                self.entries.extend(entry, bench.buffer);
                self.publish();
            }
        }
        self.poll(bench);
    }

    pub(super) fn poll(&mut self, bench: &Bench<'_>) {
        self.entries.poll(bench.buffer);
        let lost = self.endings.poll(bench.buffer);
        self.note_lost(lost, bench);
    }

    /// Writes down how far an open gap has come, once everything queued is done.
    pub(super) fn settle(&mut self, bench: &Bench<'_>) {
        if self.settled || !self.queue.is_empty() {
            return;
        }
        self.settled = true;
        let entry = self.ledger.settle(bench.clock.wall());
        self.entries.extend(entry, bench.buffer);
    }

    pub(super) fn publish(&self) {
        let missing = self.ledger.missing_because();
        let open = self
            .writer
            .as_ref()
            .map(|writer| (writer.head.id, writer.head.run));
        let queued = self.shared.queued_bytes.load(Ordering::Relaxed);
        let explained = Some(self.ledger.explained_until());
        self.status.send_modify(|status| {
            status.recorded_until = explained;
            status.segment = open.map(|(id, _)| id);
            status.run = open.map(|(_, run)| run).or(status.run);
            status.missing = missing;
            status.queued_bytes = queued;
        });
    }
}

impl LaneShared {
    /// The disk is done with so many bytes.
    fn taken(&self, bytes: u64) {
        subtract(&self.queued_bytes, bytes);
        subtract(&self.disk_queued_bytes, bytes);
    }
}

fn subtract(counter: &AtomicU64, bytes: u64) {
    // Never below zero: what is taken was added by whoever queued it.
    counter.fetch_sub(bytes, Ordering::Relaxed);
}
