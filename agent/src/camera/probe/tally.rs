//! Counting while a camera is watched. Pure.

use std::time::Duration;

use shared::codec::{AudioParameters, VideoParameters};
use shared::id::CameraId;
use shared::segment::StreamKind;
use shared::time::Ticks90k;

use crate::camera::clock_map::Now;
use crate::camera::media::Event;
use crate::camera::quirks::{Quirk, Quirks};
use crate::camera::rtsp::{Description, Item, Note, Picture, Session};
use crate::camera::runs::{Runs, Standing};

/// What came from a camera so far.
#[derive(Debug)]
pub(super) struct Tally {
    runs: Runs,
    began: Now,
    events: Vec<Event>,
    pub(super) description: Description,
    pub(super) audio: Option<AudioParameters>,
    pub(super) video: Option<VideoParameters>,
    pub(super) first_picture: Option<Duration>,
    pictures: u64,
    pub(super) picture_bytes: u64,
    pub(super) largest_picture: usize,
    pub(super) sound_bytes: u64,
    pub(super) sounds: u64,
    pub(super) lost_packets: u64,
    /// Runs that ended while watching.
    pub(super) breaks: u32,
    pub(super) reordered: bool,
    earliest: Option<Ticks90k>,
    latest: Option<Ticks90k>,
    pub(super) gops: Gops,
    jitter: Jitter,
    pub(super) quirks: Quirks,
    pub(super) notes: Vec<String>,
}

/// Distances between sync samples.
#[derive(Clone, Debug, Default)]
pub(super) struct Gops {
    /// Whole ones, in pictures and time.
    pub(super) whole: Vec<(u64, Ticks90k)>,
    /// Since the last sync sample; `None` before the first.
    pub(super) open: Option<(u64, Ticks90k)>,
    pub(super) began: Option<Ticks90k>,
}

impl Gops {
    fn picture(&mut self, sync: bool, pts: Ticks90k) {
        let since = pts - self.began.unwrap_or(pts);
        match (sync, self.open) {
            (true, open) => {
                if let Some((pictures, _)) = open {
                    self.whole.push((pictures, since));
                }
                self.began = Some(pts);
                self.open = Some((1, Ticks90k::ZERO));
            }
            (false, Some((pictures, longest))) => {
                self.open = Some((pictures + 1, longest.max(since)));
            }
            (false, None) => {}
        }
    }

    /// Timestamps before and after a jump cannot be compared.
    fn broken(&mut self) {
        self.began = None;
        self.open = None;
    }
}

/// Interarrival jitter (RFC 3550 section 6.4.1), of whole pictures.
#[derive(Clone, Copy, Debug, Default)]
struct Jitter {
    transit_us: Option<i64>,
    /// In 1/16 µs.
    estimate: i64,
}

impl Jitter {
    fn picture(&mut self, pts: Ticks90k, now: Now) {
        let arrived_us = i64::try_from(now.monotonic.as_micros()).unwrap_or(i64::MAX);
        let transit_us = arrived_us.saturating_sub(pts.to_micros());
        if let Some(before_us) = self.transit_us.replace(transit_us) {
            let difference = transit_us.saturating_sub(before_us).saturating_abs();
            self.estimate += difference - self.estimate / 16;
        }
    }
}

impl Tally {
    pub(super) fn new(session: &Session, now: Now) -> Self {
        Self::of(session.description().clone(), session.audio().cloned(), now)
    }

