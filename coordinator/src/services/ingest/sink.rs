//! Receiving the bytes of one upload.

use std::time::Duration;

use bytes::Bytes;
use shared::hash::Sha256;
use shared::id::SegmentId;
use shared::time::WallTime;
use shared::wire::segment::UploadResult;
use tokio::task::JoinHandle;

use super::Ingest;
use super::offer::{LEASE, LeaseParts};
use super::room::Place;
use crate::domain::verifier::{Fault, Verifier};
use crate::stores::objects::{ObjectError, PartialObject};

/// Bytes gathered before a thread is asked to hash and write them.
const BATCH: usize = 512 * 1024;
/// A lease is renewed when this much of it is over.
const RENEW_AFTER: Duration = Duration::from_secs(10);

/// Where the bytes of one upload go. One batch is hashed and written while the next is gathered;
/// dropping the sink keeps what was verified for the next attempt.
#[derive(Debug)]
pub struct UploadSink {
    lease: Lease,
    root: Sha256,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    stage: Stage,
}

/// What became of bytes that were written into a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Send more.
    More,
    /// Nothing more is taken: a fragment does not have the hash of the index, there are more bytes
    /// than announced, or the disk failed. Stop the stream; [`UploadSink::finish`] says what to
    /// answer.
    Stop,
}

#[derive(Debug)]
enum Stage {
    Ready(Box<Progress>),
    Writing(JoinHandle<Result<Box<Progress>, ObjectError>>),
    Failed(String),
}

/// The object as far as it has come.
#[derive(Debug)]
struct Progress {
    verifier: Verifier,
    partial: Box<dyn PartialObject>,
}

impl UploadSink {
    pub(super) fn new(
        lease: Lease,
        root: Sha256,
        verifier: Verifier,
        partial: Box<dyn PartialObject>,
    ) -> Self {
        Self {
            lease,
            root,
            gathered: Vec::new(),
            gathered_bytes: 0,
            stage: Stage::Ready(Box::new(Progress { verifier, partial })),
        }
    }

    /// Takes the next bytes; waits when the disk cannot keep up. Small pieces are gathered.
    pub async fn write(&mut self, piece: Bytes) -> Written {
        self.gathered_bytes += piece.len();
        self.gathered.push(piece);
        if self.gathered_bytes < BATCH {
            return Written::More;
        }
        if let Err(reason) = self.lease.renew().await {
            self.stage = Stage::Failed(reason);
            return Written::Stop;
        }
        self.flush().await
    }

    /// After the last byte: makes the object durable, then enters it into the catalogue.
    pub async fn finish(mut self) -> UploadResult {
        self.flush().await;
        let progress = match self.settle().await {
            Ok(progress) => progress,
            Err(message) => return self.failed(message),
        };
        let Progress { verifier, partial } = *progress;
        match verifier.fault() {
            Some(Fault::Corrupt { from }) => {
                self.lease.parts.figures.uploads_corrupt.add(1);
                tracing::warn!(
                    segment.id = %self.lease.segment, from,
                    "an upload does not have the bytes of its index"
                );
                return UploadResult::Corrupt { from };
            }
            Some(Fault::TooLong) => {
                return self.failed("there are more bytes than the index knows".to_owned());
            }
            None => {}
        }
        if !verifier.is_complete() {
            let (verified, length) = (verifier.verified(), verifier.length());
            return self.failed(format!("only {verified} of {length} bytes came"));
        }
        self.store(partial).await
    }

    /// For an upload that broke off: writes what has come, however little, so that a link that is
    /// cut every few seconds still gets a segment across.
    pub async fn keep(mut self) {
        self.flush().await;
        if let Err(message) = self.settle().await {
            tracing::warn!(segment.id = %self.lease.segment, %message, "part of an upload was not kept");
        }
    }

    async fn store(mut self, partial: Box<dyn PartialObject>) -> UploadResult {
        if let Err(error) = partial.commit().await {
            return self.failed(error.to_string());
        }
        let parts = &self.lease.parts;
        let now = parts.clock.wall();
        let entered = parts
            .store
            .mark_stored(self.lease.segment, self.root, now)
            .await;
        match entered {
            Ok(true) => {
                parts.figures.uploads_stored.add(1);
                self.lease.is_over = true;
                UploadResult::Stored
            }
            Ok(false) => self.failed("its record changed in the meantime; offer it again".into()),
            Err(error) => self.failed(error.to_string()),
        }
    }

