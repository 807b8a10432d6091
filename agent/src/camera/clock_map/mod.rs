//! Which instant a picture shows: camera media time to wall time. Pure; `design/time.md` explains.
//!
//! Two clocks are compared, the camera's media clock (RTP timestamps) and the host's monotonic one.
//! What arrives can only be late, so the earliest arrivals tell how they relate ([`delay`]); sender
//! reports are the sharpest of them, because they leave without waiting for an encoder. The host's
//! wall clock is the product's wall time ([`host`]); the camera's own wall clock is only measured.
//!
//! Within a run, wall time follows the camera's media time and is pulled towards the estimate by at
//! most [`MAX_SLEW_PPM`]. What cannot be slewed away ends the run ([`Break`]).

pub(super) mod delay;
mod host;

use std::time::Duration;

use shared::time::{Ticks90k, WallTime};
use shared::timeline::Reason;

use self::delay::Delay;
use self::host::HostClock;

/// How much faster or slower than the camera's media time wall time may run within a run.
pub(super) const MAX_SLEW_PPM: i64 = 500;

/// Pictures may be shown this much earlier than one that came before them: where pictures are
/// reordered, and where they are not and timestamps are merely sloppy.
const MAX_REORDER: Ticks90k = Ticks90k::from_millis(1_000);
const MAX_SLOPPINESS: Ticks90k = Ticks90k::from_millis(100);

/// Something that arrives this much before it can have been captured says that the camera's clock
/// jumped forward.
const JUMP_US: i64 = 1_000_000;

/// Wall time this far from the estimate is given up and begun anew with the next sync sample.
const MAX_LAG_US: i64 = 2_000_000;

/// How long every arrival must have been late by more than [`MAX_LAG_US`] before the camera's clock
/// is said to have been held up, and not the network.
const HELD_UP: Duration = Duration::from_secs(10);

/// How sure wall time can be at best: scheduling of camera and host.
const UNCERTAINTY_FLOOR_US: u64 = 1_000;

/// Both clocks of the host, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Now {
    pub(super) monotonic: Duration,
    pub(super) wall: WallTime,
}

/// Why the mapping cannot go on as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Break {
    pub(super) reason: Reason,
    /// For the technician.
    pub(super) detail: String,
    /// Whether the next sync sample is early enough: media time is unbroken, only its relation to
    /// wall time is to be renewed.
    pub(super) can_wait: bool,
}

/// The mapping for one session with one stream of a camera.
#[derive(Debug)]
pub(super) struct ClockMap {
    host: HostClock,
    delay: Delay,
    reports: Option<Reports>,
    /// A report that came before the first picture; believed or not when that is here.
    early_report: Option<(Ticks90k, WallTime, Now)>,
    run: Option<RunClock>,
    /// The newest picture in presentation order since the last break.
    newest: Option<Ticks90k>,
    /// Since when every arrival has been too late.
    late_since: Option<Duration>,
}

/// What the sender reports of this session say.
#[derive(Clone, Copy, Debug)]
struct Reports {
    /// Of the newest one.
    media: Ticks90k,
    ntp: WallTime,
    arrived: Duration,
    /// The least `arrival - camera wall clock` since the camera's wall clock last stepped, both in
    /// microseconds of their own origins.
    least_lead_us: i64,
    /// The least difference in delay seen between two reports next to each other; `None` after
    /// one report.
    spread_us: Option<u64>,
    last_delay_us: i64,
}

/// Wall time within a run: media time plus what has been slewed so far.
#[derive(Clone, Copy, Debug)]
struct RunClock {
    /// Whether pictures may come out of their presentation order.
    reorders: bool,
    origin: Ticks90k,
    origin_wall: WallTime,
    /// The newest picture; slewing happens between it and the next.
    newest: Ticks90k,
    slewed_ns: i64,
}

impl ClockMap {
    pub(super) fn new(now: Now) -> Self {
        Self {
            host: HostClock::new(now),
            delay: Delay::default(),
            reports: None,
            early_report: None,
            run: None,
            newest: None,
            late_since: None,
        }
    }

    /// Takes note of a picture's arrival.
    ///
    /// # Errors
    /// The mapping broke: end the run, and [`ClockMap::begin_run`] anew with this picture, or with
    /// the next sync sample where the break can wait.
    pub(super) fn picture(&mut self, pts: Ticks90k, now: Now) -> Result<(), Break> {
        self.check_host(now)?;
        if let Some(newest) = self.newest
            && pts < newest - self.tolerance()
        {
            let by = (newest - pts).as_secs_f64();
            self.rebase(pts, now);
            return Err(jump(format!(
                "the camera's timestamps jumped back by {by:.3} s"
            )));
        }
        let delay_us = micros(now.monotonic) - pts.to_micros();
        if let Some(early_us) = self.delay.too_early(delay_us, now.monotonic)
            && self.run.is_some()
            && early_us > JUMP_US
        {
            self.rebase(pts, now);
            let by = seconds(early_us);
            return Err(jump(format!(
                "the camera's timestamps jumped ahead by {by:.3} s"
            )));
        }
        self.delay.picture(delay_us, now.monotonic);
        self.newest = Some(self.newest.map_or(pts, |newest| newest.max(pts)));
        if let Some((media, ntp, then)) = self.early_report.take() {
            self.take_report(media, ntp, then);
        }
        self.check_lag(delay_us, now)
    }

