//! One segment file while it grows: a fragment becomes bytes, and the bytes one vectored write.
//!
//! A fragment is in the file whole or not at all: what a failed write leaves behind is cut off, and
//! nothing is written behind what could not be cut. When to begin and end a file is decided by
//! [`super::cutter`], what to do after a failure by [`super::disk`].

use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use shared::fmp4::fragment::{self, AudioEntry, FragmentError, Header, SampleEntry};
use shared::id::SegmentId;
use shared::segment::{FragmentMeta, SegmentHead};
use shared::time::WallTime;

use super::job::{Fragment, RunFacts};
use super::storage::{SegmentFile, Storage};

/// Blocks are set aside at least in such pieces.
const RESERVE_BYTES: u64 = 4 << 20;
/// And at most so many at once, so that many cameras do not fill a small disk with nothing.
const MAX_RESERVE_BYTES: u64 = 64 << 20;

/// Why a fragment is not in the file.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The file is as it was before.
    #[error("cannot write to {}: {source}", path.display())]
    Disk { path: PathBuf, source: io::Error },
    /// The file ends in bytes that belong to nothing; it must not be written to again.
    #[error("cannot write to {}: {source}; and cannot cut off what was written", path.display())]
    Torn { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Fragment(#[from] FragmentError),
}

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) head: SegmentHead,
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn SegmentFile>,
    /// Bytes of whole fragments and what precedes them.
    end: u64,
    /// Blocks are set aside up to here; `None` where the filesystem cannot.
    reserved: Option<u64>,
    /// How large the file will probably become.
    expected: u64,
}

impl Writer {
    /// Makes the file of a new segment; nothing is in it yet.
    pub(super) fn create(
        storage: &dyn Storage,
        head: SegmentHead,
        path: PathBuf,
        expected: u64,
    ) -> Result<Self, WriteError> {
        match storage.create(&path) {
            Ok(file) => Ok(Self {
                head,
                path,
                file,
                end: 0,
                reserved: Some(0),
                expected,
            }),
            Err(source) => Err(WriteError::Disk { path, source }),
        }
    }

    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// Appends one fragment, behind the init part if it is the first.
    pub(super) fn append(&mut self, fragment: &Fragment) -> Result<FragmentMeta, WriteError> {
        let first = self.is_empty();
        let init: &[u8] = if first { &fragment.run.init } else { &[] };
        let offset = self.end + init.len() as u64;
        let (header, with_audio) = encode(fragment, first.then_some(&self.head))?;
        let sealed = header.seal(offset, payload(fragment, with_audio))?;

        let mut slices =
            Vec::with_capacity(fragment.piece.samples.len() + fragment.audio.len() + 3);
        slices.extend([IoSlice::new(init), IoSlice::new(&header.bytes)]);
        slices.extend(payload(fragment, with_audio).map(IoSlice::new));
        slices.push(IoSlice::new(&sealed.trailer));

        let end = offset + u64::from(sealed.meta.length);
        self.reserve(end);
        if let Err(source) = write_all(&*self.file, &mut slices, self.end) {
            let path = self.path.clone();
            return Err(match self.file.truncate(self.end) {
                Ok(()) => {
                    self.reserved = self.reserved.map(|_| self.end);
                    WriteError::Disk { path, source }
                }
                Err(_) => WriteError::Torn { path, source },
            });
        }
        self.end = end;
        Ok(sealed.meta)
    }

    /// Sets blocks aside up to `end` and a good way beyond. Only for fewer fragments on the disk:
    /// where it fails, the write itself will tell.
    fn reserve(&mut self, end: u64) {
        let Some(reserved) = self.reserved.filter(|reserved| *reserved < end) else {
            return;
        };
        let ahead = self.expected.saturating_sub(reserved);
        let bytes = (end - reserved).max(ahead.clamp(RESERVE_BYTES, MAX_RESERVE_BYTES));
        self.reserved = match self.file.reserve(reserved, bytes) {
            Ok(()) => Some(reserved + bytes),
            Err(_) => None,
        };
    }
}

/// The head of a new segment of this run.
pub(super) fn head(facts: &RunFacts, now: WallTime) -> SegmentHead {
    SegmentHead {
        id: SegmentId::new(now),
        camera: facts.run.camera,
        stream: facts.run.stream,
        run: facts.run.id,
        init_length: u32::try_from(facts.init.len()).unwrap_or(u32::MAX),
        init_sha256: facts.init_sha256,
        tracks: facts.tracks.clone(),
        wall_uncertainty_us: facts.run.wall_uncertainty_us,
    }
}

/// What stands before the payload, and whether the payload includes the sound: sound that cannot be
/// written must not cost the picture.
fn encode(
    fragment: &Fragment,
    head: Option<&SegmentHead>,
) -> Result<(Header, bool), FragmentError> {
    let video: Vec<_> = fragment.piece.samples.iter().map(video_entry).collect();
    let audio: Vec<_> = fragment.audio.iter().map(audio_entry).collect();
    let mut boxes = fragment::Fragment {
        sequence: fragment.sequence,
        wall_start: fragment.piece.wall_start(),
        head,
        video: &video,
        audio: &audio,
    };
    match boxes.encode() {
        Err(FragmentError::Audio { .. }) => {
            boxes.audio = &[];
            Ok((boxes.encode()?, false))
        }
        header => Ok((header?, true)),
    }
}

fn video_entry(timed: &super::cutter::Timed) -> SampleEntry {
    SampleEntry {
        dts: timed.sample.dts,
        pts: timed.sample.pts,
        duration: timed.duration,
        sync: timed.sample.sync,
        // A payload that does not fit is refused by `encode`, as the sum is too large then.
        length: u32::try_from(timed.sample.payload.len()).unwrap_or(u32::MAX),
    }
}

fn audio_entry(frame: &shared::sample::AudioFrame) -> AudioEntry {
    AudioEntry {
        start: frame.start,
        duration: frame.duration,
        length: u32::try_from(frame.payload.len()).unwrap_or(u32::MAX),
    }
}

fn payload(fragment: &Fragment, with_audio: bool) -> impl Iterator<Item = &[u8]> {
    let audio = if with_audio { &fragment.audio[..] } else { &[] };
    let video = fragment.piece.samples.iter();
    video
        .map(|timed| &timed.sample.payload[..])
        .chain(audio.iter().map(|frame| &frame.payload[..]))
}

/// Usually one call; a short write is continued where it ended.
fn write_all(
    file: &dyn SegmentFile,
    mut slices: &mut [IoSlice<'_>],
    mut offset: u64,
) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_at(slices, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                IoSlice::advance_slices(&mut slices, written);
                offset += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
