//! From the items of a session to runs with wall times: where a run begins and ends, what is
//! missing in it, when each picture is decoded and which instant it shows. Pure: takes items and
//! both clocks of the host, gives events.
//!
//! A session begins by *settling*: the first pictures are held back until a sender report or half a
//! second of arrivals has told how late they are, because cameras like to send old pictures first
//! and fast.

mod cadence;
mod sound;

use std::sync::Arc;
use std::time::Duration;

use shared::codec::{AudioParameters, StreamParameters, VideoParameters};
use shared::dts::DtsGenerator;
use shared::id::{CameraId, RunId};
use shared::sample::Sample;
use shared::segment::StreamKind;
use shared::time::{Ticks90k, WallTime};
use shared::timeline::Reason;

use self::cadence::Cadence;
use self::sound::SoundClock;
use super::clock_map::{Break, ClockMap, Now};
use super::media::{Event, Run, RunStart};
use super::rtsp::{Picture, Report, Sound, Track};

/// How long the first pictures are held back.
const SETTLING: Duration = Duration::from_millis(500);

/// Payload held back at most.
const SETTLING_BYTES: usize = 32 << 20;

/// How long a run waits for a sync sample to begin with. Streams that refresh the picture bit by
/// bit never send one.
const SYNC_WAIT: Duration = Duration::from_secs(10);

/// How long a break that can wait for a sync sample does wait.
const BREAK_WAIT: Duration = Duration::from_secs(5);

/// What a session's items become.
#[derive(Debug)]
pub(super) struct Runs {
    camera: CameraId,
    stream: StreamKind,
    audio: Option<AudioParameters>,
    clock: ClockMap,
    sound: Option<SoundClock>,
    /// Of the last run of this session.
    interval: Option<Ticks90k>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Waiting for a picture to begin with, since the first that was none.
    Waiting {
        because: RunStart,
        since: Option<Duration>,
    },
    Settling(Settling),
    Running(Running),
}

#[derive(Debug)]
struct Settling {
    because: RunStart,
    since: Duration,
    bytes: usize,
    pictures: Vec<Picture>,
    sounds: Vec<Sound>,
}

#[derive(Debug)]
struct Running {
    run: Arc<Run>,
    /// The video parameters that the session hands out as long as they are those of the run.
    parameters: Arc<VideoParameters>,
    /// Media time zero on the camera's clock.
    origin: Ticks90k,
    dts: DtsGenerator,
    cadence: Cadence,
    /// Wall time of the newest picture in presentation order.
    newest: WallTime,
    broken: Option<(Break, Duration)>,
}

/// What is known of the stream at an instant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) run: Option<RunId>,
    /// Wall time of the newest picture.
    pub(super) newest: Option<WallTime>,
    pub(super) uncertainty_us: Option<u64>,
    pub(super) camera_offset_us: Option<i64>,
    /// How long a picture is usually shown.
    pub(super) interval: Option<Duration>,
}

impl Runs {
    /// For a new session.
    pub(super) fn new(
        camera: CameraId,
        stream: StreamKind,
        audio: Option<AudioParameters>,
        now: Now,
    ) -> Self {
        let sound = audio
            .as_ref()
            .map(|parameters| SoundClock::new(parameters.sample_rate));
        Self {
            camera,
            stream,
            audio,
            clock: ClockMap::new(now),
            sound,
            interval: None,
            state: State::Waiting {
                because: RunStart::Connected,
                since: None,
            },
        }
    }

    /// The next picture in decoding order.
    pub(super) fn picture(&mut self, picture: Picture, now: Now, out: &mut Vec<Event>) {
        if let Err(broken) = self.clock.picture(picture.pts, now) {
            self.note_break(broken, now);
        }
        if let State::Running(running) = &self.state
            && let Some((broken, because)) = running.must_end(&picture, now)
        {
            let continues = because != RunStart::ParametersChanged;
            self.end(broken.reason, Some(broken.detail), out);
            self.state = State::Waiting {
                because,
                since: None,
            };
            if continues {
                self.begin(because, vec![picture], Vec::new(), now, out);
                return;
            }
        }
        match &mut self.state {
            State::Running(_) => self.emit(picture, now, out),
            State::Settling(settling) => {
                settling.bytes += picture.payload.len();
                settling.pictures.push(picture);
                self.settle(now, out);
            }
            State::Waiting { because, since } => {
                let since = *since.get_or_insert(now.monotonic);
                let because = *because;
                let late = now.monotonic.saturating_sub(since) >= SYNC_WAIT;
                if !picture.sync && !late {
                    return;
                }
                if because != RunStart::Connected {
                    // Delays are known from the run before.
                    self.begin(because, vec![picture], Vec::new(), now, out);
                    return;
                }
                self.state = State::Settling(Settling {
                    because,
                    since: now.monotonic,
                    bytes: picture.payload.len(),
                    pictures: vec![picture],
                    sounds: Vec::new(),
                });
                self.settle(now, out);
            }
        }
    }

