//! The edge to the filesystem: the few calls that writing segments needs, behind traits so that
//! tests can make each of them fail. Every method blocks, and fails as the system call behind it
//! does.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate, statvfs, syncfs};
use rustix::io::pwritev;
use shared::timeline::Reason;

/// Most slices one call takes (`IOV_MAX` of Linux).
const MAX_SLICES: usize = 1_024;

/// Sizes of a filesystem, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    /// What an ordinary user may still write.
    pub free: u64,
}

/// The filesystem of one storage directory.
pub trait Storage: Debug + Send + Sync {
    /// Makes a new file and the directories above it.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes everything written so far durable, whoever wrote it.
    fn sync_filesystem(&self) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    fn space(&self) -> io::Result<Space>;
}

/// A segment file being written.
pub trait SegmentFile: Debug + Send + Sync {
    /// Sets blocks aside without changing the file's size.
    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()>;
    /// Writes some of the slices, from their beginning; returns how many bytes.
    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize>;
    /// Cuts the file, and gives back what was reserved beyond.
    fn truncate(&self, bytes: u64) -> io::Result<()>;
    /// Makes the file's bytes and size durable.
    fn sync(&self) -> io::Result<()>;
}

/// What the ledger says of a failure.
pub(super) fn reason_of(error: &io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Reason::DiskFull
        }
        io::ErrorKind::ReadOnlyFilesystem => Reason::DiskReadOnly,
        _ => Reason::DiskError,
    }
}

/// A directory of the local filesystem.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    handle: File,
}

impl Directory {
    /// # Errors
    /// The directory is not there or may not be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            handle: File::open(path)?,
        })
    }
}

impl Storage for Directory {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        let open = || {
            OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .open(path)
        };
        let file = open().or_else(|error| match (error.kind(), path.parent()) {
            (io::ErrorKind::NotFound, Some(parent)) => {
                std::fs::create_dir_all(parent)?;
                // The new names above are as durable as the file's own, which is synced later.
                if let Some(above) = parent.parent() {
                    self.sync_directory(above)?;
                    self.sync_directory(&self.path)?;
                }
                open()
            }
            _ => Err(error),
        })?;
        Ok(Arc::new(LocalFile(file)))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_filesystem(&self) -> io::Result<()> {
        Ok(syncfs(&self.handle)?)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn space(&self) -> io::Result<Space> {
        let sizes = statvfs(&self.path)?;
        Ok(Space {
            total: sizes.f_blocks.saturating_mul(sizes.f_frsize),
            free: sizes.f_bavail.saturating_mul(sizes.f_frsize),
        })
    }
}

#[derive(Debug)]
struct LocalFile(File);

impl SegmentFile for LocalFile {
    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()> {
        Ok(fallocate(
            &self.0,
            FallocateFlags::KEEP_SIZE,
            offset,
            bytes,
        )?)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let slices = slices.get(..MAX_SLICES).unwrap_or(slices);
        Ok(pwritev(&self.0, slices, offset)?)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
