//! What the end of the last run left behind, settled before anything new is recorded.
//!
//! A segment that was open is walked fragment by fragment, cut behind the last whole one, signed
//! and closed; an eviction that had begun is finished. Both cost a few files, so the agent records
//! again within seconds. Comparing all files with all rows is [`super::reconcile`]'s work.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Advice, fadvise};
use shared::fmp4::read::{self, Stop, Walk};
use shared::segment::{FragmentMeta, SegmentHead, SegmentMeta, fragment_root, statement};
use shared::time::{TimeRange, WallTime};
use shared::timeline::Reason;

use super::index::state::Ending;
use super::{Sign, salvage};

/// What was found and settled when the buffer was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct RecoveryReport {
    /// Why the agent was not running before, as the ledger will say it.
    pub previous_ending: Option<Reason>,
    /// Segments that were open when the agent ended and are closed and signed now.
    pub recovered: u32,
    /// Segments made of whole fragments that stood behind damage.
    pub salvaged: u32,
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

/// What has become of a file that was being written when the agent ended.
#[derive(Debug)]
pub(super) struct Recovered {
    /// Cut to its whole fragments, synced and signed; `None` when there is not one.
    pub(super) kept: Option<SegmentMeta>,
    pub(super) cut_bytes: u64,
    /// Stretches of which bytes exist that are not whole.
    pub(super) lost: Vec<(TimeRange, Reason)>,
    /// What stood whole behind damage, in a file of its own.
    pub(super) salvaged: Option<(PathBuf, SegmentMeta)>,
}

impl Recovered {
    const fn nothing(bytes: u64) -> Self {
        Self {
            kept: None,
            cut_bytes: bytes,
            lost: Vec::new(),
            salvaged: None,
        }
    }
}

/// Settles one file, whose head the index may know. What cannot be read because the disk refuses is
/// left as it is.
pub(super) fn recover_file(
    path: &Path,
    known: Option<SegmentHead>,
    sign: &Sign,
) -> io::Result<Recovered> {
    let walk = match read::walk(File::open(path)?) {
        Ok(walk) => walk,
        Err(read::ReadError::Io(error)) => return Err(error),
        Err(read::ReadError::NoInit) => {
            return Ok(Recovered::nothing(std::fs::metadata(path)?.len()));
        }
    };
    let Some(head) = walk.head.clone().or(known).filter(|head| {
        (head.init_length, head.init_sha256) == (walk.init.length, walk.init.sha256)
    }) else {
        return match walk.stop {
            Stop::Unreadable { error, .. } => Err(error.into()),
            _ => Ok(Recovered::nothing(walk.file_length)),
        };
    };
    let salvaged = salvage::salvage(path, &head, &walk.beyond, sign)?;
    let end = walk.end();
    let cut_bytes = walk.file_length.saturating_sub(end);
    let readable = !matches!(walk.stop, Stop::Unreadable { .. });
    if cut_bytes > 0 && readable && !walk.fragments.is_empty() {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(end)?;
        file.sync_all()?;
    }
    Ok(Recovered {
        cut_bytes,
        lost: lost(&walk),
        salvaged,
        kept: (!walk.fragments.is_empty()).then(|| signed(sign, head, end, walk.fragments)),
    })
}

/// The holes that damage made, and the tail behind the last whole fragment. How long a tail was can
/// only be told from how many bytes the pictures before it took.
fn lost(walk: &Walk) -> Vec<(TimeRange, Reason)> {
    let reason = match walk.stop {
        Stop::EndOfFile | Stop::TooMany { .. } => return Vec::new(),
        Stop::Unwritten { .. } | Stop::Torn { .. } => Reason::TailLost,
        Stop::Damaged { .. } => Reason::FileDamaged,
        Stop::Unreadable { .. } => Reason::DiskError,
    };
    let whole: Vec<_> = walk.fragments.iter().chain(&walk.beyond).collect();
    let mut lost: Vec<_> = whole
        .windows(2)
        .filter(|pair| pair[0].end_offset() != pair[1].offset)
        .filter_map(|pair| {
            TimeRange::new(pair[0].wall_range().end(), pair[1].wall_start)
                .ok()
                .map(|range| (range, Reason::FileDamaged))
        })
        .collect();
    lost.extend(tail(walk, &whole).map(|range| (range, reason)));
    lost.retain(|(range, _)| !range.is_empty());
    lost
}

