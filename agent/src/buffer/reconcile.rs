//! Files and rows compared, in the background after every start: a file without a row is adopted,
//! a row without a file becomes an entry of the ledger.
//!
//! After the loss of the index this makes it again, oldest first, so that retention soon knows what
//! to delete. Files that this run of the agent makes are none of its business.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Weak;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use shared::id::{LedgerId, SegmentId};
use shared::time::{TimeRange, WallTime};
use shared::timeline::{self, LedgerEntry, Reason};

use super::index::located::{self, Located};
use super::index::{IndexError, ledger, segments, state};
use super::{Inner, files, recovery, salvage};

/// Rows read at a time.
const PAGE: usize = 1_000;
/// Fewer missing files than this are believed even when they are most of what there is.
const FEW: usize = 10;

/// What the comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Reconciliation {
    /// Files that had no row and have one now.
    pub adopted: u64,
    /// Files without a row in which not one fragment was whole; deleted.
    pub discarded: u64,
    /// Files that could not be read; left alone.
    pub unreadable: u64,
    /// Files in the storage directory that are not ours; left alone.
    pub foreign: u64,
    /// Rows whose file was gone; now in the ledger.
    pub vanished: u64,
    /// Rows whose file was gone and that were kept, because so many are missing that the disk
    /// probably is.
    pub doubtful: u64,
    /// The whole comparison was done.
    pub finished: bool,
}

/// Runs to the end, or until the buffer is closed.
pub(super) fn run(buffer: &Weak<Inner>, segments_directory: &Path) {
    let mut found = Reconciliation::default();
    let result = compare(buffer, segments_directory, &mut found);
    let Some(inner) = buffer.upgrade() else {
        return;
    };
    match result {
        Ok(true) => {
            found.finished = true;
            inner.forget_made();
            if found
                != (Reconciliation {
                    finished: true,
                    ..Reconciliation::default()
                })
            {
                tracing::info!(?found, "compared recordings with the index");
            }
        }
        Ok(false) => return,
        Err(error) => {
            tracing::error!(%error, ?found, "could not compare recordings with the index; the next start tries again");
        }
    }
    inner.reconciliation.send_replace(found);
}

/// False when the buffer was closed meanwhile.
fn compare(
    buffer: &Weak<Inner>,
    directory: &Path,
    found: &mut Reconciliation,
) -> Result<bool, IndexError> {
    let listing = list(directory);
    found.foreign = listing.foreign;
    for path in &listing.unfinished {
        // Is made again if it is still needed.
        let _ = std::fs::remove_file(path);
    }
    let on_disk: HashSet<SegmentId> = listing.ours.iter().map(|file| file.id).collect();

    let mut known = HashSet::new();
    let mut vanished = Vec::new();
    let mut closed_rows = 0;
    let mut after = None;
    loop {
        let Some(inner) = buffer.upgrade() else {
            return Ok(false);
        };
        let page = inner
            .index
            .read("listing segments", move |connection| {
                located::page(connection, after, PAGE)
            })
            .block()?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        closed_rows += page.iter().filter(|row| row.closed).count();
        for row in page {
            known.insert(row.id);
            if row.closed && !on_disk.contains(&row.id) && !inner.was_made_now(row.id) {
                vanished.push(row);
            }
        }
    }
    for Ours { id, path, .. } in listing.ours {
        if known.contains(&id) {
            continue;
        }
        let Some(inner) = buffer.upgrade() else {
            return Ok(false);
        };
        if !inner.was_made_now(id) {
            let started = Instant::now();
            adopt(&inner, id, &path, found)?;
            drop(inner);
            // At most half of the disk's time: recording comes first.
            std::thread::sleep(started.elapsed());
        }
    }
    let Some(inner) = buffer.upgrade() else {
        return Ok(false);
    };
    settle_vanished(&inner, vanished, closed_rows, found)?;
    let now = inner.clock.wall();
    inner
        .index
        .write_now("finishing the comparison", move |connection| {
            if state::is_rebuilding(connection)? {
                explain_holes(connection, now)?;
            }
            state::set_rebuilding(connection, false)
        })
        .block()?;
    Ok(true)
}

/// What is in the storage directory.
pub(super) struct Listing {
    /// Oldest first, as far as the names of the directories tell.
    pub(super) ours: Vec<Ours>,
    pub(super) foreign: u64,
    /// Salvages that were not completed.
    unfinished: Vec<PathBuf>,
}

/// A file that is named like a segment's. Ordered by date, whatever the camera.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ours {
    date: PathBuf,
    pub(super) id: SegmentId,
    pub(super) path: PathBuf,
}

