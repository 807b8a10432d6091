//! From fragments to playlist entries: where a player may begin, and what it fetches at once.
//!
//! An entry ends before a sync sample once it is long enough, so that every entry can be decoded by
//! itself. Where a camera gives no sync sample for too long (picture groups of minutes), it ends at
//! a fragment, and says so. It never spans two files or a hole.

use shared::id::RunId;
use shared::time::{Ticks90k, TimeRange, WallTime};

use super::{Entry, Init};
use crate::domain::segment::{Footage, Fragment};

/// How long entries are.
#[derive(Clone, Copy, Debug)]
pub struct Lengths {
    /// An entry this long ends before the next sync sample.
    pub enough: Ticks90k,
    /// The same for an entry that somebody waits for: the first of a playlist, because players fetch
    /// it whole before they show a picture, and those whose bytes come from the site.
    pub awaited: Ticks90k,
    /// An entry ends before the fragment that would make it longer.
    pub limit: Ticks90k,
}

impl Lengths {
    fn enough(&self, entry: &Entry, is_first: bool) -> Ticks90k {
        if is_first || !entry.stored {
            self.awaited
        } else {
            self.enough
        }
    }
}

/// For stretches of the past: 6 s (or 2 s) and a picture group at most, and 12 s in any case.
pub const VOD: Lengths = Lengths {
    enough: Ticks90k::from_millis(6_000),
    awaited: Ticks90k::from_millis(2_000),
    limit: Ticks90k::from_millis(12_000),
};

/// Holes in media time up to this long are left to the player, which skips them; longer ones become
/// discontinuities.
pub const BRIDGED: Ticks90k = Ticks90k::from_millis(500);

/// Footage of one stream in the order in which it is listed: by run, runs by their first picture.
/// Where a clock was set back and a stretch of wall time happened twice, it is listed twice.
#[derive(Clone, Debug, Default)]
pub struct Snapshot(Vec<Footage>);

impl Snapshot {
    /// From footage in any order.
    pub fn new(mut footage: Vec<Footage>) -> Self {
        footage.retain(|footage| !footage.fragments.is_empty());
        footage.sort_by_key(|footage| {
            let first = footage.fragments.first();
            (footage.run, first.map(|first| first.media_start))
        });
        Self(footage)
    }

    /// With more footage, such as [`Snapshot::wants_earlier`] asks for.
    #[must_use]
    pub fn with(self, more: Vec<Footage>) -> Self {
        let mut footage = self.0;
        footage.extend(more);
        Self::new(footage)
    }

    /// A run, and the time before which more of it is wanted: what shows the beginning of `range`
    /// depends on pictures before all that is here.
    pub fn wants_earlier(&self, range: TimeRange) -> Option<(RunId, WallTime)> {
        self.runs().into_iter().find_map(|run| {
            let earliest = *run.first()?.fragments.first()?;
            if earliest.sync {
                return None;
            }
            let pictures = pictures(run);
            let (first, _) = shown(&pictures, range)?;
            matches!(reach_back(&pictures, first), Reach::Beginning)
                .then_some((run.first()?.run, earliest.wall_start))
        })
    }

    /// Entries that show `range`: from the sync sample at or before its start to the end of the
    /// fragment its end lies in.
    pub fn entries(&self, range: TimeRange) -> Vec<Entry> {
        let mut entries = Vec::new();
        for run in self.runs() {
            let pictures = pictures(run);
            let Some((first, last)) = shown(&pictures, range) else {
                continue;
            };
            // Pictures that lead back to no sync sample help nobody.
            let begin = match reach_back(&pictures, first) {
                Reach::Sync(begin) => begin,
                Reach::Hole | Reach::Beginning => first,
            };
            group(&pictures[begin..=last], VOD, &mut entries);
        }
        if let Some(first) = entries.first_mut() {
            first.discontinuity = false;
        }
        entries
    }

    fn runs(&self) -> Vec<&[Footage]> {
        let seen = |run: &&[Footage]| {
            let first = run.first().and_then(|footage| footage.fragments.first());
            first.map(|first| first.wall_start)
        };
        let mut runs: Vec<_> = self.0.chunk_by(|one, next| one.run == next.run).collect();
        runs.sort_by_key(seen);
        runs
    }
}

fn pictures(run: &[Footage]) -> Vec<Picture<'_>> {
    run.iter().flat_map(Picture::of).collect()
}

