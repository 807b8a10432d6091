//! Opening the buffer: directories, the lock against a second agent, the index (or a new one), and
//! what the last run left behind.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use shared::clock::Clock;
use shared::id::{LedgerId, SegmentId};
use shared::segment::SegmentMeta;
use shared::time::{TimeRange, WallTime};
use shared::timeline::{LedgerEntry, Reason};
use shared::wire::control::BufferStatus;
use tokio::sync::watch;

use super::growing::Growing;
use super::index::located::{self, Unfinished};
use super::index::state::Ending;
use super::index::{Index, IndexError, beside, ledger, segments, state, suspicion};
use super::janitor::{Call, Janitor};
use super::recovery::{self, PreviousEnding, Recovered, RecoveryReport};
use super::{Buffer, BufferConfig, BufferError, Inner, Reconciliation, Sign, reconcile};

/// An index up to this size is read whole after a crash; a larger one would delay recording, and
/// damage shows when it is used.
const CHECKED_BYTES: u64 = 64 << 20;
/// How long an agent that is still ending may take to let go of the index.
const PREDECESSOR: Duration = Duration::from_secs(5);
/// Closed segments whose files are looked at after a crash.
const LOOKED_AT: usize = 256;

impl Buffer {
    /// Opens the buffer, and settles what the end of the last run left behind. Blocks.
    ///
    /// # Errors
    /// A directory or the index cannot be used, or another agent uses them.
    pub fn open(
        config: BufferConfig,
        clock: Arc<dyn Clock>,
        sign: Sign,
    ) -> Result<(Self, RecoveryReport), BufferError> {
        let parent = config.index.parent().map(Path::to_owned);
        for directory in parent.iter().chain([&config.segments]) {
            std::fs::create_dir_all(directory).map_err(in_directory(directory))?;
        }
        let lock = lock(&config)?;
        let started = clock.wall();
        let orphaned = !config.index.exists() && reconcile::is_any(&config.segments);
        if orphaned {
            tracing::error!(path = %config.index.display(), "there are recordings and no index; it is made again from them");
        }
        let (index, index_damaged) = open_index(&config.index, started)?;
        let index_rebuilt = orphaned || index_damaged;
        let last = index.read("reading the state", state::ending).block()?;
        let previous_ending = begin(&index, &last, started, index_rebuilt)?;
        let mut report = RecoveryReport {
            previous_ending: last.started.map(|_| previous_ending.reason),
            index_rebuilt,
            ..RecoveryReport::default()
        };
        let (janitor, calls) = sync_channel(1);
        let inner = Arc::new(Inner {
            config,
            clock,
            sign,
            index,
            growing: Growing::new(),
            policies: RwLock::default(),
            status: watch::Sender::new(BufferStatus::default()),
            reconciliation: watch::Sender::new(Reconciliation::default()),
            made_now: Mutex::new(Some(HashSet::new())),
            new_streams: Mutex::default(),
            started,
            previous_ending,
            index_lost: index_rebuilt,
            janitor,
            recorded_bytes: AtomicU64::new(0),
            uploaded_bytes: AtomicU64::new(0),
            _lock: lock,
        });
        inner.settle_unfinished(&mut report)?;
        if last.stopped.is_none() && last.started.is_some() {
            inner.look_at_latest(&mut report)?;
        }
        if report != RecoveryReport::default() {
            tracing::info!(?report, "settled what the last run left behind");
        }
        spawn_threads(&inner, calls)?;
        let buffer = Self { inner };
        buffer.look_at_reserve();
        Ok((buffer, report))
    }
}

/// Notes that a run of the agent begins, and says how the last one ended.
fn begin(
    index: &Index,
    last: &Ending,
    now: WallTime,
    index_rebuilt: bool,
) -> Result<PreviousEnding, IndexError> {
    let host_boot = recovery::host_boot_id();
    let previous_ending = recovery::previous_ending(last, &host_boot, index_rebuilt);
    index
        .write_now("noting the start", move |connection| {
            state::begin(connection, now, &host_boot)?;
            if index_rebuilt {
                state::set_rebuilding(connection, true)?;
            }
            Ok(())
        })
        .block()?;
    Ok(previous_ending)
}

