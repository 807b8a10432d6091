//! Writing fragments. The payload is never copied: [`Fragment::encode`] makes what stands before
//! it, [`Header::seal`] what stands after it, and the recorder writes the three with one vectored
//! write.

use bytes::Bytes;
use mp4_atom::{Atom, BufMut, Encode, Mfhd, Prft, ReferenceTime, Tfdt, Tfhd, Trun};

use super::boxes::{HEAD, HEADER_BYTES, MDAT, MOOF, SEAL, TRAF, UUID, UUID_BYTES};
use super::{AUDIO_TRACK, VIDEO_TRACK};
use crate::hash::Hasher;
use crate::segment::{FragmentMeta, SegmentHead};
use crate::time::{Ticks90k, WallTime};

/// Bytes of the seal at the end of every fragment.
pub const SEAL_BYTES: usize = UUID_BYTES + 32;

/// Flags of a sync sample: depends on no other (ISO/IEC 14496-12 section 8.8.3.1).
const SYNC_FLAGS: u32 = 0x0200_0000;
/// Flags of any other sample: depends on others, is not a sync sample.
const NON_SYNC_FLAGS: u32 = 0x0101_0000;

/// One video sample as the fragment lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleEntry {
    /// From the start of the run; never negative.
    pub dts: Ticks90k,
    /// From the start of the run.
    pub pts: Ticks90k,
    /// Until the next sample's `dts`; within a fragment exactly that.
    pub duration: Ticks90k,
    pub sync: bool,
    /// Bytes of payload.
    pub length: u32,
}

/// One audio frame as the fragment lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioEntry {
    /// From the start of the run, in units of the sample rate; never negative.
    pub start: i64,
    /// In units of the sample rate. Only that of the last frame is written: a frame lasts until the
    /// next one starts, so that frames lost in between do not shift the sound.
    pub duration: u32,
    /// Bytes of payload.
    pub length: u32,
}

/// What one fragment holds.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    /// From 1, one more with every fragment of the run.
    pub sequence: u32,
    /// When the first picture was seen.
    pub wall_start: WallTime,
    /// Given for the first fragment of a file, and only there.
    pub head: Option<&'a SegmentHead>,
    /// In decoding order, at least one.
    pub video: &'a [SampleEntry],
    /// In order; may be empty.
    pub audio: &'a [AudioEntry],
}

/// The bytes in front of a fragment's payload, and what is known of it before its hash is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `[uuid] prft moof` and the eight bytes that begin `mdat`. Next come the payloads of all
    /// video samples, then those of all audio frames, then the seal.
    pub bytes: Bytes,
    /// Bytes of all payloads together.
    pub payload_length: u32,
    pub media_start: Ticks90k,
    pub duration: Ticks90k,
    pub wall_start: WallTime,
    pub sync: bool,
    pub samples: u32,
}

/// The bytes behind a fragment's payload, and its line in the segment's index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    pub trailer: [u8; SEAL_BYTES],
    pub meta: FragmentMeta,
}

