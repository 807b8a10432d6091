//! Histories as long as one likes, against a list of leases that is counted: by tests, and longer ones
//! by the bench `quotas`.
//!
//! A client that crashes is one that is not heard of any more; one that retries reserves again. Few
//! ids, people and agencies, so that they meet.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use shared::clock::{Clock as _, SimulatedClock};
use shared::id::{CameraId, ReservationId, UserId};
use shared::time::WallTime;

use super::{AllAllowed, Allowed, Answer, Bound, Counting, Pool, Reservation, Tier, Usage};

const AGENCIES: [&str; 3] = ["BUS", "METRO", "TAXI"];
const IDS: u8 = 48;

/// What happened so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    pub(super) operations: u64,
    pub(super) granted: u64,
    pub(super) again: u64,
    pub(super) refused: u64,
    pub(super) taken: u64,
    pub(super) prolonged: u64,
    pub(super) released: u64,
    pub(super) too_late: u64,
    pub(super) expired: u64,
    pub(super) crashes: u64,
}

pub(super) struct Walk {
    random: StdRng,
    clock: Arc<SimulatedClock>,
    pools: Vec<Pool>,
    allowed: AllAllowed,
    /// What lives, each with its end.
    leases: Vec<(Reservation, Duration)>,
    last: Option<Reservation>,
    /// Whether a coordinator that crashes takes its leases with it.
    forgets: bool,
    pub(super) done: Done,
}

impl Walk {
    pub(super) fn new(seed: u64, clock: Arc<SimulatedClock>, forgets: bool) -> Self {
        let pools = AGENCIES.iter().flat_map(|agency| {
            [Tier::Full, Tier::Reduced].map(|tier| Pool {
                agency: agency.parse().expect("an agency code"),
                tier,
            })
        });
        let mut walk = Self {
            random: StdRng::seed_from_u64(seed),
            clock,
            pools: pools.collect(),
            allowed: AllAllowed::default(),
            leases: Vec::new(),
            last: None,
            forgets,
            done: Done::default(),
        };
        walk.allowed = walk.other_limits();
        walk
    }

    /// The limits that hold now.
    pub(super) fn allowed(&self) -> AllAllowed {
        self.allowed.clone()
    }

    /// One operation by one of the coordinators, whose answers must be those of the list. Gives the
    /// place of a coordinator that has crashed, to be replaced by one that knows nothing.
    pub(super) async fn step(&mut self, coordinators: &[Counting]) -> Option<usize> {
        self.done.operations += 1;
        let place = self.random.random_range(0..coordinators.len());
        let by = &coordinators[place];
        let mut crashed = None;
        match self.random.random_range(0_u8..100) {
            0..45 => {
                let wanted = self.reservation();
                self.reserve(by, wanted).await;
            }
            45..55 => {
                let wanted = self.last.clone().unwrap_or_else(|| self.reservation());
                self.reserve(by, wanted).await;
            }
            55..73 => self.heartbeat(by).await,
            73..85 => self.release(by).await,
            85..93 => self.wait(12),
            // Nobody is heard of for longer than anything lives.
            93 => self.wait(120),
            94..97 => {
                self.allowed = self.other_limits();
                for coordinator in coordinators {
                    coordinator.allow(self.allowed.clone());
                }
            }
            97 => {
                self.done.crashes += 1;
                crashed = Some(place);
                if self.forgets {
                    self.leases.clear();
                }
            }
            _ => self.find(by).await,
        }
        if crashed.is_none() || !self.forgets {
            let counts = by.counts(&self.pools).await;
            for (pool, count) in self.pools.iter().zip(counts) {
                assert_eq!(count, self.count(pool), "{pool:?} after {:?}", self.done);
            }
        }
        crashed
    }

    async fn reserve(&mut self, by: &Counting, wanted: Reservation) {
        let ttl = self.ttl();
        let answer = by.reserve(&wanted, ttl).await;
        let lives = self.place(&wanted);
        let expected = match self.leases.iter().find(|(held, _)| held.id == wanted.id) {
            Some((held, _)) if *held != wanted => Answer::Taken,
            _ => self.judge(&wanted, lives.is_some()),
        };
        assert_eq!(answer, expected, "{wanted:?} after {:?}", self.done);
        match answer {
            Answer::Granted(usage) => {
                let until = self.clock.monotonic() + ttl;
                match lives {
                    Some(place) => {
                        self.leases[place].1 = until;
                        self.done.again += 1;
                    }
                    None => {
                        // Whatever the list says.
                        assert!(usage.current <= usage.limit, "{usage:?}");
                        self.leases.push((wanted.clone(), until));
                        self.done.granted += 1;
                    }
                }
            }
            Answer::Refused { .. } => self.done.refused += 1,
            Answer::Taken => self.done.taken += 1,
            Answer::Unknown => unreachable!("the server answers"),
        }
        self.last = Some(wanted);
    }

