//! Builders for the tests of every crate: real coded pictures, whole segments, a day with gaps.
//!
//! Everything here plays: the pictures are H.264 of a grey 64x48 scene with a white square, made
//! with x264 and small enough to be written down. No randomness and no clock, so that a failure
//! repeats.

use std::time::Duration;

use bytes::Bytes;
use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::codec::{AudioCodec, AudioParameters, StreamParameters, aac, h264};
use crate::fmp4::fragment::{AudioEntry, Fragment, SampleEntry};
use crate::fmp4::init;
use crate::hash::Sha256;
use crate::id::{CameraId, RunId, SegmentId};
use crate::sample::{AudioFrame, Sample};
use crate::segment::{self, FragmentMeta, SegmentHead, SegmentMeta, Signature, StreamKind};
use crate::time::{Ticks90k, TimeRange, WallTime};
use crate::timeline::{Coverage, Facts, Place, Reason};

/// Sequence parameter set of [`gop`]: Main profile, level 1.0, 64x48, no reordering.
pub const SPS: &[u8] = &[
    0x67, 0x4d, 0x40, 0x0a, 0xda, 0x11, 0xec, 0x04, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00,
    0x0c, 0x83, 0xc4, 0x89, 0xa8,
];
/// Picture parameter set of [`gop`].
pub const PPS: &[u8] = &[0x68, 0xcf, 0x03, 0x92, 0xc8];

/// One IDR picture and nine that say "as before".
const PICTURES: [&[u8]; PICTURES_PER_GOP] = [
    &[
        0x65, 0x88, 0x84, 0x11, 0xc9, 0x80, 0xe1, 0x77, 0x6e, 0xff, 0x8f, 0x0f, 0x23, 0x82, 0x11,
        0x5b, 0xff, 0x0f, 0xe0, 0x1c, 0x9f, 0xf0, 0x0f, 0xe4, 0x5d, 0x75, 0x8a, 0xdf, 0x5d, 0x78,
    ],
    &[0x41, 0x9a, 0x26, 0x04, 0x71, 0xb0],
    &[0x41, 0x9a, 0x46, 0x04, 0x71, 0xb0],
    &[0x41, 0x9a, 0x66, 0x05, 0x71, 0xb0],
    &[0x41, 0x9a, 0x86, 0x05, 0x71, 0xb0],
    &[0x41, 0x9a, 0xa6, 0x06, 0x71, 0xb0],
    &[0x41, 0x9a, 0xc6, 0x06, 0x71, 0xb0],
    &[0x41, 0x9a, 0xe6, 0x07, 0x71, 0xb0],
    &[0x41, 0x9b, 0x06, 0x02, 0x1c, 0x6c],
    &[0x41, 0x9b, 0x26, 0x02, 0x9c, 0x6c],
];

/// Pictures of [`gop`].
pub const PICTURES_PER_GOP: usize = 10;
/// 25 pictures a second.
pub const PICTURE_DURATION: Ticks90k = Ticks90k::new(3_600);
/// Of [`gop`]: 0.4 s.
pub const GOP_DURATION: Ticks90k = Ticks90k::new(36_000);

/// Parameters of [`gop`], without sound.
pub fn parameters() -> StreamParameters {
    let config = h264::configuration([SPS], [PPS]).expect("the constants are real");
    StreamParameters {
        video: h264::parameters(config).expect("the constants are real"),
        audio: None,
    }
}

/// Parameters of [`gop`] with the sound of [`audio`].
pub fn parameters_with(codec: AudioCodec) -> StreamParameters {
    let audio = match codec {
        AudioCodec::Aac => aac::parameters(Bytes::from_static(&[0x14, 0x08])),
        AudioCodec::Pcma | AudioCodec::Pcmu => AudioParameters::without_config(codec, 8_000, 1),
        AudioCodec::Opus => AudioParameters::without_config(codec, 48_000, 1),
    };
    StreamParameters {
        audio: Some(audio.expect("the constants are real")),
        ..parameters()
    }
}

/// A group of ten pictures that begins at `start`; the first is a sync sample.
pub fn gop(start: Ticks90k) -> Vec<Sample> {
    let times = (0_i64..).map(|n| start + Ticks90k::new(n * PICTURE_DURATION.get()));
    PICTURES
        .iter()
        .zip(times)
        .enumerate()
        .map(|(index, (unit, time))| Sample {
            pts: time,
            dts: time,
            sync: index == 0,
            payload: with_length(unit),
        })
        .collect()
}

