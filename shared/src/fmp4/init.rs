//! The init part of a file: `ftyp` and `moov`, the same bytes for every segment of a run, so that
//! they can share one `EXT-X-MAP`.

use bytes::Bytes;
use mp4_atom::{
    Atom, Audio, Avc1, Avcc, BufMut, Dinf, Dops, Dref, Encode, Esds, FixedPoint, FourCC, Ftyp,
    Hdlr, Hvc1, Hvcc, Mdhd, Mp4a, Mvhd, Opus, Smhd, Stco, Stsc, Stsz, Stts, Tkhd, Trex, Url,
    Visual, Vmhd, esds,
};

use super::boxes::{MDIA, MINF, MOOV, MVEX, STBL, STSD, TRAK};
use super::read::Damage;
use super::{AUDIO_TRACK, VIDEO_TRACK};
use crate::codec::{AudioCodec, AudioParameters, StreamParameters, VideoCodec, VideoParameters};
use crate::segment::{TrackKind, TrackMeta};
use crate::time::TICKS_PER_SECOND;

/// Sample entry of G.711 A-law, which `mp4-atom` does not know.
pub(super) const ALAW: FourCC = FourCC::new(b"alaw");
/// Sample entry of G.711 µ-law.
pub(super) const ULAW: FourCC = FourCC::new(b"ulaw");

/// Why an init part cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    #[error("cannot write the decoder configuration of {codec}: {source}")]
    Boxes {
        codec: String,
        source: mp4_atom::Error,
    },
}

/// The bytes of `ftyp` and `moov`.
///
/// # Errors
/// Parameters that no box can hold, such as a decoder configuration of 4 GiB.
pub fn write(parameters: &StreamParameters) -> Result<Bytes, InitError> {
    let mut buffer = Vec::with_capacity(2048);
    encode(parameters, &mut buffer).map_err(|source| InitError::Boxes {
        codec: parameters.video.rfc6381.clone(),
        source,
    })?;
    Ok(Bytes::from(buffer))
}

/// Reads the parameters back from `ftyp` and `moov`, as [`super::read::InitSpan`] delimits them.
///
/// # Errors
/// The bytes are not those of an init part written here.
pub fn read(init: &[u8]) -> Result<StreamParameters, Damage> {
    super::moov::parse(init)
}

/// The tracks as players and indexes are told of them, video first.
pub fn tracks(parameters: &StreamParameters) -> Vec<TrackMeta> {
    let video = &parameters.video;
    let video = TrackMeta {
        codec: video.rfc6381.clone(),
        kind: TrackKind::Video {
            width: video.width,
            height: video.height,
        },
    };
    let audio = parameters.audio.as_ref().map(|audio| TrackMeta {
        codec: audio.rfc6381.clone(),
        kind: TrackKind::Audio {
            sample_rate: audio.sample_rate,
            channels: audio.channels,
        },
    });
    [video].into_iter().chain(audio).collect()
}

fn encode(parameters: &StreamParameters, buffer: &mut Vec<u8>) -> mp4_atom::Result<()> {
    ftyp(parameters).encode(buffer)?;
    buffer.encode_atom(MOOV, |buffer| {
        Mvhd {
            timescale: 1000,
            rate: 1.into(),
            volume: 1.into(),
            next_track_id: AUDIO_TRACK + 1,
            ..Mvhd::default()
        }
        .encode(buffer)?;
        encode_video(&parameters.video, buffer)?;
        if let Some(audio) = &parameters.audio {
            encode_audio(audio, buffer)?;
        }
        buffer.encode_atom(MVEX, |buffer| {
            trex(VIDEO_TRACK).encode(buffer)?;
            parameters
                .audio
                .as_ref()
                .map(|_| trex(AUDIO_TRACK))
                .encode(buffer)
        })
    })
}

/// `cmfc` promises one track per file (ISO/IEC 23000-19 section 7.2), so it is claimed only then.
fn ftyp(parameters: &StreamParameters) -> Ftyp {
    let mut compatible_brands = vec![FourCC::new(b"iso6"), FourCC::new(b"mp41")];
    if parameters.audio.is_none() {
        compatible_brands.push(FourCC::new(b"cmfc"));
    }
    Ftyp {
        major_brand: FourCC::new(b"iso6"),
        minor_version: 0,
        compatible_brands,
    }
}

const fn trex(track_id: u32) -> Trex {
    Trex {
        track_id,
        default_sample_description_index: 1,
        default_sample_duration: 0,
        default_sample_size: 0,
        default_sample_flags: 0,
    }
}

fn encode_video(video: &VideoParameters, buffer: &mut Vec<u8>) -> mp4_atom::Result<()> {
    let header = Tkhd {
        track_id: VIDEO_TRACK,
        enabled: true,
        in_movie: true,
        width: video.width.into(),
        height: video.height.into(),
        ..Tkhd::default()
    };
    let media = Media {
        timescale: u32::try_from(TICKS_PER_SECOND).unwrap_or(u32::MAX),
        handler: FourCC::new(b"vide"),
        name: "video",
    };
    encode_track(&header, &media, buffer, Vmhd::default(), |buffer| {
        encode_video_entry(video, buffer)
    })
}

