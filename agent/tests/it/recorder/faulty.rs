//! A storage directory whose every call can be made to fail.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use cctv_agent::recorder::storage::{Directory, SegmentFile, Space, Storage};

/// What goes wrong at the moment.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Bytes that can still be written; then the disk is full.
    pub(crate) room: Option<u64>,
    /// Of each write only so many bytes are taken.
    pub(crate) short: Option<usize>,
    /// Writing and creating fail with this.
    pub(crate) write: Option<io::ErrorKind>,
    /// Nor can anything be cut off.
    pub(crate) truncate: bool,
    /// Nothing becomes durable.
    pub(crate) sync: bool,
    /// What the filesystem says is free.
    pub(crate) free: Option<u64>,
    /// Writes do not return.
    pub(crate) stuck: bool,
}

#[derive(Debug)]
pub(crate) struct FaultyDirectory {
    directory: Directory,
    faults: Arc<Switchboard>,
}

#[derive(Debug, Default)]
struct Switchboard {
    faults: Mutex<Faults>,
    changed: Condvar,
}

impl Switchboard {
    fn now(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap()
    }
}

impl FaultyDirectory {
    pub(crate) fn open(path: &Path) -> Arc<Self> {
        Arc::new(Self {
            directory: Directory::open(path).unwrap(),
            faults: Arc::default(),
        })
    }

    pub(crate) fn set(&self, faults: Faults) {
        *self.faults.now() = faults;
        self.faults.changed.notify_all();
    }

    pub(crate) fn mend(&self) {
        self.set(Faults::default());
    }
}

impl Storage for FaultyDirectory {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        if let Some(kind) = self.faults.now().write {
            return Err(kind.into());
        }
        Ok(Arc::new(FaultyFile {
            file: self.directory.create(path)?,
            faults: Arc::clone(&self.faults),
        }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.directory.remove(path)
    }

    fn sync_filesystem(&self) -> io::Result<()> {
        if self.faults.now().sync {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.directory.sync_filesystem()
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.directory.sync_directory(path)
    }

    fn space(&self) -> io::Result<Space> {
        let space = self.directory.space()?;
        let free = self.faults.now().free.unwrap_or(space.free);
        Ok(Space { free, ..space })
    }
}

#[derive(Debug)]
struct FaultyFile {
    file: Arc<dyn SegmentFile>,
    faults: Arc<Switchboard>,
}

impl SegmentFile for FaultyFile {
    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.file.reserve(offset, bytes)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let faults = self.faults.now();
        let mut faults = self
            .faults
            .changed
            .wait_while(faults, |faults| faults.stuck)
            .unwrap();
        if let Some(kind) = faults.write {
            return Err(kind.into());
        }
        let wanted: usize = slices.iter().map(|slice| slice.len()).sum();
        let room = faults
            .room
            .map_or(usize::MAX, |room| usize::try_from(room).unwrap());
        let taken = wanted.min(faults.short.unwrap_or(usize::MAX)).min(room);
        if taken == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if let Some(room) = &mut faults.room {
            *room -= taken as u64;
        }
        let bytes: Vec<u8> = slices
            .iter()
            .flat_map(|slice| slice.iter().copied())
            .collect();
        self.file.write_at(&[IoSlice::new(&bytes[..taken])], offset)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        if self.faults.now().truncate {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.file.truncate(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        if self.faults.now().sync {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.file.sync()
    }
}
