//! Sources of media: each publishes units at their time to whoever listens. Nothing here knows RTSP.

pub(crate) mod assemble;
pub(crate) mod clip;
pub(crate) mod file;
pub(crate) mod live;
pub(crate) mod playback;
pub(crate) mod sound;

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::{broadcast, watch};

use crate::media::{Description, Unit};

/// Units a slow client may lag behind at normal speed, a few seconds' worth; then it loses some and goes on with a key frame.
const BACKLOG: usize = 256;

/// Both ends of a source: what it says about itself and where its units appear.
#[derive(Debug)]
pub(crate) struct Feed {
    units: broadcast::Sender<Arc<Unit>>,
    description: watch::Sender<Arc<Description>>,
    signal: Arc<Signal>,
}

impl Feed {
    pub(crate) fn new(description: Description, speed: f64) -> Self {
        let backlog = (BACKLOG as f64 * speed.clamp(1.0, 256.0)) as usize;
        Self {
            units: broadcast::Sender::new(backlog),
            description: watch::Sender::new(Arc::new(description)),
            signal: Arc::default(),
        }
    }

    pub(crate) fn description(&self) -> Arc<Description> {
        self.description.borrow().clone()
    }

    /// Listens from now on, and asks for a key frame soon.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Unit>> {
        let receiver = self.units.subscribe();
        self.signal.want_key();
        receiver
    }

    fn publish(&self, unit: Unit) {
        // Without a listener there is nobody to miss it.
        let _ = self.units.send(Arc::new(unit));
    }

    fn has_listeners(&self) -> bool {
        self.listeners() > 0
    }

    /// How many listen now.
    pub(crate) fn listeners(&self) -> usize {
        self.units.receiver_count()
    }

    /// Ends a source that runs on a thread.
    pub(crate) fn stop(&self) {
        self.signal.stop();
    }
}

/// Wishes of the async side, for a source that runs on a thread of its own.
#[derive(Debug, Default)]
struct Signal {
    wishes: Mutex<Wishes>,
    changed: Condvar,
}

#[derive(Debug, Default, Clone, Copy)]
struct Wishes {
    stop: bool,
    key: bool,
}

impl Signal {
    fn want_key(&self) {
        self.change(|wishes| wishes.key = true);
    }

    fn stop(&self) {
        self.change(|wishes| wishes.stop = true);
    }

    fn change(&self, change: impl FnOnce(&mut Wishes)) {
        change(&mut self.wishes.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    fn stopped(&self) -> bool {
        self.wishes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .stop
    }

    fn take_key_wish(&self) -> bool {
        std::mem::take(
            &mut self
                .wishes
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .key,
        )
    }

    /// Waits until the instant, or earlier until stopped.
    fn wait_until(&self, due: Instant) {
        let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let now = Instant::now();
            if wishes.stop || now >= due {
                return;
            }
            wishes = self
                .changed
                .wait_timeout(wishes, due - now)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits until somebody listens or everything ends.
    fn wait_for_wish(&self) {
        let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        while !wishes.stop && !wishes.key {
            wishes = self
                .changed
                .wait(wishes)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
