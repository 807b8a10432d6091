use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use shared::time::TimeRange;

use super::grouping::{BRIDGED, Snapshot, VOD};
use super::*;
use crate::domain::segment::{Footage, Fragment};

pub(super) const START: WallTime = WallTime::from_secs(1_772_373_600);

/// Addresses that are the same in every run of a test.
pub(super) struct Plain;

impl Sign for Plain {
    fn query(&self, _: SegmentId) -> String {
        "expires=1&signature=s".to_owned()
    }
}

/// An id that shows its number.
fn segment_id(number: u128) -> SegmentId {
    SegmentId::from_slice(&number.to_be_bytes()).unwrap()
}

fn run_id(number: u128) -> RunId {
    RunId::from_slice(&number.to_be_bytes()).unwrap()
}

/// One fragment as a test describes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shot {
    pub(super) millis: i64,
    pub(super) sync: bool,
    /// Media and wall time lost in front of it.
    pub(super) lost_millis: i64,
}

/// A run cut into files at the given places.
pub(super) fn run(number: u128, start: WallTime, files: &[Vec<Shot>]) -> Vec<Footage> {
    let mut media = Ticks90k::ZERO;
    files
        .iter()
        .zip(1..)
        .map(|(shots, file)| {
            let mut offset = 600;
            let fragments = shots.iter().map(|shot| {
                media = media + Ticks90k::from_millis(shot.lost_millis);
                let fragment = Fragment {
                    offset,
                    length: 1_000 + u32::try_from(shot.millis).unwrap(),
                    media_start: media,
                    duration: Ticks90k::from_millis(shot.millis),
                    wall_start: start.offset_micros(media.to_micros()),
                    sync: shot.sync,
                };
                offset = fragment.end_offset();
                media = fragment.media_end();
                fragment
            });
            Footage {
                id: segment_id(number << 16 | file),
                run: run_id(number),
                init_length: 600,
                init_sha256: Sha256::of(&number.to_be_bytes()),
                stored: false,
                growing: false,
                fragments: fragments.collect(),
            }
        })
        .collect()
}

/// Fragments of a second, every `gop`-th of them with a sync sample.
pub(super) fn seconds(count: usize, gop: usize) -> Vec<Shot> {
    (0..count)
        .map(|index| Shot {
            millis: 1_000,
            sync: index % gop == 0,
            lost_millis: 0,
        })
        .collect()
}

fn from_to(from: i64, to: i64) -> TimeRange {
    let at = |seconds: i64| START.offset_micros(seconds * 1_000_000);
    TimeRange::new(at(from), at(to)).unwrap()
}

#[test]
fn a_stretch_across_files_and_an_outage() {
    let mut footage = run(1, START, &[seconds(10, 2), seconds(6, 2)]);
    footage[1].stored = true;
    let later = START + Duration::from_secs(76);
    footage.extend(run(2, later, &[seconds(9, 3)]));
    let range = from_to(3, 200);
    let entries = Snapshot::new(footage).entries(range);
    insta::assert_snapshot!(vod(&entries, range.start(), &Plain));
}

#[test]
fn what_somebody_waits_for_is_one_picture_group() {
    let mut footage = run(1, START, &[seconds(14, 2), seconds(8, 2)]);
    footage[0].stored = true;
    let entries = Snapshot::new(footage).entries(from_to(0, 60));
    let lengths: Vec<_> = entries
        .iter()
        .map(|entry| entry.duration.to_micros())
        .collect();
    // The first of the playlist, the rest of the file at the centre, and the file at the site.
    let expected = [2, 6, 6, 2, 2, 2, 2].map(|seconds| seconds * 1_000_000);
    assert_eq!(lengths, expected);
}

