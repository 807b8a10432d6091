//! What goes first, what goes at all, and what is foretold.

use proptest::prelude::*;
use shared::id::{CameraId, SegmentId};
use shared::segment::StreamKind;
use shared::time::TimeRange;

use super::*;

const HOUR: i64 = 3_600;

fn camera(number: i64) -> CameraId {
    CameraId::from_slice(&i128::from(number).to_be_bytes()).unwrap()
}

fn segment(number: i64) -> SegmentId {
    SegmentId::from_slice(&i128::from(number).to_be_bytes()).unwrap()
}

fn holding(number: i64, hour: i64, size: u64, uploaded: bool, locked: bool) -> Holding {
    Holding {
        segment: segment(number),
        camera: camera(number % 3),
        stream: StreamKind::Main,
        range: TimeRange::starting_at(WallTime::from_secs(hour * HOUR), Duration::from_secs(60)),
        size,
        uploaded,
        locked,
    }
}

fn limits(max_bytes: u64) -> Limits {
    Limits {
        max_bytes: Some(max_bytes),
        reserve_bytes: 0,
        max_age: None,
    }
}

fn usage(used_bytes: u64) -> Usage {
    Usage {
        total_bytes: 1_000_000,
        free_bytes: 1_000_000 - used_bytes,
        used_bytes,
    }
}

