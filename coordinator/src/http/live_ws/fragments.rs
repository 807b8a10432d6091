//! From a feed to fragments of MP4 for a player of the page (Media Source Extensions). Pure.
//!
//! A fragment has one picture and the sound since the one before. A picture waits for the next, because
//! only then is known how long it lasts: players drop what comes after a gap that nobody announced.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use shared::codec::{AudioCodec, StreamParameters};
use shared::fmp4::fragment::{AudioEntry, Fragment, SampleEntry};
use shared::fmp4::init;
use shared::time::{Ticks90k, WallTime};

use crate::services::live_hub::{Picture, Run, Sound};

/// Frames of sound that wait for a picture; more are left out.
const MOST_SOUND: usize = 256;

/// Of a picture after which nothing followed: 25 a second.
const USUAL: Ticks90k = Ticks90k::from_millis(40);

/// What a player is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// What follows is another stream: its type for `addSourceBuffer`, and the boxes it begins with.
    Init { mime: String, bytes: Bytes },
    /// `moof` and `mdat`.
    Fragment {
        wall: WallTime,
        sync: bool,
        bytes: Bytes,
    },
}

/// One player's stream.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    stretch: Option<Stretch>,
    sequence: u32,
}

/// A run as it is sent.
#[derive(Debug)]
struct Stretch {
    run: Arc<Run>,
    /// Whether players can play its sound.
    audible: bool,
    waiting: Option<Arc<Picture>>,
    lasted: Ticks90k,
    sounds: Vec<Arc<Sound>>,
}

impl Fragments {
    pub(super) fn picture(&mut self, picture: Arc<Picture>) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if self
            .stretch
            .as_ref()
            .is_none_or(|stretch| stretch.run.id != picture.run.id)
        {
            pieces.extend(self.pause());
            let Some(piece) = self.begin(&picture.run) else {
                return pieces;
            };
            pieces.push(piece);
        }
        let Some(stretch) = &mut self.stretch else {
            return pieces;
        };
        if let Some(before) = stretch.waiting.replace(Arc::clone(&picture)) {
            let lasted = picture.dts - before.dts;
            // It goes back where somebody begins anew.
            if lasted > Ticks90k::ZERO {
                stretch.lasted = lasted;
            }
            pieces.extend(stretch.fragment(&before, &mut self.sequence));
        }
        pieces
    }

    pub(super) fn sound(&mut self, sound: Arc<Sound>) {
        if let Some(stretch) = &mut self.stretch
            && stretch.audible
            && stretch.run.id == sound.run.id
            && stretch.sounds.len() < MOST_SOUND
        {
            stretch.sounds.push(sound);
        }
    }

    /// Nothing follows for now: the picture that waits goes out.
    pub(super) fn pause(&mut self) -> Option<Piece> {
        let stretch = self.stretch.as_mut()?;
        let last = stretch.waiting.take()?;
        stretch.fragment(&last, &mut self.sequence)
    }

    fn begin(&mut self, run: &Arc<Run>) -> Option<Piece> {
        let given = &run.parameters;
        let audio = given.audio.as_ref().filter(|audio| playable(audio.codec));
        let parameters = StreamParameters {
            video: given.video.clone(),
            audio: audio.cloned(),
        };
        let codecs = std::iter::once(given.video.rfc6381.as_str());
        let codecs: Vec<_> = codecs
            .chain(audio.map(|audio| audio.rfc6381.as_str()))
            .collect();
        let mime = format!("video/mp4; codecs=\"{}\"", codecs.join(", "));
        let bytes = init::write(&parameters)
            .inspect_err(|error| tracing::warn!(%error, "a stream cannot be written as MP4"))
            .ok()?;
        self.stretch = Some(Stretch {
            run: Arc::clone(run),
            audible: audio.is_some(),
            waiting: None,
            lasted: USUAL,
            sounds: Vec::new(),
        });
        Some(Piece::Init { mime, bytes })
    }
}

/// G.711 is no format of browsers' MP4.
const fn playable(codec: AudioCodec) -> bool {
    match codec {
        AudioCodec::Aac | AudioCodec::Opus => true,
        AudioCodec::Pcma | AudioCodec::Pcmu => false,
    }
}

impl Stretch {
    fn fragment(&mut self, picture: &Picture, sequence: &mut u32) -> Option<Piece> {
        let sounds = std::mem::take(&mut self.sounds);
        let with_sound = self.encode(picture, &sounds, sequence);
        // Sound never costs the picture.
        let piece = with_sound.or_else(|_| self.encode(picture, &[], sequence));
        piece
            .inspect_err(|error| tracing::debug!(%error, "a picture could not be written as MP4"))
            .ok()
    }

