//! Any history against a model that keeps a list and counts it.

use proptest::prelude::*;

use super::history::Step;
use super::*;

/// A list of leases, each with its end.
#[derive(Default)]
struct Model(Vec<(Reservation, Duration)>);

impl Model {
    fn count(&self, counts: impl Fn(&Pool) -> bool) -> u32 {
        let counted = self.0.iter().filter(|(held, _)| counts(&held.pool));
        u32::try_from(counted.count()).unwrap()
    }

    fn place(&mut self, held: &Reservation, now: Duration) -> Option<usize> {
        self.0.retain(|(_, until)| *until > now);
        self.0.iter().position(|(other, _)| other == held)
    }

    fn reserve(
        &mut self,
        wanted: &Reservation,
        until: Duration,
        limits: Limits,
        now: Duration,
    ) -> Verdict {
        let place = self.place(wanted, now);
        if let Some(place) = place {
            self.0[place].1 = until;
        } else if self.0.iter().any(|(other, _)| other.id == wanted.id) {
            return Verdict::Taken;
        }
        let usage = |current, limit| Usage { current, limit };
        let of_pool = self.count(|pool| *pool == wanted.pool);
        if place.is_some() {
            return Verdict::Granted(usage(of_pool, limits.pool));
        }
        if of_pool >= limits.pool {
            let (by, usage) = (Bound::Pool, usage(of_pool, limits.pool));
            return Verdict::Refused { by, usage };
        }
        let all = self.count(|pool| pool.tier == wanted.pool.tier);
        if all >= limits.total {
            let (by, usage) = (Bound::Total, usage(all, limits.total));
            return Verdict::Refused { by, usage };
        }
        self.0.push((wanted.clone(), until));
        Verdict::Granted(usage(of_pool + 1, limits.pool))
    }
}

proptest! {
    #[test]
    fn any_history_is_as_the_list_has_it(steps in prop::collection::vec(history::step(), 1..300)) {
        let mut now = Duration::from_secs(1_000);
        let (mut leases, mut model) = (Leases::default(), Model::default());
        for step in steps {
            match step {
                Step::Reserve(wanted, ttl, limits) => {
                    let verdict = leases.reserve(&wanted, ttl, limits, now);
                    prop_assert_eq!(verdict, model.reserve(&wanted, now + ttl, limits, now));
                }
                Step::Heartbeat(held, ttl) => {
                    let place = model.place(&held, now);
                    prop_assert_eq!(leases.heartbeat(&held, ttl, now), place.is_some());
                    if let Some(place) = place {
                        model.0[place].1 = now + ttl;
                    }
                }
                Step::Release(held) => {
                    let place = model.place(&held, now);
                    prop_assert_eq!(leases.release(&held, now), place.is_some());
                    place.map(|place| model.0.remove(place));
                }
                Step::Wait(time) => now += time,
            }
            model.0.retain(|(_, until)| *until > now);
            for pool in history::pools() {
                prop_assert_eq!(leases.count(&pool, now), model.count(|other| *other == pool));
            }
        }
        // Nobody is heard of any more: nothing is left, in any of the lists.
        leases.expire(now + history::LONGEST);
        prop_assert!(leases.by_id.is_empty() && leases.by_end.is_empty() && leases.pools.is_empty());
    }
}
