//! Where audio frames stand in the media time of the video.
//!
//! Each track has its own RTP clock with an origin of its own. Sender reports of both tie them
//! together through the camera's wall clock; without them the earliest arrivals do. Within a run,
//! frames follow each other without a seam as long as that is true within [`TOLERANCE_MS`].

use std::time::Duration;

use shared::sample::AudioFrame;
use shared::time::{Ticks90k, WallTime};

use crate::camera::clock_map::{Now, delay::Delay};
use crate::camera::rtsp::Sound;

/// How far sound may be from its place before it is moved there.
const TOLERANCE_MS: i64 = 100;

/// Sender reports that contradict arrivals by more are about different clocks.
const CREDIBLE_US: i64 = 1_000_000;

/// A frame this much before its time says that the timestamps jumped.
const JUMP_US: i64 = 1_000_000;

/// Places audio frames; lives as long as the session.
#[derive(Debug)]
pub(super) struct SoundClock {
    /// In Hz, of the track and of its RTP clock.
    rate: i64,
    delay: Delay,
    newest_us: Option<i64>,
    /// `RTP time - camera wall clock` of each track, in microseconds, from the newest reports.
    audio_report_us: Option<i64>,
    video_report_us: Option<i64>,
    /// Where the last frame of this run ended, in samples from the start of the run.
    end: Option<i64>,
}

impl SoundClock {
    pub(super) fn new(sample_rate: u32) -> Self {
        Self {
            rate: i64::from(sample_rate.max(1)),
            delay: Delay::default(),
            newest_us: None,
            audio_report_us: None,
            video_report_us: None,
            end: None,
        }
    }

    pub(super) fn audio_report(&mut self, at: i64, ntp: WallTime) {
        self.audio_report_us = Some(self.micros(at).saturating_sub(ntp.as_micros()));
    }

    pub(super) fn video_report(&mut self, at: Ticks90k, ntp: WallTime) {
        self.video_report_us = Some(at.to_micros().saturating_sub(ntp.as_micros()));
    }

    /// Another run begins: sound begins anew with it.
    pub(super) fn begin_run(&mut self) {
        self.end = None;
    }

    /// Takes note of a frame's arrival.
    pub(super) fn arrive(&mut self, sound: &Sound, now: Now) {
        let at_us = self.micros(sound.at);
        let arrived_us = i64::try_from(now.monotonic.as_micros()).unwrap_or(i64::MAX);
        let delay_us = arrived_us.saturating_sub(at_us);
        let back = self
            .newest_us
            .is_some_and(|newest| at_us < newest - JUMP_US);
        let early = self.delay.too_early(delay_us, now.monotonic);
        if back || early.is_some_and(|by| by > JUMP_US) {
            self.delay = Delay::default();
            self.audio_report_us = None;
        }
        self.delay.picture(delay_us, now.monotonic);
        self.newest_us = Some(at_us);
    }

    /// The frame at its place in a run whose media time zero is at `origin` of the video's RTP
    /// clock; `None` where that is before the run or before the end of the last frame.
    ///
    /// `video_delay_us` is the least delay of the video.
    pub(super) fn place(
        &mut self,
        sound: Sound,
        origin: Ticks90k,
        video_delay_us: i64,
        now: Duration,
    ) -> Option<AudioFrame> {
        let in_video_us = self
            .micros(sound.at)
            .saturating_add(self.to_video_us(video_delay_us, now));
        let since_us = in_video_us.saturating_sub(origin.to_micros());
        let wanted = since_us.saturating_mul(self.rate / 100) / 10_000;
        let tolerance = self.rate * TOLERANCE_MS / 1_000;
        let start = match self.end {
            Some(end) if (wanted - end).abs() <= tolerance => end,
            Some(end) if wanted < end => return None,
            Some(_) | None => wanted,
        };
        if start < 0 {
            return None;
        }
        self.end = Some(start + i64::from(sound.duration));
        Some(AudioFrame {
            start,
            duration: sound.duration,
            payload: sound.payload,
        })
    }

    /// What to add to RTP time of the audio to have that of the video.
    fn to_video_us(&self, video_delay_us: i64, now: Duration) -> i64 {
        let audio_delay_us = self.delay.least(now).unwrap_or(video_delay_us);
        let by_arrival_us = audio_delay_us - video_delay_us;
        match (self.video_report_us, self.audio_report_us) {
            (Some(video), Some(audio))
                if (video - audio).abs_diff(by_arrival_us) < CREDIBLE_US.unsigned_abs() =>
            {
                video - audio
            }
            _ => by_arrival_us,
        }
    }

