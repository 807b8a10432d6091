//! Who this coordinator is: an id of its own in leases, which it keeps over restarts, so that leases
//! from before a crash are its own and it need not wait for their end; and the lock that makes it
//! the only one that serves its data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use data_encoding::HEXLOWER;

use super::OpenError;
use super::users::random_bytes;
use crate::stores::Owner;

const FILE: &str = "instance";

/// The identity, held against other processes until it is dropped. The kernel lets go of it when
/// the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Instance {
    owner: Owner,
    locked: File,
}

impl Drop for Instance {
    /// A program that is just being started has inherited the open file for a moment, and would keep
    /// the lock until it runs.
    fn drop(&mut self) {
        let _ = self.locked.unlock();
    }
}

impl Instance {
    pub(super) fn take(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join(FILE);
        let failed = |source| OpenError::Instance {
            path: path.clone(),
            source,
        };
        std::fs::create_dir_all(directory).map_err(failed)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Running {
                    directory: directory.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        Ok(Self {
            owner: read_or_make(&mut file).map_err(failed)?,
            locked: file,
        })
    }

    pub(super) const fn owner(&self) -> Owner {
        self.owner
    }
}

/// One that was cut off while it was written is replaced; leases of a former self then expire by
/// themselves.
fn read_or_make(file: &mut File) -> io::Result<Owner> {
    let mut text = Vec::new();
    file.take(256).read_to_end(&mut text)?;
    if let Some(owner) = read(&text) {
        return Ok(owner);
    }
    let owner: Owner = random_bytes();
    file.set_len(0)?;
    file.rewind()?;
    file.write_all((HEXLOWER.encode(&owner) + "\n").as_bytes())?;
    file.sync_all()?;
    Ok(owner)
}

fn read(text: &[u8]) -> Option<Owner> {
    HEXLOWER.decode(text.trim_ascii()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(directory: &Path) -> Owner {
        Instance::take(directory).unwrap().owner()
    }

    #[test]
    fn the_identity_is_kept_and_a_torn_file_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let first = taken(directory.path());
        assert_eq!(taken(directory.path()), first);
        for torn in ["12ab", ""] {
            std::fs::write(directory.path().join(FILE), torn).unwrap();
            let second = taken(directory.path());
            assert_ne!(second, first);
            assert_eq!(taken(directory.path()), second);
        }
        let beneath_a_file = directory.path().join(FILE).join("data");
        let error = Instance::take(&beneath_a_file).unwrap_err();
        assert!(error.to_string().contains("identity"), "{error}");
    }

    #[test]
    fn a_directory_has_one_coordinator_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let first = Instance::take(directory.path()).unwrap();
        let second = Instance::take(directory.path()).unwrap_err();
        assert!(matches!(second, OpenError::Running { .. }), "{second}");
        drop(first);
        taken(directory.path());
    }
}
