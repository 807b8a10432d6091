//! The live edge: a window that slides along with the recording, a few seconds behind it.
//!
//! Pure: the window is given the newest footage and says what it lists. It is kept between requests
//! (as JSON, so that any coordinator goes on with it), because its numbering must never change: an
//! entry keeps its place in the sequence whatever is learned later.

use serde::{Deserialize, Serialize};
use shared::id::{RunId, SegmentId};
use shared::time::{TICKS_PER_SECOND, Ticks90k};

use super::grouping::{BRIDGED, Picture, begin, ends_before, extend, stretch};
use super::{Entry, Position, Sign, sliding};
use crate::domain::segment::{Footage, Fragment};

/// How much a window lists at least, once there has been so much.
const LISTED: Ticks90k = Ticks90k::from_millis(60_000);
/// And how much at its beginning, in target durations: players begin three of them before the end.
const FIRST_TARGETS: i64 = 5;
/// Shortest entry before a sync sample.
const ENOUGH: Ticks90k = Ticks90k::from_millis(1_000);
const MIN_TARGET_SECONDS: u64 = 2;
/// Longer picture groups are cut.
const MAX_TARGET_SECONDS: u64 = 6;

/// What a live playlist lists, and from where it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveWindow {
    target_seconds: u64,
    media_sequence: u64,
    discontinuity_sequence: u64,
    entries: Vec<Entry>,
    next: Cursor,
    /// Where media time stood at the end of what was listed last.
    end: Option<(RunId, Ticks90k)>,
}

/// The fragment that is to be listed next, by its place in its segment; it may not have been
/// reported yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    segment: SegmentId,
    fragment: usize,
}

impl LiveWindow {
    /// A window over the newest footage, given in the order of its opening; `None` when there is
    /// none.
    pub fn begin(footage: &[Footage]) -> Option<Self> {
        let pictures: Vec<_> = footage.iter().flat_map(Picture::of).collect();
        let target_seconds = target(&pictures);
        let first = pictures.get(beginning(&pictures, target_seconds))?;
        let place = |fragment: &Fragment| std::ptr::eq(fragment, first.fragment);
        let mut window = Self {
            target_seconds,
            media_sequence: 0,
            discontinuity_sequence: 0,
            entries: Vec::new(),
            next: Cursor {
                segment: first.footage.id,
                fragment: first.footage.fragments.iter().position(place)?,
            },
            end: None,
        };
        window.advance(footage);
        Some(window)
    }