#[test]
fn a_camera_that_sends_a_sync_sample_once_a_minute() {
    let footage = run(1, START, &[seconds(30, 60), seconds(30, 60)]);
    let files = |from: usize, to: usize| footage[from..to].to_vec();
    let range = from_to(40, 45);
    let all = Snapshot::new(files(0, 1)).with(files(1, 2));
    assert_eq!(all.wants_earlier(range), None);
    let entries = all.entries(range);
    assert_eq!(entries[0].bytes.start, 600);
    assert!(entries[0].independent && entries[1..].iter().all(|entry| !entry.independent));
    let longest = entries.iter().map(|entry| entry.duration).max().unwrap();
    assert_eq!(longest, VOD.limit);
    let text = vod(&entries, range.start(), &Plain);
    assert!(text.contains("#EXT-X-TARGETDURATION:12\n"), "{text}");
    assert!(!text.contains("INDEPENDENT"), "{text}");
}

#[test]
fn what_came_before_is_wanted_until_a_sync_sample_is_found() {
    let mut second = seconds(30, 60);
    second[0].sync = false;
    let footage = run(1, START, &[seconds(30, 60), second]);
    let range = from_to(40, 45);
    let half = Snapshot::new(footage[1..].to_vec());
    let wanted = half.wants_earlier(range);
    assert_eq!(
        wanted,
        Some((footage[1].run, footage[1].fragments[0].wall_start))
    );
    // Without it there is no picture, but no second is hidden either.
    let entries = half.entries(range);
    assert_eq!(entries[0].start, range.start());
    assert!(!entries[0].independent);
    let whole = half.with(footage[..1].to_vec());
    assert_eq!(whole.wants_earlier(range), None);
    assert_eq!(whole.entries(range)[0].start, START);
}

#[test]
fn a_stretch_that_happened_twice_is_listed_twice() {
    let first = run(1, START, &[seconds(8, 1)]);
    let again = run(2, START + Duration::from_secs(2), &[seconds(8, 1)]);
    let entries = Snapshot::new([again, first].concat()).entries(from_to(0, 60));
    let runs: Vec<_> = entries.iter().map(|entry| entry.run).collect();
    let (one, two) = (run_id(1), run_id(2));
    assert_eq!(runs, [[one; 4], [two; 4]].concat());
    let breaks: Vec<_> = entries.iter().map(|entry| entry.discontinuity).collect();
    assert_eq!(breaks, [[false; 4], [true, false, false, false]].concat());
}

#[test]
fn a_stretch_without_footage_has_no_entries() {
    let footage = run(1, START, &[seconds(10, 2)]);
    for range in [from_to(-20, 0), from_to(10, 20)] {
        assert_eq!(Snapshot::new(footage.clone()).entries(range), []);
    }
    assert_eq!(Snapshot::new(Vec::new()).entries(from_to(0, 1)), []);
}

pub(super) fn any_shot() -> impl Strategy<Value = Shot> {
    (
        prop_oneof![Just(1_000_i64), 40_i64..1_200],
        prop::bool::weighted(0.4),
        prop_oneof![8 => Just(0_i64), 1 => 1_i64..400, 1 => 600_i64..90_000],
    )
        .prop_map(|(millis, sync, lost_millis)| Shot {
            millis,
            sync,
            lost_millis,
        })
}

fn any_file() -> impl Strategy<Value = Vec<Shot>> {
    prop::collection::vec(any_shot(), 1..20)
}

/// A run and when it began, in seconds from the start.
fn any_run() -> impl Strategy<Value = (i64, Vec<Vec<Shot>>)> {
    (0_i64..300, prop::collection::vec(any_file(), 1..5))
}

fn all(runs: &[(i64, Vec<Vec<Shot>>)]) -> Vec<Footage> {
    let runs = runs.iter().zip(1..);
    let mut footage: Vec<_> = runs
        .flat_map(|((start, files), number)| {
            run(number, START.offset_micros(start * 1_000_000), files)
        })
        .collect();
    // Every other file is at the centre.
    footage
        .iter_mut()
        .step_by(2)
        .for_each(|file| file.stored = true);
    footage
}

/// The fragments an entry is made of.
fn fragments<'a>(footage: &'a [Footage], entry: &Entry) -> &'a [Fragment] {
    let file = footage
        .iter()
        .find(|file| file.id == entry.segment)
        .unwrap();
    let at = |offset| {
        file.fragments
            .iter()
            .position(|fragment| fragment.offset == offset)
    };
    let begin = at(entry.bytes.start).expect("an entry begins at a fragment");
    let end = at(entry.bytes.end).unwrap_or(file.fragments.len());
    assert_eq!(file.fragments[end - 1].end_offset(), entry.bytes.end);
    &file.fragments[begin..end]
}

