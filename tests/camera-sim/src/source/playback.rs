//! Replaying a clip for ever, with timestamps and numbers that never begin again. One timer, however many cameras.

use std::sync::Arc;

use super::Feed;
use super::clip::{Clip, ClipFrame};
use crate::clock::SimClock;
use crate::media::{Track, Unit, VIDEO_CLOCK};
use crate::stamp::SeiStamp;

/// A clip and its place in time.
#[derive(Debug)]
pub(crate) struct Playback {
    pub(crate) clip: Arc<Clip>,
    /// Number written into the frames: the camera's, or 0 where several share the clip.
    pub(crate) camera: u16,
    pub(crate) clock: Arc<SimClock>,
}

/// Where in the endless stream a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    round: u64,
    frame: usize,
}

impl Playback {
    /// Publishes for ever; is cancelled by dropping.
    pub(crate) async fn run(self, feed: Arc<Feed>) {
        let start_us = self.clock.wall_start().as_micros();
        let elapsed_us = (self.clock.now_us() - start_us).max(0);
        let mut place = self.first_after(us_to_ticks(elapsed_us));
        let mut next_sound = self
            .clip
            .sound
            .as_ref()
            .map_or(0, |sound| sound.first_after(elapsed_us));
        while let Some(frame) = self.clip.frames.get(place.frame) {
            let due_us = start_us + ticks_to_us(self.base_ticks(place) + frame.send_ticks);
            if due_us > self.clock.now_us() {
                tokio::time::sleep_until(self.clock.instant_at(due_us).into()).await;
            }
            if let Some(sound) = &self.clip.sound {
                while start_us + sound.end_us(next_sound) <= due_us {
                    feed.publish(sound.unit(next_sound, start_us));
                    next_sound += 1;
                }
            }
            if feed.has_listeners() {
                feed.publish(self.unit(place, frame, start_us));
            }
            place = self.after(place);
        }
    }

    fn unit(&self, place: Place, frame: &ClipFrame, start_us: i64) -> Unit {
        let ticks = self.base_ticks(place) + frame.pts_ticks;
        let wall_us = start_us + ticks_to_us(ticks);
        let number = place.round * self.clip.frames.len() as u64 + frame.number;
        let stamp = SeiStamp {
            camera: self.camera,
            frame: number,
            wall_us,
        };
        Unit {
            track: Track::Video,
            key: frame.parts.key,
            ticks,
            wall_us,
            head: frame.parts.head(self.clip.description.video.codec, stamp),
            body: frame.parts.body.clone(),
        }
    }

    fn base_ticks(&self, place: Place) -> u64 {
        place.round * self.clip.period_ticks
    }

    fn after(&self, place: Place) -> Place {
        if place.frame + 1 < self.clip.frames.len() {
            Place {
                frame: place.frame + 1,
                ..place
            }
        } else {
            Place {
                round: place.round + 1,
                frame: 0,
            }
        }
    }

    /// The first frame that is not yet due.
    fn first_after(&self, elapsed_ticks: u64) -> Place {
        let round = elapsed_ticks / self.clip.period_ticks.max(1);
        let rest = elapsed_ticks - round * self.clip.period_ticks;
        match self
            .clip
            .frames
            .iter()
            .position(|frame| frame.send_ticks >= rest)
        {
            Some(frame) => Place { round, frame },
            None => Place {
                round: round + 1,
                frame: 0,
            },
        }
    }
}

fn ticks_to_us(ticks: u64) -> i64 {
    (u128::from(ticks) * 1_000_000 / u128::from(VIDEO_CLOCK)) as i64
}

fn us_to_ticks(us: i64) -> u64 {
    (u128::from(us.max(0).cast_unsigned()) * u128::from(VIDEO_CLOCK) / 1_000_000) as u64
}
