//! What the end of the last run left behind, settled before anything new is recorded.
//!
//! A segment that was open is walked fragment by fragment, cut behind the last whole one, signed
//! and closed; an eviction that had begun is finished. Both cost a few files, so the agent records
//! again within seconds. Comparing all files with all rows is [`super::reconcile`]'s work.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Advice, fadvise};
use shared::fmp4::read::{self, Stop, Walk};
use shared::segment::{FragmentMeta, SegmentHead, SegmentMeta, fragment_root, statement};
use shared::time::{TimeRange, WallTime};
use shared::timeline::Reason;

use super::Sign;
use super::index::state::Ending;

/// What was found and settled when the buffer was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct RecoveryReport {
    /// Why the agent was not running before, as the ledger will say it.
    pub previous_ending: Option<Reason>,
    /// Segments that were open when the agent ended and are closed and signed now.
    pub recovered: u32,
    /// Bytes cut off because they were not a whole fragment.
    pub cut_bytes: u64,
    /// Segments that held nothing readable.
    pub discarded: u32,
    /// Evictions that had begun and are finished now.
    pub evicted: u32,
    /// The index could not be read; it was moved aside and is made again from the files.
    pub index_rebuilt: bool,
}

/// Why nothing was recorded between the last run of the agent and this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PreviousEnding {
    pub(super) reason: Reason,
    pub(super) detail: Option<String>,
}

/// From what the last run wrote down and what the host says now. Pure.
pub(super) fn previous_ending(last: &Ending, host_boot: &str, index_lost: bool) -> PreviousEnding {
    let because = |reason, detail: &str| PreviousEnding {
        reason,
        detail: (!detail.is_empty()).then(|| detail.to_owned()),
    };
    if index_lost {
        return because(
            Reason::DiskError,
            "the index was lost, and with it why nothing was recorded",
        );
    }
    // An unknown boot id must not make every restart look like a power cut.
    let same_boot = last.host_boot == host_boot || last.host_boot.is_empty();
    match (last.stopped, same_boot) {
        (Some(_), true) => because(Reason::AgentStopped, ""),
        (Some(_), false) => because(Reason::HostDown, "the host was shut down in an orderly way"),
        (None, true) if last.started.is_none() => because(Reason::AgentStopped, "first start"),
        (None, true) => because(Reason::AgentCrashed, ""),
        (None, false) => because(Reason::HostDown, "the host lost power or was reset"),
    }
}

/// Identifies this boot of the host; empty where the system does not tell.
pub(super) fn host_boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// A file that was being written when the agent ended.
#[derive(Debug)]
pub(super) enum Recovered {
    /// Cut to its whole fragments, synced and signed.
    Closed {
        meta: Box<SegmentMeta>,
        cut_bytes: u64,
        /// What was begun behind the last whole fragment, estimated.
        lost: Option<(TimeRange, Reason)>,
    },
    /// Not one whole fragment.
    Nothing { bytes: u64 },
}

/// Settles one file. What cannot be read because the disk refuses is left as it is.
pub(super) fn recover_file(path: &Path, sign: &Sign) -> io::Result<Recovered> {
    let walk = match read::walk(File::open(path)?) {
        Ok(walk) => walk,
        Err(read::ReadError::Io(error)) => return Err(error),
        Err(read::ReadError::NoInit) => {
            let bytes = std::fs::metadata(path)?.len();
            return Ok(Recovered::Nothing { bytes });
        }
    };
    let intact = walk.init_is_intact() == Some(true) && !walk.fragments.is_empty();
    let Some(head) = walk.head.clone().filter(|_| intact) else {
        return match walk.stop {
            Stop::Unreadable { error, .. } => Err(error.into()),
            _ => Ok(Recovered::Nothing {
                bytes: walk.file_length,
            }),
        };
    };
    let end = walk.end();
    let cut_bytes = walk.file_length.saturating_sub(end);
    let readable = !matches!(walk.stop, Stop::Unreadable { .. });
    if cut_bytes > 0 && readable {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(end)?;
        file.sync_all()?;
    }
    Ok(Recovered::Closed {
        cut_bytes,
        lost: lost_tail(&walk),
        meta: Box::new(signed(sign, head, end, walk.fragments)),
    })
}