proptest! {
    /// Every second of the stretch that is recorded is listed exactly once, in order, with the
    /// right time, in pieces a player can use.
    #[test]
    fn nothing_is_left_out_and_nothing_is_listed_twice(
        runs in prop::collection::vec(any_run(), 1..4),
        from in -10_i64..400,
        length in 1_i64..200,
    ) {
        let footage = all(&runs);
        let range = from_to(from, from + length);
        let entries = Snapshot::new(footage.clone()).entries(range);
        let mut listed: BTreeMap<(RunId, Ticks90k), usize> = BTreeMap::new();
        for entry in &entries {
            let parts = fragments(&footage, entry);
            prop_assert_eq!(entry.start, parts[0].wall_start);
            prop_assert_eq!(entry.independent, parts[0].sync);
            let shown: i64 = parts.iter().map(|part| part.duration.get()).sum();
            let holes = entry.duration.get() - shown;
            prop_assert!(holes >= 0 && holes <= BRIDGED.get() * parts.len() as i64);
            for part in parts {
                *listed.entry((entry.run, part.media_start)).or_default() += 1;
            }
        }
        for file in &footage {
            for fragment in &file.fragments {
                let pictured = fragment.wall_range();
                let wanted = pictured.end() > range.start() && pictured.start() < range.end();
                let times = listed.get(&(file.run, fragment.media_start)).copied().unwrap_or(0);
                prop_assert!(times <= 1);
                prop_assert!(times == 1 || !wanted, "{:?} is missing", fragment);
            }
        }
    }

    /// A player that adds up durations is where the pictures are, except where it is told otherwise.
    #[test]
    fn durations_lead_from_one_entry_to_the_next(runs in prop::collection::vec(any_run(), 1..4)) {
        let footage = all(&runs);
        let entries = Snapshot::new(footage.clone()).entries(from_to(0, 2_000));
        for pair in entries.windows(2) {
            let (last, next) = (fragments(&footage, &pair[0]), fragments(&footage, &pair[1]));
            let hole = next[0].media_start - last[last.len() - 1].media_end();
            let broken = pair[0].run != pair[1].run || hole > BRIDGED;
            prop_assert_eq!(pair[1].discontinuity, broken);
            if !broken {
                prop_assert_eq!(last[0].media_start + pair[0].duration, next[0].media_start);
            }
        }
    }

    /// Entries are long enough to be worth a request, never longer than announced, and begin with
    /// a sync sample wherever the camera gave one.
    #[test]
    fn entries_have_the_right_length(runs in prop::collection::vec(any_run(), 1..4)) {
        let footage = all(&runs);
        let entries = Snapshot::new(footage.clone()).entries(from_to(0, 2_000));
        let text = vod(&entries, START, &Plain);
        let target = text.lines().find_map(|line| line.strip_prefix("#EXT-X-TARGETDURATION:"));
        let target: f64 = target.unwrap().parse().unwrap();
        for line in text.lines().filter_map(|line| line.strip_prefix("#EXTINF:")) {
            let seconds: f64 = line.trim_end_matches(',').parse().unwrap();
            prop_assert!(seconds.round() <= target);
        }
        for (place, entry) in entries.iter().enumerate() {
            let enough = if place == 0 || !entry.stored { VOD.awaited } else { VOD.enough };
            let parts = fragments(&footage, entry);
            prop_assert!(parts.len() == 1 || entry.duration <= VOD.limit + BRIDGED);
            let mut long = Ticks90k::ZERO;
            for (index, part) in parts.iter().enumerate() {
                // A sync sample inside only while the entry is still short, and able to be decoded.
                prop_assert!(index == 0 || !part.sync || (entry.independent && long < enough));
                long = long + part.duration;
            }
        }
        prop_assert_eq!(
            text.contains("#EXT-X-INDEPENDENT-SEGMENTS"),
            entries.iter().all(|entry| entry.independent)
        );
    }
}
