//! A clip: encoded media of a fixed length, cut into payloads once, to be replayed by any number of cameras.

use std::sync::Arc;

use super::assemble::Parts;
use super::live::{description, frame_us};
use super::sound::Sound;
use crate::encode::{EncodeError, EncodedPicture, VideoEncoder, VideoSettings};
use crate::media::nal::{self, ParameterSets};
use crate::media::{Audio, Description, VIDEO_CLOCK};
use crate::scene::{Caption, Scene};
use crate::stamp::Stamp;

/// Encoded media that can be replayed for ever.
#[derive(Debug)]
pub(crate) struct Clip {
    pub(crate) description: Description,
    /// In decoding order.
    pub(crate) frames: Vec<ClipFrame>,
    /// Length, in 90 kHz ticks.
    pub(crate) period_ticks: u64,
    pub(crate) sound: Option<Arc<Sound>>,
}

/// One access unit of a clip.
#[derive(Debug)]
pub(crate) struct ClipFrame {
    pub(crate) parts: Parts,
    /// Place in order of presentation, from 0.
    pub(crate) number: u64,
    /// Presentation time in the clip, 90 kHz.
    pub(crate) pts_ticks: u64,
    /// When it can be sent: never before it was captured, never before the frame sent before it.
    pub(crate) send_ticks: u64,
}

/// A clip to be rendered; equal plans give the same clip.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClipPlan {
    pub(crate) settings: VideoSettings,
    pub(crate) seed: u64,
    pub(crate) noise: u8,
    pub(crate) seconds: u32,
    pub(crate) audio: Audio,
}

impl ClipPlan {
    /// Renders and encodes the clip. Takes a while; not for an async thread.
    pub(crate) fn render(&self) -> Result<Clip, EncodeError> {
        let settings = &self.settings;
        let mut scene = Scene::new(
            self.seed,
            settings.width as usize,
            settings.height as usize,
            self.noise,
        );
        let mut picture = scene.blank();
        let mut encoder = VideoEncoder::open(settings)?;
        let mut pictures = Vec::new();
        let count = u64::from(self.seconds) * u64::from(settings.fps);
        for frame in 0..count {
            let elapsed_us = frame_us(frame, settings.fps);
            let stamp = Stamp {
                camera: 0,
                frame: frame as u32,
                wall_ms: (elapsed_us / 1000).cast_unsigned(),
            };
            scene.draw(
                &mut picture,
                elapsed_us as f64 / 1e6,
                &Caption {
                    stamp,
                    name: "loop",
                },
            );
            pictures.extend(encoder.encode(&picture, frame.cast_signed(), frame == 0)?);
        }
        pictures.extend(encoder.finish()?);
        let frames = clip_frames(settings, &pictures);
        let sound = Sound::tone(self.audio)?.map(Arc::new);
        let sets = frames
            .first()
            .map(|frame| frame.parts.parameter_sets.clone())
            .unwrap_or_default();
        let audio = sound.as_ref().map(|sound| sound.description.clone());
        Ok(Clip {
            description: description(settings, sets, audio),
            frames,
            period_ticks: u64::from(self.seconds) * u64::from(VIDEO_CLOCK),
            sound,
        })
    }
}

fn clip_frames(settings: &VideoSettings, pictures: &[EncodedPicture]) -> Vec<ClipFrame> {
    let ticks = |frame: i64| {
        frame.max(0).cast_unsigned() * u64::from(VIDEO_CLOCK) / u64::from(settings.fps)
    };
    let delay = pictures
        .iter()
        .map(|picture| picture.pts - picture.dts)
        .max()
        .unwrap_or_default();
    let frame = |picture: &EncodedPicture| ClipFrame {
        parts: Parts::new(
            settings.codec,
            &nal::split_annex_b(&picture.annex_b),
            &ParameterSets::default(),
            false,
        ),
        number: picture.pts.max(0).cast_unsigned(),
        pts_ticks: ticks(picture.pts),
        send_ticks: ticks(picture.dts + delay),
    };
    pictures.iter().map(frame).collect()
}
