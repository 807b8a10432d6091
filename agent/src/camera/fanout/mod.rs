//! From one camera task to its consumers: every event by reference, to each at its own pace.
//!
//! Publishing never waits for a consumer and never copies a payload. The lock inside is held for a
//! few pointer moves and never across I/O or an await. A consumer that falls behind loses whole
//! stretches up to the next sync sample and is told which ([`Event::Skipped`]); the camera and the
//! other consumers do not notice. What is decided per consumer is in [`queue`], what a newcomer is
//! given in [`kept`].

mod kept;
mod queue;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use self::kept::Kept;
use self::queue::Queue;
pub use self::queue::QueueLimits;
use super::media::{Event, Run};

/// The publishing end of one stream. Dropping it ends every subscription once its queue is empty.
#[derive(Debug)]
pub struct Fanout {
    shared: Arc<Shared>,
}

/// The consuming end. Dropping it unsubscribes.
#[derive(Debug)]
pub struct Subscription {
    shared: Arc<Shared>,
    id: u64,
    wake: Arc<Notify>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    current: Current,
    kept: Kept,
    subscribers: Vec<Subscriber>,
    next_id: u64,
    closed: bool,
}

#[derive(Debug)]
struct Subscriber {
    id: u64,
    queue: Queue,
    wake: Arc<Notify>,
}

/// Where the stream stands now, for those who were not listening when it was said.
#[derive(Clone, Debug, Default)]
enum Current {
    /// Nothing was said yet, or a run ended and nothing followed so far.
    #[default]
    Silent,
    Run(Arc<Run>),
    /// The last [`Event::Down`].
    Down(Event),
}

impl Current {
    fn follow(&mut self, event: &Event) {
        match event {
            Event::RunStarted(run) => *self = Self::Run(Arc::clone(run)),
            Event::RunEnded { .. } => *self = Self::Silent,
            Event::Down { .. } => *self = Self::Down(event.clone()),
            _ => {}
        }
    }

    /// The event that brings a listener here.
    fn event(&self) -> Option<Event> {
        match self {
            Self::Silent => None,
            Self::Run(run) => Some(Event::RunStarted(Arc::clone(run))),
            Self::Down(event) => Some(event.clone()),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Fanout {
    fn default() -> Self {
        Self::new()
    }
}

impl Fanout {
    /// Keeps up to [`QueueLimits::KEPT_GOP`] of the newest GOP for newcomers.
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    current: Current::default(),
                    kept: Kept::new(QueueLimits::KEPT_GOP),
                    subscribers: Vec::new(),
                    next_id: 0,
                    closed: false,
                }),
            }),
        }
    }

    /// Hands the event to every subscription. Never waits.
    pub fn publish(&self, event: Event) {
        let mut state = self.shared.lock();
        let State {
            current,
            kept,
            subscribers,
            ..
        } = &mut *state;
        current.follow(&event);
        for subscriber in subscribers {
            subscriber.queue.push(&event);
            subscriber.wake.notify_one();
        }
        kept.push(event);
    }

    /// A new consumer. It is first told the current run and given the kept GOP, or told why there
    /// is no picture.
    pub fn subscribe(&self, limits: QueueLimits) -> Subscription {
        let mut state = self.shared.lock();
        let id = state.next_id;
        state.next_id += 1;
        let wake = Arc::new(Notify::new());
        let queue = Queue::joining(limits, state.current.event(), state.kept.events());
        state.subscribers.push(Subscriber {
            id,
            queue,
            wake: Arc::clone(&wake),
        });
        Subscription {
            shared: Arc::clone(&self.shared),
            id,
            wake,
        }
    }

    /// How many consumers there are now.
    pub fn subscribers(&self) -> usize {
        self.shared.lock().subscribers.len()
    }
}

impl Drop for Fanout {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        state.kept.clear();
        for subscriber in &state.subscribers {
            subscriber.wake.notify_one();
        }
    }
}

impl Subscription {
    /// The next event in order; `None` when the stream's task is gone and everything was delivered.
    ///
    /// Cancel-safe: an event is taken only when it is returned.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.take() {
                Taken::Event(event) => return Some(event),
                Taken::End => return None,
                Taken::Nothing => self.wake.notified().await,
            }
        }
    }

    /// The next event if one is waiting.
    pub fn try_next(&mut self) -> Option<Event> {
        match self.take() {
            Taken::Event(event) => Some(event),
            Taken::End | Taken::Nothing => None,
        }
    }

    fn take(&self) -> Taken {
        let mut state = self.shared.lock();
        let State {
            current,
            subscribers,
            closed,
            ..
        } = &mut *state;
        let event = subscribers
            .iter_mut()
            .find(|subscriber| subscriber.id == self.id)
            .and_then(|subscriber| subscriber.queue.pop(current));
        match event {
            Some(event) => Taken::Event(event),
            None if *closed => Taken::End,
            None => Taken::Nothing,
        }
    }
}

enum Taken {
    Event(Event),
    Nothing,
    End,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared
            .lock()
            .subscribers
            .retain(|subscriber| subscriber.id != self.id);
    }
}

#[cfg(test)]
mod tests;