    /// Split so that neither large timestamps nor odd rates overflow or lose precision.
    fn micros(&self, at: i64) -> i64 {
        (at / self.rate).saturating_mul(1_000_000) + at % self.rate * 1_000_000 / self.rate
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const RATE: i64 = 8_000;
    const VIDEO_ORIGIN: i64 = 90_000 * 50;
    const AUDIO_ORIGIN: i64 = 8_000 * 1_000;

    fn now(millis: i64) -> Now {
        Now {
            monotonic: Duration::from_millis(millis.unsigned_abs()),
            wall: WallTime::from_millis(millis),
        }
    }

    fn sound(millis: i64) -> Sound {
        Sound {
            at: AUDIO_ORIGIN + millis * RATE / 1_000,
            duration: 160,
            payload: Bytes::from_static(&[0x55; 160]),
        }
    }

    /// Twenty milliseconds a frame, both tracks captured at one time, sound 30 ms and video 100 ms
    /// under way.
    fn frames(clock: &mut SoundClock, from: i64, to: i64) -> Vec<AudioFrame> {
        let video_delay_us = 100_000 - 50_000_000;
        (from..to)
            .step_by(20)
            .filter_map(|millis| {
                clock.arrive(&sound(millis), now(millis + 30));
                let at = now(millis + 30).monotonic;
                clock.place(
                    sound(millis),
                    Ticks90k::new(VIDEO_ORIGIN),
                    video_delay_us,
                    at,
                )
            })
            .collect()
    }

    #[test]
    fn reports_of_both_tracks_align_them_exactly() {
        let mut clock = SoundClock::new(8_000);
        let wall = WallTime::from_secs(1_000);
        clock.video_report(Ticks90k::new(VIDEO_ORIGIN), wall);
        clock.audio_report(AUDIO_ORIGIN, wall);
        let frames = frames(&mut clock, 0, 200);
        assert_eq!(frames.len(), 10);
        for (number, frame) in (0..).zip(&frames) {
            assert_eq!(frame.start, number * 160);
        }
    }

    #[test]
    fn without_reports_arrivals_align_them_within_their_delays() {
        let mut clock = SoundClock::new(8_000);
        let frames = frames(&mut clock, 200, 1_000);
        // 70 ms early: the difference of the delays, which nobody knows.
        assert_eq!(frames[0].start, 130 * RATE / 1_000);
        assert!(
            frames
                .windows(2)
                .all(|pair| pair[1].start == pair[0].start + 160)
        );
    }

    #[test]
    fn sound_before_the_run_is_left_out_and_a_later_report_moves_it_once() {
        let mut clock = SoundClock::new(8_000);
        let first = frames(&mut clock, 0, 1_000);
        assert_eq!(first[0].start, 10 * RATE / 1_000);
        let wall = WallTime::from_secs(1_000);
        clock.video_report(Ticks90k::new(VIDEO_ORIGIN), wall);
        // The camera's tracks are in truth half a second apart.
        clock.audio_report(AUDIO_ORIGIN - RATE / 2, wall);
        let later = frames(&mut clock, 1_000, 2_000);
        assert_eq!(later[0].start, 1_500 * RATE / 1_000);
        assert!(
            later
                .windows(2)
                .all(|pair| pair[1].start == pair[0].start + 160)
        );
    }

    #[test]
    fn a_jump_of_its_timestamps_leaves_no_trace_and_no_overlap() {
        for jump in [RATE * 3_600, -RATE * 3_600] {
            let mut clock = SoundClock::new(8_000);
            let before = frames(&mut clock, 200, 1_000).pop().unwrap();
            let video_delay_us = 100_000 - 50_000_000;
            let moved = Sound {
                at: sound(1_000).at + jump,
                ..sound(1_000)
            };
            clock.arrive(&moved, now(1_030));
            let after = clock
                .place(
                    moved,
                    Ticks90k::new(VIDEO_ORIGIN),
                    video_delay_us,
                    now(1_030).monotonic,
                )
                .unwrap();
            assert_eq!(after.start, before.start + 160);
        }
    }
}
