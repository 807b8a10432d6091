//! How many bytes of recordings may leave the site now: a token bucket under a weekly plan, and a
//! sum for the local day. Pure.
//!
//! Only uploads ask. What an operator fetches is never held back but is charged, so that uploads
//! yield to it.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use shared::time::WallTime;

use super::Now;
use crate::config::Schedule;

/// Largest piece granted at once, in bytes.
pub const CHUNK_BYTES: u64 = 256 * 1024;

/// Below this many bytes a grant is not worth a system call.
const SMALLEST_CHUNK_BYTES: u64 = 8 * 1024;

/// Uploads yield to a fetch for at most so long.
const LONGEST_DEBT: Duration = Duration::from_secs(10);

/// A limit on the speed of all uploads together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    Unlimited,
    BytesPerSecond(u64),
    Stopped,
}

/// Which limits apply when.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The first whose schedule is open counts.
    pub exceptions: Vec<(Schedule, Rate)>,
    pub otherwise: Rate,
    pub bytes_per_day: Option<u64>,
    /// In which days begin at midnight.
    pub zone: TimeZone,
}

impl Plan {
    /// No limits.
    pub const fn unlimited() -> Self {
        Self {
            exceptions: Vec::new(),
            otherwise: Rate::Unlimited,
            bytes_per_day: None,
            zone: TimeZone::UTC,
        }
    }

    /// The limit that applies at `now`.
    pub fn rate(&self, now: WallTime) -> Rate {
        self.exceptions
            .iter()
            .find(|(schedule, _)| schedule.is_open(now))
            .map_or(self.otherwise, |(_, rate)| *rate)
    }

    fn date(&self, now: WallTime) -> Date {
        jiff::Timestamp::from_microsecond(now.as_micros())
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
            .to_zoned(self.zone.clone())
            .date()
    }
}

/// What has left the site on one day; survives restarts of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayUse {
    pub day: Date,
    pub bytes: u64,
}

/// The answer to a wish for bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// So many may be sent, and have been charged.
    Bytes(u64),
    /// None now; ask again after this long.
    Wait(Duration),
}

/// The bucket and the day's sum.
#[derive(Clone, Debug)]
pub struct Budget {
    plan: Plan,
    rate: Rate,
    /// Bytes that may be sent; negative after a fetch took more than there were.
    tokens: f64,
    /// Monotonic time up to which `tokens` has been filled.
    filled: Duration,
    today: DayUse,
}

impl Budget {
    /// `used` is what an earlier process sent on its last day.
    pub fn new(plan: Plan, used: Option<DayUse>, now: Now) -> Self {
        let day = plan.date(now.wall);
        let today = used
            .filter(|used| used.day == day)
            .unwrap_or(DayUse { day, bytes: 0 });
        let rate = plan.rate(now.wall);
        Self {
            plan,
            rate,
            tokens: 0.0,
            filled: now.monotonic,
            today,
        }
    }

    /// The day and what has been sent on it, for the status page and for keeping.
    pub const fn today(&self) -> DayUse {
        self.today
    }

    /// The rate as of the last question.
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// Asks for up to `wanted` bytes, at least one. Over any stretch of time grants exceed
    /// `rate × time` by at most one piece of [`Budget::piece`] bytes.
    pub fn grant(&mut self, now: Now, wanted: u64) -> Grant {
        self.refresh(now);
        let mut piece = wanted.min(self.piece());
        if let Some(limit) = self.plan.bytes_per_day {
            let left = limit.saturating_sub(self.today.bytes);
            if left == 0 {
                return Grant::Wait(self.until_tomorrow(now.wall));
            }
            piece = piece.min(left);
        }
        match self.rate {
            Rate::Unlimited => {}
            Rate::Stopped => return Grant::Wait(Duration::from_secs(30)),
            Rate::BytesPerSecond(rate) => {
                let short = as_f64(piece) - self.tokens;
                if short > 0.0 {
                    let seconds = short / as_f64(rate.max(1));
                    return Grant::Wait(
                        Duration::try_from_secs_f64(seconds)
                            .unwrap_or(Duration::from_secs(30))
                            .clamp(Duration::from_millis(1), Duration::from_secs(30)),
                    );
                }
                self.tokens -= as_f64(piece);
            }
        }
        self.today.bytes = self.today.bytes.saturating_add(piece);
        Grant::Bytes(piece)
    }

    /// Bytes that left without asking.
    pub fn charge(&mut self, now: Now, bytes: u64) {
        self.refresh(now);
        self.today.bytes = self.today.bytes.saturating_add(bytes);
        if let Rate::BytesPerSecond(rate) = self.rate {
            let deepest = -as_f64(rate) * LONGEST_DEBT.as_secs_f64();
            self.tokens = (self.tokens - as_f64(bytes)).max(deepest);
        }
    }

    /// The largest piece granted at once: a quarter of a second at the present rate, so that a slow
    /// line is never filled for long.
    pub fn piece(&self) -> u64 {
        match self.rate {
            Rate::BytesPerSecond(rate) => (rate / 4).clamp(SMALLEST_CHUNK_BYTES, CHUNK_BYTES),
            Rate::Unlimited | Rate::Stopped => CHUNK_BYTES,
        }
    }

    fn refresh(&mut self, now: Now) {
        let day = self.plan.date(now.wall);
        if day != self.today.day {
            self.today = DayUse { day, bytes: 0 };
        }
        let elapsed = now.monotonic.saturating_sub(self.filled);
        self.filled = self.filled.max(now.monotonic);
        if let Rate::BytesPerSecond(rate) = self.rate {
            self.tokens += as_f64(rate) * elapsed.as_secs_f64();
        }
        let rate = self.plan.rate(now.wall);
        if rate != self.rate {
            self.rate = rate;
            self.tokens = self.tokens.min(0.0);
        }
        self.tokens = self.tokens.min(as_f64(self.piece()));
    }