#[test]
fn uploaded_goes_before_not_uploaded_and_evidence_last_and_each_says_why() {
    let held = vec![
        holding(0, 1, 100, false, false),
        holding(1, 2, 100, true, true),
        holding(2, 3, 100, true, false),
        holding(3, 4, 100, true, false),
    ];
    let plan = plan(
        &limits(150),
        &Policies::default(),
        &usage(400),
        &Rates::default(),
        held,
        WallTime::from_secs(9 * HOUR),
    );
    let told: Vec<_> = plan
        .iter()
        .map(|e| {
            (
                e.holding.range.start().as_micros() / 1_000_000 / HOUR,
                e.reason,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (3, Reason::ExpiredBySpace),
            (4, Reason::ExpiredBySpace),
            (1, Reason::ExpiredBeforeUpload)
        ]
    );
}

#[test]
fn age_waits_for_uploads_that_are_wanted_and_spares_evidence() {
    let held = vec![
        holding(0, 1, 100, false, false),
        holding(3, 1, 100, true, false),
        holding(6, 1, 100, true, true),
        holding(1, 1, 100, false, false),
        holding(2, 9, 100, true, false),
    ];
    let mut policies = Policies::default();
    policies.cameras.insert(
        camera(1),
        CameraRule {
            upload: UploadPolicy::OnDemand,
            max_age: None,
        },
    );
    let limits = Limits {
        max_bytes: None,
        reserve_bytes: 0,
        max_age: Some(Duration::from_secs(5 * 3_600)),
    };
    let plan = plan(
        &limits,
        &policies,
        &usage(500),
        &Rates::default(),
        held,
        WallTime::from_secs(10 * HOUR),
    );
    let mut told: Vec<_> = plan.iter().map(|e| (e.holding.segment, e.reason)).collect();
    told.sort();
    assert_eq!(
        told,
        [
            (segment(1), Reason::ExpiredByAge),
            (segment(3), Reason::ExpiredByAge)
        ]
    );
}

#[test]
fn the_reserve_and_thirty_seconds_of_recording_stay_free() {
    let limits = Limits {
        max_bytes: None,
        reserve_bytes: 1_000,
        max_age: None,
    };
    let usage = Usage {
        total_bytes: 1_000_000,
        free_bytes: 1_100,
        used_bytes: 5_000,
    };
    let quiet = Rates::default();
    let busy = Rates {
        recorded_bytes_per_second: 100.0,
        ..quiet
    };
    assert_eq!(bytes_to_free(&limits, &usage, &quiet), 0);
    assert_eq!(bytes_to_free(&limits, &usage, &busy), 2_900);
    let flood = Rates {
        recorded_bytes_per_second: 1e30,
        ..quiet
    };
    assert_eq!(
        bytes_to_free(&limits, &usage, &flood),
        1_000 + 20_000 - 1_100
    );
}

#[test]
fn for_a_reserve_that_cannot_be_had_nothing_is_deleted() {
    let usage = Usage {
        total_bytes: 10_000,
        free_bytes: 1_000,
        used_bytes: 3_000,
    };
    let limits = |reserve_bytes| Limits {
        max_bytes: None,
        reserve_bytes,
        max_age: None,
    };
    let bytes = |reserve_bytes| bytes_to_free(&limits(reserve_bytes), &usage, &Rates::default());
    assert_eq!(bytes(4_000), 3_000);
    // Other programs have the rest of the disk, or the disk is smaller than that.
    assert_eq!(bytes(4_001), 0);
    assert_eq!(bytes(20_000), 0);
}

#[test]
fn the_forecast_is_when_what_was_not_uploaded_fills_the_room() {
    let limits = Limits {
        max_bytes: Some(10_000),
        reserve_bytes: 0,
        max_age: None,
    };
    let usage = Usage {
        total_bytes: 1_000_000,
        free_bytes: 900_000,
        used_bytes: 8_000,
    };
    let totals = Totals {
        segments: 8,
        bytes: 8_000,
        unsent_bytes: 4_000,
        ..Totals::default()
    };
    let now = WallTime::from_secs(0);
    let policies = Policies::default();
    let rates = |recorded, uploaded| Rates {
        recorded_bytes_per_second: recorded,
        uploaded_bytes_per_second: uploaded,
    };
    assert_eq!(
        deletes_unsent_at(&limits, &policies, &usage, &totals, &rates(10.0, 0.0), now),
        Some(WallTime::from_secs(600))
    );
    assert_eq!(
        deletes_unsent_at(&limits, &policies, &usage, &totals, &rates(10.0, 5.0), now),
        Some(WallTime::from_secs(1_200))
    );
    assert_eq!(
        deletes_unsent_at(&limits, &policies, &usage, &totals, &rates(10.0, 10.0), now),
        None
    );
    let full = Totals {
        unsent_bytes: 12_000,
        ..totals
    };
    assert_eq!(
        deletes_unsent_at(&limits, &policies, &usage, &full, &rates(10.0, 0.0), now),
        Some(now)
    );
    // Nothing waits, as in the first minute; or nobody wants it.
    let none = Totals {
        unsent_bytes: 0,
        ..totals
    };
    let forecast = deletes_unsent_at(&limits, &policies, &usage, &none, &rates(10.0, 0.0), now);
    assert_eq!(forecast, None);
    let on_demand = Policies {
        default: CameraRule {
            upload: UploadPolicy::OnDemand,
            max_age: None,
        },
        ..Policies::default()
    };
    let forecast = deletes_unsent_at(&limits, &on_demand, &usage, &full, &rates(10.0, 0.0), now);
    assert_eq!(forecast, None);
    // Less waits than was recorded in five minutes, and it goes, if a little slower at times.
    let forecast = deletes_unsent_at(&limits, &policies, &usage, &totals, &rates(20.0, 18.0), now);
    assert_eq!(forecast, None);
}

prop_compose! {
    fn any_holding(number: i64)(hour in 0_i64..100, size in 1_u64..1_000, uploaded: bool, locked in prop::bool::weighted(0.2)) -> Holding {
        holding(number, hour, size, uploaded, locked)
    }
}

fn any_holdings() -> impl Strategy<Value = Vec<Holding>> {
    (0_i64..40).prop_flat_map(|count| (0..count).map(any_holding).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn space_is_made_in_order_and_no_more_than_needed(
        held in any_holdings(), max_bytes in 0_u64..20_000, reserve_bytes in 0_u64..20_000, free_bytes in 0_u64..20_000,
    ) {
        let limits = Limits { max_bytes: Some(max_bytes), reserve_bytes, max_age: None };
        let used_bytes = held.iter().map(|h| h.size).sum();
        let usage = Usage { total_bytes: used_bytes + free_bytes, free_bytes, used_bytes };
        let now = WallTime::from_secs(200 * HOUR);
        let plan = plan(&limits, &Policies::default(), &usage, &Rates::default(), held.clone(), now);
        let gone: Vec<_> = plan.iter().map(|e| e.holding.segment).collect();
        let kept: Vec<_> = held.iter().filter(|h| !gone.contains(&h.segment)).collect();

        for eviction in &plan {
            let evicted = &eviction.holding;
            for other in &kept {
                prop_assert!(eviction_order(evicted) < eviction_order(other));
                prop_assert!(evicted.uploaded || !other.uploaded || other.locked, "an upload was kept and an only copy deleted");
                prop_assert!(!evicted.locked || other.locked, "evidence was deleted and something else kept");
            }
            let only_copy = !evicted.uploaded;
            prop_assert_eq!(eviction.reason == Reason::ExpiredBeforeUpload, only_copy);
        }
        let freed: u64 = plan.iter().map(|e| e.holding.size).sum();
        let needed = bytes_to_free(&limits, &usage, &Rates::default());
        prop_assert!(freed >= needed || kept.is_empty());
        if let Some(last) = plan.last() {
            prop_assert!(freed - last.holding.size < needed, "the last one need not have gone");
        }
    }

    #[test]
    fn age_never_deletes_young_locked_or_awaited_segments(held in any_holdings(), age in 1_u64..100) {
        let limits = Limits { max_bytes: None, reserve_bytes: 0, max_age: Some(Duration::from_secs(age * 3_600)) };
        let now = WallTime::from_secs(100 * HOUR);
        let plan = plan(&limits, &Policies::default(), &usage(0), &Rates::default(), held.clone(), now);
        for held in held {
            let gone = plan.iter().any(|e| e.holding.segment == held.segment);
            let old = held.range.end() < now - Duration::from_secs(age * 3_600);
            prop_assert_eq!(gone, old && held.uploaded && !held.locked);
        }
    }
}
