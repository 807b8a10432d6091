//! Streams that agencies may have at once: who gets one, and what happens while the server that
//! coordinators count on together is gone.
//!
//! What this coordinator grants it also remembers itself. While the server does not answer, what
//! runs goes on by that memory; whether something new may begin is a setting. When the server is
//! back, it is told of everything that runs, before anything new begins.

mod server;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use shared::clock::Clock;
use shared::id::ReservationId;
use tokio_util::sync::CancellationToken;

use super::Figures;
use crate::domain::quota::{AllAllowed, Bound, Limits, Pool, Reservation, Tier, Usage, Verdict};
use crate::stores::quotas::Quotas as _;
use crate::stores::quotas::in_process::InProcess;
use crate::stores::valkey::Valkey;
use server::Server;

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
pub struct Quotas {
    own: InProcess,
    server: Option<Server>,
    when_lost: WhenLost,
    allowed: ArcSwap<AllAllowed>,
}

impl Quotas {
    pub fn new(
        allowed: AllAllowed,
        server: Option<Arc<Valkey>>,
        when_lost: WhenLost,
        clock: Arc<dyn Clock>,
        figures: Arc<Figures>,
    ) -> Self {
        Self {
            own: InProcess::new(clock),
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

    /// Other limits from now on. What runs goes on, also beyond them.
    pub fn allow(&self, allowed: AllAllowed) {
        self.allowed.store(Arc::new(allowed));
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
        let said = server.ask(async |shared| shared.reserve(wanted, ttl, limits).await);
        if let Some(verdict) = said.await {
            if let Verdict::Granted(_) = verdict {
                self.own.reserve_now(wanted, ttl, Limits::NONE);
            }
            return Some(verdict);
        }
        let runs = self.own.find_now(wanted.id).as_ref() == Some(wanted);
        (runs || self.when_lost == WhenLost::CountOwn)
            .then(|| self.own.reserve_now(wanted, ttl, limits))
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

    /// What is reserved under an id.
    pub async fn find(&self, id: ReservationId) -> Option<Reservation> {
        if let Some(server) = &self.server
            && let Some(found) = server.ask(async |shared| shared.find(id).await).await
        {
            // One that the server has lost runs here all the same.
            return found.or_else(|| self.own.find_now(id));
        }
        self.own.find_now(id)
    }

    /// Prolongs a lease; `false` when it has ended.
    pub async fn heartbeat(&self, held: &Reservation, ttl: Duration) -> bool {
        let runs = self.own.heartbeat_now(held, ttl);
        let Some(server) = &self.server else {
            return runs;
        };
        let said = server.ask(async |shared| {
            let lives = shared.heartbeat(held, ttl).await?;
            if lives || !runs {
                return Ok(lives);
            }
            // The server has started anew and forgotten it, but it runs.
            let verdict = shared.reserve(held, ttl, Limits::NONE).await?;
            Ok(matches!(verdict, Verdict::Granted(_)))
        });
        let Some(lives) = said.await else {
            return runs;
        };
        if lives && !runs {
            self.own.reserve_now(held, ttl, Limits::NONE);
        }
        lives
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

#[cfg(test)]
mod tests;