    fn judge(&self, wanted: &Reservation, lives: bool) -> Answer {
        let Pool { agency, tier } = &wanted.pool;
        let limits = self.allowed.of(&wanted.pool);
        let (pool, all) = (self.count(&wanted.pool), self.all(*tier));
        if lives {
            return Answer::Granted(Usage {
                current: pool,
                limit: limits.pool,
            });
        }
        let reached = |current, limit| (current >= limit).then_some(Usage { current, limit });
        let by_pool = reached(pool, limits.pool).map(|usage| (Bound::Pool, usage));
        let by_all = || reached(all, limits.total).map(|usage| (Bound::Total, usage));
        let Some((by, usage)) = by_pool.or_else(by_all) else {
            return Answer::Granted(Usage {
                current: pool + 1,
                limit: limits.pool,
            });
        };
        let less = Pool {
            agency: agency.clone(),
            tier: Tier::Reduced,
        };
        let room = self.allowed.of(&less);
        let offered = *tier == Tier::Full
            && self.allowed.offers_reduced(agency)
            && self.count(&less) < room.pool
            && self.all(Tier::Reduced) < room.total;
        let offer = offered.then_some(Tier::Reduced);
        Answer::Refused { by, usage, offer }
    }

    async fn heartbeat(&mut self, by: &Counting) {
        let (held, ttl) = (self.reservation(), self.ttl());
        let place = self.place(&held);
        assert_eq!(by.heartbeat(&held, ttl).await, place.is_some(), "{held:?}");
        match place {
            Some(place) => {
                self.leases[place].1 = self.clock.monotonic() + ttl;
                self.done.prolonged += 1;
            }
            None => self.done.too_late += 1,
        }
    }

    async fn release(&mut self, by: &Counting) {
        let held = self.reservation();
        let place = self.place(&held);
        assert_eq!(by.release(&held).await, place.is_some(), "{held:?}");
        match place {
            Some(place) => {
                self.leases.swap_remove(place);
                self.done.released += 1;
            }
            None => self.done.too_late += 1,
        }
    }

    async fn find(&self, by: &Counting) {
        if let Some((held, _)) = self.leases.first() {
            assert_eq!(by.find(held.id).await.as_ref(), Some(held));
        }
    }

    fn wait(&mut self, seconds: u64) {
        let time = Duration::from_millis(self.random.random_range(0..seconds * 1_000));
        self.clock.advance(time);
        // Somebody sets the clock on the wall; nothing ends for it.
        let wall = self.random.random_range(1_000_000_000..2_000_000_000);
        self.clock.step_wall_to(WallTime::from_secs(wall));
        let (now, before) = (self.clock.monotonic(), self.leases.len());
        self.leases.retain(|(_, until)| *until > now);
        self.done.expired += (before - self.leases.len()) as u64;
    }

    fn place(&self, held: &Reservation) -> Option<usize> {
        self.leases.iter().position(|(other, _)| other == held)
    }

    fn count(&self, pool: &Pool) -> u32 {
        let counted = self.leases.iter().filter(|(held, _)| held.pool == *pool);
        u32::try_from(counted.count()).unwrap_or(u32::MAX)
    }

    fn all(&self, tier: Tier) -> u32 {
        let pools = self.pools.iter().filter(|pool| pool.tier == tier);
        pools.map(|pool| self.count(pool)).sum()
    }

    /// Mostly one person, camera and pool for an id.
    fn reservation(&mut self) -> Reservation {
        let id = self.random.random_range(0..IDS);
        let odd = u8::from(self.random.random_bool(0.05));
        let pool = usize::from(id + odd) % self.pools.len();
        Reservation {
            id: ReservationId::from_slice(&[id; 16]).expect("sixteen bytes"),
            pool: self.pools[pool].clone(),
            camera: CameraId::from_slice(&[id; 16]).expect("sixteen bytes"),
            holder: UserId::from_slice(&[odd; 16]).expect("sixteen bytes"),
        }
    }

    fn ttl(&mut self) -> Duration {
        Duration::from_millis(self.random.random_range(1..40_000))
    }

    fn other_limits(&mut self) -> AllAllowed {
        let agencies = AGENCIES.map(|agency| {
            let allowed = Allowed {
                full: self.random.random_range(0..8),
                reduced: self.random.random_range(0..8),
                offers_reduced: self.random.random(),
            };
            (agency.parse().expect("an agency code"), allowed)
        });
        AllAllowed {
            agencies: agencies.into(),
            total_full: self.random.random_range(0..16),
            total_reduced: self.random.random_range(0..16),
        }
    }
}