/// Silent frames that cover `from..to` of a track.
pub fn audio(codec: AudioCodec, from: i64, to: i64) -> Vec<AudioFrame> {
    let (duration, payload): (u32, &'static [u8]) = match codec {
        AudioCodec::Aac => (1_024, &[0x01, 0x18, 0x20, 0x07]),
        AudioCodec::Pcma => (160, &[0xd5; 160]),
        AudioCodec::Pcmu => (160, &[0xff; 160]),
        AudioCodec::Opus => (960, &[0xf8, 0xff, 0xfe]),
    };
    (from..to)
        .step_by(usize::try_from(duration).unwrap_or(usize::MAX))
        .map(|start| AudioFrame {
            start,
            duration,
            payload: Bytes::from_static(payload),
        })
        .collect()
}

/// NAL unit behind its four-byte length.
fn with_length(unit: &[u8]) -> Bytes {
    let length = u32::try_from(unit.len()).expect("a picture of a few bytes");
    Bytes::from([&length.to_be_bytes(), unit].concat())
}

/// A segment file and what the agent reports of it.
#[derive(Clone, Debug)]
pub struct Segment {
    pub bytes: Bytes,
    pub meta: SegmentMeta,
}

/// Describes a segment to build: one fragment per GOP.
#[derive(Clone, Debug)]
pub struct SegmentBuilder {
    pub id: SegmentId,
    pub camera: CameraId,
    pub stream: StreamKind,
    pub run: RunId,
    /// When the first picture was seen.
    pub start: WallTime,
    /// Media time of the first picture, from the start of the run.
    pub media_start: Ticks90k,
    pub fragments: u32,
    pub audio: Option<AudioCodec>,
}

impl SegmentBuilder {
    /// Five fragments (2 s) of a new camera's main stream, without sound, at the start of a run.
    pub fn new(start: WallTime) -> Self {
        Self {
            id: SegmentId::new(start),
            camera: CameraId::new(start),
            stream: StreamKind::Main,
            run: RunId::new(start),
            start,
            media_start: Ticks90k::ZERO,
            fragments: 5,
            audio: None,
        }
    }

    /// The segment that follows in the same run.
    #[must_use]
    pub fn next(&self) -> Self {
        let length = Ticks90k::new(GOP_DURATION.get() * i64::from(self.fragments));
        let start = self.start.offset_micros(length.to_micros());
        Self {
            id: SegmentId::new(start),
            start,
            media_start: self.media_start + length,
            ..self.clone()
        }
    }

    pub fn build(&self) -> Segment {
        let parameters = self.audio.map_or_else(parameters, parameters_with);
        let init = init::write(&parameters).expect("the constants can be written");
        let head = SegmentHead {
            id: self.id,
            camera: self.camera,
            stream: self.stream,
            run: self.run,
            init_length: u32::try_from(init.len()).expect("an init part of a few hundred bytes"),
            init_sha256: Sha256::of(&init),
            tracks: init::tracks(&parameters),
            wall_uncertainty_us: Some(20_000),
        };
        let mut bytes = init.to_vec();
        let fragments = (0..self.fragments)
            .map(|index| self.append_fragment(index, &parameters, &head, &mut bytes))
            .collect();
        let meta = seal(head, bytes.len() as u64, fragments);
        Segment {
            bytes: Bytes::from(bytes),
            meta,
        }
    }

    fn append_fragment(
        &self,
        index: u32,
        parameters: &StreamParameters,
        head: &SegmentHead,
        bytes: &mut Vec<u8>,
    ) -> FragmentMeta {
        let since = Ticks90k::new(GOP_DURATION.get() * i64::from(index));
        let video = gop(self.media_start + since);
        let audio = self.fragment_audio(index, parameters);
        let header = Fragment {
            sequence: index + 1,
            wall_start: self.start.offset_micros(since.to_micros()),
            head: (index == 0).then_some(head),
            video: &video.iter().map(entry).collect::<Vec<_>>(),
            audio: &audio.iter().map(audio_entry).collect::<Vec<_>>(),
        }
        .encode()
        .expect("a GOP is a fragment");
        let payload = || {
            let audio = audio.iter().map(|frame| frame.payload.as_ref());
            video
                .iter()
                .map(|sample| sample.payload.as_ref())
                .chain(audio)
        };
        let sealed = header
            .seal(bytes.len() as u64, payload())
            .expect("the payload that was announced");
        bytes.extend_from_slice(&header.bytes);
        payload().for_each(|piece| bytes.extend_from_slice(piece));
        bytes.extend_from_slice(&sealed.trailer);
        sealed.meta
    }

    fn fragment_audio(&self, index: u32, parameters: &StreamParameters) -> Vec<AudioFrame> {
        let Some((codec, track)) = self.audio.zip(parameters.audio.as_ref()) else {
            return Vec::new();
        };
        let at = |fragment: u32| {
            let ticks = self.media_start.get() + GOP_DURATION.get() * i64::from(fragment);
            ticks * i64::from(track.sample_rate) / crate::time::TICKS_PER_SECOND
        };
        let whole = audio(codec, at(0), at(self.fragments));
        whole
            .into_iter()
            .filter(|frame| (at(index)..at(index + 1)).contains(&frame.start))
            .collect()
    }
}

