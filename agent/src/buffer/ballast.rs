//! Space set aside for the index. Deleting recordings needs a few pages of its log; on a disk that
//! something else has filled to the last byte those would be missing, and nothing would ever be
//! deleted again. The ballast is dropped then, and taken on again when there is room.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// Enough for the index's log and the rows of many deletions.
const BYTES: u64 = 4 << 20;
/// But at most this part of a small disk.
const PART: u64 = 32;

#[derive(Clone, Debug)]
pub(super) struct Ballast {
    path: PathBuf,
}

impl Ballast {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Gives the space up; false when there was none.
    pub(super) fn drop(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }

    /// Sets the space aside unless that is done or `keep_free` would be touched.
    pub(super) fn take_on(&self, keep_free: u64) {
        if self.path.exists() {
            return;
        }
        if let Err(error) = self.try_take_on(keep_free) {
            // Half of it would look like all of it.
            let _ = fs::remove_file(&self.path);
            tracing::debug!(path = %self.path.display(), %error, "no space set aside for the index");
        }
    }

    fn try_take_on(&self, keep_free: u64) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or_else(|| Path::new("."));
        let sizes = statvfs(directory)?;
        let total = sizes.f_blocks.saturating_mul(sizes.f_frsize);
        let free = sizes.f_bavail.saturating_mul(sizes.f_frsize);
        let bytes = BYTES.min(total / PART);
        if bytes == 0 || free < keep_free.saturating_add(bytes) {
            return Ok(());
        }
        let file = File::create(&self.path)?;
        Ok(fallocate(&file, FallocateFlags::empty(), 0, bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_space_once_and_gives_it_up_once() {
        let directory = tempfile::tempdir().unwrap();
        let ballast = Ballast::new(directory.path().join("ballast"));
        assert!(!ballast.drop());
        ballast.take_on(u64::MAX);
        assert!(!ballast.drop(), "what is to stay free is not taken");
        ballast.take_on(0);
        ballast.take_on(0);
        assert!(fs::metadata(&ballast.path).unwrap().len() > 0);
        assert!(ballast.drop());
        assert!(!ballast.drop());
    }
}