    /// Takes note of a sender report (RFC 3550 section 6.4.1): at `media` of its media clock the
    /// camera's wall clock showed `ntp`.
    ///
    /// # Errors
    /// The mapping broke, as for a picture.
    pub(super) fn report(&mut self, media: Ticks90k, ntp: WallTime, now: Now) -> Result<(), Break> {
        self.check_host(now)?;
        if self.newest.is_none() {
            self.early_report = Some((media, ntp, now));
            return Ok(());
        }
        if !self.take_report(media, ntp, now) || self.run.is_none() {
            return Ok(());
        }
        self.delay
            .forget_to(micros(now.monotonic) - media.to_micros(), now.monotonic);
        Err(Break {
            can_wait: true,
            ..jump("the camera's media clock slipped against its own wall clock".to_owned())
        })
    }

    /// Whether the report says that the media clock slipped.
    fn take_report(&mut self, media: Ticks90k, ntp: WallTime, now: Now) -> bool {
        let delay_us = micros(now.monotonic) - media.to_micros();
        if !self.delay.believes(delay_us, now.monotonic) {
            // Some cameras send reports whose media time has nothing to do with that of pictures.
            self.reports = None;
            return false;
        }
        let slipped = self
            .reports
            .is_some_and(|before| before.slipped(media, ntp, now));
        self.delay.report(delay_us, now.monotonic);
        self.reports = Some(match self.reports {
            Some(before) => before.and(media, ntp, now, delay_us),
            None => Reports::first(media, ntp, now, delay_us),
        });
        slipped
    }

    /// Begins a run whose first picture is `pts`; its wall time. `reorders`: whether later pictures
    /// may be shown before earlier ones.
    pub(super) fn begin_run(&mut self, pts: Ticks90k, reorders: bool, now: Now) -> WallTime {
        self.late_since = None;
        self.newest = Some(pts);
        let origin_wall = self.estimate(pts, now);
        self.run = Some(RunClock {
            reorders,
            origin: pts,
            origin_wall,
            newest: pts,
            slewed_ns: 0,
        });
        origin_wall
    }

    /// Wall time of a picture of the run; slews towards the estimate.
    pub(super) fn wall(&mut self, pts: Ticks90k, now: Now) -> WallTime {
        let estimate = self.estimate(pts, now);
        match &mut self.run {
            Some(run) => run.advance(pts, estimate),
            None => estimate,
        }
    }

    /// Wall time of any instant of the run's media time, as things stand; does not slew.
    pub(super) fn wall_of(&self, pts: Ticks90k) -> WallTime {
        self.run.map_or(WallTime::MIN, |run| run.wall(pts))
    }

    /// The least `arrival - media time`, in microseconds.
    pub(super) fn least_delay_us(&self, now: Now) -> i64 {
        self.delay.least(now.monotonic).unwrap_or_default()
    }

    /// How far wall times may be from the truth, in microseconds; `None` while no usable sender
    /// report came.
    pub(super) fn uncertainty_us(&self, now: Now) -> Option<u64> {
        let reports = self.reports?;
        let age = now.monotonic.saturating_sub(reports.arrived);
        let drift_us = delay::leak_us(age).unsigned_abs();
        let lag_us = self.run.map_or(0, |run| {
            let estimate = self.estimate(run.newest, now);
            run.wall(run.newest).micros_since(estimate).unsigned_abs()
        });
        let spread_us = reports
            .spread_us
            .unwrap_or_else(|| self.delay.picture_excess_us());
        Some(UNCERTAINTY_FLOOR_US + spread_us + drift_us + lag_us)
    }

    /// The camera's wall clock minus the host's, in microseconds, where sender reports tell it.
    pub(super) fn camera_offset_us(&self) -> Option<i64> {
        self.reports
            .map(|reports| -reports.least_lead_us.saturating_add(self.host.base_us()))
    }

    /// Where the earliest arrivals put `pts` in wall time.
    fn estimate(&self, pts: Ticks90k, now: Now) -> WallTime {
        let delay_us = self
            .delay
            .least(now.monotonic)
            .unwrap_or_else(|| micros(now.monotonic) - pts.to_micros());
        WallTime::from_micros(pts.to_micros() + delay_us + self.host.base_us())
    }

    fn tolerance(&self) -> Ticks90k {
        match self.run {
            Some(run) if !run.reorders => MAX_SLOPPINESS,
            Some(_) | None => MAX_REORDER,
        }
    }

