//! HLS media playlists (RFC 8216) over stored segments: which bytes a player fetches, in which
//! order, and when they happened. Pure text from a snapshot of the catalogue; `design/playback.md`
//! says why it looks as it does.
//!
//! A *segment* is one of our files, a minute long. What HLS calls a media segment is an [`Entry`]
//! here: some fragments of one file, addressed by a byte range.

pub mod grouping;
pub mod live;
mod text;

use std::ops::Range;

use serde::{Deserialize, Serialize};
use shared::hash::Sha256;
use shared::id::{RunId, SegmentId};
use shared::time::{Ticks90k, WallTime};

use text::Text;

/// One media segment of a playlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub segment: SegmentId,
    pub run: RunId,
    /// Which bytes of the file.
    pub bytes: Range<u64>,
    /// The init segment it needs: the first bytes of any file with this hash.
    pub init: Init,
    pub duration: Ticks90k,
    /// When its first picture was seen.
    pub start: WallTime,
    /// Media time does not continue that of the entry before.
    pub discontinuity: bool,
    /// Begins with a sync sample, so that decoding can begin here.
    pub independent: bool,
    /// Whether the centre has the file.
    pub stored: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Init {
    pub length: u32,
    pub sha256: Sha256,
}

/// Makes the query part of a segment's address, such as `expires=…&signature=…`.
pub trait Sign {
    fn query(&self, segment: SegmentId) -> String;
}

/// A playlist that is complete, for a stretch of the past. `shown_from` is where the player begins
/// if that is not the first picture.
pub fn vod(entries: &[Entry], shown_from: WallTime, sign: &impl Sign) -> String {
    let mut text = Text::with_room_for(entries.len());
    text.head(target_of(entries));
    text.number("#EXT-X-MEDIA-SEQUENCE:", 0);
    text.line("#EXT-X-PLAYLIST-TYPE:VOD");
    if entries.iter().all(|entry| entry.independent) {
        text.line("#EXT-X-INDEPENDENT-SEGMENTS");
    }
    if let Some(first) = entries.first()
        && let offset = shown_from.micros_since(first.start)
        && offset > 0
        && offset < first.duration.to_micros()
    {
        text.start(offset);
    }
    list(entries, sign, &mut text);
    text.line("#EXT-X-ENDLIST");
    text.finish()
}

/// Where a live playlist stands in the stream of everything it ever listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub media_sequence: u64,
    pub discontinuity_sequence: u64,
    /// Upper bound of all entries' rounded durations, in seconds; never changes.
    pub target_seconds: u64,
}

/// A playlist that slides along with the recording.
pub fn sliding(entries: &[Entry], position: Position, sign: &impl Sign) -> String {
    let mut text = Text::with_room_for(entries.len());
    text.head(position.target_seconds);
    text.number("#EXT-X-MEDIA-SEQUENCE:", position.media_sequence);
    text.number(
        "#EXT-X-DISCONTINUITY-SEQUENCE:",
        position.discontinuity_sequence,
    );
    list(entries, sign, &mut text);
    text.finish()
}

/// The longest duration, rounded to whole seconds as RFC 8216 section 4.3.3.1 wants it.
fn target_of(entries: &[Entry]) -> u64 {
    let rounded = |entry: &Entry| (entry.duration.get().max(0).cast_unsigned() + 45_000) / 90_000;
    entries.iter().map(rounded).max().unwrap_or(0).max(1)
}

fn list(entries: &[Entry], sign: &impl Sign, text: &mut Text) {
    let mut address: Option<(SegmentId, String)> = None;
    let mut map: Option<Init> = None;
    let mut dated: Option<SegmentId> = None;
    for (index, entry) in entries.iter().enumerate() {
        if entry.discontinuity {
            text.line("#EXT-X-DISCONTINUITY");
        }
        if map != Some(entry.init) {
            map = Some(entry.init);
            let source = map_source(&entries[index..], entry);
            text.map(&address_of(source, sign), entry.init.length);
        }
        // Wall time is slewed against media time, so it is said anew for every file.
        if entry.discontinuity || dated != Some(entry.segment) {
            dated = Some(entry.segment);
            text.date(entry.start);
        }
        let address = match &mut address {
            Some((segment, address)) if *segment == entry.segment => address,
            other => {
                &mut other
                    .insert((entry.segment, address_of(entry.segment, sign)))
                    .1
            }
        };
        text.entry(entry, address);
    }
}

/// Which file the init segment is read from: the first one that is at the centre, since that is
/// there even if the site is not; else the first one.
fn map_source(rest: &[Entry], entry: &Entry) -> SegmentId {
    let same = rest.iter().take_while(|other| other.init == entry.init);
    let mut stored = same.filter(|other| other.stored);
    stored.next().unwrap_or(entry).segment
}

fn address_of(segment: SegmentId, sign: &impl Sign) -> String {
    format!("segments/{segment}.mp4?{}", sign.query(segment))
}

#[cfg(test)]
mod tests;