    /// The segment whose fragments come next; [`LiveWindow::advance`] wants footage from it on.
    pub const fn next_segment(&self) -> SegmentId {
        self.next.segment
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Lists what has come since, and lets go of what is old. An entry is listed when it is
    /// complete: when the picture after it is known. Says whether anything has changed.
    pub fn advance(&mut self, footage: &[Footage]) -> bool {
        let listed_before = self.media_sequence + self.entries.len() as u64;
        let mut open: Option<(Entry, Picture<'_>)> = None;
        for (cursor, picture) in self.ahead(footage) {
            let limit = self.longest();
            open = Some(match open.take() {
                None => (begin(&picture, self.is_break(&picture)), picture),
                Some((mut entry, last)) => {
                    let continues = picture.continues(&last);
                    if continues && !ends_before(&entry, &last, &picture, ENOUGH, limit) {
                        extend(&mut entry, &last, &picture);
                        (entry, picture)
                    } else {
                        if continues {
                            stretch(&mut entry, &last, &picture);
                        }
                        self.list(entry, &last, cursor);
                        (begin(&picture, !continues), picture)
                    }
                }
            });
        }
        self.slide();
        self.media_sequence + self.entries.len() as u64 != listed_before
    }

    /// The playlist as it is now.
    pub fn render(&self, sign: &impl Sign) -> String {
        let position = Position {
            media_sequence: self.media_sequence,
            discontinuity_sequence: self.discontinuity_sequence,
            target_seconds: self.target_seconds,
        };
        sliding(&self.entries, position, sign)
    }

    /// The pictures that are to be listed, each with its place.
    fn ahead<'a>(&self, footage: &'a [Footage]) -> Vec<(Cursor, Picture<'a>)> {
        let known = footage
            .iter()
            .position(|footage| footage.id == self.next.segment);
        // When the segment has disappeared, what lies behind everything that was listed.
        let listed = |footage: &Footage| {
            let mut entries = self.entries.iter();
            entries.any(|entry| entry.segment == footage.id)
        };
        let from = known
            .or_else(|| footage.iter().rposition(listed).map(|last| last + 1))
            .unwrap_or(0);
        let ahead = footage.get(from..).unwrap_or_default();
        let places = ahead.iter().flat_map(|footage| {
            Picture::of(footage).enumerate().map(|(fragment, picture)| {
                let segment = footage.id;
                (Cursor { segment, fragment }, picture)
            })
        });
        places
            .filter(|(place, _)| {
                place.segment != self.next.segment || place.fragment >= self.next.fragment
            })
            .collect()
    }

    /// Whether a picture does not continue what was listed last. The very first one breaks nothing.
    fn is_break(&self, picture: &Picture<'_>) -> bool {
        self.end.is_some_and(|(run, end)| {
            let hole = picture.fragment.media_start - end;
            run != picture.footage.run || hole.saturating_abs() > BRIDGED
        })
    }

    /// The longest duration that, rounded, is within the target (RFC 8216 section 4.3.3.1).
    fn longest(&self) -> Ticks90k {
        let seconds = i64::try_from(self.target_seconds).unwrap_or(0);
        Ticks90k::new(seconds * TICKS_PER_SECOND + TICKS_PER_SECOND / 2 - 1)
    }

    fn list(&mut self, mut entry: Entry, last: &Picture<'_>, next: Cursor) {
        entry.duration = entry.duration.min(self.longest());
        self.entries.push(entry);
        self.end = Some((last.footage.run, last.fragment.media_end()));
        self.next = next;
    }

    /// Lets go of entries that are not needed to list a minute.
    fn slide(&mut self) {
        let length = |entries: &[Entry]| {
            entries
                .iter()
                .fold(Ticks90k::ZERO, |sum, entry| sum + entry.duration)
        };
        let mut old = 0;
        while self
            .entries
            .get(old + 1..)
            .is_some_and(|rest| length(rest) >= LISTED)
        {
            old += 1;
        }
        for entry in self.entries.drain(..old) {
            self.media_sequence += 1;
            self.discontinuity_sequence += u64::from(entry.discontinuity);
        }
    }
}

/// The target duration that fits the picture groups of the camera.
fn target(pictures: &[Picture<'_>]) -> u64 {
    let syncs: Vec<_> = pictures
        .iter()
        .filter(|picture| picture.fragment.sync)
        .collect();
    let groups = syncs
        .windows(2)
        .filter(|pair| pair[0].footage.run == pair[1].footage.run)
        .map(|pair| pair[1].fragment.media_start - pair[0].fragment.media_start);
    let longest = groups.max().map_or(MAX_TARGET_SECONDS, |longest| {
        // A group may be half a second longer than the target before it counts as longer.
        let rounded = (longest.get() + TICKS_PER_SECOND / 2) / TICKS_PER_SECOND;
        u64::try_from(rounded).unwrap_or(0)
    });
    longest.clamp(MIN_TARGET_SECONDS, MAX_TARGET_SECONDS)
}

/// The place of the first picture to list: a sync sample, a few target durations before the end.
fn beginning(pictures: &[Picture<'_>], target_seconds: u64) -> usize {
    let wanted = i64::try_from(target_seconds).unwrap_or(0) * TICKS_PER_SECOND * FIRST_TARGETS;
    let mut behind = 0;
    let far_enough = pictures.iter().rposition(|picture| {
        behind += picture.fragment.duration.get();
        behind >= wanted
    });
    let far_enough = far_enough.unwrap_or(0);
    let is_sync = |picture: &Picture<'_>| picture.fragment.sync;
    let before = pictures[..pictures.len().min(far_enough + 1)]
        .iter()
        .rposition(is_sync);
    before
        .or_else(|| pictures.iter().position(is_sync))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests;
