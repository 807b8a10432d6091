//! Weekly time windows in the site's local time. Pure; used for recording schedules and for upload
//! windows and limits.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use serde::Deserialize;
use shared::time::WallTime;

/// A stretch of each of some days.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The days on which it begins; all of them when left out.
    #[serde(default = "Day::all")]
    pub days: Vec<Day>,
    /// When it begins, such as `07:00`.
    pub from: Time,
    /// When it ends, on the next day if that is not after `from`; equal times mean a whole day.
    pub to: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Day {
    fn all() -> Vec<Self> {
        vec![
            Self::Mon,
            Self::Tue,
            Self::Wed,
            Self::Thu,
            Self::Fri,
            Self::Sat,
            Self::Sun,
        ]
    }

    const fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Monday,
            Self::Tue => Weekday::Tuesday,
            Self::Wed => Weekday::Wednesday,
            Self::Thu => Weekday::Thursday,
            Self::Fri => Weekday::Friday,
            Self::Sat => Weekday::Saturday,
            Self::Sun => Weekday::Sunday,
        }
    }
}

impl Window {
    /// Whether `now` lies in it, by the clock on the wall in `zone`. The beginning belongs to the
    /// window, the end does not.
    pub fn contains(&self, now: WallTime, zone: &TimeZone) -> bool {
        let Ok(now) = jiff::Timestamp::from_microsecond(now.as_micros()) else {
            return false;
        };
        let local = now.to_zoned(zone.clone());
        let (day, time) = (local.weekday(), local.time());
        if self.from < self.to {
            self.begins_on(day) && self.from <= time && time < self.to
        } else {
            (self.begins_on(day) && self.from <= time)
                || (self.begins_on(day.previous()) && time < self.to)
        }
    }

    fn begins_on(&self, day: Weekday) -> bool {
        self.days.iter().any(|listed| listed.weekday() == day)
    }
}

/// Any of several windows, in one time zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    windows: Vec<Window>,
    zone: TimeZone,
}

impl Schedule {
    pub const fn new(windows: Vec<Window>, zone: TimeZone) -> Self {
        Self { windows, zone }
    }

    /// Whether one of the windows contains `now`. Without windows never.
    pub fn is_open(&self, now: WallTime) -> bool {
        self.windows
            .iter()
            .any(|window| window.contains(now, &self.zone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> WallTime {
        WallTime::from_rfc3339(text).unwrap()
    }

    fn schedule(days: &[Day], from: &str, to: &str) -> Schedule {
        let window = Window {
            days: days.to_vec(),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
        };
        Schedule::new(vec![window], TimeZone::get("Asia/Dubai").unwrap())
    }

    #[test]
    fn a_window_is_open_from_its_first_instant_to_before_its_last_in_local_time() {
        // 2026-03-02 is a Monday; Dubai is four hours ahead of UTC.
        let office = schedule(&[Day::Mon], "07:00", "19:00");
        assert!(!office.is_open(at("2026-03-02T02:59:59Z")));
        assert!(office.is_open(at("2026-03-02T03:00:00Z")));
        assert!(office.is_open(at("2026-03-02T14:59:59Z")));
        assert!(!office.is_open(at("2026-03-02T15:00:00Z")));
        assert!(!office.is_open(at("2026-03-03T10:00:00Z")));
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_begins_on() {
        let night = schedule(&[Day::Mon], "22:00", "06:00");
        assert!(!night.is_open(at("2026-03-02T01:00:00+04:00")));
        assert!(night.is_open(at("2026-03-02T23:00:00+04:00")));
        assert!(night.is_open(at("2026-03-03T05:59:00+04:00")));
        assert!(!night.is_open(at("2026-03-03T06:00:00+04:00")));
        assert!(!night.is_open(at("2026-03-03T23:00:00+04:00")));
    }

    #[test]
    fn equal_times_are_a_whole_day_and_no_window_is_never() {
        let sunday = schedule(&[Day::Sun], "00:00", "00:00");
        assert!(sunday.is_open(at("2026-03-08T00:00:00+04:00")));
        assert!(sunday.is_open(at("2026-03-08T23:59:59+04:00")));
        assert!(!sunday.is_open(at("2026-03-09T00:00:00+04:00")));
        assert!(!Schedule::new(Vec::new(), TimeZone::UTC).is_open(WallTime::from_secs(0)));
    }
}
