//! The only `now()` of the product. Programs hold an `Arc<dyn Clock>`; pure code takes `now` as an
//! argument.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::WallTime;

/// Where the time comes from.
pub trait Clock: Send + Sync + std::fmt::Debug + 'static {
    /// The host's wall clock. May step in either direction.
    fn wall(&self) -> WallTime;

    /// Time since some fixed point; never steps back. Differences of it measure durations.
    fn monotonic(&self) -> Duration;

    /// Both of one instant, as nearly as can be; for those who compare them.
    fn both(&self) -> (Duration, WallTime) {
        (self.monotonic(), self.wall())
    }
}

/// The operating system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place the ban points to"
    )]
    fn wall(&self) -> WallTime {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => WallTime::from_micros(0) + since,
            Err(before) => WallTime::from_micros(0) - before.duration(),
        }
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct SimulatedClock {
    state: Mutex<(WallTime, Duration)>,
}

impl SimulatedClock {
    pub const fn new(start: WallTime) -> Self {
        Self {
            state: Mutex::new((start, Duration::ZERO)),
        }
    }

    /// Both clocks move forward.
    pub fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.0 = state.0 + by;
        state.1 += by;
    }

    /// The wall clock is set, as by an administrator or NTP; the monotonic one does not notice.
    pub fn step_wall_to(&self, wall: WallTime) {
        self.lock().0 = wall;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (WallTime, Duration)> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for SimulatedClock {
    fn wall(&self) -> WallTime {
        self.lock().0
    }

    fn monotonic(&self) -> Duration {
        self.lock().1
    }

    fn both(&self) -> (Duration, WallTime) {
        let (wall, monotonic) = *self.lock();
        (monotonic, wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stepping_the_wall_leaves_the_monotonic_clock_alone() {
        let clock = SimulatedClock::new(WallTime::from_secs(1_000));
        clock.advance(Duration::from_secs(5));
        clock.step_wall_to(WallTime::from_secs(10));
        assert_eq!(clock.wall(), WallTime::from_secs(10));
        assert_eq!(clock.monotonic(), Duration::from_secs(5));
    }
}
