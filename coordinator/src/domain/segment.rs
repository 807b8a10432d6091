//! Segments as the centre keeps them: what is accepted from an agent, and where the bytes go.

use std::time::Duration;

use shared::hash::Sha256;
use shared::id::{AgentId, CameraId, RunId, SegmentId};
use shared::segment::{FragmentMeta, SegmentError, SegmentHead, SegmentMeta, TrackMeta};
use shared::time::{Ticks90k, TimeRange, WallTime};

use super::agency::AgencyCode;
use super::agent::PublicKey;

/// Most fragments of one segment: ten minutes at ten a second.
pub const MAX_FRAGMENTS: usize = 6_000;
/// Largest file: ten minutes at 100 Mbit/s.
pub const MAX_SIZE: u64 = 8 << 30;
/// Longest stretch of wall time of one segment. Queries for a time range rely on it: a segment that
/// overlaps the range begins at most this long before it.
pub const MAX_SPAN: Duration = Duration::from_secs(3_600);
/// Largest fragment: a second at 500 Mbit/s. Whoever reads from the edge holds one in memory.
pub const MAX_FRAGMENT: u32 = 64 << 20;
/// Largest init segment.
pub const MAX_INIT: u32 = 1 << 20;
const MAX_TRACKS: usize = 8;
const MAX_CODEC_LENGTH: usize = 64;
/// 2200-01-01: later than any camera, and early enough that every date has four digits.
const LATEST: WallTime = WallTime::from_secs(7_258_118_400);

/// Holes in coverage up to this long come from rounding the duration of pictures and are closed.
/// Shorter than a picture at ten a second, so that a lost one shows.
pub const ROUNDING: Duration = Duration::from_millis(90);

/// Where the agent's copy of a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeCopy {
    /// Still being written.
    Growing,
    Present,
    Deleted,
}

/// Where our copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CentreCopy {
    Absent,
    /// Complete, verified and durable.
    Stored,
    /// Was stored, and its object has disappeared or been damaged since.
    Lost,
}

/// One segment in the catalogue, without its fragments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub head: SegmentHead,
    pub agent: AgentId,
    /// From the first picture to the end of the last fragment known.
    pub range: TimeRange,
    /// Bytes of the file as far as known.
    pub size: u64,
    /// `None` while it grows.
    pub root: Option<Sha256>,
    pub edge: EdgeCopy,
    pub centre: CentreCopy,
    /// Where its object is or is going to be; fixed by the first upload.
    pub object: Option<String>,
}

impl Segment {
    pub const fn id(&self) -> SegmentId {
        self.head.id
    }
}

/// A fragment as playback and timeline need it: without its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    pub offset: u64,
    pub length: u32,
    pub media_start: Ticks90k,
    pub duration: Ticks90k,
    pub wall_start: WallTime,
    pub sync: bool,
}

impl Fragment {
    pub fn media_end(&self) -> Ticks90k {
        self.media_start + self.duration
    }

    pub const fn end_offset(&self) -> u64 {
        self.offset.saturating_add(self.length as u64)
    }

    pub fn wall_range(&self) -> TimeRange {
        TimeRange::starting_at(
            self.wall_start,
            self.duration.to_duration().unwrap_or(Duration::ZERO),
        )
    }
}

impl From<&FragmentMeta> for Fragment {
    fn from(meta: &FragmentMeta) -> Self {
        Self {
            offset: meta.offset,
            length: meta.length,
            media_start: meta.media_start,
            duration: meta.duration,
            wall_start: meta.wall_start,
            sync: meta.sync,
        }
    }
}

/// A segment with its fragments, as far as a player is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footage {
    pub id: SegmentId,
    pub run: RunId,
    pub init_length: u32,
    pub init_sha256: Sha256,
    /// Whether the centre has it; otherwise it is at the edge.
    pub stored: bool,
    /// Whether the agent still writes it, as far as we know.
    pub growing: bool,
    /// In order of the file.
    pub fragments: Vec<Fragment>,
}

/// Why a record of an agent is not believed. Such a record is set aside with this reason and
/// acknowledged: it can never become right, and must not hold up what follows.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Disbelief {
    #[error("the metadata contradicts itself: {0}")]
    Contradiction(#[from] SegmentError),
    #[error("the signature is not the agent's")]
    Signature,
    #[error("it has no fragments")]
    Empty,
    #[error("{what} is {value}; at most {limit} is believed")]
    TooLarge {
        what: &'static str,
        value: u64,
        limit: u64,
    },
    #[error("the codec `{codec}` is not a name as RFC 6381 has them")]
    Codec { codec: String },
    #[error("fragment {index} lasts or begins at an impossible time")]
    Time { index: usize },
    #[error("camera {camera} belongs to another agent")]
    ForeignCamera { camera: CameraId },
    #[error("segment {segment} belongs to another camera or agent")]
    ForeignSegment { segment: SegmentId },
    #[error("the ledger entry belongs to another camera or agent")]
    ForeignEntry,
    #[error("the text is longer than {limit} bytes")]
    LongText { limit: usize },
}

