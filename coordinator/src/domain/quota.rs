//! Who holds how many of the streams that an agency may have at once.
//!
//! A reservation is a lease: it ends by itself unless its holder is heard of. There is no counter
//! anywhere: how many there are is how many leases live, so nothing can leak, whatever crashes,
//! is repeated or comes late. The same rules are in `stores/quotas/*.lua`; one property test drives
//! both with the same histories.

pub mod alarm;
pub mod streams;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use shared::id::{CameraId, ReservationId, UserId};

use super::agency::AgencyCode;

/// What is counted apart, with limits of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// The main stream of a camera.
    Full,
    /// Its sub stream, or less.
    Reduced,
}

impl Tier {
    pub const fn other(self) -> Self {
        match self {
            Self::Full => Self::Reduced,
            Self::Reduced => Self::Full,
        }
    }

    /// In the audit and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Reduced => "reduced",
        }
    }
}

/// Whose leases are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pool {
    pub agency: AgencyCode,
    pub tier: Tier,
}

/// What is reserved for whom. Asked for again it is the same lease, prolonged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// Chosen by whoever asks.
    pub id: ReservationId,
    pub pool: Pool,
    pub camera: CameraId,
    /// The only one who can prolong it or give it back.
    pub holder: UserId,
}

/// The most leases there may be: of the pool, and of the tier over all agencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub pool: u32,
    pub total: u32,
}

impl Limits {
    /// For what runs already and only has to be counted.
    pub const NONE: Self = Self {
        pool: u32::MAX,
        total: u32::MAX,
    };
}

/// How many streams an agency may have at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    pub full: u32,
    pub reduced: u32,
    /// Whether somebody who gets no full stream is offered a reduced one.
    pub offers_reduced: bool,
}

impl Default for Allowed {
    /// What an agency may have before anybody has said so: enough for a wall, too little to hurt.
    fn default() -> Self {
        Self {
            full: 10,
            reduced: 10,
            offers_reduced: true,
        }
    }
}

/// How many streams everybody may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllAllowed {
    pub agencies: BTreeMap<AgencyCode, Allowed>,
    pub total_full: u32,
    pub total_reduced: u32,
}

impl AllAllowed {
    /// The limits that a lease of this pool is granted by.
    pub fn of(&self, pool: &Pool) -> Limits {
        let of_agency = self.agencies.get(&pool.agency);
        match pool.tier {
            Tier::Full => Limits {
                pool: of_agency.map_or(0, |allowed| allowed.full),
                total: self.total_full,
            },
            Tier::Reduced => Limits {
                pool: of_agency.map_or(0, |allowed| allowed.reduced),
                total: self.total_reduced,
            },
        }
    }

    pub fn offers_reduced(&self, agency: &AgencyCode) -> bool {
        let allowed = self.agencies.get(agency);
        allowed.is_some_and(|allowed| allowed.offers_reduced)
    }
}

/// How many leases live, of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub current: u32,
    pub limit: u32,
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    Pool,
    Total,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The usage of its pool, this lease included.
    Granted(Usage),
    Refused {
        by: Bound,
        usage: Usage,
    },
    /// The id is that of another reservation.
    Taken,
}

/// All leases that live.
#[derive(Debug, Default)]
pub struct Leases {
    by_id: HashMap<ReservationId, Lease>,
    by_end: BTreeSet<(Duration, ReservationId)>,
    pools: BTreeMap<Pool, BTreeSet<ReservationId>>,
}

#[derive(Clone, Debug)]
struct Lease {
    reservation: Reservation,
    until: Duration,
}

