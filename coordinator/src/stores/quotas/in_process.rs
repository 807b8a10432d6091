//! Reservations in the memory of this process. They end with it, as the streams do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use shared::clock::Clock;
use shared::id::ReservationId;

use super::{Quotas, QuotasError};
use crate::domain::quota::{Leases, Limits, Pool, Reservation, Verdict};

#[derive(Debug)]
pub struct InProcess {
    clock: Arc<dyn Clock>,
    leases: Mutex<Leases>,
}

impl InProcess {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let leases = Mutex::default();
        Self { clock, leases }
    }

    /// Everything that lives, and for how much longer if nobody is heard of.
    pub fn live(&self) -> Vec<(Reservation, Duration)> {
        let (mut leases, now) = self.now();
        leases.live(now)
    }

    /// As [`Quotas::reserve`], which cannot fail here; so with the others.
    pub fn reserve_now(&self, wanted: &Reservation, ttl: Duration, limits: Limits) -> Verdict {
        let (mut leases, now) = self.now();
        leases.reserve(wanted, ttl, limits, now)
    }

    pub fn find_now(&self, id: ReservationId) -> Option<Reservation> {
        let (mut leases, now) = self.now();
        leases.find(id, now)
    }

    pub fn heartbeat_now(&self, held: &Reservation, ttl: Duration) -> bool {
        let (mut leases, now) = self.now();
        leases.heartbeat(held, ttl, now)
    }

    pub fn release_now(&self, held: &Reservation) -> bool {
        let (mut leases, now) = self.now();
        leases.release(held, now)
    }

    pub fn counts_now(&self, pools: &[Pool]) -> Vec<u32> {
        let (mut leases, now) = self.now();
        pools.iter().map(|pool| leases.count(pool, now)).collect()
    }

    /// The leases, and the time on a clock that never steps.
    fn now(&self) -> (MutexGuard<'_, Leases>, Duration) {
        let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        (leases, self.clock.monotonic())
    }
}

#[async_trait]
impl Quotas for InProcess {
    async fn reserve(
        &self,
        wanted: &Reservation,
        ttl: Duration,
        limits: Limits,
    ) -> Result<Verdict, QuotasError> {
        Ok(self.reserve_now(wanted, ttl, limits))
    }

    async fn find(&self, id: ReservationId) -> Result<Option<Reservation>, QuotasError> {
        Ok(self.find_now(id))
    }

    async fn heartbeat(&self, held: &Reservation, ttl: Duration) -> Result<bool, QuotasError> {
        Ok(self.heartbeat_now(held, ttl))
    }

    async fn release(&self, held: &Reservation) -> Result<bool, QuotasError> {
        Ok(self.release_now(held))
    }

    async fn counts(&self, pools: &[Pool]) -> Result<Vec<u32>, QuotasError> {
        Ok(self.counts_now(pools))
    }
}

#[cfg(test)]
mod tests {
    use super::super::suite;
    use super::*;

    #[tokio::test]
    async fn it_does_as_the_rules_have_it() {
        suite::run(async |clock| InProcess::new(clock)).await;
    }
}
