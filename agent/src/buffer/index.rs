//! The thread that owns the SQLite database, and what it is asked.
//!
//! Nobody else holds a connection, so nobody waits for a lock: callers hand in a piece of work and
//! get a [`Pending`] answer. Writes are committed in groups, and a write is answered only after
//! the commit that makes it durable. A read first commits what waits, so that nothing is ever
//! told to the outside that a power cut could take back. What the statements mean belongs to
//! [`segments`], [`ledger`] and [`outbox`](super::outbox), not here.

mod answer;
pub(super) mod holdings;
pub(super) mod ledger;
pub(super) mod located;
mod packed;
pub(super) mod rows;
pub(super) mod segments;
pub(super) mod state;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use shared::time::WallTime;
use tokio::sync::oneshot;

pub use answer::IndexError;
pub(crate) use answer::Pending;

use super::ballast::Ballast;
use worker::{Message, Work, Worker, in_savepoint};

/// The whole schema, newest version; also its documentation.
const SCHEMA: &str = include_str!("schema.sql");
/// `PRAGMA user_version` of [`SCHEMA`].
pub(super) const SCHEMA_VERSION: u32 = 1;
/// Statements that lead from version `n + 1` to `n + 2`, by position.
const MIGRATIONS: [&str; SCHEMA_VERSION as usize - 1] = [];
/// `PRAGMA application_id`: "cctv".
const APPLICATION_ID: u32 = 0x6363_7476;
/// Work waiting for the thread; more is refused with [`IndexError::Busy`].
const QUEUE: usize = 4_096;

/// Handle to the thread. Dropping the last one closes the database after committing what waits.
#[derive(Debug)]
pub(crate) struct Index {
    queue: SyncSender<Message>,
    thread: Option<JoinHandle<()>>,
    damaged: Arc<AtomicBool>,
    ballast: Ballast,
}

impl Index {
    /// Opens the database at `path`, making or migrating it as needed; `now` is the beginning of
    /// the record numbers of a new one.
    pub(crate) fn open(path: &Path, now: WallTime) -> Result<Self, IndexError> {
        let connection = connect(path, now)?;
        let ballast = Ballast::new(beside(path, ".ballast"));
        let (queue, messages) = sync_channel(QUEUE);
        let damaged = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            connection,
            messages,
            waiting: Vec::new(),
            damaged: Arc::clone(&damaged),
            suspicion: suspicion(path),
            ballast: ballast.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("buffer-index".to_owned())
            .spawn(move || worker.run())
            .map_err(|error| IndexError::Commit {
                message: format!("no thread for it: {error}"),
            })?;
        Ok(Self {
            queue,
            thread: Some(thread),
            damaged,
            ballast,
        })
    }

    /// Sets space aside for a disk that something else fills, as long as `keep_free` stays free.
    pub(crate) fn take_on_ballast(&self, keep_free: u64) {
        self.ballast.take_on(keep_free);
    }

