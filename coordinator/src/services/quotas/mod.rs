//! Streams that agencies may have at once: who may reserve one, who may set how many there are, and
//! what everybody is told about it. Counting is the business of [`counting`].
//!
//! A stream counts for the agency of whoever watches, not for that of the camera; somebody of no
//! agency counts for `OTHER`.

pub mod counting;
mod hold;
mod server;
mod telling;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use shared::clock::Clock;
use shared::id::ReservationId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::counting::{Answer, Counting, WhenLost};
pub use self::hold::Hold;
use super::access::{AccessError, Actor, AdminGrant, CameraGrant};
use super::audit::notes::Notes;
use super::events::Events;
use super::{Figures, Parts};
use crate::domain::access::{Decision, Deed, Object};
use crate::domain::agency::AgencyCode;
use crate::domain::audit::What;
use crate::domain::audit::refusals::{Asker, Kind};
use crate::domain::quota::streams::Streams;
use crate::domain::quota::{AllAllowed, Allowed, Bound, Pool, Reservation, Tier, Usage};
use crate::stores::valkey::Valkey;
use crate::stores::{Store, StoreError};

/// How streams are counted.
#[derive(Clone, Debug)]
pub struct QuotaSettings {
    /// Where coordinators count together; each for itself without.
    pub server: Option<Arc<Valkey>>,
    pub when_lost: WhenLost,
    /// How long a reservation lives without being heard of.
    pub lease: Duration,
}

impl Default for QuotaSettings {
    fn default() -> Self {
        Self {
            server: None,
            when_lost: WhenLost::Refuse,
            lease: Duration::from_secs(30),
        }
    }
}

/// A stream that somebody may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    pub reservation: Reservation,
    /// Of the pool, this one included.
    pub usage: Usage,
    /// It ends after so long without a heartbeat.
    pub lease: Duration,
}

/// A limit that is reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} of {} streams run", usage.current, usage.limit)]
pub struct Reached {
    pub pool: Pool,
    pub bound: Bound,
    /// Of the pool or of all, as `bound` says.
    pub usage: Usage,
    /// What would be granted instead.
    pub offer: Option<Tier>,
}

#[derive(Debug, thiserror::Error)]
pub enum QuotaError {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Reached(Box<Reached>),
    #[error("this id is that of another reservation, or somebody watches by it")]
    Taken,
    /// Nobody can tell, and by the settings nothing may begin then.
    #[error("the server on which streams are counted does not answer")]
    Unknown,
    /// It has ended, or is somebody else's.
    #[error("there is no such reservation")]
    Ended,
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug)]
pub struct Quotas {
    counting: Counting,
    lease: Duration,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    notes: Arc<Notes>,
    figures: Arc<Figures>,
    events: Arc<Events>,
    /// Reservations by which this coordinator shows something; cancelled when they are given back.
    held: Mutex<HashMap<ReservationId, CancellationToken>>,
    /// There may be other counts than were told.
    changed: Notify,
}