    fn of(description: Description, audio: Option<AudioParameters>, now: Now) -> Self {
        let camera = CameraId::new(now.wall);
        Self {
            runs: Runs::new(camera, StreamKind::Main, audio.clone(), now),
            began: now,
            events: Vec::new(),
            description,
            audio,
            video: None,
            first_picture: None,
            pictures: 0,
            picture_bytes: 0,
            largest_picture: 0,
            sound_bytes: 0,
            sounds: 0,
            lost_packets: 0,
            breaks: 0,
            reordered: false,
            earliest: None,
            latest: None,
            gops: Gops::default(),
            jitter: Jitter::default(),
            quirks: Quirks::default(),
            notes: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, item: Item, now: Now) {
        match item {
            Item::Picture(picture) => self.picture(picture, now),
            Item::Sound(sound) => {
                self.sounds += 1;
                self.sound_bytes += sound.payload.len() as u64;
            }
            Item::Report(report) => self.runs.report(report, now, &mut self.events),
            Item::Note(_) => {}
        }
        self.follow();
    }

    pub(super) fn note(&mut self, note: &Note) {
        if let Some(quirk) = note.quirk {
            self.quirk(quirk);
        }
        self.notes.push(note.text.clone());
    }

    pub(super) fn quirk(&mut self, quirk: Quirk) {
        self.quirks.learn(quirk);
    }

    fn picture(&mut self, picture: Picture, now: Now) {
        // First whether anything broke: what came before cannot be compared with this picture.
        self.runs.picture(picture.clone(), now, &mut self.events);
        self.follow();
        self.first_picture
            .get_or_insert_with(|| now.monotonic.saturating_sub(self.began.monotonic));
        let bytes = picture.payload.len();
        self.pictures += 1;
        self.picture_bytes += bytes as u64;
        self.largest_picture = self.largest_picture.max(bytes);
        self.lost_packets += u64::from(picture.lost_packets);
        self.reordered |= self.latest.is_some_and(|latest| picture.pts < latest);
        self.earliest = Some(self.earliest.map_or(picture.pts, |at| at.min(picture.pts)));
        self.latest = Some(self.latest.map_or(picture.pts, |at| at.max(picture.pts)));
        self.gops.picture(picture.sync, picture.pts);
        self.jitter.picture(picture.pts, now);
        if self.video.as_ref() != Some(&*picture.parameters) {
            self.video = Some((*picture.parameters).clone());
        }
    }

    /// Notices breaks; the events themselves are of no use here.
    fn follow(&mut self) {
        for event in self.events.drain(..) {
            if matches!(event, Event::RunEnded { .. }) {
                self.breaks += 1;
                self.gops.broken();
                self.earliest = None;
                self.latest = None;
                self.reordered = false;
            }
        }
    }

    pub(super) const fn pictures(&self) -> u64 {
        self.pictures
    }

    /// From the first to the last picture, in media time, or as long as it took where timestamps
    /// jumped.
    pub(super) fn watched(&self, now: Now) -> Duration {
        let by_clock = now.monotonic.saturating_sub(self.began.monotonic);
        match (self.breaks, self.earliest, self.latest) {
            (0, Some(earliest), Some(latest)) => {
                (latest - earliest).to_duration().unwrap_or(by_clock)
            }
            _ => by_clock,
        }
    }

    pub(super) fn jitter(&self) -> Duration {
        Duration::from_micros((self.jitter.estimate / 16).unsigned_abs())
    }

    pub(super) fn standing(&self, now: Now) -> Standing {
        self.runs.standing(now)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use shared::codec::VideoCodec;
    use shared::time::WallTime;

    use super::*;

    fn tally() -> Tally {
        let description = Description {
            video: VideoCodec::H264,
            video_parameters: None,
            audio_encoding: None,
            audio: None,
            server: None,
        };
        Tally::of(description, None, now(0))
    }

    fn now(millis: u64) -> Now {
        Now {
            monotonic: Duration::from_millis(millis),
            wall: WallTime::from_secs(1_700_000_000) + Duration::from_millis(millis),
        }
    }

    fn picture(millis: i64, sync: bool) -> Item {
        Item::Picture(Picture {
            pts: Ticks90k::from_millis(millis) + Ticks90k::new(1 << 40),
            sync,
            payload: Bytes::from(vec![0; if sync { 5_000 } else { 1_000 }]),
            lost_packets: 0,
            parameters: Arc::new(VideoParameters {
                codec: VideoCodec::H264,
                config: Bytes::new(),
                rfc6381: "avc1.4d401f".to_owned(),
                width: 640,
                height: 360,
                reorder_frames: 0,
            }),
        })
    }

    #[test]
    fn gops_are_measured_between_sync_samples() {
        let mut tally = tally();
        for number in 0..101 {
            let millis = number * 40;
            tally.take(
                picture(millis, number % 50 == 10),
                now(millis.unsigned_abs()),
            );
        }
        assert_eq!(tally.gops.whole, [(50, Ticks90k::from_millis(2_000))]);
        assert_eq!(tally.gops.open, Some((41, Ticks90k::from_millis(1_600))));
        assert_eq!(tally.watched(now(9_999)), Duration::from_secs(4));
        assert_eq!(tally.largest_picture, 5_000);
        assert_eq!(tally.jitter(), Duration::ZERO);
    }

    #[test]
    fn jitter_is_that_of_arrivals_and_not_of_timestamps() {
        let mut tally = tally();
        for number in 0_u16..500 {
            let millis = i64::from(number) * 40;
            let late = u64::from(number % 2) * 10;
            tally.take(
                picture(millis, number == 0),
                now(millis.unsigned_abs() + late),
            );
        }
        let jitter = tally.jitter();
        assert!((9..=10).contains(&jitter.as_millis()), "{jitter:?}");
    }

    #[test]
    fn a_jump_of_timestamps_is_counted_and_spoils_nothing_else() {
        let mut tally = tally();
        for number in 0..200 {
            let jump = if number < 100 { 0 } else { 3_600_000 };
            let at = now(u64::try_from(number * 40).unwrap());
            tally.take(picture(number * 40 + jump, number % 25 == 0), at);
        }
        assert_eq!(tally.breaks, 1);
        assert!(!tally.reordered);
        assert!(
            tally
                .gops
                .whole
                .iter()
                .all(|gop| *gop == (25, Ticks90k::SECOND))
        );
        assert_eq!(tally.watched(now(8_000)), Duration::from_secs(8));
    }
}
