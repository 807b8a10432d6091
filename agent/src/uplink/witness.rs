//! What this agent keeps of the coordinator's audit: heads of its chain, each of which covers
//! everything before it. The coordinator's own people cannot reach them, so a rewritten audit is
//! found by comparing it with what any one site remembers.
//!
//! [`Heads`] decides what is kept; [`Witness`] keeps it in a file for each authority, because
//! another coordinator has another audit.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::hash::Sha256;
use shared::time::WallTime;
use shared::wire::control::AuditHead;

use crate::identity::{Enrolment, write_atomically};

/// Heads of the recent past.
const RECENT: usize = 64;
/// First heads of a day; older days go.
const DAYS: usize = 400;
/// A head joins the recent ones, and the file is written, at most so often: the disk may be a card
/// that wears out.
const STEP: Duration = Duration::from_secs(30);

const FILE_PREFIX: &str = "audit-heads-";

/// Why what is kept cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    #[error("cannot read {}; run this as the agent's user or as root", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is damaged", path.display())]
    Damaged {
        path: PathBuf,
        source: serde_json::Error,
    },
}

/// A head, and when this agent first had it by its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub head: AuditHead,
    pub since: WallTime,
}

/// What is kept of one chain. Numbers only ever grow from one to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Heads {
    newest: Option<Kept>,
    /// Oldest first.
    recent: VecDeque<Kept>,
    /// The first of each day, oldest first; nothing that comes later on the day displaces it.
    days: VecDeque<Kept>,
}

/// What became of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// It is the newest now.
    Newest {
        /// Whether what is kept should be written.
        write: bool,
    },
    /// Nothing new.
    Known,
    /// The coordinator's audit ends before what is kept of it.
    Behind,
    /// Another hash is kept for that entry.
    Contradicts(AuditHead),
    /// Of a chain that this agent does not follow.
    Foreign,
}

impl Heads {
    fn take(&mut self, head: AuditHead, now: WallTime) -> Taken {
        if let Some(newest) = &self.newest {
            if newest.head.chain != head.chain {
                return Taken::Foreign;
            }
            if let Some(kept) = self.at(head.number) {
                return if kept.hash == head.hash {
                    Taken::Known
                } else {
                    Taken::Contradicts(kept)
                };
            }
            if head.number < newest.head.number {
                return Taken::Behind;
            }
        }
        let kept = Kept { head, since: now };
        self.newest = Some(kept);
        Taken::Newest {
            write: self.remember(kept),
        }
    }

    /// What is kept for that entry.
    fn at(&self, number: u64) -> Option<AuditHead> {
        self.all()
            .map(|kept| kept.head)
            .find(|head| head.number == number)
    }

    fn all(&self) -> impl Iterator<Item = &Kept> {
        self.newest.iter().chain(&self.recent).chain(&self.days)
    }

    fn remember(&mut self, kept: Kept) -> bool {
        let day = |at: WallTime| at.as_micros().div_euclid(86_400_000_000);
        let last = self.recent.back();
        // Also when the clock was set back.
        let due =
            last.is_none_or(|last| kept.since < last.since || kept.since >= last.since + STEP);
        if !due {
            return false;
        }
        self.recent.push_back(kept);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        if self
            .days
            .back()
            .is_none_or(|first| day(first.since) < day(kept.since))
        {
            self.days.push_back(kept);
            if self.days.len() > DAYS {
                self.days.pop_front();
            }
        }
        true
    }
}

/// The heads of the coordinator that an enrolment ties to. Dropping it writes what is not written.
#[derive(Debug)]
pub(super) struct Witness {
    path: PathBuf,
    heads: Heads,
    unwritten: bool,
    /// What was found wrong on this connection was told.
    complained: bool,
}

impl Witness {
    /// # Errors
    /// The enrolment names no authority.
    pub(super) fn open(data_dir: &Path, enrolment: &Enrolment) -> Result<Self, String> {
        let authority = Sha256::of(&enrolment.authority()?).to_string();
        let path = data_dir.join(format!("{FILE_PREFIX}{}.json", &authority[..16]));
        let heads = read(&path).unwrap_or_else(|error| {
            // Heads that come will be kept; an auditor may still read something off the old file.
            let aside = path.with_extension("damaged");
            tracing::error!(%error, aside = %aside.display(), "what this agent kept of the audit cannot be read; put aside");
            let _ = std::fs::rename(&path, &aside);
            Heads::default()
        });
        Ok(Self {
            path,
            heads,
            unwritten: false,
            complained: false,
        })
    }

    pub(super) fn newest(&self) -> Option<AuditHead> {
        self.heads.newest.map(|kept| kept.head)
    }

    pub(super) fn take(&mut self, head: AuditHead, now: WallTime) {
        let kept = self.heads.newest.map(|kept| kept.head.number);
        match self.heads.take(head, now) {
            Taken::Newest { write } => {
                self.unwritten = true;
                if write {
                    self.write();
                }
            }
            Taken::Known => {}
            Taken::Foreign => self.complain("the coordinator tells of another chain of its audit than this agent keeps heads of; `cctv-agent audit-head` shows them"),
            Taken::Behind => self.complain(&format!(
                "the coordinator's audit ends with entry {}, but this agent keeps entry {}; it was cut off, or restored from an older backup",
                head.number, kept.unwrap_or_default()
            )),
            Taken::Contradicts(kept) => self.complain(&format!(
                "the coordinator's audit was rewritten: entry {} is {}, this agent keeps {}",
                head.number, head.hash, kept.hash
            )),
        }
    }

    /// In the background: the disk may be slow, and the connection is not to wait for it.
    fn write(&mut self) {
        self.unwritten = false;
        let (path, heads) = (self.path.clone(), self.heads.clone());
        tokio::task::spawn_blocking(move || store(&path, &heads));
    }

