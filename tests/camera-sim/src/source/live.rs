//! A camera that renders and encodes every frame when it is due, on a thread of its own; it rests while nobody listens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Feed;
use super::assemble::Parts;
use super::sound::Sound;
use crate::clock::SimClock;
use crate::encode::{EncodeError, EncodedPicture, VideoEncoder, VideoSettings};
use crate::fault::{Fault, FaultBoard};
use crate::media::nal::{self, ParameterSets};
use crate::media::{AudioDescription, Description, Track, Unit, VIDEO_CLOCK, VideoDescription};
use crate::scene::{Caption, Scene};
use crate::stamp::{SeiStamp, Stamp};

/// How far encoding may be behind before frames are left out, in real time.
const MAX_LAG: Duration = Duration::from_secs(5);
/// Rest after an encoder that failed.
const RETRY: Duration = Duration::from_secs(1);

/// Everything a live camera is made of.
#[derive(Debug)]
pub(crate) struct LiveScene {
    pub(crate) settings: VideoSettings,
    pub(crate) seed: u64,
    pub(crate) noise: u8,
    pub(crate) number: u16,
    pub(crate) name: String,
    pub(crate) sound: Option<Arc<Sound>>,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) faults: FaultBoard,
}

impl LiveScene {
    /// What clients are told before anything is sent: encodes one frame to learn the parameter sets.
    pub(crate) fn describe(&self) -> Result<Description, EncodeError> {
        let mut camera = Shooting::open(self, self.settings.clone())?;
        let mut pictures = camera.shoot(self, 0, true)?;
        pictures.extend(camera.encoder.finish()?);
        let sets = pictures
            .iter()
            .map(|picture| parts(&self.settings, picture).parameter_sets)
            .next();
        Ok(description(
            &self.settings,
            sets.unwrap_or_default(),
            self.sound.as_ref().map(|sound| sound.description.clone()),
        ))
    }

    /// Publishes until the feed is stopped. Blocks; runs on a thread of its own.
    pub(crate) fn run(&self, feed: &Feed) {
        while !feed.signal.stopped() {
            if !feed.has_listeners() {
                feed.signal.wait_for_wish();
                feed.signal.take_key_wish();
                continue;
            }
            if let Err(error) = self.shoot_while_watched(feed) {
                tracing::error!(camera = self.name, %error, "encoding failed; trying again in a second");
                feed.signal.wait_until(Instant::now() + RETRY);
            }
        }
    }

    /// One encoder from opening to the last listener's leaving, or until a fault changes its settings.
    fn shoot_while_watched(&self, feed: &Feed) -> Result<(), EncodeError> {
        let settings = self.settings_now();
        let mut camera = Shooting::open(self, settings.clone())?;
        let start_us = self.clock.wall_start().as_micros();
        let elapsed_us = (self.clock.now_us() - start_us).max(0);
        let mut frame = (elapsed_us as u64)
            .saturating_mul(settings.fps.into())
            .div_ceil(1_000_000);
        let mut sound = self
            .sound
            .as_ref()
            .map(|sound| (sound, sound.first_after(elapsed_us)));
        let mut key = true;
        while feed.has_listeners() && !feed.signal.stopped() && self.settings_now() == settings {
            let capture_us = start_us + frame_us(frame, settings.fps);
            let due = self.clock.instant_at(capture_us);
            feed.signal.wait_until(due);
            if due.elapsed() > MAX_LAG {
                tracing::warn!(camera = self.name, lag = ?due.elapsed(), "encoding is too slow for this machine; leaving out frames");
                return Ok(());
            }
            if let Some((sound, next)) = &mut sound {
                while start_us + sound.end_us(*next) <= capture_us {
                    feed.publish(sound.unit(*next, start_us));
                    *next += 1;
                }
            }
            key |= feed.signal.take_key_wish();
            for picture in camera.shoot(self, frame, key)? {
                self.publish(feed, &settings, &picture);
            }
            key = false;
            frame += 1;
        }
        for picture in camera.encoder.finish()? {
            self.publish(feed, &settings, &picture);
        }
        Ok(())
    }

