//! The board on which it stands what is wrong with a camera right now.
//!
//! The board only says; sessions, sources and the SDP look at it and behave accordingly. Durations are in simulated time.

use std::mem::discriminant;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{ActiveFault, Fault};
use crate::clock::SimClock;

/// How far the camera's clock is off: a straight line from an anchor.
#[derive(Clone, Copy, Debug, Default)]
struct Skew {
    anchor_us: i64,
    offset_us: f64,
    ppm: f64,
}

impl Skew {
    fn at(&self, wall_us: i64) -> f64 {
        self.offset_us + (wall_us - self.anchor_us) as f64 * self.ppm / 1e6
    }

    fn with_rate(&self, wall_us: i64, ppm: f64) -> Self {
        Self {
            anchor_us: wall_us,
            offset_us: self.at(wall_us),
            ppm,
        }
    }
}

/// All that is wrong with a camera at a moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Condition {
    active: Vec<ActiveFault>,
    skew: Skew,
    /// Sum of all timestamp jumps so far, in 90 kHz ticks.
    jumped_ticks: i64,
}

impl Condition {
    /// Error of the camera's clock at a true wall time, in microseconds.
    pub(crate) fn skew_us(&self, wall_us: i64) -> i64 {
        let ended = self.active.iter().find_map(|active| match active.fault {
            Fault::ClockSkew { .. } => active.until_us,
            _ => None,
        });
        self.skew
            .at(ended.map_or(wall_us, |until_us| wall_us.min(until_us)))
            .round() as i64
    }

    pub(crate) const fn jumped_ticks(&self) -> i64 {
        self.jumped_ticks
    }
}

/// The board of one camera. Cloning gives another view of the same board.
#[derive(Clone, Debug)]
pub(crate) struct FaultBoard {
    condition: Arc<watch::Sender<Condition>>,
    clock: Arc<SimClock>,
}

impl FaultBoard {
    pub(crate) fn new(clock: Arc<SimClock>) -> Self {
        Self {
            condition: Arc::new(watch::Sender::new(Condition::default())),
            clock,
        }
    }

    /// Sets a fault; one of the same kind is replaced.
    pub(crate) fn set(&self, fault: Fault, duration: Option<Duration>) {
        let now_us = self.clock.now_us();
        let until_us = duration.map(|duration| now_us.saturating_add(duration.as_micros() as i64));
        self.condition.send_modify(|condition| {
            condition.forget_ended(now_us);
            match fault {
                Fault::RtpJump { ticks } => return condition.jumped_ticks += ticks,
                Fault::ClockSkew { ppm } => condition.skew = condition.skew.with_rate(now_us, ppm),
                _ => {}
            }
            condition
                .active
                .retain(|active| discriminant(&active.fault) != discriminant(&fault));
            condition.active.push(ActiveFault { fault, until_us });
        });
    }

    /// Ends all faults.
    pub(crate) fn clear(&self) {
        let now_us = self.clock.now_us();
        self.condition.send_modify(|condition| {
            condition.forget_ended(now_us);
            condition.skew = condition.skew.with_rate(now_us, 0.0);
            condition.active.clear();
        });
    }

    /// What is wrong now.
    pub(crate) fn active(&self) -> Vec<ActiveFault> {
        let now_us = self.clock.now_us();
        self.condition
            .borrow()
            .active
            .iter()
            .filter(|active| active.lasts(now_us))
            .cloned()
            .collect()
    }

    /// The first active fault that `pick` accepts.
    pub(crate) fn find<T>(&self, pick: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        let condition = self.condition.borrow();
        if condition.active.is_empty() {
            return None;
        }
        let now_us = self.clock.now_us();
        condition
            .active
            .iter()
            .filter(|active| active.lasts(now_us))
            .find_map(|active| pick(&active.fault))
    }

    pub(crate) fn has(&self, fault: &Fault) -> bool {
        self.find(|active| (active == fault).then_some(()))
            .is_some()
    }

    pub(crate) fn condition(&self) -> watch::Ref<'_, Condition> {
        self.condition.borrow()
    }

    /// Completes as soon as the fault is set; at once where it is.
    pub(crate) async fn begins(&self, fault: &Fault) {
        let mut changes = self.condition.subscribe();
        while !self.has(fault) {
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Completes as soon as the fault is over; at once where it is not set.
    pub(crate) async fn ends(&self, fault: &Fault) {
        let mut changes = self.condition.subscribe();
        while self.has(fault) {
            let until_us = self
                .active()
                .into_iter()
                .find(|active| active.fault == *fault)
                .and_then(|active| active.until_us);
            let expiry = async {
                match until_us {
                    Some(until_us) => {
                        tokio::time::sleep_until(self.clock.instant_at(until_us + 1).into()).await
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = expiry => {}
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }
}

impl Condition {
    fn forget_ended(&mut self, now_us: i64) {
        let skew_us = self.skew_us(now_us) as f64;
        let ended = |active: &ActiveFault| !active.lasts(now_us);
        if self
            .active
            .iter()
            .any(|active| ended(active) && matches!(active.fault, Fault::ClockSkew { .. }))
        {
            self.skew = Skew {
                anchor_us: now_us,
                offset_us: skew_us,
                ppm: 0.0,
            };
        }
        self.active.retain(|active| !ended(active));
    }
}

#[cfg(test)]
mod tests {
    use shared::time::WallTime;

    use super::*;

    fn board() -> FaultBoard {
        FaultBoard::new(Arc::new(SimClock::accelerated(
            WallTime::from_secs(1_000),
            1.0,
        )))
    }

    #[test]
    fn a_fault_replaces_its_own_kind_and_leaves_others() {
        let board = board();
        board.set(Fault::Loss { fraction: 0.1 }, None);
        board.set(Fault::Stall, None);
        board.set(Fault::Loss { fraction: 0.2 }, None);
        let fraction = board.find(|fault| match fault {
            Fault::Loss { fraction } => Some(*fraction),
            _ => None,
        });
        assert_eq!(fraction, Some(0.2));
        assert!(board.has(&Fault::Stall));
        board.clear();
        assert!(board.active().is_empty());
    }

    #[test]
    fn a_duration_of_nothing_has_ended() {
        let board = board();
        board.set(Fault::Cut, Some(Duration::ZERO));
        assert!(!board.has(&Fault::Cut));
    }

    #[test]
    fn a_clock_error_grows_while_set_and_stays_when_cleared() {
        let skew = Skew::default().with_rate(0, 200.0);
        assert_eq!(skew.at(10_000_000), 2_000.0);
        let cleared = skew.with_rate(10_000_000, 0.0);
        assert_eq!(cleared.at(99_000_000), 2_000.0);
    }

    #[test]
    fn jumps_add_up_and_are_not_listed() {
        let board = board();
        board.set(Fault::RtpJump { ticks: 100 }, None);
        board.set(Fault::RtpJump { ticks: -30 }, None);
        assert_eq!(board.condition().jumped_ticks(), 70);
        assert!(board.active().is_empty());
    }
}