impl Leases {
    /// Lives until `now` and `ttl`, unless it is heard of. Whoever has a lease keeps it, also when
    /// the limit was lowered below what there is.
    pub fn reserve(
        &mut self,
        wanted: &Reservation,
        ttl: Duration,
        limits: Limits,
        now: Duration,
    ) -> Verdict {
        self.expire(now);
        let held = match self.by_id.get(&wanted.id) {
            Some(lease) if lease.reservation == *wanted => true,
            Some(_) => return Verdict::Taken,
            None => false,
        };
        if !held && let Some((by, usage)) = self.refusal(&wanted.pool, limits) {
            return Verdict::Refused { by, usage };
        }
        self.remove(wanted.id);
        self.insert(wanted.clone(), now.saturating_add(ttl));
        Verdict::Granted(Usage {
            current: self.in_pool(&wanted.pool),
            limit: limits.pool,
        })
    }

    /// What is reserved under an id.
    pub fn find(&mut self, id: ReservationId, now: Duration) -> Option<Reservation> {
        self.expire(now);
        Some(self.by_id.get(&id)?.reservation.clone())
    }

    /// Prolongs it; `false` when it has ended.
    pub fn heartbeat(&mut self, held: &Reservation, ttl: Duration, now: Duration) -> bool {
        let lives = self.find(held.id, now).as_ref() == Some(held);
        if lives {
            self.remove(held.id);
            self.insert(held.clone(), now.saturating_add(ttl));
        }
        lives
    }

    /// Gives it back; `false` when it has ended.
    pub fn release(&mut self, held: &Reservation, now: Duration) -> bool {
        let lives = self.find(held.id, now).as_ref() == Some(held);
        if lives {
            self.remove(held.id);
        }
        lives
    }

    /// How many leases of a pool live.
    pub fn count(&mut self, pool: &Pool, now: Duration) -> u32 {
        self.expire(now);
        self.in_pool(pool)
    }

    /// Everything that lives, and for how much longer if nobody is heard of.
    pub fn live(&mut self, now: Duration) -> Vec<(Reservation, Duration)> {
        self.expire(now);
        let leases = self.by_id.values();
        leases
            .map(|lease| (lease.reservation.clone(), lease.until.saturating_sub(now)))
            .collect()
    }

    fn refusal(&self, pool: &Pool, limits: Limits) -> Option<(Bound, Usage)> {
        let of_pool = Usage {
            current: self.in_pool(pool),
            limit: limits.pool,
        };
        let of_all = Usage {
            current: self.in_tier(pool.tier),
            limit: limits.total,
        };
        let reached = |usage: &Usage| usage.current >= usage.limit;
        [(Bound::Pool, of_pool), (Bound::Total, of_all)]
            .into_iter()
            .find(|(_, usage)| reached(usage))
    }

    fn expire(&mut self, now: Duration) {
        while let Some((until, id)) = self.by_end.first().copied()
            && until <= now
        {
            self.remove(id);
        }
    }

    fn in_pool(&self, pool: &Pool) -> u32 {
        self.pools.get(pool).map_or(0, size)
    }

    fn in_tier(&self, tier: Tier) -> u32 {
        let pools = self.pools.iter().filter(|(pool, _)| pool.tier == tier);
        pools.map(|(_, leases)| size(leases)).sum()
    }

    fn insert(&mut self, reservation: Reservation, until: Duration) {
        let id = reservation.id;
        let pool = self.pools.entry(reservation.pool.clone()).or_default();
        pool.insert(id);
        self.by_end.insert((until, id));
        self.by_id.insert(id, Lease { reservation, until });
    }

    fn remove(&mut self, id: ReservationId) {
        let Some(Lease { reservation, until }) = self.by_id.remove(&id) else {
            return;
        };
        self.by_end.remove(&(until, id));
        if let Some(pool) = self.pools.get_mut(&reservation.pool) {
            pool.remove(&id);
            if pool.is_empty() {
                self.pools.remove(&reservation.pool);
            }
        }
    }
}

fn size(leases: &BTreeSet<ReservationId>) -> u32 {
    u32::try_from(leases.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
pub(crate) mod history;
#[cfg(test)]
mod tests;