    /// The next audio frame.
    pub(super) fn sound(&mut self, frame: Sound, now: Now, out: &mut Vec<Event>) {
        let Some(clock) = &mut self.sound else { return };
        clock.arrive(&frame, now);
        match &mut self.state {
            State::Waiting { .. } => {}
            State::Settling(settling) => {
                settling.bytes += frame.payload.len();
                settling.sounds.push(frame);
                self.settle(now, out);
            }
            State::Running(running) => {
                let delay_us = self.clock.least_delay_us(now);
                let placed = clock.place(frame, running.origin, delay_us, now.monotonic);
                out.extend(placed.map(Event::Audio));
            }
        }
    }

    /// A sender report of either track.
    pub(super) fn report(&mut self, report: Report, now: Now, out: &mut Vec<Event>) {
        let sound = self.sound.as_mut();
        match report.track {
            Track::Audio => {
                if let Some(sound) = sound {
                    sound.audio_report(report.at, report.ntp);
                }
            }
            Track::Video => {
                let at = Ticks90k::new(report.at);
                if let Some(sound) = sound {
                    sound.video_report(at, report.ntp);
                }
                if let Err(broken) = self.clock.report(at, report.ntp, now) {
                    self.note_break(broken, now);
                }
            }
        }
        self.settle(now, out);
    }

    /// Begins the run if enough is known.
    pub(super) fn settle(&mut self, now: Now, out: &mut Vec<Event>) {
        let State::Settling(settling) = &self.state else {
            return;
        };
        let reorders = settling
            .pictures
            .first()
            .is_some_and(|picture| picture.parameters.reorder_frames > 0);
        let reported =
            self.clock.uncertainty_us(now).is_some() && (!reorders || settling.pictures.len() >= 4);
        let waited = now.monotonic.saturating_sub(settling.since) >= SETTLING;
        if !(reported || waited || settling.bytes > SETTLING_BYTES) {
            return;
        }
        let waiting = State::Waiting {
            because: settling.because,
            since: None,
        };
        if let State::Settling(settling) = std::mem::replace(&mut self.state, waiting) {
            self.begin(
                settling.because,
                settling.pictures,
                settling.sounds,
                now,
                out,
            );
        }
    }

    /// The session is over, or the stream is no longer wanted.
    pub(super) fn end(&mut self, reason: Reason, detail: Option<String>, out: &mut Vec<Event>) {
        if let State::Running(running) = &self.state {
            self.interval = Some(running.cadence.interval());
            out.push(Event::RunEnded {
                at: running.end(),
                reason,
                detail,
            });
        }
        self.state = State::Waiting {
            because: RunStart::Connected,
            since: None,
        };
    }

    pub(super) fn standing(&self, now: Now) -> Standing {
        let running = match &self.state {
            State::Running(running) => Some(running),
            State::Waiting { .. } | State::Settling(_) => None,
        };
        Standing {
            run: running.map(|running| running.run.id),
            newest: running.map(|running| running.newest),
            uncertainty_us: self.clock.uncertainty_us(now),
            camera_offset_us: self.clock.camera_offset_us(),
            interval: running.and_then(|running| running.cadence.interval().to_duration()),
        }
    }

    /// A run with these pictures, the first of which is the first to be decoded.
    fn begin(
        &mut self,
        because: RunStart,
        pictures: Vec<Picture>,
        sounds: Vec<Sound>,
        now: Now,
        out: &mut Vec<Event>,
    ) {
        let Some(first) = pictures.first() else {
            return;
        };
        let interval = Cadence::guess(pictures.iter().map(|picture| picture.pts))
            .or(self.interval)
            .unwrap_or(cadence::GUESS);
        let reorder_frames = first.parameters.reorder_frames;
        let dts = DtsGenerator::new(reorder_frames, interval);
        let origin_wall = self.clock.begin_run(first.pts, reorder_frames > 0, now);
        let run = Arc::new(Run {
            id: RunId::new(now.wall),
            camera: self.camera,
            stream: self.stream,
            parameters: Arc::new(StreamParameters {
                video: (*first.parameters).clone(),
                audio: self.audio.clone(),
            }),
            origin: origin_wall,
            wall_uncertainty_us: self.clock.uncertainty_us(now),
            started_because: because,
        });
        out.push(Event::RunStarted(Arc::clone(&run)));
        if let Some(sound) = &mut self.sound {
            sound.begin_run();
        }
        self.state = State::Running(Running {
            run,
            parameters: Arc::clone(&first.parameters),
            origin: first.pts - dts.lead(),
            dts,
            cadence: Cadence::new(interval),
            newest: origin_wall,
            broken: None,
        });
        for picture in pictures {
            self.picture_again(picture, now, out);
        }
        for frame in sounds {
            self.sound_again(frame, now, out);
        }
    }

