//! What a ledger says of recordings, outages and clocks, and that it leaves no instant out.

use std::collections::HashMap;

use proptest::prelude::*;
use shared::timeline::{self, Coverage, Facts, Place, State};

use super::*;

fn at(millis: i64) -> WallTime {
    WallTime::from_millis(1_000_000_000 + millis)
}

fn range(start: i64, end: i64) -> TimeRange {
    TimeRange::new(at(start), at(end)).unwrap()
}

fn ledger() -> Ledger {
    let camera = CameraId::new(at(0));
    Ledger::new(
        camera,
        StreamKind::Main,
        StreamHistory {
            since: at(0),
            explained_until: at(0),
        },
        Reason::AgentStopped,
        None,
        at(0),
    )
}

fn spans(entries: &[LedgerEntry]) -> Vec<(TimeRange, Reason)> {
    entries
        .iter()
        .map(|entry| (entry.range, entry.reason))
        .collect()
}

#[test]
fn the_start_an_outage_and_a_change_of_its_reason_are_entries_that_touch() {
    let mut ledger = ledger();
    assert_eq!(
        spans(&ledger.missing(
            at(500),
            Reason::CameraUnreachable,
            None,
            Duration::ZERO,
            at(600)
        )),
        [(range(0, 500), Reason::AgentStopped)]
    );
    assert_eq!(
        spans(&ledger.recorded(range(2_000, 3_000), at(3_000))),
        [(range(500, 2_000), Reason::CameraUnreachable)]
    );
    assert!(ledger.recorded(range(3_001, 4_000), at(4_000)).is_empty());
    assert!(
        ledger
            .missing(
                at(4_000),
                Reason::CameraDisconnected,
                None,
                Duration::ZERO,
                at(4_000)
            )
            .is_empty()
    );
    // The disconnection turns out to be a host that cannot be reached.
    assert!(
        ledger
            .missing(
                at(4_000),
                Reason::CameraUnreachable,
                None,
                Duration::ZERO,
                at(4_100)
            )
            .is_empty()
    );
    assert_eq!(
        spans(&ledger.recorded(range(9_000, 9_500), at(9_500))),
        [(range(4_000, 9_000), Reason::CameraUnreachable)]
    );
}

#[test]
fn a_long_gap_is_written_while_it_grows_under_one_id_and_less_and_less_often() {
    let mut ledger = ledger();
    let mut entries = Vec::new();
    for second in 0..3_600 {
        entries.extend(ledger.tick(at(second * 1_000)));
    }
    assert!((60..200).contains(&entries.len()), "{}", entries.len());
    assert!(entries.iter().all(|entry| entry.id == entries[0].id));
    let last = entries.last().unwrap().range;
    assert!(at(3_600_000).saturating_duration_since(last.end()) <= MAX_GROWTH);
    // Pictures that had been held begin before what was written last: the entry shrinks.
    let shrunk = ledger.recorded(range(3_000_000, 3_001_000), at(3_600_000));
    assert_eq!(
        spans(&shrunk),
        [(range(0, 3_000_000), Reason::AgentStopped)]
    );
    assert_eq!(shrunk[0].id, entries[0].id);
}

#[test]
fn what_is_held_is_not_written_as_missing() {
    let mut ledger = ledger();
    let _ = ledger.missing(at(0), Reason::NoEvent, None, Duration::from_secs(10), at(0));
    assert_eq!(ledger.tick(at(10_500)), None);
    assert_eq!(ledger.tick(at(11_000)).unwrap().range, range(0, 1_000));
    assert_eq!(ledger.settle(at(13_000)).unwrap().range, range(0, 13_000));
}

#[test]
fn a_clock_set_back_explains_nothing_twice_and_a_clock_set_forward_is_a_gap() {
    let mut ledger = ledger();
    let _ = ledger.recorded(range(0, 3_600_000), at(3_600_000));
    let _ = ledger.missing(
        at(3_600_000),
        Reason::HostClockStepped,
        None,
        Duration::ZERO,
        at(0),
    );
    assert_eq!(ledger.tick(at(1_000)), None);
    assert!(ledger.recorded(range(1_000, 2_000), at(2_000)).is_empty());
    assert!(
        ledger
            .missing(
                at(2_000),
                Reason::PacketsLost,
                None,
                Duration::ZERO,
                at(2_000)
            )
            .is_empty()
    );
    assert!(
        ledger
            .recorded(range(3_599_000, 3_601_000), at(3_601_000))
            .is_empty()
    );
    let _ = ledger.missing(
        at(3_601_000),
        Reason::HostClockStepped,
        None,
        Duration::ZERO,
        at(7_200_000),
    );
    assert_eq!(
        spans(&ledger.recorded(range(7_200_000, 7_201_000), at(7_201_000))),
        [(range(3_601_000, 7_200_000), Reason::HostClockStepped)]
    );
}