/// Why a fragment cannot be written. All but [`FragmentError::Audio`] are faults of the caller that
/// cut the fragment.
#[derive(Debug, thiserror::Error)]
pub enum FragmentError {
    #[error("a fragment needs at least one video sample")]
    NoVideo,
    #[error(
        "video sample {index} is at {dts:?} ticks and must follow its predecessor, at {expected:?}"
    )]
    Dts {
        index: usize,
        dts: Ticks90k,
        expected: Ticks90k,
    },
    #[error("video sample {index} lasts {duration:?} ticks; only 1 to 2^32-1 can be written")]
    Duration { index: usize, duration: Ticks90k },
    #[error("video sample {index} is shown {offset:?} ticks after it is decoded; too far apart")]
    Composition { index: usize, offset: Ticks90k },
    /// The same fragment can be written with `audio: &[]`: sound must never cost the picture.
    #[error("audio frame {index} starts at {start}, which is negative or before its predecessor")]
    Audio { index: usize, start: i64 },
    #[error("the wall time {0} is outside 1968 to 2104 and cannot be written")]
    WallTime(WallTime),
    #[error("a fragment of {bytes} bytes is larger than the 2 GiB that one can be; cut it earlier")]
    TooLarge { bytes: u64 },
    #[error("the header announces {expected} bytes of payload, but {given} were given to seal")]
    Payload { expected: u32, given: u64 },
    #[error("cannot write the segment's head: {0}")]
    Head(#[from] serde_json::Error),
    #[error("cannot encode the fragment's boxes: {0}")]
    Boxes(#[from] mp4_atom::Error),
}

impl Fragment<'_> {
    /// Makes everything that stands in front of the payload, in one allocation.
    ///
    /// # Errors
    /// Times that cannot be written, or a fragment of more than 2 GiB.
    pub fn encode(&self) -> Result<Header, FragmentError> {
        let first = self.video.first().ok_or(FragmentError::NoVideo)?;
        let duration = self.check_video()?;
        self.check_audio()?;
        let head = self.head.map(serde_json::to_vec).transpose()?;
        let video_bytes = total(self.video.iter().map(|sample| sample.length));
        let payload = video_bytes + total(self.audio.iter().map(|frame| frame.length));
        let room = self.encoded_length(head.as_deref());
        let bytes = payload + room as u64 + SEAL_BYTES as u64;
        if i32::try_from(bytes).is_err() {
            return Err(FragmentError::TooLarge { bytes });
        }
        let mut buffer = Vec::with_capacity(room);
        if let Some(head) = head {
            encode_uuid(&mut buffer, |buffer| {
                HEAD.encode(buffer)?;
                head.encode(buffer)
            })?;
        }
        self.encode_prft(&mut buffer)?;
        self.encode_moof(&mut buffer, video_bytes)?;
        // Both fit: the sum was compared with 2 GiB above.
        let payload_length = u32::try_from(payload).unwrap_or(u32::MAX);
        (payload_length + HEADER_BYTES as u32).encode(&mut buffer)?;
        MDAT.encode(&mut buffer)?;
        Ok(Header {
            bytes: Bytes::from(buffer),
            payload_length,
            media_start: first.dts,
            duration,
            wall_start: self.wall_start,
            sync: first.sync,
            samples: u32::try_from(self.video.len()).unwrap_or(u32::MAX),
        })
    }

    /// Checks what the boxes cannot express, and sums the durations.
    fn check_video(&self) -> Result<Ticks90k, FragmentError> {
        let start = self.video.first().map_or(Ticks90k::ZERO, |first| first.dts);
        let mut expected = start.max(Ticks90k::ZERO);
        for (index, sample) in self.video.iter().enumerate() {
            let SampleEntry { dts, duration, .. } = *sample;
            if dts != expected {
                return Err(FragmentError::Dts {
                    index,
                    dts,
                    expected,
                });
            }
            if duration <= Ticks90k::ZERO || u32::try_from(duration.get()).is_err() {
                return Err(FragmentError::Duration { index, duration });
            }
            let offset = sample.pts - dts;
            if i32::try_from(offset.get()).is_err() {
                return Err(FragmentError::Composition { index, offset });
            }
            expected = dts
                .get()
                .checked_add(duration.get())
                .map(Ticks90k::new)
                .ok_or(FragmentError::Duration { index, duration })?;
        }
        Ok(expected - start)
    }

    fn check_audio(&self) -> Result<(), FragmentError> {
        let mut earliest = 0;
        for (index, &AudioEntry { start, .. }) in self.audio.iter().enumerate() {
            if start < earliest || (index > 0 && u32::try_from(start - earliest).is_err()) {
                return Err(FragmentError::Audio { index, start });
            }
            earliest = start;
        }
        Ok(())
    }

    /// Bytes of everything in front of the payload; the boxes' sizes are fixed by what is in them.
    fn encoded_length(&self, head: Option<&[u8]>) -> usize {
        const MFHD_BYTES: usize = 16;
        const TRAF_BYTES: usize = HEADER_BYTES + 20 + 20 + 20;
        let head = head.map_or(0, |head| UUID_BYTES + head.len());
        let prft = if u32::try_from(self.media_time()).is_ok() {
            28
        } else {
            32
        };
        let video = TRAF_BYTES + self.video.len() * 16;
        let audio = match self.audio.len() {
            0 => 0,
            frames => TRAF_BYTES + frames * 8,
        };
        head + prft + HEADER_BYTES + MFHD_BYTES + video + audio + HEADER_BYTES
    }

    /// When the first picture is shown, on the video's own clock.
    fn media_time(&self) -> u64 {
        let pts = self.video.first().map_or(0, |first| first.pts.get());
        pts.max(0).cast_unsigned()
    }

    /// The wall time of the first picture, as "the time of what is depicted" (ISO/IEC 14496-12
    /// section 8.16.5, flags 24).
    fn encode_prft(&self, buffer: &mut Vec<u8>) -> Result<(), FragmentError> {
        let ntp_timestamp = self
            .wall_start
            .to_ntp()
            .ok_or(FragmentError::WallTime(self.wall_start))?;
        Ok(Prft {
            reference_track_id: VIDEO_TRACK,
            ntp_timestamp,
            media_time: self.media_time(),
            utc_time_semantics: ReferenceTime::RealTime,
        }
        .encode(buffer)?)
    }

    fn encode_moof(&self, buffer: &mut Vec<u8>, video_bytes: u64) -> Result<(), mp4_atom::Error> {
        let start = buffer.len();
        let mut video_offset = 0;
        let mut audio_offset = 0;
        buffer.encode_atom(MOOF, |buffer| {
            Mfhd {
                sequence_number: self.sequence,
            }
            .encode(buffer)?;
            video_offset = self.encode_video(buffer)?;
            if !self.audio.is_empty() {
                audio_offset = self.encode_audio(buffer)?;
            }
            Ok(())
        })?;
        // Offsets count from the first byte of `moof`; both are below the 2 GiB checked before.
        let to_payload = (buffer.len() - start + HEADER_BYTES) as u64;
        set_offset(buffer, video_offset, to_payload);
        if !self.audio.is_empty() {
            set_offset(buffer, audio_offset, to_payload + video_bytes);
        }
        Ok(())
    }

    /// Returns where the `data_offset` has to be set.
    fn encode_video(&self, buffer: &mut Vec<u8>) -> Result<usize, mp4_atom::Error> {
        /// Offset of the data, and per sample duration, size, flags and composition offset.
        const FLAGS: u32 = 0x01 | 0x100 | 0x200 | 0x400 | 0x800;
        let start = self.video.first().map_or(0, |first| first.dts.get());
        encode_traf(buffer, VIDEO_TRACK, start, |buffer| {
            let offset = encode_trun_start(buffer, FLAGS, self.video.len())?;
            for sample in self.video {
                low_half(sample.duration.get()).encode(buffer)?;
                sample.length.encode(buffer)?;
                if sample.sync {
                    SYNC_FLAGS
                } else {
                    NON_SYNC_FLAGS
                }
                .encode(buffer)?;
                low_half((sample.pts - sample.dts).get()).encode(buffer)?;
            }
            Ok(offset)
        })
    }

    /// Returns where the `data_offset` has to be set.
    fn encode_audio(&self, buffer: &mut Vec<u8>) -> Result<usize, mp4_atom::Error> {
        /// Offset of the data, and per frame duration and size.
        const FLAGS: u32 = 0x01 | 0x100 | 0x200;
        let start = self.audio.first().map_or(0, |first| first.start);
        let followers = self.audio.iter().skip(1).map(Some).chain([None]);
        encode_traf(buffer, AUDIO_TRACK, start, |buffer| {
            let offset = encode_trun_start(buffer, FLAGS, self.audio.len())?;
            for (frame, next) in self.audio.iter().zip(followers) {
                next.map_or(frame.duration, |next| low_half(next.start - frame.start))
                    .encode(buffer)?;
                frame.length.encode(buffer)?;
            }
            Ok(offset)
        })
    }
}

