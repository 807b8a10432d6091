//! Whether a stream is wanted at an instant: mode, schedule, events. Pure.

use std::time::Duration;

use shared::time::WallTime;
use shared::timeline::Reason;
use shared::wire::control::RecordingMode;

use super::RecorderSettings;

/// Something happened in view of the camera. An input for detectors and camera inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// When it began.
    pub from: WallTime,
    /// When it ended, or `from` for an instant. One that goes on is sent again with a later end.
    pub until: WallTime,
}

/// What is to be done with a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Record,
    /// Not wanted now for this reason; the last `pre_roll`, back to a sync sample, is held in case
    /// it becomes wanted.
    Hold {
        reason: Reason,
        pre_roll: Duration,
    },
    /// Nothing is held either.
    Off,
}

#[derive(Debug)]
pub(super) struct Gate {
    settings: RecorderSettings,
    /// End of the latest event; an event is over after its post-roll.
    event_until: Option<WallTime>,
}

impl Gate {
    pub(super) const fn new(settings: RecorderSettings) -> Self {
        Self {
            settings,
            event_until: None,
        }
    }

    pub(super) const fn settings(&self) -> &RecorderSettings {
        &self.settings
    }

    pub(super) fn set(&mut self, settings: RecorderSettings) {
        self.settings = settings;
    }

    pub(super) fn trigger(&mut self, trigger: Trigger) {
        let until = trigger.until.max(trigger.from);
        self.event_until = self.event_until.max(Some(until));
    }

    pub(super) fn wish(&self, at: WallTime) -> Wish {
        match self.settings.mode {
            RecordingMode::Continuous => Wish::Record,
            RecordingMode::Scheduled if self.settings.schedule.is_open(at) => Wish::Record,
            // The GOP at hand is kept, so that recording can begin at once.
            RecordingMode::Scheduled => Wish::Hold {
                reason: Reason::OutsideSchedule,
                pre_roll: Duration::ZERO,
            },
            RecordingMode::Event if self.in_event(at) => Wish::Record,
            RecordingMode::Event => Wish::Hold {
                reason: Reason::NoEvent,
                pre_roll: self.settings.pre_roll,
            },
            RecordingMode::Off => Wish::Off,
        }
    }

    fn in_event(&self, at: WallTime) -> bool {
        self.event_until
            .is_some_and(|until| at < until + self.settings.post_roll)
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::config::{Schedule, Window};

    fn at(second: i64) -> WallTime {
        WallTime::from_secs(second)
    }

    fn settings(mode: RecordingMode) -> RecorderSettings {
        RecorderSettings {
            mode,
            pre_roll: Duration::from_secs(5),
            post_roll: Duration::from_secs(10),
            ..RecorderSettings::default()
        }
    }

    #[test]
    fn an_event_lasts_until_its_post_roll_is_over_and_a_later_one_prolongs_it() {
        let mut gate = Gate::new(settings(RecordingMode::Event));
        let hold = Wish::Hold {
            reason: Reason::NoEvent,
            pre_roll: Duration::from_secs(5),
        };
        assert_eq!(gate.wish(at(100)), hold);
        gate.trigger(Trigger {
            from: at(100),
            until: at(102),
        });
        assert_eq!(gate.wish(at(111)), Wish::Record);
        assert_eq!(gate.wish(at(112)), hold);
        gate.trigger(Trigger {
            from: at(111),
            until: at(111),
        });
        gate.trigger(Trigger {
            from: at(105),
            until: at(105),
        });
        assert_eq!(gate.wish(at(120)), Wish::Record);
        assert_eq!(gate.wish(at(121)), hold);
    }

    #[test]
    fn modes_change_at_run_time() {
        let mut gate = Gate::new(settings(RecordingMode::Continuous));
        assert_eq!(gate.wish(at(0)), Wish::Record);
        gate.set(settings(RecordingMode::Off));
        assert_eq!(gate.wish(at(0)), Wish::Off);
        let window = Window {
            days: Vec::new(),
            from: "00:00".parse().unwrap(),
            to: "01:00".parse().unwrap(),
        };
        gate.set(RecorderSettings {
            schedule: Schedule::new(vec![window], TimeZone::UTC),
            ..settings(RecordingMode::Scheduled)
        });
        assert!(matches!(
            gate.wish(at(0)),
            Wish::Hold {
                reason: Reason::OutsideSchedule,
                ..
            }
        ));
    }
}