fn encode_video_entry(video: &VideoParameters, buffer: &mut Vec<u8>) -> mp4_atom::Result<()> {
    let (entry, configuration) = match video.codec {
        VideoCodec::H264 => (Avc1::KIND, Avcc::KIND),
        VideoCodec::H265 => (Hvc1::KIND, Hvcc::KIND),
    };
    buffer.encode_atom(entry, |buffer| {
        Visual {
            data_reference_index: 1,
            width: video.width,
            height: video.height,
            ..Visual::default()
        }
        .encode(buffer)?;
        // The record as the camera gave it, not as a library would write it again.
        buffer.encode_atom(configuration, |buffer| video.config.as_ref().encode(buffer))
    })
}

fn encode_audio(audio: &AudioParameters, buffer: &mut Vec<u8>) -> mp4_atom::Result<()> {
    let header = Tkhd {
        track_id: AUDIO_TRACK,
        enabled: true,
        in_movie: true,
        volume: 1.into(),
        alternate_group: 1,
        ..Tkhd::default()
    };
    let media = Media {
        timescale: audio.sample_rate,
        handler: FourCC::new(b"soun"),
        name: "audio",
    };
    encode_track(&header, &media, buffer, Smhd::default(), |buffer| {
        encode_audio_entry(audio, buffer)
    })
}

fn encode_audio_entry(audio: &AudioParameters, buffer: &mut Vec<u8>) -> mp4_atom::Result<()> {
    let entry = Audio {
        data_reference_index: 1,
        channel_count: u16::from(audio.channels),
        sample_size: 16,
        // Higher rates do not fit; the media header has the true one.
        sample_rate: FixedPoint::from(u16::try_from(audio.sample_rate).unwrap_or(0)),
    };
    match audio.codec {
        AudioCodec::Aac => Mp4a {
            audio: entry,
            esds: aac_descriptor(audio),
            btrt: None,
            taic: None,
        }
        .encode(buffer),
        AudioCodec::Opus => Opus {
            audio: entry,
            dops: Dops {
                output_channel_count: audio.channels,
                // A recording begins amid a stream: there is no encoder start to cut away.
                pre_skip: 0,
                input_sample_rate: audio.sample_rate,
                output_gain: 0,
                channel_mapping: None,
            },
            btrt: None,
        }
        .encode(buffer),
        // A plain audio sample entry without further boxes (QuickTime File Format, "Sound sample
        // descriptions").
        AudioCodec::Pcma => buffer.encode_atom(ALAW, |buffer| entry.encode(buffer)),
        AudioCodec::Pcmu => buffer.encode_atom(ULAW, |buffer| entry.encode(buffer)),
    }
}

/// ISO/IEC 14496-1 section 7.2.6.5, with the configuration as the camera gave it.
fn aac_descriptor(audio: &AudioParameters) -> Esds {
    /// MPEG-4 audio.
    const OBJECT_TYPE: u8 = 0x40;
    const AUDIO_STREAM: u8 = 5;
    Esds {
        es_desc: esds::EsDescriptor {
            dec_config: esds::DecoderConfig {
                object_type_indication: OBJECT_TYPE,
                stream_type: AUDIO_STREAM,
                dec_specific: Some(esds::DecoderSpecific {
                    raw: audio.config.to_vec(),
                    ..Default::default()
                }),
                ..Default::default()
            },
            ..Default::default()
        },
    }
}

struct Media {
    timescale: u32,
    handler: FourCC,
    name: &'static str,
}

/// A `trak` without samples of its own; `entry` writes the one sample entry. Written box by box
/// because `mp4_atom::Stsd` refuses sample entries it does not know.
fn encode_track(
    header: &Tkhd,
    media: &Media,
    buffer: &mut Vec<u8>,
    media_header: impl Encode,
    entry: impl FnOnce(&mut Vec<u8>) -> mp4_atom::Result<()>,
) -> mp4_atom::Result<()> {
    buffer.encode_atom(TRAK, |buffer| {
        header.encode(buffer)?;
        buffer.encode_atom(MDIA, |buffer| {
            Mdhd {
                timescale: media.timescale,
                language: "und".to_owned(),
                ..Mdhd::default()
            }
            .encode(buffer)?;
            Hdlr {
                handler: media.handler,
                name: media.name.to_owned(),
            }
            .encode(buffer)?;
            buffer.encode_atom(MINF, |buffer| {
                media_header.encode(buffer)?;
                Dinf {
                    dref: Dref {
                        entries: vec![Url::default().into()],
                    },
                }
                .encode(buffer)?;
                buffer.encode_atom(STBL, |buffer| {
                    buffer.encode_atom(STSD, |buffer| {
                        0_u32.encode(buffer)?; // version and flags
                        1_u32.encode(buffer)?; // entries
                        entry(buffer)
                    })?;
                    Stts::default().encode(buffer)?;
                    Stsc::default().encode(buffer)?;
                    Stsz::default().encode(buffer)?;
                    Stco::default().encode(buffer)
                })
            })
        })
    })
}
