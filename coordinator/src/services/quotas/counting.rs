//! Counting: who gets a stream, and what happens while the server that coordinators count on together
//! is gone. Who asks, and whether they may see the camera, is not known here.
//!
//! What this coordinator grants it also remembers itself. While the server does not answer, what
//! runs goes on by that memory; whether something new may begin is a setting. When the server is
//! back, it is told of everything that runs, before anything new begins.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use shared::clock::Clock;
use shared::id::ReservationId;
use tokio_util::sync::CancellationToken;

use super::server::Server;
#[cfg(test)]
use crate::domain::quota::Allowed;
use crate::domain::quota::{AllAllowed, Bound, Limits, Pool, Reservation, Tier, Usage, Verdict};
use crate::services::Figures;
use crate::stores::quotas::Quotas as _;
use crate::stores::quotas::in_process::InProcess;
use crate::stores::valkey::Valkey;

/// What may begin while nobody can tell how many streams there are elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenLost {
    /// Nothing new.
    Refuse,
    /// What this coordinator's own count allows.
    CountOwn,
}

/// What has become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Granted(Usage),
    Refused {
        by: Bound,
        usage: Usage,
        /// A reduced stream of the same camera would be granted.
        offer: Option<Tier>,
    },
    /// The id is that of another reservation.
    Taken,
    /// Nobody can tell, and nothing may begin on that.
    Unknown,
}

#[derive(Debug)]
pub struct Counting {
    own: InProcess,
    clock: Arc<dyn Clock>,
    pub(super) server: Option<Server>,
    when_lost: WhenLost,
    allowed: ArcSwap<AllAllowed>,
}

impl Counting {
    pub fn new(
        allowed: AllAllowed,
        server: Option<Arc<Valkey>>,
        when_lost: WhenLost,
        clock: Arc<dyn Clock>,
        figures: Arc<Figures>,
    ) -> Self {
        Self {
            own: InProcess::new(Arc::clone(&clock)),
            clock,
            server: server.map(|connection| Server::new(connection, figures)),
            when_lost,
            allowed: ArcSwap::from_pointee(allowed),
        }
    }

    /// Keeps to the server, where there is one, until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let Some(server) = &self.server else {
            return stop.cancelled().await;
        };
        stop.run_until_cancelled(server.follow(&self.own)).await;
    }

    pub fn allowed(&self) -> Arc<AllAllowed> {
        self.allowed.load_full()
    }

    /// Other limits from now on; gives those before. What runs goes on, also beyond them.
    pub fn allow(&self, allowed: AllAllowed) -> Arc<AllAllowed> {
        self.allowed.swap(Arc::new(allowed))
    }

    /// Whether there is a server and it does not answer.
    pub fn is_lost(&self) -> bool {
        self.server.as_ref().is_some_and(Server::is_lost)
    }

    /// Reserves a stream, or prolongs what is reserved.
    pub async fn reserve(&self, wanted: &Reservation, ttl: Duration) -> Answer {
        let allowed = self.allowed.load_full();
        let limits = allowed.of(&wanted.pool);
        let Some(verdict) = self.decide(wanted, ttl, limits).await else {
            return Answer::Unknown;
        };
        match verdict {
            Verdict::Granted(usage) => Answer::Granted(usage),
            Verdict::Taken => Answer::Taken,
            Verdict::Refused { by, usage } => {
                let offer = self.offer(wanted, &allowed).await;
                Answer::Refused { by, usage, offer }
            }
        }
    }

    /// `None` when nobody can tell.
    async fn decide(&self, wanted: &Reservation, ttl: Duration, limits: Limits) -> Option<Verdict> {
        let Some(server) = &self.server else {
            return Some(self.own.reserve_now(wanted, ttl, limits));
        };
        let asked = self.clock.monotonic();
        let said = server.ask(async |shared| shared.reserve(wanted, ttl, limits).await);
        if let Some(verdict) = said.await {
            if let Verdict::Granted(_) = verdict {
                self.remember(wanted, ttl, asked);
            }
            return Some(verdict);
        }
        let runs = self.own.find_now(wanted.id).as_ref() == Some(wanted);
        (runs || self.when_lost == WhenLost::CountOwn)
            .then(|| self.own.reserve_now(wanted, ttl, limits))
    }

    /// What the server granted when it was asked. Here it ends no later than there, also where one of
    /// the clocks is slow: what the server has given to somebody else must not be taken for running.
    fn remember(&self, held: &Reservation, ttl: Duration, asked: Duration) {
        let since = self.clock.monotonic().saturating_sub(asked);
        let left = shorter(ttl).saturating_sub(since);
        if !left.is_zero() {
            self.own.reserve_now(held, left, Limits::NONE);
        }
    }

    /// The same camera in less, if the agency offers that and there is room.
    async fn offer(&self, refused: &Reservation, allowed: &AllAllowed) -> Option<Tier> {
        let agency = &refused.pool.agency;
        if refused.pool.tier == Tier::Reduced || !allowed.offers_reduced(agency) {
            return None;
        }
        let pool = Pool {
            agency: agency.clone(),
            tier: Tier::Reduced,
        };
        let limits = allowed.of(&pool);
        let pools: Vec<_> = allowed
            .agencies
            .keys()
            .map(|agency| Pool {
                agency: agency.clone(),
                tier: Tier::Reduced,
            })
            .collect();
        let counts = self.counts(&pools).await;
        let all: u32 = counts.iter().sum();
        let own = pools.iter().position(|other| *other == pool)?;
        let room = *counts.get(own)? < limits.pool && all < limits.total;
        room.then_some(Tier::Reduced)
    }

    /// What is reserved under an id. What this coordinator has granted it knows without asking.
    pub async fn find(&self, id: ReservationId) -> Option<Reservation> {
        if let Some(own) = self.own.find_now(id) {
            return Some(own);
        }
        let server = self.server.as_ref()?;
        server.ask(async |shared| shared.find(id).await).await?
    }

    /// Prolongs a lease; `false` when it has ended.
    pub async fn heartbeat(&self, held: &Reservation, ttl: Duration) -> bool {
        let Some(server) = &self.server else {
            return self.own.heartbeat_now(held, ttl);
        };
        let asked = self.clock.monotonic();
        let said = server.ask(async |shared| shared.heartbeat(held, ttl).await);
        match said.await {
            None => self.own.heartbeat_now(held, ttl),
            Some(true) => {
                self.remember(held, ttl, asked);
                true
            }
            Some(false) => {
                self.own.release_now(held);
                false
            }
        }
    }

    /// Gives a lease back; `false` when it has ended.
    pub async fn release(&self, held: &Reservation) -> bool {
        let ran = self.own.release_now(held);
        match &self.server {
            None => ran,
            Some(server) => {
                let said = server.ask(async |shared| shared.release(held).await);
                said.await.unwrap_or(ran)
            }
        }
    }

    /// How many streams of each pool run, in the order of the pools; our own while nobody can tell of
    /// others.
    pub async fn counts(&self, pools: &[Pool]) -> Vec<u32> {
        if let Some(server) = &self.server
            && let Some(counts) = server.ask(async |shared| shared.counts(pools).await).await
        {
            return counts;
        }
        self.own.counts_now(pools)
    }
}

/// A lease as long as this ends before one of `ttl` that began at the same time by another clock.
fn shorter(ttl: Duration) -> Duration {
    ttl - ttl / 64
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;
