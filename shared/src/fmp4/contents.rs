//! The samples of one fragment whose bytes are in memory.

use std::ops::Range;

use super::boxes::{Boxes, HEADER_BYTES, MDAT, MOOF};
use super::fragment::{AudioEntry, SampleEntry};
use super::moof::{Entry, Moof, Track};
use super::read::Damage;
use crate::time::Ticks90k;

/// What one fragment holds, with where each payload is within the fragment's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    pub sequence: u32,
    /// In decoding order.
    pub video: Vec<(SampleEntry, Range<usize>)>,
    /// In order.
    pub audio: Vec<(AudioEntry, Range<usize>)>,
}

impl Contents {
    /// Lists the samples of one fragment, given its bytes as [`crate::segment::FragmentMeta`]
    /// delimits them. The seal is not checked: whoever has the index checks the hash.
    ///
    /// # Errors
    /// The bytes are not those of one fragment. Every range of an `Ok` lies within `fragment`.
    pub fn of(fragment: &[u8]) -> Result<Self, Damage> {
        let mut moof = None;
        let mut position = 0;
        for child in Boxes::of(fragment) {
            let (kind, body) = child.map_err(|error| Damage::boxes("fragment", &error))?;
            let end = position + HEADER_BYTES + body.len();
            match (kind, &moof) {
                (MOOF, None) => moof = Some((position, Moof::parse(body)?)),
                (MDAT, Some((start, moof))) => {
                    return Self::place(moof, *start, &(end - body.len()..end));
                }
                _ => {}
            }
            position = end;
        }
        Err(Damage::Missing("moof and mdat"))
    }

    /// Places the samples of a `moof` that begins at `start`.
    fn place(moof: &Moof, start: usize, payload: &Range<usize>) -> Result<Self, Damage> {
        let mut dts = moof.video.start;
        let video = place(&moof.video, start, payload, |entry| {
            let sample = SampleEntry {
                dts: Ticks90k::new(dts),
                pts: Ticks90k::new(dts) + Ticks90k::new(entry.offset),
                duration: Ticks90k::new(i64::from(entry.duration)),
                sync: entry.sync,
                length: entry.length,
            };
            dts = dts.saturating_add(i64::from(entry.duration));
            sample
        })?;
        let mut time = moof.audio.as_ref().map_or(0, |track| track.start);
        let audio = moof.audio.as_ref().map(|track| {
            place(track, start, payload, |entry| {
                let frame = AudioEntry {
                    start: time,
                    duration: entry.duration,
                    length: entry.length,
                };
                time = time.saturating_add(i64::from(entry.duration));
                frame
            })
        });
        Ok(Self {
            sequence: moof.sequence,
            video,
            audio: audio.transpose()?.unwrap_or_default(),
        })
    }
}

/// The samples of a track with their places, once it is clear that all lie within the payload.
fn place<T>(
    track: &Track,
    start: usize,
    payload: &Range<usize>,
    mut sample: impl FnMut(&Entry) -> T,
) -> Result<Vec<(T, Range<usize>)>, Damage> {
    let mut next = usize::try_from(track.data_offset)
        .ok()
        .and_then(|offset| offset.checked_add(start))
        .filter(|first| payload.start <= *first)
        .ok_or(Damage::Missing("payload at the data offset"))?;
    let mut placed = Vec::with_capacity(track.samples.len());
    for entry in &track.samples {
        let end = usize::try_from(entry.length)
            .ok()
            .and_then(|length| next.checked_add(length))
            .filter(|end| *end <= payload.end)
            .ok_or_else(|| Damage::Payload {
                listed: track.length(),
                present: payload.len() as u64,
            })?;
        placed.push((sample(entry), next..end));
        next = end;
    }
    Ok(placed)
}