#[test]
fn nothing_is_missing_while_time_that_runs_again_is_recorded() {
    let mut ledger = ledger();
    let _ = ledger.recorded(range(0, 10_000), at(10_000));
    let reason = Reason::CameraUnreachable;
    let _ = ledger.missing(at(10_000), reason, None, Duration::ZERO, at(10_000));
    let told = ledger.tick(at(20_000)).unwrap();
    assert_eq!(told.range, range(10_000, 20_000));
    // Set back by 15 s, and the camera is there again.
    assert_eq!(ledger.recorded(range(5_000, 6_000), at(6_000)), []);
    assert_eq!(ledger.missing_because(), None);
    assert_eq!(ledger.explained_until(), at(20_000));
    // What was missing the first time is recorded now.
    let mut entries = Vec::new();
    for second in 6..25 {
        let now = (second + 1) * 1_000;
        entries.extend(ledger.recorded(range(second * 1_000, now), at(now)));
    }
    assert_eq!(spans(&entries), [(range(10_000, 10_000), reason)]);
    assert_eq!(entries[0].id, told.id);
}

#[test]
fn a_clock_set_back_to_before_the_camera_was_added_is_said_once() {
    let mut ledger = ledger();
    let _ = ledger.recorded(range(0, 2_000), at(2_000));
    let _ = ledger.missing(
        at(2_000),
        Reason::HostClockStepped,
        None,
        Duration::ZERO,
        at(-60_000),
    );
    let said = ledger.recorded(range(-60_000, -59_000), at(-59_000));
    assert_eq!(
        spans(&said),
        [(range(-60_000, 0), Reason::HostClockStepped)]
    );
    assert_eq!(ledger.recorded(range(-59_000, -58_000), at(-58_000)), []);
}

#[test]
fn a_first_picture_older_than_the_camera_is_no_step_of_a_clock() {
    let mut ledger = ledger();
    assert_eq!(ledger.recorded(range(-2_000, -1_000), at(100)), []);
    assert_eq!(ledger.recorded(range(-1_000, 500), at(600)), []);
}

#[test]
fn rounding_is_bridged_and_a_silent_hole_is_not() {
    let mut ledger = ledger();
    let _ = ledger.recorded(range(0, 1_000), at(1_000));
    assert!(ledger.recorded(range(1_090, 2_000), at(2_000)).is_empty());
    let entries = ledger.recorded(range(2_500, 3_000), at(3_000));
    assert_eq!(
        spans(&entries),
        [(range(2_000, 2_500), Reason::HostOverloaded)]
    );
}

#[derive(Clone, Debug)]
enum Step {
    Record {
        after: i64,
        lasting: i64,
    },
    Miss {
        back: i64,
        reason: Reason,
        hold: u64,
    },
    Wait {
        millis: i64,
    },
    SetBack {
        millis: i64,
    },
}

fn any_step() -> impl Strategy<Value = Step> {
    let reason = prop_oneof![
        Just(Reason::CameraUnreachable),
        Just(Reason::DiskFull),
        Just(Reason::NoEvent)
    ];
    prop_oneof![
        6 => (0_i64..90, 1_i64..1_000).prop_map(|(after, lasting)| Step::Record { after, lasting }),
        2 => (0_i64..3_000, reason, 0_u64..3_000).prop_map(|(back, reason, hold)| Step::Miss { back, reason, hold }),
        3 => (1_i64..20_000).prop_map(|millis| Step::Wait { millis }),
        1 => (1_i64..50_000).prop_map(|millis| Step::SetBack { millis }),
    ]
}

proptest! {
    #[test]
    fn no_instant_before_the_newest_fragment_is_unexplained(steps in prop::collection::vec(any_step(), 1..120)) {
        let mut ledger = ledger();
        let mut now = 0;
        let mut newest = 0;
        let mut coverage = Vec::new();
        let mut written: HashMap<LedgerId, LedgerEntry> = HashMap::new();
        for step in steps {
            let entries = match step {
                Step::Record { after, lasting } => {
                    let recorded = range(now + after, now + after + lasting);
                    now += after + lasting;
                    newest = newest.max(now);
                    coverage.push(Coverage { range: recorded, place: Place::Edge });
                    ledger.recorded(recorded, at(now))
                }
                Step::Miss { back, reason, hold } => {
                    ledger.missing(at(now - back), reason, None, Duration::from_millis(hold), at(now))
                }
                Step::Wait { millis } => {
                    now += millis;
                    ledger.tick(at(now)).into_iter().collect()
                }
                Step::SetBack { millis } => {
                    now -= millis;
                    Vec::new()
                }
            };
            for entry in entries {
                written.insert(entry.id, entry);
            }
        }
        let missing: Vec<_> = written.values().map(|entry| (entry.range, entry.reason)).collect();
        let facts = Facts { coverage, missing, reported_until: at(newest), known_since: at(0) };
        for span in timeline::build(range(0, newest.max(1)), &facts, ROUNDING) {
            prop_assert_ne!(span.state, State::Unexplained, "{:?}", span.range);
        }
    }
}