    fn complain(&mut self, problem: &str) {
        if !std::mem::replace(&mut self.complained, true) {
            tracing::error!(
                problem,
                "this agent is a witness against the coordinator's audit"
            );
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if self.unwritten {
            store(&self.path, &self.heads);
        }
    }
}

/// A newer connection's file is never replaced by an older one's.
fn store(path: &Path, heads: &Heads) {
    // They share the name of the unfinished file.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let number = |heads: &Heads| heads.newest.map(|kept| kept.head.number);
    if read(path).is_ok_and(|found| number(&found) >= number(heads)) {
        return;
    }
    let written = serde_json::to_vec(heads)
        .map_err(|error| error.to_string())
        .and_then(|text| write_atomically(path, &text).map_err(|error| error.to_string()));
    if let Err(error) = written {
        tracing::error!(error, path = %path.display(), "could not keep the head of the audit");
    }
}

fn read(path: &Path) -> Result<Heads, WitnessError> {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|source| WitnessError::Damaged {
            path: path.to_owned(),
            source,
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Heads::default()),
        Err(error) => Err(unreadable(path)(error)),
    }
}

fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> WitnessError {
    let path = path.to_owned();
    move |source| WitnessError::Read { path, source }
}

/// Everything that is kept in `data_dir`, newest first, by the beginning of the authority's SHA-256.
///
/// # Errors
/// A file cannot be read.
pub fn all(data_dir: &Path) -> Result<Vec<(String, Vec<Kept>)>, WitnessError> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(data_dir).map_err(unreadable(data_dir))? {
        let file = file.map_err(unreadable(data_dir))?;
        let name = file.file_name();
        let authority = name.to_str().and_then(|name| {
            let name = name.strip_prefix(FILE_PREFIX)?;
            name.strip_suffix(".json")
        });
        let Some(authority) = authority else {
            continue;
        };
        let heads = read(&file.path())?;
        let mut kept: Vec<Kept> = heads.all().copied().collect();
        kept.sort_by_key(|kept| std::cmp::Reverse(kept.head.number));
        kept.dedup_by_key(|kept| kept.head.number);
        found.push((authority.to_owned(), kept));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(number: u64, hash: u8) -> AuditHead {
        AuditHead {
            chain: 1,
            number,
            hash: Sha256::from_bytes([hash; 32]),
            at: WallTime::from_secs(1),
        }
    }

    proptest! {
        /// Whatever a coordinator says: what was kept is never replaced by something else, and never
        /// grows beyond its size.
        #[test]
        fn what_is_kept_only_ever_grows(told in prop::collection::vec((0_u64..40, 0_u8..3, -40_i64..4_000), 1..200)) {
            let mut heads = Heads::default();
            let mut now = WallTime::from_secs(1_800_000_000);
            for (number, hash, step) in told {
                now = now.offset_micros(step * 1_000_000);
                let before = heads.clone();
                let taken = heads.take(head(number, hash), now);
                let newest = |heads: &Heads| heads.newest.map(|kept| kept.head.number);
                prop_assert!(newest(&heads) >= newest(&before));
                match taken {
                    Taken::Newest { .. } => prop_assert!(newest(&heads) > newest(&before)),
                    _ => prop_assert_eq!(&heads, &before),
                }
                if let Taken::Contradicts(kept) = taken {
                    prop_assert_eq!(kept.number, number);
                    prop_assert_ne!(kept.hash, head(number, hash).hash);
                }
                prop_assert!(heads.recent.len() <= RECENT && heads.days.len() <= DAYS);
                let numbers = |kept: &VecDeque<Kept>| kept.iter().map(|kept| kept.head.number).collect::<Vec<_>>();
                prop_assert!(numbers(&heads.recent).is_sorted() && numbers(&heads.days).is_sorted());
            }
        }
    }

    #[test]
    fn the_first_head_of_a_day_stays_however_many_follow() {
        let mut heads = Heads::default();
        let start = WallTime::from_secs(1_800_000_000);
        for number in 1..=100_000 {
            let now = start + Duration::from_secs(number * 31);
            let taken = heads.take(head(number, 1), now);
            assert_eq!(taken, Taken::Newest { write: true });
        }
        assert_eq!(heads.recent.len(), RECENT);
        // 100,000 times 31 s are a little less than 36 days.
        assert!(
            (36..=37).contains(&heads.days.len()),
            "{}",
            heads.days.len()
        );
        assert_eq!(heads.days[0].head.number, 1);
        assert_eq!(
            heads.take(head(1, 2), start),
            Taken::Contradicts(head(1, 1))
        );
        assert_eq!(heads.take(head(2, 2), start), Taken::Behind);
        let foreign = AuditHead {
            chain: 2,
            ..head(200_000, 1)
        };
        assert_eq!(heads.take(foreign, start), Taken::Foreign);
    }

    #[test]
    fn a_file_is_read_back_and_an_older_one_never_replaces_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit-heads-0123456789abcdef.json");
        let now = WallTime::from_secs(1_800_000_000);
        let (mut old, mut new) = (Heads::default(), Heads::default());
        old.take(head(5, 1), now);
        new.take(head(5, 1), now);
        new.take(head(9, 1), now);
        store(&path, &new);
        store(&path, &old);
        assert_eq!(read(&path).unwrap(), new);
        let found = all(directory.path()).unwrap();
        assert_eq!(found[0].0, "0123456789abcdef");
        let numbers: Vec<_> = found[0].1.iter().map(|kept| kept.head.number).collect();
        assert_eq!(numbers, [9, 5]);
        std::fs::write(&path, b"{").unwrap();
        assert!(
            all(directory.path())
                .unwrap_err()
                .to_string()
                .contains("audit-heads")
        );
    }
}
