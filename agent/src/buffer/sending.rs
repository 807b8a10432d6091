//! What the uplink takes out: records, growth, watermarks, candidates for upload, bytes.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use shared::hash::Sha256;
use shared::id::{CameraId, SegmentId};
use shared::segment::{SegmentMeta, StreamKind};
use shared::time::{TimeRange, WallTime};
use shared::wire::control::UploadPolicy;
use shared::wire::segment::{Growth, Record, RecordBody, Watermark};
use tokio::sync::watch;

use super::files::SegmentBytes;
use super::growing::{GrowthCursor, OpenSegment};
use super::index::{IndexError, holdings, ledger, located, segments};
use super::{Buffer, Policies, outbox};

/// Younger segments are uploaded before the backlog.
const FRESH: Duration = Duration::from_secs(300);

/// Which uploads go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// It overlaps an event.
    Event,
    /// It ended a short while ago.
    Fresh,
    /// It has been waiting.
    Backlog,
}

/// A segment that policy wants uploaded now and whose record the coordinator has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub segment: SegmentId,
    pub camera: CameraId,
    pub stream: StreamKind,
    pub range: TimeRange,
    /// Bytes of the file.
    pub size: u64,
    pub root: Sha256,
    pub priority: Priority,
}

/// One batch for the coordinator.
#[derive(Clone, Debug, Default)]
pub struct News {
    pub records: Vec<Record>,
    /// Empty while records remain in the outbox.
    pub growing: Vec<Growth>,
    /// Empty while records remain in the outbox.
    pub watermarks: Vec<Watermark>,
    /// Whether nothing is left in the outbox after `records`.
    pub drained: bool,
}

/// Why a range of a segment cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("there is no segment {0} here")]
    Unknown(SegmentId),
    #[error(
        "segment {segment} has {available} bytes so far, and bytes {start} to {end} were asked for"
    )]
    NotThatMuch {
        segment: SegmentId,
        start: u64,
        end: u64,
        available: u64,
    },
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl Buffer {
    /// Changes whenever there is something new to report.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.growing.subscribe()
    }

    /// The next batch for a coordinator that has been sent everything up to `after` and whatever
    /// `cursor` remembers. Watermarks are taken before what they vouch for, so a batch sent as it
    /// is never makes footage look lost.
    ///
    /// # Errors
    /// The index failed.
    pub async fn news(
        &self,
        after: u64,
        cursor: &mut GrowthCursor,
        limit: usize,
    ) -> Result<News, IndexError> {
        let watermarks = self.watermarks();
        // Before the records: a segment that closes in between is in both then. After them it could
        // be in neither, and the watermark would vouch for nothing.
        let mut told = cursor.clone();
        let mut growing = self.inner.growing.since(&mut told);
        let records = self.outbox_after(after, limit).await?;
        if records.len() >= limit {
            return Ok(News {
                records,
                ..News::default()
            });
        }
        *cursor = told;
        growing.retain(|growth| !records.iter().any(|record| closes(record, growth.head.id)));
        Ok(News {
            records,
            growing,
            watermarks,
            drained: true,
        })
    }

    /// The next unacknowledged records after `seq`, in order.
    ///
    /// # Errors
    /// The index failed.
    pub async fn outbox_after(&self, seq: u64, limit: usize) -> Result<Vec<Record>, IndexError> {
        self.inner
            .index
            .read("reading the outbox", move |connection| {
                outbox::after(connection, seq, limit)
            })
            .wait()
            .await
    }

    /// Everything up to `through` is stored durably at the coordinator.
    ///
    /// # Errors
    /// The index failed; the records stay and are sent again.
    pub async fn acknowledge(&self, through: u64) -> Result<(), IndexError> {
        self.inner
            .index
            .write_now("acknowledging records", move |connection| {
                outbox::acknowledge(connection, through)
            })
            .wait()
            .await
    }

    /// How many records are not acknowledged.
    ///
    /// # Errors
    /// The index failed.
    pub async fn outbox_backlog(&self) -> Result<u64, IndexError> {
        self.inner
            .index
            .read("counting the outbox", outbox::backlog)
            .wait()
            .await
    }

    /// Segments being written, with their fragments so far.
    pub fn growing(&self) -> Vec<OpenSegment> {
        self.inner.growing.snapshot()
    }

    /// How far each stream is accounted for. Take them before the records and fragments they are
    /// sent with, or use [`Buffer::news`].
    pub fn watermarks(&self) -> Vec<Watermark> {
        self.inner.growing.watermarks()
    }

    /// What policy wants uploaded, most urgent first, at most `limit`.
    ///
    /// # Errors
    /// The index failed.
    pub async fn upload_candidates(
        &self,
        now: WallTime,
        limit: usize,
    ) -> Result<Vec<Candidate>, IndexError> {
        let policies = self.policies();
        self.inner
            .index
            .read("looking for uploads", move |connection| {
                candidates(connection, &policies, now, limit)
            })
            .wait()
            .await
    }

    /// How many segments policy wants uploaded now that are not, their records acknowledged or not.
    ///
    /// # Errors
    /// The index failed.
    pub async fn upload_backlog(&self, now: WallTime) -> Result<u64, IndexError> {
        let policies = self.policies();
        self.inner
            .index
            .read("counting uploads", move |connection| {
                let mut count = 0;
                for (camera, wish) in wishes(connection, &policies, now)? {
                    count += holdings::count_to_upload(connection, camera, wish == Wish::Events)?;
                }
                Ok(count)
            })
            .wait()
            .await
    }

    /// The coordinator has stored the bytes.
    ///
    /// # Errors
    /// The index failed; the segment will be offered again, and the coordinator will have it.
    pub async fn mark_uploaded(&self, segment: SegmentId) -> Result<(), IndexError> {
        let now = self.inner.clock.wall();
        self.inner
            .index
            .write_now("marking an upload", move |connection| {
                segments::mark_uploaded(connection, segment, now)
            })
            .wait()
            .await
    }

    /// Bytes `start..end` of a segment: all of a closed one, and of an open one what lies within
    /// whole fragments.
    ///
    /// # Errors
    /// No such segment, not that much of it, or the disk fails.
    pub async fn read_range(
        &self,
        segment: SegmentId,
        start: u64,
        end: u64,
    ) -> Result<SegmentBytes, ReadError> {
        let (path, available) = self.locate(segment).await?;
        if start > end || end > available {
            return Err(ReadError::NotThatMuch {
                segment,
                start,
                end,
                available,
            });
        }
        let opened = {
            let path = path.clone();
            tokio::task::spawn_blocking(move || SegmentBytes::open(path, start, end)).await
        };
        opened
            .unwrap_or_else(|panic| Err(io::Error::other(panic)))
            .map_err(|source| ReadError::Io { path, source })
    }

    async fn locate(&self, segment: SegmentId) -> Result<(PathBuf, u64), ReadError> {
        if let Some(open) = self.inner.growing.get(segment) {
            let available = open.reported_bytes();
            return Ok((open.path, available));
        }
        let (relative, size) = self
            .inner
            .index
            .read("finding a segment", move |connection| {
                located::file(connection, segment)
            })
            .wait()
            .await?
            .ok_or(ReadError::Unknown(segment))?;
        Ok((self.inner.config.segments.join(relative), size))
    }

    /// The metadata of a closed segment.
    ///
    /// # Errors
    /// The index failed.
    pub async fn segment(&self, segment: SegmentId) -> Result<Option<SegmentMeta>, IndexError> {
        self.inner
            .index
            .read("reading a segment", move |connection| {
                segments::meta(connection, segment)
            })
            .wait()
            .await
    }
}

