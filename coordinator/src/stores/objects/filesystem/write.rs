//! Partial objects: appending, and what makes one durable.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;

use super::super::{PartialObject, Result};
use super::{blocking, failed, lock};

/// Directories remembered as durable; forgetting them only costs syncs.
const REMEMBERED: usize = 16_384;

/// That nobody else writes an object. Ends with the last call that may still write.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) path: String,
    pub(super) written: Arc<Mutex<HashSet<String>>>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.written).remove(&self.path);
    }
}

#[derive(Debug)]
pub(super) struct PartialFile {
    pub(super) path: String,
    pub(super) root: Arc<Path>,
    pub(super) durable: Arc<Mutex<HashSet<PathBuf>>>,
    pub(super) length: u64,
    /// Away while a blocking thread writes, and for good when that failed.
    pub(super) writing: Option<Writing>,
}

#[derive(Debug)]
pub(super) struct Writing {
    pub(super) file: File,
    pub(super) length: u64,
    pub(super) partial: PathBuf,
    pub(super) target: PathBuf,
    pub(super) _claim: Claim,
}

impl PartialFile {
    async fn change(
        &mut self,
        attempted: &'static str,
        work: impl FnOnce(&mut Writing) -> io::Result<()> + Send + 'static,
    ) -> Result<()> {
        let mut writing = self.take()?;
        let writing = blocking(attempted, &self.path, move || {
            work(&mut writing)?;
            Ok(writing)
        });
        let writing = writing.await?;
        self.length = writing.length;
        self.writing = Some(writing);
        Ok(())
    }

    fn take(&mut self) -> Result<Writing> {
        self.writing.take().ok_or_else(|| {
            let gone = io::Error::other("an earlier write failed or was abandoned");
            failed("go on with partial object", &self.path, &gone)
        })
    }
}

#[async_trait]
impl PartialObject for PartialFile {
    fn length(&self) -> u64 {
        self.length
    }

    async fn append(&mut self, pieces: Vec<Bytes>) -> Result<()> {
        self.change("write to object", move |writing| {
            write_at(&writing.file, &pieces, writing.length)?;
            writing.length += pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
            Ok(())
        })
        .await
    }

    async fn truncate(&mut self, length: u64) -> Result<()> {
        self.change("shorten object", move |writing| {
            writing.length = writing.length.min(length);
            writing.file.set_len(writing.length)
        })
        .await
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        let writing = self.take()?;
        let (root, durable) = (Arc::clone(&self.root), Arc::clone(&self.durable));
        blocking("make durable object", &self.path, move || {
            writing.file.sync_all()?;
            std::fs::rename(&writing.partial, &writing.target)?;
            sync_directories(&root, &writing.target, &durable)
        })
        .await
    }
}

/// Writes all pieces one behind the other from `offset` on.
fn write_at(mut file: &File, pieces: &[Bytes], offset: u64) -> io::Result<()> {
    if let [piece] = pieces {
        return file.write_all_at(piece, offset);
    }
    io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
    let mut slices: Vec<_> = pieces
        .iter()
        .filter(|piece| !piece.is_empty())
        .map(|piece| IoSlice::new(piece))
        .collect();
    let mut left = slices.as_mut_slice();
    while !left.is_empty() {
        match file.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Syncs the directory of a file that was just renamed into it, and the entries of the directories
/// above, unless those were synced before.
fn sync_directories(root: &Path, file: &Path, durable: &Mutex<HashSet<PathBuf>>) -> io::Result<()> {
    let mut ancestors = file.ancestors().skip(1);
    let Some(directory) = ancestors.next() else {
        return Ok(());
    };
    File::open(directory)?.sync_all()?;
    let mut child = directory;
    for parent in ancestors {
        if child == root || lock(durable).contains(child) {
            break;
        }
        File::open(parent)?.sync_all()?;
        let mut durable = lock(durable);
        if durable.len() >= REMEMBERED {
            durable.clear();
        }
        durable.insert(child.to_owned());
        child = parent;
    }
    Ok(())
}