/// What goes on in the background for as long as the buffer is open.
fn spawn_threads(inner: &Arc<Inner>, calls: Receiver<Call>) -> Result<(), BufferError> {
    let weak = Arc::downgrade(inner);
    spawn(
        "buffer-janitor",
        move || Janitor::new().run(&weak, &calls),
        inner,
    )?;
    let (weak, directory) = (Arc::downgrade(inner), inner.config.segments.clone());
    spawn(
        "buffer-compare",
        move || reconcile::run(&weak, &directory),
        inner,
    )
}

fn spawn(
    name: &str,
    body: impl FnOnce() + Send + 'static,
    inner: &Inner,
) -> Result<(), BufferError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map(drop)
        .map_err(in_directory(&inner.config.segments))
}

fn in_directory(path: &Path) -> impl FnOnce(io::Error) -> BufferError + use<> {
    let path = path.to_owned();
    move |source| BufferError::Directory { path, source }
}

/// Two agents on one index would each delete what the other records. One that is just ending is
/// waited for.
fn lock(config: &BufferConfig) -> Result<File, BufferError> {
    let path = beside(&config.index, ".lock");
    let file = File::create(&path).map_err(in_directory(&path))?;
    let began = Instant::now();
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK) if began.elapsed() < PREDECESSOR => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(Errno::WOULDBLOCK) => {
                return Err(BufferError::InUse {
                    path: config.index.clone(),
                });
            }
            Err(error) => return Err(in_directory(&path)(error.into())),
        }
    }
}

/// Opens the index; a damaged one is moved aside for whoever wants to look into it, and a new one
/// begun. True when that was so.
fn open_index(path: &Path, now: WallTime) -> Result<(Index, bool), BufferError> {
    let suspicion = suspicion(path);
    let damage = match Index::open(path, now) {
        Ok(index) => match check(&index, path, &suspicion) {
            Ok(()) => {
                let rebuilding = index
                    .read("reading the state", state::is_rebuilding)
                    .block()?;
                return Ok((index, rebuilding));
            }
            Err(error) if error.is_damage() => error,
            Err(error) => return Err(error.into()),
        },
        Err(error) if error.is_damage() => error,
        Err(error) => return Err(error.into()),
    };
    tracing::error!(error = %damage, "the index is damaged; it is made again from the recordings");
    for suffix in ["", "-wal", "-shm"] {
        let from = beside(path, suffix);
        let to = beside(path, &format!(".damaged-{}{suffix}", now.as_millis()));
        match std::fs::rename(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(in_directory(&from)(error));
            }
            _ => {}
        }
    }
    if suspicion.exists() {
        std::fs::remove_file(&suspicion).map_err(in_directory(&suspicion))?;
    }
    Ok((Index::open(path, now)?, true))
}

/// After a crash a small index is read whole; one that failed while it was used is not trusted.
fn check(index: &Index, path: &Path, suspicion: &Path) -> Result<(), IndexError> {
    if suspicion.exists() {
        return Err(IndexError::Distrusted {
            path: path.to_owned(),
        });
    }
    let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let last = index.read("reading the state", state::ending).block()?;
    if last.stopped.is_some() || bytes > CHECKED_BYTES {
        return Ok(());
    }
    match index.read("checking the index", state::is_sound).block()? {
        true => Ok(()),
        false => Err(IndexError::Distrusted {
            path: path.to_owned(),
        }),
    }
}

impl Inner {
    fn settle_unfinished(&self, report: &mut RecoveryReport) -> Result<(), BufferError> {
        let unfinished = self
            .index
            .read("looking for open segments", located::unfinished)
            .block()?;
        for row in unfinished {
            match row.eviction {
                Some(reason) => self.finish_deleting(&row, reason, report)?,
                None => self.recover(&row, report)?,
            }
        }
        Ok(())
    }