    /// Whether the database turned out to be damaged since it was opened.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    pub(crate) fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Pending<T> {
        self.send(doing, Message::Read, work)
    }

    /// A write nobody waits for.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Pending<T> {
        self.send(doing, Message::Write, work)
    }

    pub(crate) fn write_now<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Pending<T> {
        self.send(doing, Message::UrgentWrite, work)
    }

    fn send<T: Send + 'static>(
        &self,
        doing: &'static str,
        kind: fn(Work) -> Message,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Pending<T> {
        let (reply, pending) = oneshot::channel();
        let damaged = Arc::clone(&self.damaged);
        let work: Work = Box::new(move |connection| {
            let result = in_savepoint(connection, work).map_err(|source| {
                let error = IndexError::new(doing, source);
                if error.is_damage() {
                    damaged.store(true, Ordering::Relaxed);
                }
                error
            });
            Box::new(move |failure| {
                let result = match failure {
                    Some(message) if result.is_ok() => Err(IndexError::Commit { message }),
                    _ => result,
                };
                // The caller may have gone away; the work is done all the same.
                let _ = reply.send(result);
            })
        });
        if let Err(error) = self.queue.try_send(kind(work)) {
            return Pending::ready(Err(match error {
                TrySendError::Full(_) => IndexError::Busy,
                TrySendError::Disconnected(_) => IndexError::Closed,
            }));
        }
        Pending(pending)
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        // Fails only when the thread is gone already.
        let _ = self.queue.send(Message::Close);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A file beside the database, with its name and a suffix.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Exists when the database was found damaged while it was used.
pub(super) fn suspicion(path: &Path) -> PathBuf {
    beside(path, ".damaged")
}

fn connect(path: &Path, now: WallTime) -> Result<Connection, IndexError> {
    let open = |source| IndexError::Open {
        path: path.to_owned(),
        source,
    };
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(open)?;
    configure(&connection).map_err(open)?;
    let found: u32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(open)?;
    if found > SCHEMA_VERSION {
        return Err(IndexError::Newer {
            path: path.to_owned(),
            found,
        });
    }
    migrate(&mut connection, found, now).map_err(open)?;
    Ok(connection)
}

/// A database whose commits survive a power cut: a write-ahead log synced at each commit.
fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // A burst must not leave a log behind that is never given back to the recordings.
    connection.pragma_update(None, "journal_size_limit", 8 * 1024 * 1024)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn migrate(connection: &mut Connection, found: u32, now: WallTime) -> rusqlite::Result<()> {
    if found == SCHEMA_VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    if found == 0 {
        transaction.execute_batch(SCHEMA)?;
        transaction.execute(
            "insert into state (id, next_seq) values (1, ?1)",
            [now.as_micros().max(1)],
        )?;
    } else {
        for statements in MIGRATIONS.iter().skip(found as usize - 1) {
            transaction.execute_batch(statements)?;
        }
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A new database in memory.
    pub(in crate::buffer) fn fresh() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        connection
            .pragma_update(None, "foreign_keys", true)
            .unwrap();
        migrate(&mut connection, 0, WallTime::from_secs(1)).unwrap();
        connection
    }

    fn open() -> (tempfile::TempDir, Index) {
        let directory = tempfile::tempdir().unwrap();
        let index = Index::open(
            &directory.path().join("index.sqlite"),
            WallTime::from_secs(1),
        );
        (directory, index.unwrap())
    }

    #[test]
    fn one_failing_write_does_not_take_others_with_it() {
        let (_directory, index) = open();
        let good = index.write("adding", |connection| {
            connection.execute("update state set held_bytes = 7", [])
        });
        let bad = index.write("failing", |connection| {
            connection.execute("update state set held_bytes = 8", [])?;
            connection.execute("insert into nowhere values (1)", [])
        });
        assert!(matches!(
            bad.block(),
            Err(IndexError::Sql {
                doing: "failing",
                ..
            })
        ));
        good.block().unwrap();
        let bytes: i64 = index
            .read("looking", |connection| {
                connection.query_row("select held_bytes from state", [], |row| row.get(0))
            })
            .block()
            .unwrap();
        assert_eq!(bytes, 7);
    }

    #[test]
    fn a_write_is_answered_when_another_connection_can_see_it() {
        let (directory, index) = open();
        index
            .write("adding", |connection| {
                connection.execute("update state set held_bytes = 7", [])
            })
            .block()
            .unwrap();
        let other = Connection::open(directory.path().join("index.sqlite")).unwrap();
        let bytes: i64 = other
            .query_row("select held_bytes from state", [], |row| row.get(0))
            .unwrap();
        assert_eq!(bytes, 7);
    }

    #[test]
    fn what_waits_is_committed_when_the_index_is_closed() {
        let (directory, index) = open();
        drop(index.write("adding", |connection| {
            connection.execute("update state set held_bytes = 7", [])
        }));
        drop(index);
        let other = Connection::open(directory.path().join("index.sqlite")).unwrap();
        let bytes: i64 = other
            .query_row("select held_bytes from state", [], |row| row.get(0))
            .unwrap();
        assert_eq!(bytes, 7);
    }
}