/// Places of the first and the last picture that show something of `range`.
fn shown(pictures: &[Picture<'_>], range: TimeRange) -> Option<(usize, usize)> {
    let is_shown = |picture: &Picture<'_>| {
        let pictured = picture.fragment.wall_range();
        pictured.end() > range.start() && pictured.start() < range.end()
    };
    let first = pictures.iter().position(is_shown)?;
    let last = pictures.iter().rposition(is_shown)?;
    Some((first, last))
}

/// What a picture leads back to.
enum Reach {
    /// The sync sample it depends on.
    Sync(usize),
    /// Something is missing in between.
    Hole,
    /// The earliest picture there is, which is no sync sample.
    Beginning,
}

fn reach_back(pictures: &[Picture<'_>], from: usize) -> Reach {
    let mut place = from;
    while !pictures[place].fragment.sync {
        if place == 0 {
            return Reach::Beginning;
        }
        if !pictures[place].continues(&pictures[place - 1]) {
            return Reach::Hole;
        }
        place -= 1;
    }
    Reach::Sync(place)
}

/// A fragment and the file it is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Picture<'a> {
    pub(super) footage: &'a Footage,
    pub(super) fragment: &'a Fragment,
}

impl<'a> Picture<'a> {
    pub(super) fn of(footage: &'a Footage) -> impl Iterator<Item = Self> {
        footage
            .fragments
            .iter()
            .map(move |fragment| Self { footage, fragment })
    }

    /// Whether media time goes on from `before` without a hole worth a discontinuity.
    pub(super) fn continues(&self, before: &Self) -> bool {
        let hole = self.fragment.media_start - before.fragment.media_end();
        self.footage.run == before.footage.run
            && hole.saturating_abs() <= BRIDGED
            && self.fragment.media_start >= before.fragment.media_start
    }
}

/// Appends entries of pictures of one run, the first of them after a discontinuity.
pub(super) fn group(pictures: &[Picture<'_>], lengths: Lengths, entries: &mut Vec<Entry>) {
    // The entry being made stays where it is: a day has ten times more pictures than entries.
    let mut open: Option<(Entry, Picture<'_>)> = None;
    for picture in pictures {
        let mut continues = false;
        if let Some((entry, last)) = &mut open {
            continues = picture.continues(last);
            let enough = lengths.enough(entry, entries.is_empty());
            if continues && !ends_before(entry, last, picture, enough, lengths.limit) {
                extend(entry, last, picture);
                *last = *picture;
                continue;
            }
            if continues {
                // What is missing of a picture or two belongs to the entry before.
                stretch(entry, last, picture);
            }
        }
        let ended = open.replace((begin(picture, !continues), *picture));
        entries.extend(ended.map(|(entry, _)| entry));
    }
    entries.extend(open.map(|(entry, _)| entry));
}

/// Whether an entry whose last picture is `last` ends there, although `picture` continues it: it is
/// long `enough` and a sync sample follows, or it would exceed the `limit`.
pub(super) fn ends_before(
    entry: &Entry,
    last: &Picture<'_>,
    picture: &Picture<'_>,
    enough: Ticks90k,
    limit: Ticks90k,
) -> bool {
    let fragment = picture.fragment;
    entry.segment != picture.footage.id
        || entry.bytes.end != fragment.offset
        || (fragment.sync && (entry.duration >= enough || !entry.independent))
        || entry.duration + hole(last, picture) + fragment.duration > limit
}

pub(super) fn begin(picture: &Picture<'_>, discontinuity: bool) -> Entry {
    let Picture { footage, fragment } = picture;
    Entry {
        segment: footage.id,
        run: footage.run,
        bytes: fragment.offset..fragment.end_offset(),
        init: Init {
            length: footage.init_length,
            sha256: footage.init_sha256,
        },
        duration: fragment.duration,
        start: fragment.wall_start,
        discontinuity,
        independent: fragment.sync,
        stored: footage.stored,
    }
}

/// Adds a picture that follows `last`; what is missing between them lasts too.
pub(super) fn extend(entry: &mut Entry, last: &Picture<'_>, picture: &Picture<'_>) {
    stretch(entry, last, picture);
    entry.bytes.end = picture.fragment.end_offset();
    entry.duration = entry.duration + picture.fragment.duration;
}

/// Makes an entry last until the picture that follows `last`.
pub(super) fn stretch(entry: &mut Entry, last: &Picture<'_>, picture: &Picture<'_>) {
    entry.duration = entry.duration + hole(last, picture);
}

fn hole(last: &Picture<'_>, picture: &Picture<'_>) -> Ticks90k {
    let hole = picture.fragment.media_start - last.fragment.media_end();
    hole.max(Ticks90k::ZERO)
}