/// Whether the record makes what was told of the growing segment obsolete.
fn closes(record: &Record, segment: SegmentId) -> bool {
    match &record.body {
        RecordBody::Segment(meta) => meta.head.id == segment,
        RecordBody::Discarded { segment: discarded } => *discarded == segment,
        _ => false,
    }
}

/// What policy wants of a camera now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Everything,
    Events,
}

/// The cameras of which policy wants something uploaded now.
fn wishes(
    connection: &Connection,
    policies: &Policies,
    now: WallTime,
) -> rusqlite::Result<Vec<(CameraId, Wish)>> {
    let in_window = policies
        .upload_schedule
        .as_ref()
        .is_some_and(|schedule| schedule.is_open(now));
    let mut cameras: Vec<_> = ledger::streams(connection)?
        .into_iter()
        .map(|(camera, _, _)| camera)
        .collect();
    cameras.dedup();
    let wish = |camera| match policies.rule(camera).upload {
        UploadPolicy::All => Some(Wish::Everything),
        UploadPolicy::Schedule => in_window.then_some(Wish::Everything),
        UploadPolicy::Events => Some(Wish::Events),
        UploadPolicy::OnDemand => None,
    };
    Ok(cameras
        .into_iter()
        .filter_map(|camera| Some((camera, wish(camera)?)))
        .collect())
}

/// Segments that policy wants uploaded now: those of events first, then what ended lately, then
/// what has been waiting longest; the backlog has a quarter of the places, so that it is never
/// hidden by what is fresh.
fn candidates(
    connection: &Connection,
    policies: &Policies,
    now: WallTime,
    limit: usize,
) -> rusqlite::Result<Vec<Candidate>> {
    let mut found: HashMap<SegmentId, Candidate> = HashMap::new();
    for (camera, wish) in wishes(connection, policies, now)? {
        let mut passes = vec![(Priority::Event, WallTime::MIN, true)];
        if wish == Wish::Everything {
            passes.push((Priority::Fresh, now - FRESH, false));
            passes.push((Priority::Backlog, WallTime::MIN, false));
        }
        for (priority, ended_after, events_only) in passes {
            for (holding, root) in
                holdings::to_upload(connection, camera, ended_after, events_only, limit)?
            {
                found.entry(holding.segment).or_insert(Candidate {
                    segment: holding.segment,
                    camera: holding.camera,
                    stream: holding.stream,
                    range: holding.range,
                    size: holding.size,
                    root,
                    priority,
                });
            }
        }
    }
    let (mut backlog, mut first): (Vec<_>, Vec<_>) = found
        .into_values()
        .partition(|candidate| candidate.priority == Priority::Backlog);
    for list in [&mut backlog, &mut first] {
        list.sort_by_key(|candidate| {
            (candidate.priority, candidate.range.end(), candidate.segment)
        });
    }
    first.truncate(limit - backlog.len().min(limit / 4));
    backlog.truncate(limit - first.len());
    first.append(&mut backlog);
    Ok(first)
}