impl Quotas {
    pub(super) async fn open(
        parts: &Parts,
        settings: QuotaSettings,
        events: Arc<Events>,
    ) -> Result<Self, StoreError> {
        let allowed = parts.store.stream_limits().await?;
        let QuotaSettings {
            server,
            when_lost,
            lease,
        } = settings;
        let (clock, figures) = (Arc::clone(&parts.clock), Arc::clone(&parts.figures));
        Ok(Self {
            counting: Counting::new(allowed, server, when_lost, Arc::clone(&clock), figures),
            lease,
            store: Arc::clone(&parts.store),
            clock,
            notes: Arc::clone(&parts.notes),
            figures: Arc::clone(&parts.figures),
            events,
            held: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Keeps to the server on which streams are counted, and tells how many there are, until `stop`.
    pub(super) async fn run(&self, stop: CancellationToken) {
        let counting = self.counting.run(stop.clone());
        let telling = stop.run_until_cancelled(self.tell());
        futures::future::join(counting, telling).await;
    }

    /// Reserves a stream of a camera, or prolongs what is reserved under this id already.
    ///
    /// # Errors
    /// A limit is reached, the id is another's, or nobody can tell.
    pub async fn reserve(
        &self,
        grant: &CameraGrant,
        tier: Tier,
        id: Option<ReservationId>,
    ) -> Result<Reserved, QuotaError> {
        let camera = grant.for_deed(Deed::ViewCamera)?;
        let actor = grant.actor();
        let reservation = Reservation {
            id: id.unwrap_or_else(|| ReservationId::new(self.clock.wall())),
            pool: Pool {
                agency: actor.streams_count_for(),
                tier,
            },
            camera: camera.id,
            holder: actor.user_id(),
        };
        if !self
            .counting
            .allowed()
            .agencies
            .contains_key(&reservation.pool.agency)
        {
            // One that was founded a moment ago.
            self.reload().await?;
        }
        let usage = self.granted(actor, &reservation).await?;
        Ok(Reserved {
            reservation,
            usage,
            lease: self.lease,
        })
    }

    async fn granted(&self, actor: &Actor, wanted: &Reservation) -> Result<Usage, QuotaError> {
        match self.counting.reserve(wanted, self.lease).await {
            Answer::Granted(usage) => {
                self.figures.streams_granted.add(1);
                self.changed.notify_one();
                Ok(usage)
            }
            Answer::Taken => Err(QuotaError::Taken),
            Answer::Refused { by, usage, offer } => {
                let reached = Reached {
                    pool: wanted.pool.clone(),
                    bound: by,
                    usage,
                    offer,
                };
                self.note_refusal(actor, wanted, Some(&reached));
                Err(QuotaError::Reached(Box::new(reached)))
            }
            Answer::Unknown => {
                self.note_refusal(actor, wanted, None);
                Err(QuotaError::Unknown)
            }
        }
    }

    /// Prolongs a reservation; how long it lives from now on.
    ///
    /// # Errors
    /// It has ended, or is somebody else's.
    pub async fn heartbeat(
        &self,
        actor: &Actor,
        id: ReservationId,
    ) -> Result<Duration, QuotaError> {
        let held = self.own(actor, id, "heartbeat").await?;
        match self.counting.heartbeat(&held, self.lease).await {
            true => Ok(self.lease),
            false => Err(QuotaError::Ended),
        }
    }

    /// Gives a reservation back. What is shown by it ends.
    ///
    /// # Errors
    /// It has ended, or is somebody else's.
    pub async fn release(&self, actor: &Actor, id: ReservationId) -> Result<(), QuotaError> {
        let held = self.own(actor, id, "release").await?;
        let lived = self.counting.release(&held).await;
        if let Some(shown) = self.held().get(&id) {
            shown.cancel();
        }
        self.changed.notify_one();
        match lived {
            true => Ok(()),
            false => Err(QuotaError::Ended),
        }
    }

    /// How many streams there are, as far as somebody may know.
    pub async fn streams(&self, actor: &Actor) -> Streams {
        let streams = self.count().await;
        streams.only(|agency| actor.sees_streams_of(agency))
    }

    async fn count(&self) -> Streams {
        let allowed = self.counting.allowed();
        let counts = self.counting.counts(&Streams::pools(&allowed)).await;
        Streams::new(&allowed, &counts)
    }

    /// The limits of agencies that somebody may see, and of all together.
    ///
    /// # Errors
    /// The grant is for something else, or the store failed.
    pub async fn limits(&self, grant: &AdminGrant) -> Result<AllAllowed, QuotaError> {
        grant.for_deed(Deed::ViewAgencies)?;
        let mut allowed = self.store.stream_limits().await?;
        allowed.agencies.retain(|agency, _| {
            let decision = grant.decide(Deed::ViewAgencies, Object::Of(Some(agency)));
            decision == Decision::Allowed
        });
        Ok(allowed)
    }

    /// Sets how many streams an agency may have. What runs goes on, also beyond it.
    ///
    /// # Errors
    /// There is no such agency.
    pub async fn set_limit(
        &self,
        grant: &AdminGrant,
        agency: AgencyCode,
        allowed: Allowed,
    ) -> Result<(), QuotaError> {
        grant.for_deed(Deed::ConfigureSystem)?;
        let details = json!({
            "full": allowed.full,
            "reduced": allowed.reduced,
            "offers_reduced": allowed.offers_reduced,
        });
        let entry = grant
            .entry(self.clock.wall(), What::StreamLimitsChanged)
            .on(&agency)
            .in_agency(Some(agency.clone()))
            .with(details);
        if !self.store.set_stream_limit(agency, allowed, entry).await? {
            return Err(AccessError::Hidden.into());
        }
        Ok(self.reload().await?)
    }

    /// Sets how many streams all agencies may have together.
    ///
    /// # Errors
    /// The store failed.
    pub async fn set_totals(
        &self,
        grant: &AdminGrant,
        full: u32,
        reduced: u32,
    ) -> Result<(), QuotaError> {
        grant.for_deed(Deed::ConfigureSystem)?;
        let entry = grant
            .entry(self.clock.wall(), What::StreamLimitsChanged)
            .with(json!({ "full": full, "reduced": reduced }));
        self.store.set_stream_totals(full, reduced, entry).await?;
        Ok(self.reload().await?)
    }

    /// The reservation, provided it is this person's.
    async fn own(
        &self,
        actor: &Actor,
        id: ReservationId,
        asked: &str,
    ) -> Result<Reservation, QuotaError> {
        let found = self.counting.find(id).await.ok_or(QuotaError::Ended)?;
        if found.holder == actor.user_id() {
            return Ok(found);
        }
        let kind = Kind {
            what: What::StreamTampered,
            asker: Some(Asker::User(actor.user_id())),
            asked: asked.to_owned(),
        };
        let entry = actor
            .entry(self.clock.wall(), kind.what)
            .on(id)
            .in_agency(Some(found.pool.agency))
            .with(json!({ "asked": asked, "holder": found.holder }));
        self.notes.refused(kind, entry);
        Err(QuotaError::Ended)
    }

    fn note_refusal(&self, actor: &Actor, wanted: &Reservation, reached: Option<&Reached>) {
        self.figures.streams_refused.add(1);
        let Pool { agency, tier } = &wanted.pool;
        let kind = Kind {
            what: What::StreamRefused,
            asker: Some(Asker::User(actor.user_id())),
            asked: format!("{tier:?}"),
        };
        let details = match reached {
            Some(Reached { bound, usage, .. }) => json!({
                "stream": tier.name(),
                "limit_of": match bound { Bound::Pool => "agency", Bound::Total => "all" },
                "current": usage.current,
                "limit": usage.limit,
            }),
            None => json!({ "stream": tier.name(), "server": "lost" }),
        };
        let entry = actor
            .entry(self.clock.wall(), kind.what)
            .on(wanted.camera)
            .in_agency(Some(agency.clone()))
            .with(details);
        self.notes.refused(kind, entry);
    }

    fn held(&self) -> MutexGuard<'_, HashMap<ReservationId, CancellationToken>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
