//! Clips from MP4 files: H.264 or H.265 as it is coded, B-frames included, and AAC.
//!
//! The `mp4` crate walks the sample tables. It knows no `hvc1` and reads nothing of an `hvcC`, so H.265's parameter sets come
//! through `mp4-atom`.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use mp4::{Mp4Reader, Mp4Sample, Mp4Track, TrackType};
use mp4_atom::{Atom, DecodeAtom, DecodeMaybe};

use super::assemble::Parts;
use super::clip::{Clip, ClipFrame};
use super::sound::{self, Sound};
use crate::media::nal::{self, ParameterSets};
use crate::media::{Audio, AudioDescription, Codec, Description, VIDEO_CLOCK, VideoDescription};

/// Why a file cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no MP4, or damaged.
    #[error("{path} is not an MP4 this simulator reads: {what}")]
    Format {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

type Reader<'a> = Mp4Reader<Cursor<&'a [u8]>>;

/// Reads a whole file into a clip. Takes a while; not for an async thread.
pub(crate) fn read(path: &Path) -> Result<Clip, FileError> {
    let bytes = std::fs::read(path).map_err(|source| FileError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&bytes).map_err(|what| FileError::Format {
        path: path.to_owned(),
        what,
    })
}

fn parse(bytes: &[u8]) -> Result<Clip, String> {
    let mut reader = Mp4Reader::read_header(Cursor::new(bytes), bytes.len() as u64)
        .map_err(|error| error.to_string())?;
    let coding = Coding::of(&reader, bytes)?;
    let samples = samples(&mut reader, coding.track)?;
    let frames = coding.frames(&samples);
    let duration: u64 = samples
        .iter()
        .map(|sample| u64::from(sample.duration))
        .sum();
    let period_ticks = coding.to_ticks(duration);
    if frames.is_empty() || period_ticks == 0 {
        return Err("its video track is empty".to_owned());
    }
    let sound = sound(&mut reader, period_ticks)?.map(Arc::new);
    let fps = frames.len() as f64 * f64::from(VIDEO_CLOCK) / period_ticks as f64;
    let description = Description {
        video: VideoDescription {
            codec: coding.codec,
            parameter_sets: coding.sets,
            width: coding.width,
            height: coding.height,
            fps: (fps * 1000.0).round() / 1000.0,
        },
        audio: sound
            .as_ref()
            .map(|sound: &Arc<Sound>| sound.description.clone()),
    };
    Ok(Clip {
        description,
        frames,
        period_ticks,
        sound,
    })
}

/// How the video track is coded.
struct Coding {
    track: u32,
    codec: Codec,
    timescale: u64,
    width: u32,
    height: u32,
    length_size: usize,
    sets: ParameterSets,
}

impl Coding {
    fn of(reader: &Reader<'_>, bytes: &[u8]) -> Result<Self, String> {
        let track = track_of(reader, TrackType::Video).ok_or("it has no video track")?;
        let (codec, length_size, sets) = match &track.trak.mdia.minf.stbl.stsd.avc1 {
            Some(avc1) => {
                let avcc = &avc1.avcc;
                let sps = avcc.sequence_parameter_sets.iter().map(|nal| &nal.bytes);
                let pps = avcc.picture_parameter_sets.iter().map(|nal| &nal.bytes);
                let mut sets = ParameterSets::default();
                for unit in sps.chain(pps) {
                    sets.collect(Codec::H264, &Bytes::copy_from_slice(unit));
                }
                (Codec::H264, avc1.avcc.length_size_minus_one, sets)
            }
            None => {
                let hvcc =
                    hevc_configuration(bytes).ok_or("its video is neither H.264 nor H.265")?;
                let mut sets = ParameterSets::default();
                for unit in hvcc.arrays.iter().flat_map(|array| &array.nalus) {
                    sets.collect(Codec::H265, &Bytes::copy_from_slice(unit));
                }
                (Codec::H265, hvcc.length_size_minus_one, sets)
            }
        };
        if !sets.is_complete(codec) {
            return Err("its sample description lacks parameter sets".to_owned());
        }
        Ok(Self {
            track: track.track_id(),
            codec,
            timescale: u64::from(track.timescale()).max(1),
            width: track.width().into(),
            height: track.height().into(),
            length_size: usize::from(length_size & 3) + 1,
            sets,
        })
    }

    fn to_ticks(&self, time: u64) -> u64 {
        (u128::from(time) * u128::from(VIDEO_CLOCK) / u128::from(self.timescale)) as u64
    }

    fn frames(&self, samples: &[Mp4Sample]) -> Vec<ClipFrame> {
        let pts = |sample: &Mp4Sample| {
            sample.start_time.cast_signed() + i64::from(sample.rendering_offset)
        };
        let mut presented: Vec<i64> = samples.iter().map(pts).collect();
        presented.sort_unstable();
        let first = presented.first().copied().unwrap_or_default();
        let delay = samples
            .iter()
            .map(|sample| i64::from(sample.rendering_offset))
            .max()
            .unwrap_or_default();
        let ticks = |time: i64| self.to_ticks(time.max(0).cast_unsigned());
        let frame = |sample: &Mp4Sample| {
            let nals = nal::split_length_prefixed(&sample.bytes, self.length_size);
            ClipFrame {
                parts: Parts::new(self.codec, &nals, &self.sets, true),
                number: presented.partition_point(|time| *time < pts(sample)) as u64,
                pts_ticks: ticks(pts(sample) - first),
                send_ticks: ticks(sample.start_time.cast_signed() + delay - first),
            }
        };
        samples.iter().map(frame).collect()
    }
}

fn track_of<'a>(reader: &'a Reader<'_>, wanted: TrackType) -> Option<&'a Mp4Track> {
    let tracks = reader
        .tracks()
        .values()
        .filter(|track| track.track_type().is_ok_and(|kind| kind == wanted));
    tracks.min_by_key(|track| track.track_id())
}

fn samples(reader: &mut Reader<'_>, track: u32) -> Result<Vec<Mp4Sample>, String> {
    let count = reader
        .sample_count(track)
        .map_err(|error| error.to_string())?;
    let mut samples = Vec::with_capacity(count.min(1 << 20) as usize);
    for number in 1..=count {
        samples.extend(
            reader
                .read_sample(track, number)
                .map_err(|error| error.to_string())?,
        );
    }
    Ok(samples)
}

/// The first `hvcC` of the file.
fn hevc_configuration(mut bytes: &[u8]) -> Option<mp4_atom::Hvcc> {
    loop {
        let header = mp4_atom::Header::decode_maybe(&mut bytes).ok()??;
        if header.kind == mp4_atom::Moov::KIND {
            let moov = mp4_atom::Moov::decode_atom(&header, &mut bytes).ok()?;
            let entries = moov
                .trak
                .into_iter()
                .flat_map(|trak| trak.mdia.minf.stbl.stsd.codecs);
            return entries.into_iter().find_map(|entry| match entry {
                mp4_atom::Codec::Hvc1(entry) => Some(entry.hvcc),
                mp4_atom::Codec::Hev1(entry) => Some(entry.hvcc),
                _ => None,
            });
        }
        bytes = bytes.get(header.size?..)?;
    }
}

/// AAC-LC of the file; other audio is left out, and said so.
fn sound(reader: &mut Reader<'_>, period_ticks: u64) -> Result<Option<Sound>, String> {
    let Some(track) = track_of(reader, TrackType::Audio) else {
        return Ok(None);
    };
    let (id, rate) = (track.track_id(), track.timescale());
    let stsd = &track.trak.mdia.minf.stbl.stsd;
    let config = stsd
        .mp4a
        .as_ref()
        .and_then(|mp4a| mp4a.esds.as_ref())
        .map(|esds| &esds.es_desc.dec_config.dec_specific);
    let Some(config) = config.filter(|config| config.profile == 2) else {
        tracing::warn!("audio of the file is left out: it is not AAC-LC");
        return Ok(None);
    };
    let description = AudioDescription {
        audio: Audio::Aac,
        rate,
        channels: config.chan_conf.into(),
        config: sound::aac_config(config.freq_index, config.chan_conf),
    };
    let frames: Vec<Bytes> = samples(reader, id)?
        .into_iter()
        .map(|sample| sample.bytes)
        .collect();
    let period = u128::from(period_ticks) * u128::from(rate) / u128::from(VIDEO_CLOCK);
    Ok(Sound::new(
        description,
        &frames,
        sound::AAC_FRAME,
        period as u64,
    ))
}
