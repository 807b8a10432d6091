//! What every back end of [`Quotas`] must do: answer any history as the rules answer it.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use shared::clock::{Clock, SimulatedClock};
use shared::time::WallTime;

use super::Quotas;
use crate::domain::quota::history::{self, Step};
use crate::domain::quota::{Leases, Verdict};

/// Histories, and the longest of them.
const HISTORIES: usize = 60;
const LONGEST: usize = 200;

/// `make` gives an empty back end that goes by the clock.
pub(super) async fn run<Q: Quotas>(make: impl AsyncFn(Arc<SimulatedClock>) -> Q) {
    let mut runner = TestRunner::default();
    let histories = prop::collection::vec(history::step(), 1..LONGEST);
    let mut granted = 0;
    for _ in 0..HISTORIES {
        let steps = histories.new_tree(&mut runner).unwrap().current();
        let clock = Arc::new(SimulatedClock::new(WallTime::from_secs(1_800_000_000)));
        clock.advance(Duration::from_secs(1_000));
        let quotas = make(clock.clone()).await;
        granted += follow(&quotas, &clock, steps).await;
    }
    assert!(granted > HISTORIES, "hardly anything was granted");
}

/// The number of leases that were granted.
async fn follow(quotas: &dyn Quotas, clock: &SimulatedClock, steps: Vec<Step>) -> usize {
    let mut rules = Leases::default();
    let pools = history::pools();
    let mut granted = 0;
    for step in steps {
        let now = clock.monotonic();
        let what = format!("{step:?} at {now:?}");
        match step {
            Step::Reserve(wanted, ttl, limits) => {
                let verdict = quotas.reserve(&wanted, ttl, limits).await.unwrap();
                assert_eq!(verdict, rules.reserve(&wanted, ttl, limits, now), "{what}");
                granted += usize::from(matches!(verdict, Verdict::Granted(_)));
                let found = quotas.find(wanted.id).await.unwrap();
                assert_eq!(found, rules.find(wanted.id, now), "{what}");
            }
            Step::Heartbeat(held, ttl) => {
                let lives = quotas.heartbeat(&held, ttl).await.unwrap();
                assert_eq!(lives, rules.heartbeat(&held, ttl, now), "{what}");
            }
            Step::Release(held) => {
                let lived = quotas.release(&held).await.unwrap();
                assert_eq!(lived, rules.release(&held, now), "{what}");
            }
            Step::Wait(time) => {
                clock.advance(time);
                // Nobody's leases end because somebody set the clock on the wall.
                clock.step_wall_to(WallTime::from_secs(1_700_000_000));
            }
        }
        let now = clock.monotonic();
        let counts = quotas.counts(&pools).await.unwrap();
        let expected: Vec<_> = pools.iter().map(|pool| rules.count(pool, now)).collect();
        assert_eq!(counts, expected, "{what}");
    }
    granted
}
