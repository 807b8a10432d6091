//! Reservations in a server that all coordinators share.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use shared::id::ReservationId;

use super::{Quotas, QuotasError};
use crate::domain::quota::{Bound, Limits, Pool, Reservation, Tier, Usage, Verdict};
use crate::stores::valkey::{Script, Valkey};

/// What each id stands for.
const LEASES: &str = "{cctv:quota}:leases";

#[derive(Debug)]
pub struct Shared {
    server: Arc<Valkey>,
    leases: Script,
    counts: Script,
    moment: Moment,
}

/// By which clock leases end.
#[derive(Clone, Debug)]
enum Moment {
    Servers,
    #[cfg(test)]
    Simulated(Arc<dyn shared::clock::Clock>),
}

impl Shared {
    pub fn new(server: Arc<Valkey>) -> Self {
        Self {
            server,
            leases: Script::new(include_str!("leases.lua")),
            counts: Script::new(include_str!("counts.lua")),
            moment: Moment::Servers,
        }
    }

    /// The same with leases that end by this clock.
    #[cfg(test)]
    pub(crate) fn simulated(server: Arc<Valkey>, clock: Arc<dyn shared::clock::Clock>) -> Self {
        Self {
            moment: Moment::Simulated(clock),
            ..Self::new(server)
        }
    }

    /// The moment as the scripts want it.
    fn now(&self) -> String {
        match &self.moment {
            Moment::Servers => String::new(),
            #[cfg(test)]
            Moment::Simulated(clock) => clock.monotonic().as_micros().to_string(),
        }
    }

    async fn ask(
        &self,
        asked: &str,
        about: &Reservation,
        ttl: Duration,
        limits: Limits,
    ) -> Result<(String, u32), QuotasError> {
        let mut call = self.leases.prepare_invoke();
        call.key(LEASES);
        let tier = about.pool.tier;
        call.key(of_pool(&about.pool)).key(of_tier(tier));
        call.key(of_tier(tier.other()));
        call.arg(self.now()).arg(asked);
        call.arg(about.id.to_string()).arg(written(about));
        let ttl = u64::try_from(ttl.as_micros()).unwrap_or(u64::MAX);
        call.arg(ttl).arg(limits.pool).arg(limits.total);
        Ok(self.server.run(&call).await?)
    }

    async fn hold(
        &self,
        asked: &str,
        held: &Reservation,
        ttl: Duration,
    ) -> Result<bool, QuotasError> {
        let limits = Limits { pool: 0, total: 0 };
        let (answer, _) = self.ask(asked, held, ttl, limits).await?;
        Ok(answer == "done")
    }
}

#[async_trait]
impl Quotas for Shared {
    async fn reserve(
        &self,
        wanted: &Reservation,
        ttl: Duration,
        limits: Limits,
    ) -> Result<Verdict, QuotasError> {
        let (answer, current) = self.ask("reserve", wanted, ttl, limits).await?;
        let usage = |limit| Usage { current, limit };
        Ok(match answer.as_str() {
            "granted" => Verdict::Granted(usage(limits.pool)),
            "pool" => Verdict::Refused {
                by: Bound::Pool,
                usage: usage(limits.pool),
            },
            "total" => Verdict::Refused {
                by: Bound::Total,
                usage: usage(limits.total),
            },
            _ => Verdict::Taken,
        })
    }

    async fn find(&self, id: ReservationId) -> Result<Option<Reservation>, QuotasError> {
        let found = self.server.field(LEASES, &id.to_string()).await?;
        let Some(text) = found else {
            return Ok(None);
        };
        let found = read(id, &text).ok_or(QuotasError::Damaged { what: text })?;
        // What has ended may still be written there.
        let lives = self.hold("look", &found, Duration::ZERO).await?;
        Ok(lives.then_some(found))
    }

    async fn heartbeat(&self, held: &Reservation, ttl: Duration) -> Result<bool, QuotasError> {
        self.hold("heartbeat", held, ttl).await
    }

    async fn release(&self, held: &Reservation) -> Result<bool, QuotasError> {
        self.hold("release", held, Duration::ZERO).await
    }

    async fn counts(&self, pools: &[Pool]) -> Result<Vec<u32>, QuotasError> {
        if pools.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = self.counts.prepare_invoke();
        for pool in pools {
            call.key(of_pool(pool));
        }
        call.arg(self.now());
        Ok(self.server.run(&call).await?)
    }
}

fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Full => "full",
        Tier::Reduced => "reduced",
    }
}

fn of_tier(of: Tier) -> String {
    format!("{{cctv:quota}}:tier:{}", tier(of))
}

fn of_pool(pool: &Pool) -> String {
    format!("{{cctv:quota}}:pool:{}:{}", tier(pool.tier), pool.agency)
}

/// `tier agency camera holder`
fn written(reservation: &Reservation) -> String {
    let Reservation {
        pool,
        camera,
        holder,
        ..
    } = reservation;
    format!("{} {} {camera} {holder}", tier(pool.tier), pool.agency)
}

fn read(id: ReservationId, text: &str) -> Option<Reservation> {
    let mut words = text.split(' ');
    let tier = match words.next()? {
        "full" => Tier::Full,
        "reduced" => Tier::Reduced,
        _ => return None,
    };
    let agency = words.next()?.parse().ok()?;
    Some(Reservation {
        id,
        pool: Pool { agency, tier },
        camera: words.next()?.parse().ok()?,
        holder: words.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::suite;
    use super::*;
    use crate::stores::valkey::process::Process;

    #[tokio::test]
    async fn it_does_as_the_rules_have_it() {
        let process = Process::start(false).await;
        let server = process.client();
        server.connect().await.unwrap();
        suite::run(async |clock| {
            server.clear().await;
            Shared::simulated(server.clone(), clock)
        })
        .await;
    }
}