/// A sample as the fragment lists it, at 25 pictures a second.
pub fn entry(sample: &Sample) -> SampleEntry {
    SampleEntry {
        dts: sample.dts,
        pts: sample.pts,
        duration: PICTURE_DURATION,
        sync: sample.sync,
        length: u32::try_from(sample.payload.len()).expect("a picture of a few bytes"),
    }
}

/// An audio frame as the fragment lists it.
pub fn audio_entry(frame: &AudioFrame) -> AudioEntry {
    AudioEntry {
        start: frame.start,
        duration: frame.duration,
        length: u32::try_from(frame.payload.len()).expect("a frame of a few bytes"),
    }
}

/// The key that signs the segments built here.
fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("any 32 bytes are a seed")
}

/// Public part of the key that signs the segments built here.
pub fn public_key() -> Vec<u8> {
    key().public_key().as_ref().to_vec()
}

/// Closes a segment: root and signature over its fragments.
pub fn seal(head: SegmentHead, size: u64, fragments: Vec<FragmentMeta>) -> SegmentMeta {
    let root = segment::fragment_root(&fragments);
    let signature = key().sign(&segment::statement(&head, size, &root));
    SegmentMeta {
        head,
        size,
        fragments,
        root,
        signature: Signature::from_slice(signature.as_ref()).expect("Ed25519 has 64 bytes"),
    }
}

/// A day of a camera's main stream from `midnight` on, as an operator would tell it: recorded at
/// the site and partly uploaded, the network lost from 03:00 to 03:10, the agent crashed at 07:30
/// for 45 s, off by schedule from 12:00 to 13:00, the first hour expired, one second at 18:00 that
/// nobody explains, reported until 22:00.
pub fn day(midnight: WallTime) -> Facts {
    const HOUR: u64 = 3_600;
    let range = |from: u64, to: u64| {
        TimeRange::starting_at(
            midnight + Duration::from_secs(from),
            Duration::from_secs(to - from),
        )
    };
    let recorded = |from, to, place| Coverage {
        range: range(from, to),
        place,
    };
    Facts {
        coverage: vec![
            recorded(0, 3 * HOUR, Place::Centre),
            recorded(3 * HOUR + 600, 7 * HOUR + 1_800, Place::Both),
            recorded(7 * HOUR + 1_845, 12 * HOUR, Place::Both),
            recorded(13 * HOUR, 18 * HOUR, Place::Edge),
            recorded(18 * HOUR + 1, 22 * HOUR, Place::Edge),
        ],
        missing: vec![
            (range(0, HOUR), Reason::ExpiredByAge),
            (range(3 * HOUR, 3 * HOUR + 600), Reason::CameraUnreachable),
            (
                range(7 * HOUR + 1_800, 7 * HOUR + 1_845),
                Reason::AgentCrashed,
            ),
            (range(12 * HOUR, 13 * HOUR), Reason::OutsideSchedule),
        ],
        reported_until: midnight + Duration::from_secs(22 * HOUR),
        known_since: midnight,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::{self, State};

    #[test]
    fn a_built_segment_contradicts_itself_nowhere_and_its_signature_holds() {
        let first = SegmentBuilder::new(WallTime::from_secs(1_800_000_000));
        for Segment { bytes, meta } in [first.build(), first.next().build()] {
            assert_eq!(meta.check(), Ok(()));
            assert_eq!(meta.size, bytes.len() as u64);
            assert!(meta.signature.verify(&public_key(), &meta.statement()));
            for fragment in &meta.fragments {
                let range = fragment.offset as usize..fragment.end_offset() as usize;
                assert_eq!(Sha256::of(&bytes[range]), fragment.sha256);
            }
        }
        assert_eq!(first.build().bytes, first.build().bytes, "no randomness");
    }

    #[test]
    fn the_day_has_one_second_that_nobody_explains() {
        let midnight = WallTime::from_secs(1_800_057_600);
        let whole = TimeRange::starting_at(midnight, Duration::from_secs(86_400));
        let spans = timeline::build(whole, &day(midnight), Duration::ZERO);
        let seconds = |wanted: fn(&State) -> bool| {
            let spans = spans.iter().filter(|span| wanted(&span.state));
            timeline::total(spans.map(|span| span.range)).as_secs()
        };
        assert_eq!(seconds(|state| *state == State::Unexplained), 1);
        assert_eq!(seconds(|state| *state == State::NotYetReported), 2 * 3_600);
        let missing = 3_600 + 600 + 45 + 3_600;
        assert_eq!(
            seconds(|state| matches!(state, State::Missing { .. })),
            missing
        );
        let recorded = 22 * 3_600 - missing - 1;
        assert_eq!(
            seconds(|state| matches!(state, State::Recorded { .. })),
            recorded
        );
    }
}