    fn finish_deleting(
        &self,
        row: &Unfinished,
        reason: Reason,
        report: &mut RecoveryReport,
    ) -> Result<(), BufferError> {
        let path = self.config.segments.join(&row.path);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::error!(path = %path.display(), %error, "cannot delete a recording");
                return Ok(());
            }
            _ => {}
        }
        let (id, now) = (row.id, self.started);
        self.index
            .write("finishing a deletion", move |connection| {
                segments::finish_eviction(connection, id, reason, now)
            })
            .block()?;
        report.evicted += 1;
        Ok(())
    }

    fn recover(&self, row: &Unfinished, report: &mut RecoveryReport) -> Result<(), BufferError> {
        let path = self.config.segments.join(&row.path);
        let known = serde_json::from_str(&row.head).ok();
        let found = match recovery::recover_file(&path, known, &self.sign) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                report.discarded += 1;
                self.discard(row.id, &path)?;
                return Ok(());
            }
            // Left as it is: the disk may answer at the next start.
            Err(error) => {
                tracing::error!(path = %path.display(), camera.id = %row.camera, stream = ?row.stream, %error, "cannot read a recording");
                return Ok(());
            }
        };
        report.cut_bytes += found.cut_bytes;
        report.recovered += u32::from(found.kept.is_some());
        report.discarded += u32::from(found.kept.is_none());
        report.salvaged += u32::from(found.salvaged.is_some());
        self.settle(row.id, &path, found)?;
        Ok(())
    }

    /// Rows and entries for what was found in a file.
    pub(super) fn settle(
        &self,
        id: SegmentId,
        path: &Path,
        found: Recovered,
    ) -> Result<(), IndexError> {
        match found.kept {
            Some(meta) => self.close_recovered(meta, path)?,
            None => self.discard(id, path)?,
        }
        if let Some((path, meta)) = found.salvaged {
            self.close_recovered(meta, &path)?;
        }
        for (range, reason) in found.lost {
            self.note_lost(id, range, reason)?;
        }
        Ok(())
    }

    fn close_recovered(&self, meta: SegmentMeta, path: &Path) -> Result<(), IndexError> {
        let relative = self.relative(path);
        let (reason, now) = (self.previous_ending.reason, self.started);
        self.index
            .write_now("closing a recovered segment", move |connection| {
                let (camera, stream) = (meta.head.camera, meta.head.stream);
                if let Some(range) = meta.wall_range() {
                    ledger::known_from(connection, camera, stream, range.start())?;
                    ledger::bridge(connection, camera, stream, range.start(), reason, now)?;
                }
                segments::close(connection, &meta, &relative)
            })
            .block()
    }

    /// Part of a segment was there and is not whole. The entry must not reach into what is recorded
    /// from now on.
    fn note_lost(&self, id: SegmentId, range: TimeRange, reason: Reason) -> Result<(), IndexError> {
        let now = self.started;
        let Some(range) = recovery::before(range, now) else {
            return Ok(());
        };
        self.index
            .write_now("noting what was lost", move |connection| {
                let Some((camera, stream)) = located::stream_of_segment(connection, id)? else {
                    return Ok(());
                };
                let entry = LedgerEntry {
                    id: LedgerId::new(now),
                    camera,
                    stream,
                    range,
                    reason,
                    detail: Some(format!("in segment {id}")),
                };
                ledger::record_gap(connection, &entry)
            })
            .block()
    }

    /// A closed segment was synced before its row was; a disk that lied about that shows here.
    fn look_at_latest(&self, report: &mut RecoveryReport) -> Result<(), BufferError> {
        let latest = self
            .index
            .read("looking at the latest segments", |connection| {
                located::closed_last(connection, LOOKED_AT)
            })
            .block()?;
        for row in latest {
            let path = self.config.segments.join(&row.path);
            let Ok(metadata) = std::fs::metadata(&path) else {
                // Gone: comparing files and rows deals with it.
                continue;
            };
            if Some(metadata.len()) == row.size {
                continue;
            }
            tracing::warn!(segment.id = %row.id, path = %path.display(), "a recording has not the size it was closed with");
            let unfinished = Unfinished {
                id: row.id,
                camera: row.camera,
                stream: row.stream,
                path: row.path,
                head: String::new(),
                eviction: None,
            };
            self.recover(&unfinished, report)?;
        }
        Ok(())
    }
}