    fn check_host(&mut self, now: Now) -> Result<(), Break> {
        let Some(by_us) = self.host.stepped(now) else {
            return Ok(());
        };
        if self.run.take().is_none() {
            return Ok(());
        }
        Err(Break {
            reason: Reason::HostClockStepped,
            detail: format!("the host's clock was set by {:+.3} s", seconds(by_us)),
            can_wait: false,
        })
    }

    /// Whether wall time can still follow by slewing.
    fn check_lag(&mut self, delay_us: i64, now: Now) -> Result<(), Break> {
        let late_us = self
            .delay
            .least(now.monotonic)
            .map_or(0, |least| delay_us - least);
        if late_us <= MAX_LAG_US {
            self.late_since = None;
        }
        let late_since = match late_us > MAX_LAG_US {
            true => *self.late_since.get_or_insert(now.monotonic),
            false => now.monotonic,
        };
        let Some(run) = self.run else { return Ok(()) };
        let held_up = now.monotonic.saturating_sub(late_since) >= HELD_UP;
        // Reports that came meanwhile and agree with the camera's own clock blame the network.
        let network = self
            .reports
            .is_some_and(|reports| reports.arrived > late_since);
        if held_up && !network {
            self.delay.forget_to(delay_us, now.monotonic);
            return Err(Break {
                can_wait: true,
                ..jump(format!(
                    "the camera's media clock stood still for {:.3} s",
                    seconds(late_us)
                ))
            });
        }
        let lag_us = run
            .wall(run.newest)
            .micros_since(self.estimate(run.newest, now));
        if lag_us.abs() > MAX_LAG_US {
            return Err(Break {
                can_wait: true,
                ..jump(format!(
                    "wall time was {:+.3} s off and could not be slewed back in time",
                    seconds(lag_us)
                ))
            });
        }
        Ok(())
    }

    /// After a jump: media time means something else now, delays are as they were.
    fn rebase(&mut self, pts: Ticks90k, now: Now) {
        self.delay
            .rebase(micros(now.monotonic) - pts.to_micros(), now.monotonic);
        self.reports = None;
        self.run = None;
        self.newest = Some(pts);
    }
}

impl Reports {
    fn first(media: Ticks90k, ntp: WallTime, now: Now, delay_us: i64) -> Self {
        Self {
            media,
            ntp,
            arrived: now.monotonic,
            least_lead_us: micros(now.monotonic) - ntp.as_micros(),
            spread_us: None,
            last_delay_us: delay_us,
        }
    }

    fn and(self, media: Ticks90k, ntp: WallTime, now: Now, delay_us: i64) -> Self {
        let lead_us = micros(now.monotonic).saturating_sub(ntp.as_micros());
        let elapsed = now.monotonic.saturating_sub(self.arrived);
        let stepped = lead_us.abs_diff(self.least_lead_us) > JUMP_US.unsigned_abs();
        let spread_us = delay_us.abs_diff(self.last_delay_us);
        Self {
            media,
            ntp,
            arrived: now.monotonic,
            least_lead_us: match stepped {
                true => lead_us,
                false => lead_us.min(self.least_lead_us + delay::leak_us(elapsed)),
            },
            // May rise again slowly: a network that was good once need not stay so.
            spread_us: Some(
                self.spread_us
                    .map_or(spread_us, |known| spread_us.min(known + known / 8 + 1)),
            ),
            last_delay_us: delay_us,
        }
    }

    /// Whether media time and camera wall time went apart since the last report, and arrivals say
    /// that it was the media clock's fault.
    fn slipped(self, media: Ticks90k, ntp: WallTime, now: Now) -> bool {
        let media_us = (media - self.media).to_micros();
        let by_camera_us = ntp.micros_since(self.ntp).saturating_sub(media_us);
        let by_host_us =
            micros(now.monotonic.saturating_sub(self.arrived)).saturating_sub(media_us);
        by_camera_us.abs() > JUMP_US
            && by_camera_us.abs_diff(by_host_us) < by_camera_us.unsigned_abs() / 2
    }
}

impl RunClock {
    fn wall(&self, pts: Ticks90k) -> WallTime {
        self.origin_wall
            .offset_micros((pts - self.origin).to_micros() + self.slewed_ns / 1_000)
    }

    fn advance(&mut self, pts: Ticks90k, estimate: WallTime) -> WallTime {
        if pts > self.newest {
            let elapsed_us = (pts - self.newest).to_micros();
            let most_ns = elapsed_us.saturating_mul(MAX_SLEW_PPM) / 1_000;
            let wanted_ns = estimate.micros_since(self.wall(pts)).saturating_mul(1_000);
            self.slewed_ns += wanted_ns.clamp(-most_ns, most_ns);
            self.newest = pts;
        }
        self.wall(pts)
    }
}

fn jump(detail: String) -> Break {
    Break {
        reason: Reason::CameraClockJumped,
        detail,
        can_wait: false,
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn seconds(micros: i64) -> f64 {
    Ticks90k::from_micros(micros).as_secs_f64()
}

#[cfg(test)]
mod tests;