    fn failed(&self, message: String) -> UploadResult {
        tracing::warn!(segment.id = %self.lease.segment, %message, "an upload failed");
        UploadResult::Failed { message }
    }

    /// Hands the gathered bytes over once those before them are written.
    pub(super) async fn flush(&mut self) -> Written {
        let batch = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        match self.settle().await {
            Ok(progress) if progress.verifier.fault().is_some() => {
                self.stage = Stage::Ready(progress);
                Written::Stop
            }
            Ok(progress) => {
                let figures = std::sync::Arc::clone(&self.lease.parts.figures);
                self.stage = Stage::Writing(tokio::spawn(async move {
                    let before = progress.verifier.verified();
                    let progress = Box::new(progress.take(batch).await?);
                    figures
                        .upload_bytes
                        .add(progress.verifier.verified() - before);
                    Ok(progress)
                }));
                Written::More
            }
            Err(message) => {
                self.stage = Stage::Failed(message);
                Written::Stop
            }
        }
    }

    /// Waits for the batch being written. Leaves the stage failed; the caller sets the next one.
    async fn settle(&mut self) -> Result<Box<Progress>, String> {
        let over = Stage::Failed("the upload is over".to_owned());
        match std::mem::replace(&mut self.stage, over) {
            Stage::Ready(progress) => Ok(progress),
            Stage::Writing(task) => match task.await {
                Ok(written) => written.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            },
            Stage::Failed(message) => Err(message),
        }
    }
}

impl Progress {
    /// Hashes a batch, then writes what of it may be kept.
    async fn take(self, batch: Vec<Bytes>) -> Result<Self, ObjectError> {
        let Self {
            mut verifier,
            mut partial,
        } = self;
        let hashed = tokio::task::spawn_blocking(move || {
            let mut kept = Vec::with_capacity(batch.len());
            for piece in batch {
                let right = verifier.update(&piece);
                kept.push(piece.slice(..right));
            }
            (verifier, kept)
        });
        let (verifier, kept) = match hashed.await {
            Ok(hashed) => hashed,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        partial.append(kept).await?;
        if verifier.fault().is_some() {
            partial.truncate(verifier.verified()).await?;
        }
        Ok(Self { verifier, partial })
    }
}

/// The right to receive a segment, and a place to do it. Ends by itself when dropped.
#[derive(Debug)]
pub(super) struct Lease {
    segment: SegmentId,
    renewed_at: WallTime,
    /// Ended in the store already.
    is_over: bool,
    parts: LeaseParts,
    _place: Place,
}

impl Lease {
    pub(super) fn new(ingest: &Ingest, segment: SegmentId, place: Place, now: WallTime) -> Self {
        ingest.figures.uploads_active.add(1);
        Self {
            segment,
            renewed_at: now,
            is_over: false,
            parts: ingest.lease_parts(),
            _place: place,
        }
    }

    async fn renew(&mut self) -> Result<(), String> {
        let now = self.parts.clock.wall();
        // Also when the clock was set back.
        if now.micros_since(self.renewed_at).unsigned_abs() < RENEW_AFTER.as_micros() as u64 {
            return Ok(());
        }
        self.renewed_at = now;
        let renewed = self
            .parts
            .store
            .renew_upload(self.segment, self.parts.owner, now + LEASE);
        match renewed.await {
            Ok(true) => Ok(()),
            Ok(false) => Err("another coordinator has taken over the upload".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.parts.figures.uploads_active.subtract(1);
        if self.is_over {
            return;
        }
        // Without a runtime the process is ending, and the lease is renewed by our next life or
        // expires.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (store, owner) = (std::sync::Arc::clone(&self.parts.store), self.parts.owner);
            let segment = self.segment;
            runtime.spawn(async move {
                if let Err(error) = store.end_upload(segment, owner).await {
                    tracing::warn!(segment.id = %segment, %error, "could not end an upload's lease");
                }
            });
        }
    }
}