/// Checks a closed segment against itself, our limits and the agent's key. Whether its camera is
/// the agent's own is for the store to say.
///
/// # Errors
/// The first reason not to believe it.
pub fn check_closed(meta: &SegmentMeta, public_key: &PublicKey) -> Result<(), Disbelief> {
    limit("the file's size", meta.size, MAX_SIZE)?;
    check_head(&meta.head)?;
    check_fragments(&meta.fragments)?;
    meta.check()?;
    if !meta.signature.verify(public_key, &meta.statement()) {
        return Err(Disbelief::Signature);
    }
    Ok(())
}

/// Checks what stays the same while a segment grows.
///
/// # Errors
/// The first reason not to believe it.
pub fn check_head(head: &SegmentHead) -> Result<(), Disbelief> {
    limit(
        "the init segment's size",
        head.init_length.into(),
        MAX_INIT.into(),
    )?;
    limit(
        "the number of tracks",
        head.tracks.len() as u64,
        MAX_TRACKS as u64,
    )?;
    head.tracks.iter().try_for_each(check_codec)
}

/// Codec names go into playlists, so a name may contain nothing that could end an attribute there.
fn check_codec(track: &TrackMeta) -> Result<(), Disbelief> {
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == '_';
    let codec = &track.codec;
    if codec.is_empty() || codec.len() > MAX_CODEC_LENGTH || !codec.chars().all(valid) {
        return Err(Disbelief::Codec {
            codec: codec.chars().take(MAX_CODEC_LENGTH).collect(),
        });
    }
    Ok(())
}

/// Checks fragments of one segment, all or some of them in a row, by themselves.
///
/// # Errors
/// The first reason not to believe them.
pub fn check_fragments(fragments: &[FragmentMeta]) -> Result<(), Disbelief> {
    limit(
        "the number of fragments",
        fragments.len() as u64,
        MAX_FRAGMENTS as u64,
    )?;
    let span = span_of(fragments).ok_or(Disbelief::Empty)?;
    for (index, fragment) in fragments.iter().enumerate() {
        let range = fragment.wall_range();
        let possible = fragment.duration >= Ticks90k::ZERO
            && range.start() >= WallTime::from_micros(0)
            && range.end() < LATEST;
        if !possible {
            return Err(Disbelief::Time { index });
        }
        if fragment.length == 0 {
            return Err(SegmentError::EmptyFragment { index }.into());
        }
        limit(
            "a fragment's size",
            fragment.length.into(),
            MAX_FRAGMENT.into(),
        )?;
    }
    limit(
        "the stretch of time in seconds",
        span.duration().as_secs(),
        MAX_SPAN.as_secs() - 1,
    )
}

const fn limit(what: &'static str, value: u64, limit: u64) -> Result<(), Disbelief> {
    if value > limit {
        return Err(Disbelief::TooLarge { what, value, limit });
    }
    Ok(())
}

/// The stretch of wall time from the earliest to the latest picture of fragments; `None` when there
/// are none.
pub fn span_of(fragments: &[FragmentMeta]) -> Option<TimeRange> {
    let start = fragments.iter().map(|fragment| fragment.wall_start).min()?;
    let end = fragments
        .iter()
        .map(|fragment| fragment.wall_range().end())
        .max()?;
    TimeRange::new(start, end.max(start)).ok()
}

/// Whether pictures follow each other without a hole, so that the span alone tells the coverage.
pub fn is_solid(fragments: &[FragmentMeta]) -> bool {
    fragments.windows(2).all(|pair| {
        let end = pair[0].wall_range().end();
        let start = pair[1].wall_start;
        start >= pair[0].wall_start && start.saturating_duration_since(end) <= ROUNDING
    })
}

/// Where the object of a segment goes: `recordings/{agency}/{camera}/{yyyy}/{mm}/{dd}/{id}.mp4`,
/// dated in UTC. The agency is that of the day of the upload; the catalogue remembers the path.
pub fn object_path(
    agency: &AgencyCode,
    camera: CameraId,
    segment: SegmentId,
    start: WallTime,
) -> String {
    let date = start.to_rfc3339();
    // `check_fragments` admits only years of four digits.
    let (year, month, day) = (
        date.get(..4).unwrap_or("0000"),
        date.get(5..7).unwrap_or("00"),
        date.get(8..10).unwrap_or("00"),
    );
    format!("recordings/{agency}/{camera}/{year}/{month}/{day}/{segment}.mp4")
}

/// The segment an object belongs to, by its name.
pub fn segment_of_object(path: &str) -> Option<SegmentId> {
    let name = path.rsplit('/').next()?;
    name.strip_suffix(".mp4")?.parse().ok()
}
