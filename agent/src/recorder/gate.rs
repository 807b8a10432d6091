//! Whether a stream is wanted at an instant: mode, schedule, events. Pure.

use std::time::Duration;

use shared::time::WallTime;
use shared::timeline::Reason;
use shared::wire::control::RecordingMode;

use super::RecorderSettings;

/// An event may be told so long after it began and still get its whole pre-roll: detectors look at
/// pictures that are a moment old.
const TOLD_LATE: Duration = Duration::from_secs(5);

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
    /// Not wanted now for this reason; the last `held`, back to a sync sample, is kept in case it
    /// becomes wanted.
    Hold {
        reason: Reason,
        held: Duration,
    },
    /// Nothing is held either.
    Off,
}

#[derive(Debug)]
pub(super) struct Gate {
    settings: RecorderSettings,
    /// The latest event; it is over after its post-roll.
    event: Option<Trigger>,
}

impl Gate {
    pub(super) const fn new(settings: RecorderSettings) -> Self {
        Self {
            settings,
            event: None,
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
        self.event = Some(match self.event {
            // One event with the last, as far as recording goes.
            Some(last) if trigger.from < last.until + self.settings.post_roll => Trigger {
                from: last.from.min(trigger.from),
                until: last.until.max(until),
            },
            _ => Trigger {
                from: trigger.from,
                until,
            },
        });
    }

    /// From when on what is held is wanted, once it is: `now`, or before the event.
    pub(super) fn wanted_from(&self, now: WallTime) -> WallTime {
        match (self.settings.mode, self.event) {
            (RecordingMode::Event, Some(event)) => event.from - self.settings.pre_roll,
            _ => now,
        }
    }

    pub(super) fn wish(&self, at: WallTime) -> Wish {
        match self.settings.mode {
            RecordingMode::Continuous => Wish::Record,
            RecordingMode::Scheduled if self.settings.schedule.is_open(at) => Wish::Record,
            // The GOP at hand is kept, so that recording can begin at once.
            RecordingMode::Scheduled => Wish::Hold {
                reason: Reason::OutsideSchedule,
                held: Duration::ZERO,
            },
            RecordingMode::Event if self.in_event(at) => Wish::Record,
            RecordingMode::Event => Wish::Hold {
                reason: Reason::NoEvent,
                held: self.settings.pre_roll + TOLD_LATE,
            },
            RecordingMode::Off => Wish::Off,
        }
    }

    fn in_event(&self, at: WallTime) -> bool {
        self.event
            .is_some_and(|event| at < event.until + self.settings.post_roll)
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
            held: Duration::from_secs(10),
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
        assert_eq!(gate.wanted_from(at(121)), at(95));
        gate.trigger(Trigger {
            from: at(200),
            until: at(200),
        });
        assert_eq!(gate.wanted_from(at(201)), at(195));
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