    fn encode(
        &self,
        picture: &Picture,
        sounds: &[Arc<Sound>],
        sequence: &mut u32,
    ) -> Result<Piece, shared::fmp4::fragment::FragmentError> {
        let length = |payload: &Bytes| u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let audio: Vec<_> = sounds
            .iter()
            .map(|sound| AudioEntry {
                start: sound.start,
                duration: sound.duration,
                length: length(&sound.payload),
            })
            .collect();
        let header = Fragment {
            sequence: sequence.wrapping_add(1).max(1),
            wall_start: picture.wall,
            head: None,
            video: &[SampleEntry {
                dts: picture.dts,
                pts: picture.pts,
                duration: self.lasted,
                sync: picture.sync,
                length: length(&picture.payload),
            }],
            audio: &audio,
        }
        .encode()?;
        *sequence = sequence.wrapping_add(1).max(1);
        let size = header.bytes.len() + header.payload_length as usize;
        let mut bytes = BytesMut::with_capacity(size);
        bytes.extend_from_slice(&header.bytes);
        bytes.extend_from_slice(&picture.payload);
        for sound in sounds {
            bytes.extend_from_slice(&sound.payload);
        }
        Ok(Piece::Fragment {
            wall: picture.wall,
            sync: picture.sync,
            bytes: bytes.freeze(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use shared::fmp4::contents::Contents;
    use shared::id::RunId;
    use shared::testing;

    use super::*;

    const START: WallTime = WallTime::from_secs(1_800_000_000);

    fn run(number: u8, audio: Option<AudioCodec>) -> Arc<Run> {
        let parameters = match audio {
            Some(codec) => testing::parameters_with(codec),
            None => testing::parameters(),
        };
        Arc::new(Run {
            id: RunId::from_slice(&[number; 16]).unwrap(),
            parameters,
        })
    }

    fn gop(run: &Arc<Run>, start: Ticks90k) -> Vec<Arc<Picture>> {
        let samples = testing::gop(start).into_iter();
        let picture = |sample: shared::sample::Sample| {
            Arc::new(Picture {
                run: Arc::clone(run),
                pts: sample.pts,
                dts: sample.dts,
                wall: START.offset_micros(sample.pts.to_micros()),
                sync: sample.sync,
                payload: sample.payload,
                packets: OnceLock::new(),
            })
        };
        samples.map(picture).collect()
    }

    fn sounds(run: &Arc<Run>, codec: AudioCodec, from: i64, to: i64) -> Vec<Arc<Sound>> {
        let frames = testing::audio(codec, from, to).into_iter();
        let sound = |frame: shared::sample::AudioFrame| {
            Arc::new(Sound {
                run: Arc::clone(run),
                start: frame.start,
                duration: frame.duration,
                payload: frame.payload,
            })
        };
        frames.map(sound).collect()
    }

    fn fragments(pieces: &[Piece]) -> Vec<&Bytes> {
        let fragments = pieces.iter().filter_map(|piece| match piece {
            Piece::Fragment { bytes, .. } => Some(bytes),
            Piece::Init { .. } => None,
        });
        fragments.collect()
    }

    #[test]
    fn a_picture_is_a_fragment_that_lasts_until_the_next() {
        let run = run(1, None);
        let mut stream = Fragments::default();
        let pictures = gop(&run, Ticks90k::ZERO);
        let pieces: Vec<_> = pictures
            .iter()
            .flat_map(|picture| stream.picture(picture.clone()))
            .collect();
        let Piece::Init { mime, bytes } = &pieces[0] else {
            panic!("{:?}", pieces[0]);
        };
        assert!(mime.starts_with("video/mp4; codecs=\"avc1."), "{mime}");
        assert_eq!(init::read(bytes).unwrap(), run.parameters);
        assert_eq!(fragments(&pieces).len(), pictures.len() - 1);
        for (picture, fragment) in pictures.iter().zip(fragments(&pieces)) {
            let contents = Contents::of(fragment).unwrap();
            assert_eq!(contents.video.len(), 1);
            assert!(fragment.ends_with(&picture.payload));
        }
        let Some(Piece::Fragment { wall, sync, .. }) = stream.pause() else {
            panic!("the last picture was kept");
        };
        assert_eq!((wall, sync), (pictures[9].wall, false));
        assert_eq!(stream.pause(), None);
    }

    #[test]
    fn sound_goes_along_where_browsers_can_play_it() {
        for (codec, audible) in [
            (AudioCodec::Aac, true),
            (AudioCodec::Opus, true),
            (AudioCodec::Pcmu, false),
        ] {
            let run = run(1, Some(codec));
            let mut stream = Fragments::default();
            let pictures = gop(&run, Ticks90k::ZERO);
            let mut pieces = stream.picture(pictures[0].clone());
            let Piece::Init { mime, .. } = &pieces[0] else {
                panic!()
            };
            assert_eq!(mime.contains(','), audible, "{mime}");
            for sound in sounds(&run, codec, 0, 4_000) {
                stream.sound(sound);
            }
            pieces.extend(stream.picture(pictures[1].clone()));
            let found = Contents::of(fragments(&pieces)[0]).unwrap();
            assert_eq!(!found.audio.is_empty(), audible, "{codec:?}");
        }
    }

    #[test]
    fn another_run_begins_with_its_own_init() {
        let mut stream = Fragments::default();
        let pieces: Vec<_> = [run(1, None), run(2, None)]
            .iter()
            .flat_map(|run| gop(run, Ticks90k::ZERO))
            .flat_map(|picture| stream.picture(picture))
            .collect();
        let inits = pieces
            .iter()
            .filter(|piece| matches!(piece, Piece::Init { .. }))
            .count();
        assert_eq!((inits, fragments(&pieces).len()), (2, 19));
    }
}
