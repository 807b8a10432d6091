//! A reservation that lives as long as what is shown by it.

use std::sync::Arc;

use shared::id::ReservationId;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument as _;

use super::{Answer, QuotaError, Quotas, Reserved};
use crate::domain::quota::{Reservation, Tier};
use crate::services::access::CameraGrant;

/// Keeps a reservation alive and gives it back when it is dropped.
#[derive(Debug)]
pub struct Hold {
    reserved: Reserved,
    lost: CancellationToken,
    _over: DropGuard,
}

impl Hold {
    pub const fn reserved(&self) -> &Reserved {
        &self.reserved
    }

    /// Ready when the reservation is gone, so that nothing may be shown by it any more: its holder
    /// gave it back, or it ended and there is no room for it now.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

impl Quotas {
    /// Reserves a stream and keeps it, for as long as the answer lives. With an id it is what was
    /// reserved before under that id; one reservation shows one thing at a time.
    ///
    /// # Errors
    /// As of [`Quotas::reserve`].
    pub async fn hold(
        self: &Arc<Self>,
        grant: &CameraGrant,
        tier: Tier,
        id: Option<ReservationId>,
    ) -> Result<Hold, QuotaError> {
        let id = id.unwrap_or_else(|| ReservationId::new(self.clock.wall()));
        let place = Place::take(self, id).ok_or(QuotaError::Taken)?;
        let reserved = self.reserve(grant, tier, Some(id)).await?;
        let over = CancellationToken::new();
        let (held, lost) = (reserved.reservation.clone(), place.lost.clone());
        let (quotas, stop) = (Arc::clone(self), over.clone());
        let keeping = async move {
            let keep = quotas.keep(&held);
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = place.lost.cancelled() => {}
                () = keep => place.lost.cancel(),
            }
            // After this nobody finds it held, and somebody may take it again.
            quotas.counting.release(&held).await;
            quotas.changed.notify_one();
            drop(place);
        };
        tokio::spawn(keeping.in_current_span());
        Ok(Hold {
            reserved,
            lost,
            _over: over.drop_guard(),
        })
    }

    /// Until it is gone.
    async fn keep(&self, held: &Reservation) {
        let mut beats = interval(self.lease / 3);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            if self.counting.heartbeat(held, self.lease).await {
                continue;
            }
            // Too late, on a host that stood still, say. It may have again what others have left.
            match self.counting.reserve(held, self.lease).await {
                Answer::Granted(_) => {}
                Answer::Refused { .. } | Answer::Taken | Answer::Unknown => return,
            }
        }
    }
}

/// That a reservation is held by one.
struct Place {
    quotas: Arc<Quotas>,
    id: ReservationId,
    lost: CancellationToken,
}

impl Place {
    fn take(quotas: &Arc<Quotas>, id: ReservationId) -> Option<Self> {
        let lost = CancellationToken::new();
        let mut held = quotas.held();
        if held.contains_key(&id) {
            return None;
        }
        held.insert(id, lost.clone());
        drop(held);
        Some(Self {
            quotas: Arc::clone(quotas),
            id,
            lost,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.quotas.held().remove(&self.id);
    }
}
