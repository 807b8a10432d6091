//! The least delay: how media time relates to the host's monotonic time for what came through
//! fastest.
//!
//! A leaky minimum. Every arrival gives `arrival - media time`, which is a constant (the two clocks'
//! origins), plus the drift between them, plus a delay that is never negative. The least of them is
//! the best; letting it rise slowly follows a camera whose clock is slow, and forgets nothing else.

use std::time::Duration;

use super::micros;

/// How fast the minimum may rise: the drift of a slow camera clock that can be followed.
pub(super) const LEAK_PPM: i64 = 300;

/// Reports may be ahead of or behind pictures by this much: encoding, and a full send queue.
const CREDIBLE_US: i64 = 5_000_000;

#[derive(Debug, Default)]
pub(in crate::camera) struct Delay {
    least: Option<Least>,
    /// How much later than the minimum pictures usually are: what the encoder takes.
    picture_excess_us: i64,
}

/// In nanoseconds, so that leaking between pictures is not rounded away.
#[derive(Clone, Copy, Debug)]
struct Least {
    ns: i64,
    seen: Duration,
}

impl Least {
    const fn new(delay_us: i64, seen: Duration) -> Self {
        Self {
            ns: delay_us.saturating_mul(1_000),
            seen,
        }
    }

    fn at(self, now: Duration) -> i64 {
        let elapsed_us = micros(now.saturating_sub(self.seen));
        self.ns
            .saturating_add(elapsed_us.saturating_mul(LEAK_PPM) / 1_000)
    }
}

impl Delay {
    pub(in crate::camera) fn picture(&mut self, delay_us: i64, now: Duration) {
        self.observe(delay_us, now);
        let excess_us = delay_us - self.least(now).unwrap_or(delay_us);
        self.picture_excess_us += (excess_us - self.picture_excess_us) / 16;
    }

    pub(super) fn report(&mut self, delay_us: i64, now: Duration) {
        self.observe(delay_us, now);
    }

    /// The minimum as it stands now, in microseconds; `None` before the first arrival.
    pub(in crate::camera) fn least(&self, now: Duration) -> Option<i64> {
        self.least.map(|least| least.at(now) / 1_000)
    }

    /// How much later than the minimum pictures usually are, in microseconds.
    pub(super) const fn picture_excess_us(&self) -> u64 {
        self.picture_excess_us.unsigned_abs()
    }

    /// By how much an arrival undercuts the minimum.
    pub(in crate::camera) fn too_early(&self, delay_us: i64, now: Duration) -> Option<i64> {
        self.least(now).map(|least| least - delay_us)
    }

    /// Whether a report with this delay can belong to the pictures.
    pub(super) fn believes(&self, delay_us: i64, now: Duration) -> bool {
        self.least(now)
            .is_none_or(|least| (delay_us - least).abs() <= CREDIBLE_US)
    }

    /// Media time jumped; a picture with `delay_us` by the new count is as late as pictures usually
    /// are.
    pub(super) fn rebase(&mut self, delay_us: i64, now: Duration) {
        self.least = Some(Least::new(delay_us - self.picture_excess_us, now));
    }

    /// Forgets all that came before an arrival with this delay.
    pub(super) fn forget_to(&mut self, delay_us: i64, now: Duration) {
        self.least = Some(Least::new(delay_us, now));
    }

    fn observe(&mut self, delay_us: i64, now: Duration) {
        let new = Least::new(delay_us, now);
        self.least = Some(match self.least {
            Some(least) if least.at(now) < new.ns => Least {
                ns: least.at(now),
                seen: now,
            },
            _ => new,
        });
    }
}

/// How much a minimum rises in this time, in microseconds.
pub(super) fn leak_us(elapsed: Duration) -> i64 {
    micros(elapsed).saturating_mul(LEAK_PPM) / 1_000_000
}