impl Header {
    /// Bytes of the whole fragment, seal included.
    pub fn length(&self) -> u64 {
        self.bytes.len() as u64 + u64::from(self.payload_length) + SEAL_BYTES as u64
    }

    /// Hashes the fragment and makes its seal. `payload` is what will be written between the two,
    /// in the same order; `offset` is where the header will stand in the file.
    ///
    /// # Errors
    /// The payloads do not have the length that the header announces.
    pub fn seal<'a>(
        &self,
        offset: u64,
        payload: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Sealed, FragmentError> {
        let mut hasher = Hasher::new();
        hasher.update(&self.bytes);
        let mut given = 0;
        for piece in payload {
            hasher.update(piece);
            given += piece.len() as u64;
        }
        if given != u64::from(self.payload_length) {
            return Err(FragmentError::Payload {
                expected: self.payload_length,
                given,
            });
        }
        let trailer = seal_bytes(&hasher)?;
        hasher.update(&trailer);
        let meta = FragmentMeta {
            offset,
            length: u32::try_from(self.length()).unwrap_or(u32::MAX),
            media_start: self.media_start,
            duration: self.duration,
            wall_start: self.wall_start,
            sync: self.sync,
            samples: self.samples,
            sha256: hasher.finish(),
        };
        Ok(Sealed { trailer, meta })
    }
}