/// Whether there is any recording at all, without looking at all of them.
pub(super) fn is_any(directory: &Path) -> bool {
    let entries = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten();
    entries(directory)
        .flat_map(|date| entries(&date.path()))
        .flat_map(|camera| entries(&camera.path()))
        .any(|file| files::parse_path(&file.path()).is_some())
}

pub(super) fn list(directory: &Path) -> Listing {
    let mut listing = Listing {
        ours: Vec::new(),
        foreign: 0,
        unfinished: Vec::new(),
    };
    let mut pending = vec![(directory.to_owned(), 0)];
    while let Some((directory, depth)) = pending.pop() {
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!(path = %directory.display(), %error, "cannot list recordings");
                continue;
            }
        };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth < 2 => pending.push((entry.path(), depth + 1)),
                Ok(kind) if kind.is_file() => listing.sort_in(&directory, entry.path()),
                _ => listing.foreign += 1,
            }
        }
    }
    listing.ours.sort();
    listing
}

impl Listing {
    fn sort_in(&mut self, directory: &Path, path: PathBuf) {
        if let Some((_, id)) = files::parse_path(&path) {
            let date = directory.file_name().map(PathBuf::from).unwrap_or_default();
            self.ours.push(Ours { date, id, path });
        } else if path
            .extension()
            .is_some_and(|end| end == salvage::UNFINISHED)
        {
            self.unfinished.push(path);
        } else {
            self.foreign += 1;
        }
    }
}

fn adopt(
    inner: &Inner,
    id: SegmentId,
    path: &Path,
    found: &mut Reconciliation,
) -> Result<(), IndexError> {
    let outcome = match recovery::recover_file(path, None, &inner.sign) {
        Ok(outcome) => outcome,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot be read; left alone");
            found.unreadable += 1;
            return Ok(());
        }
    };
    match &outcome.kept {
        Some(meta) if meta.head.id != id => {
            tracing::warn!(path = %path.display(), segment.id = %meta.head.id, "the file's name is not that of its segment; left alone");
            found.foreign += 1;
            return Ok(());
        }
        Some(_) => found.adopted += 1,
        None => {
            tracing::warn!(path = %path.display(), bytes = outcome.cut_bytes, "not one whole fragment; deleted");
            found.discarded += 1;
        }
    }
    found.adopted += u64::from(outcome.salvaged.is_some());
    inner.settle(id, path, outcome)
}

/// With the index the reasons of old gaps were lost; that they were gaps is still to be said.
fn explain_holes(connection: &Connection, now: WallTime) -> rusqlite::Result<()> {
    /// Rounding between segments is no gap.
    const ROUNDING: Duration = Duration::from_millis(100);
    for (camera, stream, _) in ledger::streams(connection)? {
        let known = timeline::merge(ledger::ranges(connection, camera, stream)?, ROUNDING);
        // This start of the agent may have begun to account for the stream later than the last of
        // what was found ends.
        let begun = ledger::history(connection, camera, stream)?
            .zip(known.last())
            .and_then(|(history, last)| TimeRange::new(last.end(), history.explained_until).ok());
        let between = known
            .windows(2)
            .filter_map(|pair| TimeRange::new(pair[0].end(), pair[1].start()).ok());
        for range in between.chain(begun).filter(|range| !range.is_empty()) {
            let entry = LedgerEntry {
                id: LedgerId::new(now),
                camera,
                stream,
                range,
                reason: Reason::DiskError,
                detail: Some("the index was lost, and with it the reason".to_owned()),
            };
            ledger::record_gap(connection, &entry)?;
        }
    }
    Ok(())
}

fn settle_vanished(
    inner: &Inner,
    vanished: Vec<Located>,
    closed_rows: usize,
    found: &mut Reconciliation,
) -> Result<(), IndexError> {
    let count = vanished.len() as u64;
    if vanished.len() > FEW && vanished.len() * 2 > closed_rows {
        tracing::error!(
            missing = count,
            of = closed_rows,
            path = %inner.config.segments.display(),
            "most recordings are not where they were; is the disk mounted? Nothing is deleted from the index"
        );
        found.doubtful = count;
        return Ok(());
    }
    let now = inner.clock.wall();
    for row in vanished {
        tracing::warn!(segment.id = %row.id, camera.id = %row.camera, "the file of a recording is gone");
        inner
            .index
            .write("noting a vanished file", move |connection| {
                segments::finish_eviction(connection, row.id, Reason::OperatorDeleted, now)
            })
            .block()?;
        found.vanished += 1;
    }
    Ok(())
}