fn tail(walk: &Walk, whole: &[&FragmentMeta]) -> Option<TimeRange> {
    /// A torn tail is one fragment, and those are at most this long.
    const LONGEST: Duration = Duration::from_secs(1);
    let (first, last) = (whole.first()?, whole.last()?);
    let end = last.wall_range().end();
    let duration = end.saturating_duration_since(first.wall_start);
    let good_bytes = last.end_offset().saturating_sub(first.offset).max(1);
    let lost_bytes = walk.file_length.saturating_sub(last.end_offset());
    let micros = duration.as_micros() * u128::from(lost_bytes) / u128::from(good_bytes);
    let estimate = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
    Some(TimeRange::starting_at(end, estimate.min(LONGEST)))
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
    use shared::testing::SegmentBuilder;

    use super::*;

    const START: WallTime = WallTime::from_secs(1_772_359_200);

    fn sign() -> Sign {
        std::sync::Arc::new(|statement: &[u8]| {
            let mut bytes = [0; 64];
            bytes[..32].copy_from_slice(shared::hash::Sha256::of(statement).as_bytes());
            shared::segment::Signature::from_bytes(bytes)
        })
    }

    /// Recovers a file of these bytes; what is left of it is whole.
    fn recover(bytes: &[u8]) -> (Recovered, Vec<u8>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("segment.mp4");
        std::fs::write(&path, bytes).unwrap();
        let found = recover_file(&path, None, &sign()).unwrap();
        let left = std::fs::read(&path).unwrap();
        if let Some(meta) = &found.kept {
            meta.check().unwrap();
            let walk = read::walk(io::Cursor::new(&left)).unwrap();
            assert_eq!(walk.stop, Stop::EndOfFile);
            assert_eq!(walk.fragments, meta.fragments);
        }
        (found, left)
    }

    #[test]
    fn torn_at_any_byte_of_the_tail_every_whole_fragment_is_kept() {
        let segment = SegmentBuilder::new(START).build();
        let last = segment.meta.fragments.last().unwrap().offset;
        for cut in last..segment.meta.size {
            let cut = usize::try_from(cut).unwrap();
            let (found, left) = recover(&segment.bytes[..cut]);
            let meta = found.kept.unwrap();
            assert_eq!(meta.fragments, segment.meta.fragments[..4], "cut at {cut}");
            assert_eq!(left.len() as u64, last);
            assert_eq!(found.cut_bytes, cut as u64 - last);
            let torn = cut as u64 > last;
            assert_eq!(
                found.lost.iter().map(|lost| lost.1).next(),
                torn.then_some(Reason::TailLost)
            );
        }
    }

    #[test]
    fn with_any_byte_of_the_tail_flipped_or_the_rest_unwritten_every_whole_fragment_is_kept() {
        let segment = SegmentBuilder::new(START).build();
        let last = usize::try_from(segment.meta.fragments.last().unwrap().offset).unwrap();
        for at in last..segment.bytes.len() {
            let mut flipped = segment.bytes.to_vec();
            flipped[at] ^= 0x10;
            let mut unwritten = segment.bytes.to_vec();
            unwritten[at..].fill(0);
            for bytes in [flipped, unwritten] {
                let (found, _) = recover(&bytes);
                // The last bytes of a seal may be zeros already.
                let kept = if bytes == segment.bytes { 5 } else { 4 };
                assert_eq!(
                    found.kept.unwrap().fragments,
                    segment.meta.fragments[..kept],
                    "byte {at}"
                );
            }
        }
    }

    #[test]
    fn a_file_cut_before_its_first_fragment_is_whole_holds_nothing() {
        let segment = SegmentBuilder::new(START).build();
        let first = usize::try_from(segment.meta.fragments[0].end_offset()).unwrap();
        for cut in 0..first {
            let (found, _) = recover(&segment.bytes[..cut]);
            assert_eq!(found.kept, None, "cut at {cut}");
        }
    }

    #[test]
    fn fragments_behind_damage_get_a_file_of_their_own() {
        let segment = SegmentBuilder {
            audio: Some(shared::codec::AudioCodec::Aac),
            ..SegmentBuilder::new(START)
        }
        .build();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("segment.mp4");
        let mut bytes = segment.bytes.to_vec();
        let damaged = &segment.meta.fragments[2];
        let middle = usize::try_from(damaged.offset + u64::from(damaged.length) / 2).unwrap();
        bytes[middle] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let found = recover_file(&path, None, &sign()).unwrap();
        let (saved, meta) = found.salvaged.unwrap();
        meta.check().unwrap();
        let walk = read::walk(File::open(&saved).unwrap()).unwrap();
        assert_eq!(walk.fragments, meta.fragments);
        assert_eq!(walk.head, Some(meta.head));
        let times = |fragments: &[FragmentMeta]| -> Vec<_> {
            fragments.iter().map(FragmentMeta::wall_range).collect()
        };
        let original = times(&segment.meta.fragments);
        assert_eq!(times(&found.kept.unwrap().fragments), original[..2]);
        assert_eq!(times(&meta.fragments), original[3..]);
        assert_eq!(found.lost, [(original[2], Reason::FileDamaged)]);
    }

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
