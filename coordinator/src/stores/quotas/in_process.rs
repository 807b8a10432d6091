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
        let (mut leases, now) = self.now();
        Ok(leases.reserve(wanted, ttl, limits, now))
    }

    async fn find(&self, id: ReservationId) -> Result<Option<Reservation>, QuotasError> {
        let (mut leases, now) = self.now();
        Ok(leases.find(id, now))
    }

    async fn heartbeat(&self, held: &Reservation, ttl: Duration) -> Result<bool, QuotasError> {
        let (mut leases, now) = self.now();
        Ok(leases.heartbeat(held, ttl, now))
    }

    async fn release(&self, held: &Reservation) -> Result<bool, QuotasError> {
        let (mut leases, now) = self.now();
        Ok(leases.release(held, now))
    }

    async fn counts(&self, pools: &[Pool]) -> Result<Vec<u32>, QuotasError> {
        let (mut leases, now) = self.now();
        Ok(pools.iter().map(|pool| leases.count(pool, now)).collect())
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
