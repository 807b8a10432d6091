//! Reading `moof`: what a fragment says of its samples.

use mp4_atom::{Atom, FourCC, Mfhd, Tfdt, Tfhd, Trun, TrunEntry, TrunSamples};

use super::boxes::{Boxes, TRAF};
use super::read::Damage;
use super::{AUDIO_TRACK, VIDEO_TRACK};

const MFHD: FourCC = Mfhd::KIND;

/// Bit of the sample flags that says "not a sync sample" (ISO/IEC 14496-12 section 8.8.3.1).
const NON_SYNC: u32 = 0x0001_0000;

/// The sample tables of one `moof`.
#[derive(Debug)]
pub(super) struct Moof {
    pub(super) sequence: u32,
    pub(super) video: Track,
    pub(super) audio: Option<Track>,
}

/// One `traf`, as this product writes it: one `trun` with everything explicit.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) start: i64,
    /// Of its first payload byte, from the first byte of `moof`.
    pub(super) data_offset: u64,
    pub(super) samples: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) duration: u32,
    pub(super) length: u32,
    pub(super) sync: bool,
    /// `pts - dts`.
    pub(super) offset: i64,
}

impl Track {
    pub(super) fn duration(&self) -> u64 {
        self.samples
            .iter()
            .map(|entry| u64::from(entry.duration))
            .sum()
    }

    pub(super) fn length(&self) -> u64 {
        self.samples
            .iter()
            .map(|entry| u64::from(entry.length))
            .sum()
    }
}

impl Moof {
    /// Reads the content of a `moof` box.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Damage> {
        Self::parse_boxes(body).map_err(|error| Damage::boxes("moof", &error))
    }

    fn parse_boxes(body: &[u8]) -> Result<Self, mp4_atom::Error> {
        let (mut sequence, mut video, mut audio) = (None, None, None);
        for child in Boxes::of(body) {
            let (kind, body) = child?;
            match kind {
                MFHD => sequence = Some(Mfhd::decode_body(&mut { body })?.sequence_number),
                TRAF => {
                    let (id, track) = parse_traf(body)?;
                    let slot = match id {
                        VIDEO_TRACK => &mut video,
                        AUDIO_TRACK => &mut audio,
                        _ => return Err(mp4_atom::Error::Unsupported("a third track")),
                    };
                    if slot.replace(track).is_some() {
                        return Err(mp4_atom::Error::DuplicateBox(TRAF));
                    }
                }
                _ => {}
            }
        }
        Ok(Self {
            sequence: sequence.ok_or(mp4_atom::Error::MissingBox(MFHD))?,
            video: video.ok_or(mp4_atom::Error::MissingBox(TRAF))?,
            audio,
        })
    }
}

fn parse_traf(body: &[u8]) -> Result<(u32, Track), mp4_atom::Error> {
    let boxes = Boxes::of(body);
    let header = Tfhd::decode_body(&mut boxes.clone().find(Tfhd::KIND)?)?;
    let time = Tfdt::decode_body(&mut boxes.clone().find(Tfdt::KIND)?)?;
    let run = Trun::decode_body(&mut boxes.find(Trun::KIND)?)?;
    let TrunSamples::Explicit(entries) = run.samples else {
        return Err(mp4_atom::Error::MissingContent(
            "sample durations and sizes",
        ));
    };
    let offset = run
        .data_offset
        .and_then(|offset| u64::try_from(offset).ok());
    let samples = entries
        .iter()
        .map(|entry| parse_entry(entry, &header))
        .collect::<Option<_>>()
        .ok_or(mp4_atom::Error::MissingContent(
            "sample duration, size or flags",
        ))?;
    Ok((
        header.track_id,
        Track {
            start: i64::try_from(time.base_media_decode_time)
                .map_err(|_| mp4_atom::Error::InvalidSize)?,
            data_offset: offset.ok_or(mp4_atom::Error::MissingContent("data offset"))?,
            samples,
        },
    ))
}

fn parse_entry(entry: &TrunEntry, header: &Tfhd) -> Option<Entry> {
    let flags = entry.flags.or(header.default_sample_flags)?;
    Some(Entry {
        duration: entry.duration?,
        length: entry.size?,
        sync: flags & NON_SYNC == 0,
        offset: entry.cts.unwrap_or(0),
    })
}
