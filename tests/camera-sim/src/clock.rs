//! The clock all simulated cameras share: real time, or `speed` times faster from a given start.
//!
//! It implements [`shared::clock::Clock`], so a test hands the very same object to the program under test and an hour
//! of recording takes a minute without the two disagreeing.

use std::time::{Duration, Instant};

use shared::clock::{Clock, SystemClock};
use shared::time::WallTime;

/// A wall clock that runs at a constant speed from a given start.
#[derive(Debug)]
pub struct SimClock {
    started: Instant,
    wall_start: WallTime,
    speed: f64,
}

impl SimClock {
    /// Runs with the host's clock, beginning now.
    pub fn real_time() -> Self {
        Self::accelerated(SystemClock::new().wall(), 1.0)
    }

    /// Shows `wall_start` now and runs `speed` times faster than real time. A speed that is not a positive number counts
    /// as 1.
    pub fn accelerated(wall_start: WallTime, speed: f64) -> Self {
        let speed = if speed.is_finite() && speed > 0.0 {
            speed
        } else {
            1.0
        };
        Self {
            started: Instant::now(),
            wall_start,
            speed,
        }
    }

    /// The wall time at which this clock was started.
    pub const fn wall_start(&self) -> WallTime {
        self.wall_start
    }

    /// Simulated seconds per real second.
    pub const fn speed(&self) -> f64 {
        self.speed
    }

    pub(crate) fn now_us(&self) -> i64 {
        self.wall().as_micros()
    }

    /// The real instant at which this clock shows `wall_us`; the start for earlier times.
    pub(crate) fn instant_at(&self, wall_us: i64) -> Instant {
        let ahead_us = wall_us.saturating_sub(self.wall_start.as_micros()).max(0);
        self.started + Duration::from_secs_f64(ahead_us as f64 / 1e6 / self.speed)
    }
}

impl Clock for SimClock {
    fn wall(&self) -> WallTime {
        self.wall_start + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed().mul_f64(self.speed)
    }

    /// Time spent between two looks would count `speed` times, and look like a step of the wall clock.
    fn both(&self) -> (Duration, WallTime) {
        let monotonic = self.monotonic();
        (monotonic, self.wall_start + monotonic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accelerated_clock_maps_wall_time_to_instants_and_back() {
        let clock = SimClock::accelerated(WallTime::from_secs(1_000), 60.0);
        let in_a_minute = clock.instant_at(1_060_000_000);
        assert_eq!(in_a_minute - clock.started, Duration::from_secs(1));
        assert!(clock.wall() >= WallTime::from_secs(1_000));
        assert_eq!(clock.instant_at(0), clock.started);
    }

    #[test]
    fn a_senseless_speed_counts_as_one() {
        for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(
                SimClock::accelerated(WallTime::from_secs(0), speed).speed(),
                1.0
            );
        }
    }
}