/// The stretch behind the last whole fragment of which bytes exist that are not whole. How long it
/// was can only be told from how many bytes the pictures before it took.
fn lost_tail(walk: &Walk) -> Option<(TimeRange, Reason)> {
    /// A torn tail is one fragment, and those are at most this long.
    const LONGEST: Duration = Duration::from_secs(1);
    let reason = match walk.stop {
        Stop::EndOfFile | Stop::TooMany { .. } => return None,
        Stop::Unwritten { .. } | Stop::Torn { .. } => Reason::TailLost,
        Stop::Damaged { .. } => Reason::FileDamaged,
        Stop::Unreadable { .. } => Reason::DiskError,
    };
    let first = walk.fragments.first()?;
    let last = walk.fragments.last()?;
    let duration = last
        .wall_range()
        .end()
        .saturating_duration_since(first.wall_start);
    let good_bytes = walk.end().saturating_sub(first.offset).max(1);
    let lost_bytes = walk.file_length.saturating_sub(walk.end());
    let micros = duration.as_micros() * u128::from(lost_bytes) / u128::from(good_bytes);
    let estimate = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
    let estimate = if reason == Reason::TailLost {
        estimate.min(LONGEST)
    } else {
        estimate
    };
    (!estimate.is_zero()).then(|| {
        let range = TimeRange::starting_at(last.wall_range().end(), estimate);
        (range, reason)
    })
}

/// Metadata with root and signature.
pub(super) fn signed(
    sign: &Sign,
    head: SegmentHead,
    size: u64,
    fragments: Vec<FragmentMeta>,
) -> SegmentMeta {
    let root = fragment_root(&fragments);
    let signature = sign(&statement(&head, size, &root));
    SegmentMeta {
        head,
        size,
        fragments,
        root,
        signature,
    }
}

/// How many of the fragments, from the first on, the disk really gives back.
pub(super) fn whole_fragments(path: &Path, expected: &[FragmentMeta]) -> usize {
    let Ok(file) = File::open(path) else {
        return 0;
    };
    // What memory still holds proves nothing about the disk. Where it stays, so be it.
    let _ = fadvise(&file, 0, None, Advice::DontNeed);
    let Ok(walk) = read::walk(file) else {
        return 0;
    };
    walk.fragments
        .iter()
        .zip(expected)
        .take_while(|(found, expected)| found == expected)
        .count()
}

/// The ledger's entry about a lost tail must not reach into what was recorded since.
pub(super) fn before(range: TimeRange, limit: WallTime) -> Option<TimeRange> {
    TimeRange::new(range.start(), range.end().min(limit))
        .ok()
        .filter(|range| !range.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(started: bool, stopped: bool, boot: &str) -> Ending {
        let at = WallTime::from_secs(1);
        Ending {
            started: started.then_some(at),
            stopped: stopped.then_some(at),
            host_boot: boot.to_owned(),
        }
    }

    #[test]
    fn stop_crash_and_power_cut_are_told_apart() {
        let reason = |last: &Ending| previous_ending(last, "b", false).reason;
        assert_eq!(reason(&ending(true, true, "b")), Reason::AgentStopped);
        assert_eq!(reason(&ending(true, true, "a")), Reason::HostDown);
        assert_eq!(reason(&ending(true, false, "b")), Reason::AgentCrashed);
        assert_eq!(reason(&ending(true, false, "a")), Reason::HostDown);
        assert_eq!(reason(&ending(false, false, "")), Reason::AgentStopped);
        let lost = previous_ending(&ending(false, false, ""), "b", true);
        assert_eq!(lost.reason, Reason::DiskError);
    }
}
