//! What the rest of the agent holds of a stream: its settings, the handle, and the way to a task.

use std::sync::Arc;

use shared::clock::Clock;
use shared::id::CameraId;
use shared::segment::StreamKind;
use tokio::sync::{Notify, watch};

use super::demand::{Demand, Hold};
use super::fanout::{Fanout, QueueLimits, Subscription};
use super::quirks::QuirkBook;
use super::session::{Office, Puller};
use super::source::Source;
use super::starts::Starts;
use super::status::CameraStatus;

/// One stream of one camera.
#[derive(Clone, Debug)]
pub struct StreamConfig {
    pub camera: CameraId,
    pub stream: StreamKind,
    /// The camera's, for the log.
    pub name: String,
    pub source: Source,
    /// Whether it is pulled only while somebody [holds](Stream::hold) it.
    pub on_request: bool,
}

/// What all streams of an agent share.
#[derive(Clone, Debug)]
pub struct Surroundings {
    pub clock: Arc<dyn Clock>,
    pub quirks: Arc<QuirkBook>,
    pub starts: Arc<Starts>,
}

impl Surroundings {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            quirks: Arc::default(),
            starts: Arc::default(),
        }
    }
}

/// What the rest of the agent holds of a stream. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stream {
    fanout: Arc<Fanout>,
    status: watch::Receiver<CameraStatus>,
    demand: Demand,
    restart: Arc<Notify>,
}

impl Stream {
    /// Everything from now on, and the newest GOP.
    pub fn subscribe(&self, limits: QueueLimits) -> Subscription {
        self.fanout.subscribe(limits)
    }

    pub fn status(&self) -> watch::Receiver<CameraStatus> {
        self.status.clone()
    }

    /// Has the stream pulled until the hold is dropped.
    pub fn hold(&self) -> Hold {
        self.demand.hold()
    }

    /// Ends the session and begins another at once.
    pub fn restart(&self) {
        self.restart.notify_one();
    }
}

/// A stream and the task that is to [run](Puller::run) for it.
pub fn stream(config: StreamConfig, surroundings: &Surroundings) -> (Stream, Puller) {
    let status = watch::Sender::new(CameraStatus::new(config.camera, config.stream));
    let handle = Stream {
        fanout: Arc::new(Fanout::new()),
        status: status.subscribe(),
        demand: Demand::on_request(),
        restart: Arc::new(Notify::new()),
    };
    let office = Office {
        fanout: Arc::clone(&handle.fanout),
        status,
        demand: handle.demand.clone(),
        restart: Arc::clone(&handle.restart),
    };
    (handle, Puller::new(config, surroundings.clone(), office))
}