/// The seal over everything hashed so far.
fn seal_bytes(hasher: &Hasher) -> Result<[u8; SEAL_BYTES], mp4_atom::Error> {
    let digest = hasher.clone().finish();
    let mut buffer = Vec::with_capacity(SEAL_BYTES);
    encode_uuid(&mut buffer, |buffer| {
        SEAL.encode(buffer)?;
        digest.as_bytes().as_slice().encode(buffer)
    })?;
    buffer
        .as_slice()
        .try_into()
        .map_err(|_| mp4_atom::Error::InvalidSize)
}

fn encode_uuid(
    buffer: &mut Vec<u8>,
    content: impl FnOnce(&mut Vec<u8>) -> Result<(), mp4_atom::Error>,
) -> Result<(), mp4_atom::Error> {
    buffer.encode_atom(UUID, content)
}

/// A `traf` with the `trun` that `samples` writes; passes on what that returns.
fn encode_traf<T>(
    buffer: &mut Vec<u8>,
    track_id: u32,
    start: i64,
    samples: impl FnOnce(&mut Vec<u8>) -> Result<T, mp4_atom::Error>,
) -> Result<T, mp4_atom::Error> {
    let mut result = Err(mp4_atom::Error::MissingBox(Trun::KIND));
    buffer.encode_atom(TRAF, |buffer| {
        Tfhd {
            track_id,
            default_sample_flags: Some(SYNC_FLAGS),
            default_base_is_moof: true,
            ..Tfhd::default()
        }
        .encode(buffer)?;
        Tfdt {
            base_media_decode_time: start.max(0).cast_unsigned(),
        }
        .encode(buffer)?;
        buffer.encode_atom(Trun::KIND, |buffer| {
            result = samples(buffer);
            Ok(())
        })
    })?;
    result
}

/// Version, flags, count and a place for the `data_offset`, which is returned (ISO/IEC 14496-12
/// section 8.8.8). Samples are written one by one behind it, where `mp4_atom::Trun` would first
/// want them all in a vector of its own.
fn encode_trun_start(
    buffer: &mut Vec<u8>,
    flags: u32,
    count: usize,
) -> Result<usize, mp4_atom::Error> {
    /// Composition offsets are signed.
    const VERSION_1: u32 = 1 << 24;
    (VERSION_1 | flags).encode(buffer)?;
    u32::try_from(count)
        .map_err(|_| mp4_atom::Error::TooLarge(Trun::KIND))?
        .encode(buffer)?;
    let offset = buffer.len();
    0_u32.encode(buffer)?;
    Ok(offset)
}

fn set_offset(buffer: &mut Vec<u8>, at: usize, value: u64) {
    buffer.set_slice(at, &low_half(value.cast_signed()).to_be_bytes());
}

/// The lower 32 bits, two's complement; callers have checked that nothing is lost.
const fn low_half(value: i64) -> u32 {
    (value.cast_unsigned() & 0xffff_ffff) as u32
}

fn total(lengths: impl Iterator<Item = u32>) -> u64 {
    lengths.map(u64::from).sum()
}