    fn settings_now(&self) -> VideoSettings {
        let mut settings = self.settings.clone();
        if let Some((width, height)) = self.faults.find(|fault| match fault {
            Fault::SpsChange { width, height } => Some((*width, *height)),
            _ => None,
        }) {
            (settings.width, settings.height) = (width, height);
        }
        if self.faults.has(&Fault::LongGop) {
            settings.gop_frames = settings.fps * 3600;
        }
        settings
    }

    fn publish(&self, feed: &Feed, settings: &VideoSettings, picture: &EncodedPicture) {
        let parts = parts(settings, picture);
        if parts.key {
            self.announce(feed, settings, &parts.parameter_sets);
        }
        let frame = picture.pts.max(0).cast_unsigned();
        let wall_us = self.clock.wall_start().as_micros() + frame_us(frame, settings.fps);
        feed.publish(Unit {
            track: Track::Video,
            key: parts.key,
            ticks: frame * u64::from(VIDEO_CLOCK) / u64::from(settings.fps),
            wall_us,
            head: parts.head(
                settings.codec,
                SeiStamp {
                    camera: self.number,
                    frame,
                    wall_us,
                },
            ),
            body: parts.body,
        });
    }

    /// Later clients are told what is sent now.
    fn announce(&self, feed: &Feed, settings: &VideoSettings, sets: &ParameterSets) {
        feed.description.send_if_modified(|current| {
            if current.video.parameter_sets == *sets {
                return false;
            }
            *current = Arc::new(description(settings, sets.clone(), current.audio.clone()));
            true
        });
    }
}

/// A scene before an open encoder.
struct Shooting {
    scene: Scene,
    picture: crate::scene::canvas::Picture,
    encoder: VideoEncoder,
    fps: u32,
}

impl Shooting {
    fn open(live: &LiveScene, settings: VideoSettings) -> Result<Self, EncodeError> {
        let scene = Scene::new(
            live.seed,
            settings.width as usize,
            settings.height as usize,
            live.noise,
        );
        let picture = scene.blank();
        Ok(Self {
            picture,
            scene,
            encoder: VideoEncoder::open(&settings)?,
            fps: settings.fps,
        })
    }

    fn shoot(
        &mut self,
        live: &LiveScene,
        frame: u64,
        key: bool,
    ) -> Result<Vec<EncodedPicture>, EncodeError> {
        let elapsed_us = frame_us(frame, self.fps);
        let wall_ms = (live.clock.wall_start().as_micros() + elapsed_us) / 1000;
        let stamp = Stamp {
            camera: live.number,
            frame: frame as u32,
            wall_ms: wall_ms.max(0).cast_unsigned(),
        };
        self.scene.draw(
            &mut self.picture,
            elapsed_us as f64 / 1e6,
            &Caption {
                stamp,
                name: &live.name,
            },
        );
        self.encoder.encode(&self.picture, frame.cast_signed(), key)
    }
}

/// Microseconds from the beginning to the capture of a frame.
pub(crate) fn frame_us(frame: u64, fps: u32) -> i64 {
    (u128::from(frame) * 1_000_000 / u128::from(fps)) as i64
}

fn parts(settings: &VideoSettings, picture: &EncodedPicture) -> Parts {
    Parts::new(
        settings.codec,
        &nal::split_annex_b(&picture.annex_b),
        &ParameterSets::default(),
        false,
    )
}

pub(crate) fn description(
    settings: &VideoSettings,
    sets: ParameterSets,
    audio: Option<AudioDescription>,
) -> Description {
    Description {
        video: VideoDescription {
            codec: settings.codec,
            parameter_sets: sets,
            width: settings.width,
            height: settings.height,
            fps: settings.fps.into(),
        },
        audio,
    }
}