    fn until_tomorrow(&self, now: WallTime) -> Duration {
        let midnight = self
            .today
            .day
            .tomorrow()
            .ok()
            .and_then(|day| day.to_zoned(self.plan.zone.clone()).ok())
            .map_or(now, |zoned| {
                WallTime::from_micros(zoned.timestamp().as_microsecond())
            });
        // Not all of it at once: the clock may be set in between.
        midnight
            .saturating_duration_since(now)
            .clamp(Duration::from_secs(1), Duration::from_secs(300))
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 bytes a second are beyond any line"
)]
const fn as_f64(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Window;

    fn at(micros: u64) -> Now {
        Now {
            monotonic: Duration::from_micros(micros),
            wall: WallTime::from_rfc3339("2026-03-02T08:00:00Z").unwrap()
                + Duration::from_micros(micros),
        }
    }

    fn limited(rate: u64) -> Plan {
        Plan {
            otherwise: Rate::BytesPerSecond(rate),
            ..Plan::unlimited()
        }
    }

    proptest! {
        #[test]
        fn over_any_window_grants_exceed_the_rate_by_at_most_one_piece(
            rate in 1_000_u64..50_000_000,
            questions in prop::collection::vec((0_u64..2_000_000, 1_u64..600_000), 1..200),
        ) {
            let mut budget = Budget::new(limited(rate), None, at(0));
            let mut now = 0;
            let mut granted: Vec<(u64, u64)> = Vec::new();
            for (pause, wanted) in questions {
                now += pause;
                if let Grant::Bytes(bytes) = budget.grant(at(now), wanted) {
                    prop_assert!(bytes <= wanted);
                    granted.push((now, bytes));
                }
            }
            for first in 0..granted.len() {
                let mut sum = 0;
                for (when, bytes) in &granted[first..] {
                    sum += bytes;
                    let window = Duration::from_micros(when - granted[first].0).as_secs_f64();
                    prop_assert!(as_f64(sum) <= as_f64(rate) * window + as_f64(budget.piece()) + 1.0);
                }
            }
        }

        #[test]
        fn who_waits_as_long_as_told_gets_bytes_and_the_rate_is_used(
            rate in 10_000_u64..5_000_000,
            wanted in SMALLEST_CHUNK_BYTES..600_000,
        ) {
            let mut budget = Budget::new(limited(rate), None, at(0));
            let (mut now, mut sum, mut waits) = (0_u64, 0_u64, 0);
            while now < 10_000_000 {
                match budget.grant(at(now), wanted) {
                    Grant::Bytes(bytes) => { sum += bytes; waits = 0; }
                    Grant::Wait(wait) => {
                        waits += 1;
                        prop_assert!(waits < 4, "waited {waits} times in a row");
                        now += u64::try_from(wait.as_micros()).unwrap() + 1;
                    }
                }
            }
            prop_assert!(as_f64(sum) > as_f64(rate) * 10.0 * 0.9);
        }

        #[test]
        fn a_day_never_takes_more_than_its_limit_by_uploads_alone(
            limit in 1_u64..10_000_000,
            questions in prop::collection::vec((0_u64..30_000_000_000, 1_u64..600_000), 1..100),
        ) {
            let plan = Plan { bytes_per_day: Some(limit), ..Plan::unlimited() };
            let mut budget = Budget::new(plan, None, at(0));
            let (mut now, mut days) = (0, std::collections::BTreeMap::new());
            for (pause, wanted) in questions {
                now += pause;
                if let Grant::Bytes(bytes) = budget.grant(at(now), wanted) {
                    *days.entry(budget.today().day).or_insert(0) += bytes;
                }
            }
            prop_assert!(days.values().all(|sum| *sum <= limit));
        }
    }

    #[test]
    fn a_fetch_is_charged_and_uploads_yield_to_it_for_a_bounded_time() {
        let mut budget = Budget::new(limited(100_000), None, at(0));
        budget.charge(at(0), 1_000_000_000);
        assert!(matches!(budget.grant(at(9_000_000), 8_192), Grant::Wait(_)));
        assert_eq!(budget.grant(at(10_100_000), 8_192), Grant::Bytes(8_192));
        assert_eq!(budget.today().bytes, 1_000_008_192);
    }

    #[test]
    fn the_limit_of_office_hours_ends_with_them() {
        let window = Window {
            days: vec![crate::config::schedule::Day::Mon],
            from: "07:00".parse().unwrap(),
            to: "09:00".parse().unwrap(),
        };
        let plan = Plan {
            exceptions: vec![(Schedule::new(vec![window], TimeZone::UTC), Rate::Stopped)],
            ..Plan::unlimited()
        };
        let mut budget = Budget::new(plan, None, at(0));
        assert!(matches!(budget.grant(at(0), 100), Grant::Wait(_)));
        assert_eq!(budget.grant(at(3_600_000_000), 100), Grant::Bytes(100));
    }

    #[test]
    fn the_sum_of_the_day_survives_a_restart_but_not_midnight() {
        let plan = Plan {
            bytes_per_day: Some(1_000),
            ..Plan::unlimited()
        };
        let mut first = Budget::new(plan.clone(), None, at(0));
        assert_eq!(first.grant(at(0), 900), Grant::Bytes(900));
        let mut second = Budget::new(plan, Some(first.today()), at(1));
        assert_eq!(second.grant(at(1), 900), Grant::Bytes(100));
        assert!(matches!(second.grant(at(2), 900), Grant::Wait(_)));
        assert_eq!(second.grant(at(17 * 3_600_000_000), 900), Grant::Bytes(900));
    }
}
