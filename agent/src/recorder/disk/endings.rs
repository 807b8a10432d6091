//! Segments that get no more fragments, on their way to the index: synced, cut to their length,
//! then given a row and a record. Each step is tried until it works.

use std::sync::Arc;

use shared::id::SegmentId;
use shared::time::TimeRange;

use super::super::storage::SegmentFile;
use super::sync::Round;
use crate::buffer::{Buffer, Pending};

/// Segments of one stream that wait for an index that does not answer. What is more is left to the
/// next start, which finds it in the files.
const MAX_WAITING: usize = 64;

#[derive(Debug)]
struct Ending {
    id: SegmentId,
    file: Arc<dyn SegmentFile>,
    bytes: u64,
    /// The round that makes its last fragment durable.
    round: u64,
    /// A sync failed since it was written: what the disk really holds has to be read again.
    suspect: bool,
    step: Step,
    /// That something does not work has been logged.
    logged: bool,
}

#[derive(Debug)]
enum Step {
    Syncing,
    /// Waiting for its row and record.
    Indexing(Pending<()>),
    /// A step failed; to be tried again.
    Stuck,
}

#[derive(Debug, Default)]
pub(super) struct Endings(Vec<Ending>);

impl Endings {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(
        &mut self,
        id: SegmentId,
        file: Arc<dyn SegmentFile>,
        bytes: u64,
        round: u64,
    ) {
        self.0.push(Ending {
            id,
            file,
            bytes,
            round,
            suspect: false,
            step: Step::Syncing,
            logged: false,
        });
    }

    pub(super) fn join_round(&self, round: &mut Round, number: u64) {
        let joining = self.0.iter().filter(|ending| ending.round == number);
        round
            .files
            .extend(joining.map(|ending| Arc::clone(&ending.file)));
    }

    /// A sync failed: what is not durable yet is not certain, and the round `next` tries again.
    pub(super) fn suspect(&mut self, next: u64) {
        for ending in &mut self.0 {
            if matches!(ending.step, Step::Syncing) {
                ending.suspect = true;
                ending.round = next;
            }
        }
    }

    /// Round `number` made everything durable that was written before it began. Returns what a
    /// failed round before it turns out to have lost.
    pub(super) fn synced(&mut self, number: u64, buffer: &Buffer) -> Vec<TimeRange> {
        self.0
            .iter_mut()
            .filter(|ending| matches!(ending.step, Step::Syncing) && ending.round <= number)
            .filter_map(|ending| ending.index(buffer))
            .collect()
    }

    /// Follows what the index does, and tries again what failed.
    pub(super) fn poll(&mut self, buffer: &Buffer) -> Vec<TimeRange> {
        let mut lost = Vec::new();
        self.0.retain_mut(|ending| {
            let answer = match &mut ending.step {
                Step::Syncing => None,
                Step::Indexing(pending) => pending.poll(),
                Step::Stuck => {
                    lost.extend(ending.index(buffer));
                    None
                }
            };
            match answer {
                Some(Ok(())) => {
                    buffer.segment_settled(ending.id);
                    return false;
                }
                Some(Err(error)) => ending.stuck(&error),
                None => {}
            }
            true
        });
        while self.0.len() > MAX_WAITING {
            let left = self.0.remove(0);
            tracing::error!(segment.id = %left.id, "the index does not take a segment; the next start does");
            buffer.segment_settled(left.id);
        }
        lost
    }
}

impl Ending {
    /// The bytes are safe: the row and the record follow. Returns what could not be read again.
    fn index(&mut self, buffer: &Buffer) -> Option<TimeRange> {
        let mut lost = None;
        if std::mem::take(&mut self.suspect) {
            let verified = buffer.verify_open_segment(self.id);
            self.bytes = verified.bytes;
            lost = verified.lost;
        }
        // Gives back what was reserved and not needed, and what a failed write left behind.
        match self.file.truncate(self.bytes) {
            Ok(()) => self.step = Step::Indexing(buffer.close_segment(self.id, self.bytes)),
            Err(error) => self.stuck(&error),
        }
        lost
    }

    fn stuck(&mut self, error: &(dyn std::error::Error + 'static)) {
        if !std::mem::replace(&mut self.logged, true) {
            tracing::warn!(segment.id = %self.id, %error, "a segment is not in the index yet");
        }
        self.step = Step::Stuck;
    }
}
