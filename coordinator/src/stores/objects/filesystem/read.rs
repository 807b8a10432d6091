//! Reading ranges, piece by piece.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt};

use super::super::{ObjectBytes, ObjectError, Result};
use super::blocking;

/// Bytes of one read. Large enough that changing threads costs little beside the copy.
pub(super) const READ_BYTES: u64 = 256 * 1024;

pub(super) async fn read(file: PathBuf, path: &str, range: Range<u64>) -> Result<ObjectBytes> {
    let reading = Reading {
        path: path.to_owned(),
        position: range.start,
        end: range.end,
    };
    let (file, first) = reading.open(file).await?;
    let position = range.start + first.len() as u64;
    let rest = stream::try_unfold(
        (
            file,
            Reading {
                position,
                ..reading
            },
        ),
        |(file, reading)| reading.next(file),
    );
    Ok(stream::once(async { Ok(first) })
        .filter(|first| std::future::ready(!matches!(first, Ok(first) if first.is_empty())))
        .chain(rest)
        .boxed())
}

/// How far a reader has come.
struct Reading {
    path: String,
    position: u64,
    end: u64,
}

impl Reading {
    /// Opens the file and reads the first piece, in one visit to a blocking thread.
    async fn open(&self, path: PathBuf) -> Result<(Arc<File>, Bytes)> {
        let (start, end, name) = (self.position, self.end, self.path.clone());
        let (file, size, first) = blocking("open object", &self.path, move || {
            let file = File::open(&path)?;
            let size = file.metadata()?.len();
            let first = if start <= end && end <= size {
                read_piece(&file, start, end)?
            } else {
                Bytes::new()
            };
            Ok((Arc::new(file), size, first))
        })
        .await?;
        if start > end || end > size {
            return Err(ObjectError::OutOfRange {
                path: name,
                size,
                start,
                end,
            });
        }
        Ok((file, first))
    }

    async fn next(self, file: Arc<File>) -> Result<Option<(Bytes, (Arc<File>, Self))>> {
        if self.position >= self.end {
            return Ok(None);
        }
        let (start, end, source) = (self.position, self.end, Arc::clone(&file));
        let piece = blocking("read object", &self.path, move || {
            read_piece(&source, start, end)
        })
        .await?;
        let position = self.position + piece.len() as u64;
        Ok(Some((piece, (file, Self { position, ..self }))))
    }
}

fn read_piece(file: &File, start: u64, end: u64) -> io::Result<Bytes> {
    let length = (end - start).min(READ_BYTES);
    let mut buffer = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut buffer, start)?;
    Ok(buffer.into())
}
