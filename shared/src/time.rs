//! Times and the conversions between them; the only place where units convert.
//!
//! The product has three times (`design/time.md`):
//! - **media time**, [`Ticks90k`]: the camera's own clock, counted from the start of a run;
//! - **wall time**, [`WallTime`]: when it happened, microseconds of UTC, slewed within a run and
//!   never jumped;
//! - **now**: a [`WallTime`] or an `Instant` passed in by the caller. Nothing in this crate asks
//!   for the time.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Ticks per second of [`Ticks90k`], the RTP clock rate of every video format (RFC 3551 section 5).
pub const TICKS_PER_SECOND: i64 = 90_000;

/// Media time or a media duration, in 90 kHz ticks.
///
/// Wide enough for 3 million years, so sums inside a run saturate instead of wrapping.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Ticks90k(i64);

impl Ticks90k {
    pub const ZERO: Self = Self(0);
    pub const SECOND: Self = Self(TICKS_PER_SECOND);

    pub const fn new(ticks_90k: i64) -> Self {
        Self(ticks_90k)
    }

    pub const fn get(self) -> i64 {
        self.0
    }

    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(90))
    }

    /// Rounds down to whole ticks.
    pub fn from_duration(duration: Duration) -> Self {
        let ticks =
            duration.as_nanos() * u128::from(TICKS_PER_SECOND.cast_unsigned()) / 1_000_000_000;
        Self(i64::try_from(ticks).unwrap_or(i64::MAX))
    }

    /// `None` for a negative number of ticks.
    pub fn to_duration(self) -> Option<Duration> {
        let micros = u64::try_from(self.to_micros()).ok()?;
        Some(Duration::from_micros(micros))
    }

    /// Rounds towards zero to whole microseconds.
    pub const fn to_micros(self) -> i64 {
        // 100/9 µs per tick; split so that a large count cannot overflow on the way.
        (self.0 / 9)
            .saturating_mul(100)
            .saturating_add((self.0 % 9) * 100 / 9)
    }

    /// Rounds to the nearest tick.
    pub const fn from_micros(micros: i64) -> Self {
        let whole = (micros / 100).saturating_mul(9);
        let rest = micros % 100 * 9;
        let rest = if rest >= 0 {
            (rest + 50) / 100
        } else {
            (rest - 50) / 100
        };
        Self(whole.saturating_add(rest))
    }

    pub fn as_secs_f64(self) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "display only: 2^53 ticks are 3,000 years"
        )]
        let ticks = self.0 as f64;
        ticks / 90_000.0
    }

    pub const fn saturating_abs(self) -> Self {
        Self(self.0.saturating_abs())
    }
}

impl Add for Ticks90k {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Ticks90k {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// From 1900-01-01 to 1970-01-01.
const NTP_TO_UNIX_SECONDS: i64 = 2_208_988_800;
/// After so many seconds the 32 bits of an NTP timestamp begin anew.
const NTP_ERA_SECONDS: i64 = 1 << 32;
/// Smaller second counts are read as belonging to the next era.
const NTP_PIVOT_SECONDS: i64 = 1 << 31;

/// Wall time: microseconds of UTC since 1970-01-01 (leap seconds not counted, as in POSIX).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WallTime(i64);

impl WallTime {
    pub const MIN: Self = Self(i64::MIN);
    pub const MAX: Self = Self(i64::MAX);

    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn as_micros(self) -> i64 {
        self.0
    }

    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Moved by a signed number of microseconds.
    #[must_use]
    pub const fn offset_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// `self - earlier` in microseconds; negative when `earlier` is later.
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Zero when `earlier` is in fact later.
    pub fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.micros_since(earlier)).unwrap_or(0))
    }

    /// As a 64-bit NTP timestamp (RFC 5905 section 6): seconds since 1900 in the upper half, their
    /// fraction in the lower. `None` outside 1968-01-20 to 2104-02-26, the 136 years that
    /// [`WallTime::from_ntp`] can tell apart.
    pub const fn to_ntp(self) -> Option<u64> {
        let seconds = self.0.div_euclid(1_000_000) + NTP_TO_UNIX_SECONDS;
        if seconds < NTP_PIVOT_SECONDS || seconds >= NTP_PIVOT_SECONDS + NTP_ERA_SECONDS {
            return None;
        }
        let micros = self.0.rem_euclid(1_000_000).cast_unsigned();
        let fraction = ((micros << 32) + 500_000) / 1_000_000;
        // The shift drops the era, which the pivot restores.
        Some((seconds.cast_unsigned() << 32) | fraction)
    }

    /// From a 64-bit NTP timestamp, to the nearest microsecond. Seconds with the first bit clear
    /// belong to the era that begins in 2036 (RFC 4330 section 3).
    pub const fn from_ntp(ntp: u64) -> Self {
        let seconds = (ntp >> 32).cast_signed();
        let era = if seconds < NTP_PIVOT_SECONDS {
            NTP_ERA_SECONDS
        } else {
            0
        };
        let micros = ((ntp & 0xffff_ffff) * 1_000_000 + (1 << 31)) >> 32;
        Self((seconds + era - NTP_TO_UNIX_SECONDS) * 1_000_000 + micros.cast_signed())
    }

    /// RFC 3339 with millisecond precision and `Z`, as playlists and JSON show it.
    pub fn to_rfc3339(self) -> String {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(timestamp) => format!("{timestamp:.3}"),
            Err(_) => format!("{} µs", self.0),
        }
    }

    /// Parses RFC 3339 with any offset.
    ///
    /// # Errors
    /// The text is not a date and time with an offset.
    pub fn from_rfc3339(text: &str) -> Result<Self, TimeError> {
        text.parse::<jiff::Timestamp>()
            .map(|timestamp| Self(timestamp.as_microsecond()))
            .map_err(|_| TimeError::NotATimestamp {
                text: text.chars().take(64).collect(),
            })
    }
}

