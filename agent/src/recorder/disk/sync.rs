//! Group commit: one sync for everything that was written since the last, on a thread of its own so
//! that a slow disk delays the durability mark and nothing else.
//!
//! Which call is cheaper depends on the disk, the filesystem and how many files changed, so
//! [`Chooser`] measures both: `fdatasync` of each changed file, or one `syncfs`.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::super::storage::{SegmentFile, Storage};

/// After so many rounds the other method is tried again: disks fill up, neighbours come and go.
const TRY_OTHER_EVERY: u32 = 256;
/// Weight of the newest measurement.
const WEIGHT: f64 = 0.2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    EachFile,
    Filesystem,
}

/// Chooses the method that took less time. Pure.
#[derive(Debug, Default)]
pub(super) struct Chooser {
    seconds_per_file: Option<f64>,
    seconds_per_filesystem: Option<f64>,
    rounds: u32,
}

impl Chooser {
    pub(super) fn choose(&mut self, files: usize) -> Method {
        self.rounds = self.rounds.wrapping_add(1);
        let (Some(file), Some(filesystem)) = (self.seconds_per_file, self.seconds_per_filesystem)
        else {
            return if self.seconds_per_file.is_none() {
                Method::EachFile
            } else {
                Method::Filesystem
            };
        };
        let each = file * f64::from(u32::try_from(files).unwrap_or(u32::MAX));
        let other_due = self.rounds.is_multiple_of(TRY_OTHER_EVERY);
        // A method that is ten times slower is not worth trying.
        match (each <= filesystem, other_due) {
            (true, true) if filesystem < each * 10.0 => Method::Filesystem,
            (false, true) if each < filesystem * 10.0 => Method::EachFile,
            (true, _) => Method::EachFile,
            (false, _) => Method::Filesystem,
        }
    }

    pub(super) fn learn(&mut self, method: Method, files: usize, took: Duration) {
        let (known, seconds) = match method {
            Method::EachFile => {
                let files = f64::from(u32::try_from(files.max(1)).unwrap_or(u32::MAX));
                (&mut self.seconds_per_file, took.as_secs_f64() / files)
            }
            Method::Filesystem => (&mut self.seconds_per_filesystem, took.as_secs_f64()),
        };
        *known = Some(known.map_or(seconds, |old| old + (seconds - old) * WEIGHT));
    }
}

/// What has changed since the last round.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) files: Vec<Arc<dyn SegmentFile>>,
    /// In which files were made.
    pub(super) directories: BTreeSet<PathBuf>,
}

impl Round {
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.directories.is_empty()
    }

    pub(super) fn run(&self, storage: &dyn Storage, chooser: &mut Chooser) -> io::Result<()> {
        let method = chooser.choose(self.files.len());
        let started = Instant::now();
        match method {
            Method::Filesystem => storage.sync_filesystem()?,
            Method::EachFile => {
                for file in &self.files {
                    file.sync()?;
                }
                for directory in &self.directories {
                    storage.sync_directory(directory)?;
                }
            }
        }
        chooser.learn(method, self.files.len(), started.elapsed());
        Ok(())
    }
}

/// Runs rounds until the sender is gone, and tells how each went.
pub(super) fn run_rounds(
    storage: &dyn Storage,
    rounds: &Receiver<Round>,
    done: impl Fn(io::Result<()>) -> bool,
) {
    let mut chooser = Chooser::default();
    for round in rounds {
        if !done(round.run(storage, &mut chooser)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn both_methods_are_measured_and_the_cheaper_one_is_used() {
        let mut chooser = Chooser::default();
        assert_eq!(chooser.choose(10), Method::EachFile);
        chooser.learn(Method::EachFile, 10, ms(20));
        assert_eq!(chooser.choose(10), Method::Filesystem);
        chooser.learn(Method::Filesystem, 10, ms(10));
        assert_eq!(chooser.choose(10), Method::Filesystem);
        assert_eq!(chooser.choose(2), Method::EachFile);
    }

    #[test]
    fn it_notices_when_the_other_method_has_become_cheaper() {
        let mut chooser = Chooser::default();
        chooser.learn(Method::EachFile, 10, ms(40));
        chooser.learn(Method::Filesystem, 10, ms(20));
        let mut tried = 0;
        for _ in 0..TRY_OTHER_EVERY * 12 {
            match chooser.choose(10) {
                Method::EachFile => {
                    tried += 1;
                    chooser.learn(Method::EachFile, 10, ms(5));
                }
                Method::Filesystem => chooser.learn(Method::Filesystem, 10, ms(20)),
            }
        }
        assert!(tried > 100, "{tried}");
        assert_eq!(chooser.choose(10), Method::EachFile);
    }
}
