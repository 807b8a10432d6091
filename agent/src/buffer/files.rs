//! Where segment files are, and reading ranges of them.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use shared::id::{CameraId, SegmentId};
use shared::segment::SegmentHead;
use shared::time::WallTime;

/// Bytes read at once: large enough that a system call costs nothing, small enough for many
/// readers.
const CHUNK_BYTES: u64 = 256 * 1024;

/// `<camera>/<date>/<segment>.mp4`, from the storage directory. The date (UTC, of the opening) only
/// keeps directories small: the name is unique by itself, so a clock that steps back meets nothing.
pub(super) fn relative_path(head: &SegmentHead, opened: WallTime) -> String {
    let date = opened.to_rfc3339();
    let date = date.get(..10).unwrap_or("undated");
    format!("{}/{date}/{}.mp4", head.camera, head.id)
}

/// A path as the index keeps it.
pub(super) fn relative_to(directory: &Path, path: &Path) -> String {
    path.strip_prefix(directory)
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned()
}

/// Which camera and segment a path made by [`relative_path`] names; `None` for anything else.
pub(super) fn parse_path(path: &Path) -> Option<(CameraId, SegmentId)> {
    let mut parts = path.iter().rev();
    let name = parts.next()?.to_str()?.strip_suffix(".mp4")?;
    let _date = parts.next()?;
    let camera = parts.next()?.to_str()?;
    Some((camera.parse().ok()?, name.parse().ok()?))
}

/// A range of a segment's file. The open file stays readable also when retention deletes it.
#[derive(Debug)]
pub struct SegmentBytes {
    file: Arc<File>,
    path: PathBuf,
    position: u64,
    end: u64,
}

impl SegmentBytes {
    /// Opens the file; blocks.
    pub(super) fn open(path: PathBuf, start: u64, end: u64) -> io::Result<Self> {
        let file = File::open(&path)?;
        if file.metadata()?.len() < end {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file is shorter than its index says",
            ));
        }
        Ok(Self {
            file: Arc::new(file),
            path,
            position: start,
            end,
        })
    }

    /// Bytes left to read.
    pub const fn remaining(&self) -> u64 {
        self.end.saturating_sub(self.position)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next piece, at most 256 KiB; `None` at the end.
    ///
    /// # Errors
    /// The disk cannot read, or the file is shorter than its index says.
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let length = self.remaining().min(CHUNK_BYTES);
        if length == 0 {
            return Ok(None);
        }
        let (file, position) = (Arc::clone(&self.file), self.position);
        let piece = tokio::task::spawn_blocking(move || {
            read_at(&file, position, usize::try_from(length).unwrap_or(0))
        })
        .await
        .map_err(io::Error::other)??;
        self.position += length;
        Ok(Some(piece))
    }
}

/// Exactly `length` bytes. Into memory as it is: clearing it first would cost a fifth of reading.
fn read_at(file: &File, position: u64, length: usize) -> io::Result<Bytes> {
    let mut piece = Vec::with_capacity(length);
    while piece.len() < length {
        let at = position + piece.len() as u64;
        match rustix::io::pread(file, spare_capacity(&mut piece), at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // There may have been room for more.
    piece.truncate(length);
    Ok(piece.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_read_exactly_or_not_at_all() {
        let mut file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        io::Write::write_all(&mut file, &content).unwrap();
        assert_eq!(read_at(&file, 7, 70_000).unwrap(), content[7..70_007]);
        assert_eq!(read_at(&file, 0, content.len()).unwrap(), content);
        assert!(read_at(&file, 50_000, 0).unwrap().is_empty());
        let beyond = read_at(&file, 99_999, 2).unwrap_err();
        assert_eq!(beyond.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn only_our_own_paths_are_recognised() {
        let camera = CameraId::new(WallTime::from_secs(1));
        let segment = SegmentId::new(WallTime::from_secs(1));
        let path = format!("{camera}/2026-03-01/{segment}.mp4");
        assert_eq!(parse_path(Path::new(&path)), Some((camera, segment)));
        assert_eq!(parse_path(Path::new("lost+found/x.mp4")), None);
        assert_eq!(parse_path(Path::new(&format!("{segment}.mp4"))), None);
    }
}