impl Add<Duration> for WallTime {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)),
        )
    }
}

impl Sub<Duration> for WallTime {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)),
        )
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

impl fmt::Debug for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A half-open stretch of wall time, `start <= t < end`. Never negative; may be empty.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawRange")]
pub struct TimeRange {
    start: WallTime,
    end: WallTime,
}

#[derive(Deserialize)]
struct RawRange {
    start: WallTime,
    end: WallTime,
}

impl TryFrom<RawRange> for TimeRange {
    type Error = TimeError;
    fn try_from(raw: RawRange) -> Result<Self, TimeError> {
        Self::new(raw.start, raw.end)
    }
}

impl TimeRange {
    /// # Errors
    /// `end` lies before `start`.
    pub fn new(start: WallTime, end: WallTime) -> Result<Self, TimeError> {
        if end < start {
            return Err(TimeError::EndBeforeStart { start, end });
        }
        Ok(Self { start, end })
    }

    /// From `start` for `duration`.
    pub fn starting_at(start: WallTime, duration: Duration) -> Self {
        Self {
            start,
            end: start + duration,
        }
    }

    pub const fn start(&self) -> WallTime {
        self.start
    }

    pub const fn end(&self) -> WallTime {
        self.end
    }

    pub fn duration(&self) -> Duration {
        self.end.saturating_duration_since(self.start)
    }

    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub fn contains(&self, time: WallTime) -> bool {
        self.start <= time && time < self.end
    }

    /// The shared part, or `None` when there is none (touching ends share nothing).
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let start = self.start.max(other.start);
        let end = self.end.min(other.end);
        (start < end).then_some(Self { start, end })
    }
}

impl fmt::Debug for TimeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// Why a time or a range was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TimeError {
    #[error("a range cannot end at {end} before it starts at {start}")]
    EndBeforeStart { start: WallTime, end: WallTime },
    #[error("`{text}` is not a date and time with an offset, such as 2026-03-01T14:00:00Z")]
    NotATimestamp { text: String },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc3339_shows_milliseconds_and_reads_offsets() {
        let time = WallTime::from_rfc3339("2026-03-01T18:00:00.25+04:00").unwrap();
        assert_eq!(time.to_rfc3339(), "2026-03-01T14:00:00.250Z");
        assert!(WallTime::from_rfc3339("2026-03-01 14:00").is_err());
    }

    #[test]
    fn ntp_has_its_epoch_in_1900_and_begins_anew_in_2036() {
        let ntp = |text| WallTime::from_rfc3339(text).unwrap().to_ntp();
        assert_eq!(ntp("1970-01-01T00:00:00Z"), Some(2_208_988_800 << 32));
        assert_eq!(ntp("2036-02-07T06:28:16.5Z"), Some(1 << 31));
        assert_eq!(ntp("1968-01-20T03:14:07Z"), None);
        assert_eq!(ntp("2104-02-26T09:42:24Z"), None);
    }

    #[test]
    fn a_range_that_ends_before_it_starts_is_refused_in_code_and_in_json() {
        let (one, two) = (WallTime::from_secs(1), WallTime::from_secs(2));
        assert!(TimeRange::new(two, one).is_err());
        assert!(serde_json::from_str::<TimeRange>(r#"{"start":2,"end":1}"#).is_err());
        assert!(serde_json::from_str::<TimeRange>(r#"{"start":1,"end":2}"#).is_ok());
    }

    proptest! {
        #[test]
        fn ticks_survive_a_trip_through_microseconds(ticks in -1_000_000_000_000_i64..1_000_000_000_000) {
            prop_assert_eq!(Ticks90k::from_micros(Ticks90k::new(ticks).to_micros()), Ticks90k::new(ticks));
        }

        #[test]
        fn ntp_keeps_the_microsecond(micros in -61_505_152_000_000_i64..4_233_462_144_000_000) {
            let time = WallTime::from_micros(micros);
            prop_assert_eq!(time.to_ntp().map(WallTime::from_ntp), Some(time));
        }

        #[test]
        fn no_count_is_too_large_to_convert(value in any::<i64>()) {
            let _ = Ticks90k::new(value).to_micros();
            let _ = Ticks90k::from_micros(value);
        }

        #[test]
        fn intersection_is_inside_both(a in 0_i64..100, b in 0_i64..100, c in 0_i64..100, d in 0_i64..100) {
            let range = |x: i64, y: i64| TimeRange::new(WallTime::from_secs(x.min(y)), WallTime::from_secs(x.max(y))).unwrap();
            let (left, right) = (range(a, b), range(c, d));
            match left.intersection(&right) {
                Some(both) => {
                    prop_assert!(!both.is_empty());
                    prop_assert!(left.start() <= both.start() && both.end() <= left.end());
                    prop_assert!(right.start() <= both.start() && both.end() <= right.end());
                }
                None => prop_assert!(left.end() <= right.start() || right.end() <= left.start() || left.is_empty() || right.is_empty()),
            }
        }
    }
}
