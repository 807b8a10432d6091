//! What the coordinator says without being asked: how many streams there are, which limits hold, how
//! cameras are doing, what somebody should look at.
//!
//! Everything said is kept once, in [`log`]; a listener is a place in it. So nobody waits for a slow
//! listener, none has a queue of its own that could grow, and whoever was away goes on where they
//! were. What somebody may hear is decided when they hear it, by what they may do then.

pub(in crate::services) mod cameras;
mod log;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use data_encoding::HEXLOWER;
use shared::id::CameraId;
use shared::time::WallTime;
use shared::timeline::Reason;
use tokio::sync::watch;

use super::access::Actor;
use super::users::random_bytes;
use crate::domain::access::{Decision, Deed, Object};
use crate::domain::agency::AgencyCode;
use crate::domain::health::HealthState;
use crate::domain::quota::alarm::Limited;
use crate::domain::quota::streams::Streams;
use crate::domain::quota::{Allowed, Usage};
use log::Log;

/// What a listener is given at once, so that it gives way to whatever else its task has to do.
const BATCH: usize = 64;

/// How something is now.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Streams(Arc<Streams>),
    Limits(LimitsSet),
    Camera(Arc<CameraNews>),
    Alert(Arc<Alert>),
}

/// Limits that hold from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitsSet {
    Agency(AgencyCode, Allowed),
    /// All agencies together.
    Total {
        full: u32,
        reduced: u32,
    },
}

/// How a camera is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraNews {
    pub camera: CameraId,
    pub agency: AgencyCode,
    pub state: HealthState,
    pub reason: Option<Reason>,
    /// Since when it has been down.
    pub since: Option<WallTime>,
    /// When its newest picture was taken that the agent has told of.
    pub newest: Option<WallTime>,
}

/// Something that somebody should look at, or that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    pub about: AlertAbout,
    pub raised: bool,
    pub at: WallTime,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertAbout {
    /// Little is left of a limit.
    Streams(Limited, Usage),
    /// The server on which streams are counted together does not answer.
    QuotaServer,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Topic {
    Streams,
    Limits(Option<AgencyCode>),
    Camera(CameraId),
    Short(Limited),
    QuotaServer,
}

impl Event {
    fn topic(&self) -> Topic {
        match self {
            Self::Streams(_) => Topic::Streams,
            Self::Limits(LimitsSet::Agency(agency, _)) => Topic::Limits(Some(agency.clone())),
            Self::Limits(LimitsSet::Total { .. }) => Topic::Limits(None),
            Self::Camera(news) => Topic::Camera(news.camera),
            Self::Alert(alert) => match &alert.about {
                AlertAbout::Streams(limited, _) => Topic::Short(limited.clone()),
                AlertAbout::QuotaServer => Topic::QuotaServer,
            },
        }
    }

    /// Whether somebody who begins to listen wants to know it. How each camera is doing they ask for
    /// as a list.
    fn greets(&self) -> bool {
        match self {
            Self::Streams(_) | Self::Limits(_) => true,
            Self::Camera(_) => false,
            Self::Alert(alert) => alert.raised,
        }
    }

    /// What of it somebody may hear.
    pub fn for_actor(&self, actor: &Actor) -> Option<Self> {
        let heard = match self {
            Self::Streams(streams) => {
                let visible = streams.only(|agency| actor.sees_streams_of(agency));
                return Some(Self::Streams(Arc::new(visible)));
            }
            Self::Limits(LimitsSet::Agency(agency, _)) => actor.sees_streams_of(agency),
            Self::Limits(LimitsSet::Total { .. }) => true,
            Self::Camera(news) => {
                let camera = Object::Camera {
                    agency: &news.agency,
                    id: news.camera,
                };
                actor.decide(Deed::ViewCamera, camera) == Decision::Allowed
            }
            Self::Alert(alert) => match &alert.about {
                AlertAbout::Streams(Limited::Pool(pool), _) => actor.sees_streams_of(&pool.agency),
                AlertAbout::Streams(Limited::All(_), _) => true,
                AlertAbout::QuotaServer => {
                    actor.decide(Deed::ConfigureSystem, Object::System) == Decision::Allowed
                }
            },
        };
        heard.then(|| self.clone())
    }
}

/// Everything that was said.
#[derive(Debug)]
pub struct Events {
    hub: String,
    log: Mutex<Log<Topic, Event>>,
    newest: watch::Sender<u64>,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            hub: HEXLOWER.encode(&random_bytes::<16>()),
            log: Mutex::default(),
            newest: watch::Sender::new(0),
        }
    }
}

impl Events {
    /// Tells these numbers from those of another coordinator or of another start.
    pub fn hub(&self) -> &str {
        &self.hub
    }

    pub(in crate::services) fn publish(&self, event: Event) {
        let number = {
            let mut log = self.log();
            log.push(event.topic(), event)
        };
        // Two that publish at once may come here in any order.
        self.newest.send_if_modified(|newest| {
            let newer = number > *newest;
            *newest = number.max(*newest);
            newer
        });
    }

    /// Whether anybody listens.
    pub(in crate::services) fn is_heard(&self) -> bool {
        self.newest.receiver_count() > 0
    }

    /// From now on, beginning with what stands.
    pub fn listen(self: &Arc<Self>) -> Listener {
        let newest = self.newest.subscribe();
        let mut listener = Listener {
            events: Arc::clone(self),
            at: 0,
            greeted: 0,
            newest,
        };
        listener.again();
        listener
    }

    fn log(&self) -> MutexGuard<'_, Log<Topic, Event>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in what is said.
#[derive(Debug)]
pub struct Listener {
    events: Arc<Events>,
    /// Everything up to here was heard.
    at: u64,
    /// Up to here only what a listener begins with is wanted.
    greeted: u64,
    newest: watch::Receiver<u64>,
}

impl Listener {
    /// What comes next, with its numbers; perhaps nothing of interest. Nothing is lost if this is
    /// dropped before it is ready.
    pub async fn next(&mut self) -> Vec<(u64, Event)> {
        let at = self.at;
        // It cannot be closed: this listener holds the sender.
        let _ = self.newest.wait_for(|newest| *newest > at).await;
        let mut events = self.events.log().after(self.at, BATCH);
        if let Some((number, _)) = events.last() {
            self.at = *number;
        }
        events.retain(|(number, event)| *number > self.greeted || event.greets());
        events
    }

    /// Begins anew with what stands, as somebody who may now hear other things.
    pub fn again(&mut self) {
        self.at = 0;
        self.greeted = self.events.log().last();
    }

    /// Goes on after a number of a hub; where that is another hub, with everything.
    pub fn resume(&mut self, hub: &str, after: u64) {
        let known = hub == self.events.hub && after <= self.events.log().last();
        self.at = if known { after } else { 0 };
        self.greeted = 0;
    }
}
