//! Reading `moov`: what a file says of its tracks.

use bytes::Bytes;
use mp4_atom::{
    Atom, Audio, Avc1, Avcc, Decode, Esds, FourCC, Hvc1, Hvcc, Mdhd, Mp4a, Opus, Stsd, Tkhd, Visual,
};

use super::boxes::{Boxes, MDIA, MINF, MOOV, STBL, TRAK};
use super::init::{ALAW, ULAW};
use super::read::Damage;
use super::{AUDIO_TRACK, VIDEO_TRACK};
use crate::codec::{
    AudioCodec, AudioParameters, ParameterError, StreamParameters, VideoCodec, VideoParameters, aac,
};

/// Largest `esds` that is read: descriptors nest, and are decoded by recursion.
const MAX_ESDS_BYTES: usize = 512;

/// The parameters of the tracks in `ftyp` and `moov`.
pub(super) fn parse(init: &[u8]) -> Result<StreamParameters, Damage> {
    let moov = Boxes::of(init).find(MOOV).map_err(damage)?;
    let (mut video, mut audio) = (None, None);
    for child in Boxes::of(moov) {
        let (kind, body) = child.map_err(damage)?;
        if kind != TRAK {
            continue;
        }
        let track = Track::parse(body).map_err(damage)?;
        match track.id {
            VIDEO_TRACK => video = Some(track.video()?),
            AUDIO_TRACK => audio = Some(track.audio()?),
            _ => {}
        }
    }
    Ok(StreamParameters {
        video: video.ok_or(Damage::Missing("video track"))?,
        audio,
    })
}

fn damage(error: mp4_atom::Error) -> Damage {
    Damage::boxes("moov", &error)
}

fn unusable(error: ParameterError) -> Damage {
    Damage::Boxes {
        kind: "moov",
        detail: error.to_string(),
    }
}

struct Track<'a> {
    id: u32,
    timescale: u32,
    /// Type and content of its sample entry.
    entry: (FourCC, &'a [u8]),
}

impl<'a> Track<'a> {
    fn parse(trak: &'a [u8]) -> Result<Self, mp4_atom::Error> {
        let header = Tkhd::decode_body(&mut Boxes::of(trak).find(Tkhd::KIND)?)?;
        let media = Boxes::of(trak).find(MDIA)?;
        let timescale = Mdhd::decode_body(&mut Boxes::of(media).find(Mdhd::KIND)?)?.timescale;
        let table = Boxes::of(Boxes::of(media).find(MINF)?).find(STBL)?;
        // Version, flags and the number of entries come first.
        let entries = Boxes::of(table).find(Stsd::KIND)?.get(8..);
        let entry = entries.and_then(|entries| Boxes::of(entries).next());
        Ok(Self {
            id: header.track_id,
            timescale,
            entry: entry.ok_or(mp4_atom::Error::MissingContent("sample entry"))??,
        })
    }

    fn video(&self) -> Result<VideoParameters, Damage> {
        let (kind, mut body) = self.entry;
        let (codec, record) = match kind {
            Avc1::KIND => (VideoCodec::H264, Avcc::KIND),
            Hvc1::KIND => (VideoCodec::H265, Hvcc::KIND),
            _ => return Err(Damage::Missing("avc1 or hvc1 sample entry")),
        };
        Visual::decode(&mut body).map_err(damage)?;
        let config = Boxes::of(body).find(record).map_err(damage)?;
        VideoParameters::from_config(codec, Bytes::copy_from_slice(config)).map_err(unusable)
    }

    fn audio(&self) -> Result<AudioParameters, Damage> {
        let (kind, mut body) = self.entry;
        let entry = Audio::decode(&mut body).map_err(damage)?;
        let channels = u8::try_from(entry.channel_count).unwrap_or(u8::MAX);
        let plain = |codec| AudioParameters::without_config(codec, self.timescale, channels);
        match kind {
            Mp4a::KIND => aac::parameters(aac_config(body)?),
            Opus::KIND => plain(AudioCodec::Opus),
            ALAW => plain(AudioCodec::Pcma),
            ULAW => plain(AudioCodec::Pcmu),
            _ => return Err(Damage::Missing("known audio sample entry")),
        }
        .map_err(unusable)
    }
}

fn aac_config(entry: &[u8]) -> Result<Bytes, Damage> {
    let mut body = Boxes::of(entry).find(Esds::KIND).map_err(damage)?;
    if body.len() > MAX_ESDS_BYTES {
        return Err(Damage::Size {
            kind: Esds::KIND,
            bytes: body.len() as u64,
        });
    }
    let esds = Esds::decode_body(&mut body).map_err(damage)?;
    let config = esds.es_desc.dec_config.dec_specific;
    Ok(config.map_or_else(Bytes::new, |config| Bytes::from(config.raw)))
}