    /// A picture whose arrival is known to the clock already.
    fn picture_again(&mut self, picture: Picture, now: Now, out: &mut Vec<Event>) {
        match &self.state {
            State::Running(running) if !running.has_other_parameters(&picture) => {
                self.emit(picture, now, out);
            }
            _ => self.picture(picture, now, out),
        }
    }

    fn sound_again(&mut self, frame: Sound, now: Now, out: &mut Vec<Event>) {
        if let (State::Running(running), Some(clock)) = (&self.state, &mut self.sound) {
            let delay_us = self.clock.least_delay_us(now);
            let placed = clock.place(frame, running.origin, delay_us, now.monotonic);
            out.extend(placed.map(Event::Audio));
        }
    }

    fn emit(&mut self, picture: Picture, now: Now, out: &mut Vec<Event>) {
        let State::Running(running) = &mut self.state else {
            return;
        };
        let wall = self.clock.wall(picture.pts, now);
        let pts = picture.pts - running.origin;
        let dts = running.dts.next(pts).dts;
        let lost = running.missing_before(dts, picture.lost_packets > 0);
        if let Some((from, to, reason)) = lost {
            // Decoding times stand in for presentation times here: they have the same holes, and no
            // pictures out of turn.
            let shift = pts - dts;
            let at = |ticks| self.clock.wall_of(running.origin + ticks + shift);
            out.push(Event::Lost {
                from: at(from),
                to: at(to),
                reason,
            });
        }
        running.newest = running.newest.max(wall);
        out.push(Event::Video {
            sample: Sample {
                pts,
                dts,
                sync: picture.sync,
                payload: picture.payload,
            },
            wall,
        });
    }

    fn note_break(&mut self, broken: Break, now: Now) {
        match &mut self.state {
            State::Running(running) => match &running.broken {
                Some((known, _)) if known.can_wait == broken.can_wait || !known.can_wait => {}
                _ => running.broken = Some((broken, now.monotonic)),
            },
            // What was held back is of before the jump.
            State::Settling(settling) => {
                self.state = State::Waiting {
                    because: settling.because,
                    since: None,
                };
            }
            State::Waiting { .. } => {}
        }
    }
}

impl Running {
    /// Why the run ends before this picture, if it does.
    fn must_end(&self, picture: &Picture, now: Now) -> Option<(Break, RunStart)> {
        if self.has_other_parameters(picture) {
            let (old, new) = (&self.parameters, &picture.parameters);
            let broken = Break {
                reason: Reason::CameraParametersChanged,
                detail: format!(
                    "the camera changed from {} {}×{} to {} {}×{}",
                    old.rfc6381, old.width, old.height, new.rfc6381, new.width, new.height
                ),
                can_wait: false,
            };
            return Some((broken, RunStart::ParametersChanged));
        }
        let (broken, since) = self.broken.as_ref()?;
        let waited = now.monotonic.saturating_sub(*since) >= BREAK_WAIT;
        if broken.can_wait && !picture.sync && !waited {
            return None;
        }
        let because = match broken.reason {
            Reason::HostClockStepped => RunStart::HostClockStepped,
            _ => RunStart::ClockJumped,
        };
        Some((broken.clone(), because))
    }

    fn has_other_parameters(&self, picture: &Picture) -> bool {
        !Arc::ptr_eq(&self.parameters, &picture.parameters) && self.parameters != picture.parameters
    }

    /// The stretch of decoding time before `dts` in which pictures are missing.
    fn missing_before(
        &mut self,
        dts: Ticks90k,
        packets_lost: bool,
    ) -> Option<(Ticks90k, Ticks90k, Reason)> {
        let before = self.cadence;
        let distance = self.cadence.next(dts);
        let interval = before.interval();
        match distance {
            Some(distance) if before.is_hole(distance, packets_lost) => {
                let from = dts - distance + interval;
                let reason = match packets_lost {
                    true => Reason::PacketsLost,
                    false => Reason::CameraStalled,
                };
                Some((from.min(dts), dts, reason))
            }
            // Nothing is missing, so the loss was in this very picture.
            Some(_) if packets_lost => Some((dts, dts + interval, Reason::PacketsLost)),
            // Before the first picture of a run nothing is missing yet.
            Some(_) | None => None,
        }
    }

    /// Wall time of the end of the last picture.
    fn end(&self) -> WallTime {
        self.newest
            .offset_micros(self.cadence.interval().to_micros())
    }
}

#[cfg(test)]
mod tests;
