//! The host's two clocks, and whether the wall clock was set.

use super::{Now, micros};

/// A wall clock that moved this much against the monotonic one between two looks was set, not
/// disciplined: NTP slews by 500 ppm, which is 5 ms in ten seconds.
const STEP_US: i64 = 500_000;

/// The relation of wall clock and monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostClock {
    base_us: i64,
}

impl HostClock {
    pub(super) fn new(now: Now) -> Self {
        Self { base_us: base(now) }
    }

    /// How far the wall clock was set since the last look, in microseconds, if it was.
    pub(super) fn stepped(&mut self, now: Now) -> Option<i64> {
        let by_us = base(now).saturating_sub(self.base_us);
        self.base_us = base(now);
        (by_us.abs() > STEP_US).then_some(by_us)
    }

    /// Wall clock minus monotonic clock, in microseconds, at the last look.
    pub(super) const fn base_us(&self) -> i64 {
        self.base_us
    }
}

fn base(now: Now) -> i64 {
    now.wall.as_micros().saturating_sub(micros(now.monotonic))
}
