use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::tests::{Plain, START, Shot, any_shot, run, seconds};
use super::*;

/// Footage as far as it has been reported: whole files, and the last one in part.
fn reported(footage: &[Footage], fragments: usize) -> Vec<Footage> {
    let mut left = fragments;
    let mut seen = Vec::new();
    for file in footage {
        let mut file = file.clone();
        file.fragments.truncate(left);
        left -= file.fragments.len();
        if file.fragments.is_empty() {
            break;
        }
        seen.push(file);
    }
    seen
}

fn from_next(window: &LiveWindow, footage: &[Footage]) -> Vec<Footage> {
    let next = window.next_segment();
    let from = footage.iter().position(|file| file.id == next).unwrap_or(0);
    footage[from..].to_vec()
}

#[test]
fn the_window_follows_a_recording_and_stays_a_minute_long() {
    let files: Vec<_> = (0..4).map(|_| seconds(40, 2)).collect();
    let footage = run(1, START, &files);
    let mut window = LiveWindow::begin(&reported(&footage, 35)).unwrap();
    assert_eq!(window.target_seconds, 2);
    // Ten seconds at the beginning; the last group is not complete yet.
    let times = |window: &LiveWindow| {
        let at = |entry: &Entry| entry.start.micros_since(START) / 1_000_000;
        (at(&window.entries[0]), at(window.entries.last().unwrap()))
    };
    assert_eq!(times(&window), (24, 32));
    assert!(!window.advance(&from_next(&window, &reported(&footage, 35))));
    for fragments in 36..=159 {
        window.advance(&from_next(&window, &reported(&footage, fragments)));
    }
    assert_eq!(times(&window), (98, 156));
    assert_eq!(
        (window.media_sequence, window.discontinuity_sequence),
        (37, 0)
    );
    assert_eq!(window.entries.len(), 30);
}

#[test]
fn a_lost_connection_to_the_camera_is_a_discontinuity() {
    let mut footage = run(1, START, &[seconds(12, 2)]);
    let later = START.offset_micros(60_000_000);
    footage.extend(run(2, later, &[seconds(7, 2)]));
    let mut window = LiveWindow::begin(&footage[..1]).unwrap();
    window.advance(&footage);
    insta::assert_snapshot!(window.render(&Plain));
}

#[test]
fn picture_groups_of_minutes_are_cut_and_the_target_kept() {
    let footage = run(1, START, &[seconds(60, 60)]);
    let window = LiveWindow::begin(&footage).unwrap();
    assert_eq!(window.target_seconds, MAX_TARGET_SECONDS);
    // The only sync sample is the first picture, so the window reaches back to it.
    assert_eq!(window.entries[0].start, START);
    assert!(
        window
            .entries
            .iter()
            .all(|entry| entry.duration <= window.longest())
    );
    assert_eq!(LiveWindow::begin(&[]), None);
}

#[test]
fn when_the_segment_disappears_nothing_is_listed_twice() {
    let footage = run(1, START, &[seconds(10, 1), seconds(10, 1), seconds(10, 1)]);
    let mut window = LiveWindow::begin(&reported(&footage, 15)).unwrap();
    let listed = window.entries.clone();
    // The growing file turned out to be damaged; what follows is another one.
    let left = [footage[0].clone(), footage[2].clone()];
    window.advance(&left);
    assert!(window.entries.starts_with(&listed));
    let new = &window.entries[listed.len()..];
    assert!(new[0].discontinuity && new.iter().all(|entry| entry.segment == footage[2].id));
}

#[test]
fn a_window_survives_a_restart() {
    let footage = run(1, START, &[seconds(30, 2)]);
    let window = LiveWindow::begin(&footage).unwrap();
    let json = serde_json::to_string(&window).unwrap();
    assert_eq!(serde_json::from_str::<LiveWindow>(&json).unwrap(), window);
}

fn any_files() -> impl Strategy<Value = Vec<Vec<Shot>>> {
    prop::collection::vec(prop::collection::vec(any_shot(), 1..30), 1..5)
}

proptest! {
    /// However reports and reloads interleave: a number once given keeps its entry, no picture is
    /// listed twice or skipped, and the count of discontinuities before an entry never changes.
    #[test]
    fn an_entry_keeps_its_number(
        runs in prop::collection::vec(any_files(), 1..3),
        first in 1_usize..10,
        steps in prop::collection::vec(0_usize..12, 1..20),
    ) {
        let runs = runs.iter().zip(1..);
        let footage: Vec<_> = runs
            .flat_map(|(files, number)| run(number, START.offset_micros(number as i64 * 7_200_000_000), files))
            .collect();
        let mut known = first;
        let mut window = LiveWindow::begin(&reported(&footage, known)).unwrap();
        let target = window.target_seconds;
        let mut seen: BTreeMap<u64, (Entry, u64)> = BTreeMap::new();
        for step in steps {
            known += step;
            window.advance(&from_next(&window, &reported(&footage, known)));
            prop_assert_eq!(window.target_seconds, target);
            let mut breaks = window.discontinuity_sequence;
            for (number, entry) in (window.media_sequence..).zip(&window.entries) {
                breaks += u64::from(entry.discontinuity);
                let before = seen.insert(number, (entry.clone(), breaks));
                if let Some(before) = before {
                    prop_assert_eq!(before, (entry.clone(), breaks));
                }
                let rounded = (entry.duration.get() + 45_000) / 90_000;
                prop_assert!(rounded <= i64::try_from(target).unwrap());
            }
        }
        let entries: Vec<_> = seen.values().map(|(entry, _)| entry).collect();
        prop_assert!(entries.is_empty() || seen.keys().copied().eq(0..entries.len() as u64));
        for pair in entries.windows(2) {
            if pair[0].segment == pair[1].segment {
                prop_assert_eq!(pair[0].bytes.end, pair[1].bytes.start);
            } else {
                let place = |entry: &Entry| footage.iter().position(|file| file.id == entry.segment).unwrap();
                prop_assert_eq!(place(pair[0]) + 1, place(pair[1]));
                let file = &footage[place(pair[0])];
                prop_assert_eq!(pair[0].bytes.end, file.fragments.last().unwrap().end_offset());
                prop_assert_eq!(pair[1].bytes.start, 600);
            }
        }
    }
}
