//! The thread that owns the SQLite database, and what it is asked.
//!
//! Nobody else holds a connection, so nobody waits for a lock: callers hand in a piece of work and
//! get a [`Pending`] answer. Writes are committed in groups, and a write is answered only after
//! the commit that makes it durable. A read first commits what waits, so that nothing is ever
//! told to the outside that a power cut could take back. What the statements mean belongs to
//! [`segments`], [`ledger`] and [`outbox`](super::outbox), not here.

pub(super) mod ledger;
mod packed;
pub(super) mod segments;
pub(super) mod state;

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use shared::time::WallTime;
use tokio::sync::oneshot;

use super::ballast::Ballast;

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
/// How long a write that nobody waits for may be held to share its commit with others.
const GATHER: Duration = Duration::from_millis(200);

/// Why the index could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("cannot open the index {}: {source}", path.display())]
    Open {
        path: PathBuf,
        source: rusqlite::Error,
    },
    #[error(
        "the index {} was made by a newer version of the agent (schema {found}, this one knows {SCHEMA_VERSION}); install that version again",
        path.display()
    )]
    Newer { path: PathBuf, found: u32 },
    #[error(
        "the index is damaged ({doing}: {source}); it is made again from the files at the next start"
    )]
    Damaged {
        doing: &'static str,
        source: rusqlite::Error,
    },
    #[error("the index {} does not hold together", path.display())]
    Distrusted { path: PathBuf },
    #[error("the index failed while {doing}: {source}")]
    Sql {
        doing: &'static str,
        source: rusqlite::Error,
    },
    #[error("the index could not make its changes durable: {message}")]
    Commit { message: String },
    #[error("the index does not keep up: {QUEUE} requests are waiting")]
    Busy,
    #[error("the index has been closed")]
    Closed,
}

impl IndexError {
    pub(super) fn new(doing: &'static str, source: rusqlite::Error) -> Self {
        if is_damage(&source) {
            Self::Damaged { doing, source }
        } else {
            Self::Sql { doing, source }
        }
    }

    /// Whether only making the index anew can help.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::Distrusted { .. } => true,
            Self::Open { source, .. } => is_damage(source),
            _ => false,
        }
    }
}

/// Whether the file is not, or no longer, a database.
fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// An answer that comes when the work is done and, for a write, durable.
#[derive(Debug)]
pub(crate) struct Pending<T>(oneshot::Receiver<Result<T, IndexError>>);

impl<T> Pending<T> {
    /// An answer that is there already.
    pub(crate) fn ready(answer: Result<T, IndexError>) -> Self {
        let (reply, pending) = oneshot::channel();
        // The receiver is right here.
        let _ = reply.send(answer);
        Self(pending)
    }

    pub(crate) async fn wait(self) -> Result<T, IndexError> {
        self.0.await.unwrap_or(Err(IndexError::Closed))
    }

    /// Blocks the thread; unlike tokio's own way of doing so also inside a runtime, where opening
    /// the buffer is worth its milliseconds.
    pub(crate) fn block(mut self) -> Result<T, IndexError> {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match Pin::new(&mut self.0).poll(&mut context) {
                Poll::Ready(answer) => return answer.unwrap_or(Err(IndexError::Closed)),
                Poll::Pending => std::thread::park(),
            }
        }
    }

    /// `None` while the work is still going on.
    pub(crate) fn poll(&mut self) -> Option<Result<T, IndexError>> {
        match self.0.try_recv() {
            Ok(answer) => Some(answer),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => Some(Err(IndexError::Closed)),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Called after the commit, with what went wrong with it if anything did.
type AfterCommit = Box<dyn FnOnce(Option<String>) + Send>;
type Work = Box<dyn FnOnce(&Connection) -> AfterCommit + Send>;

enum Message {
    Read(Work),
    /// Committed within [`GATHER`], together with others.
    Write(Work),
    /// Committed at once, together with whatever waits.
    UrgentWrite(Work),
    Close,
}

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

/// One failing piece of work undoes only itself, not what shares its transaction.
fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.execute_batch("savepoint work")?;
    let result = work(connection);
    connection.execute_batch(if result.is_ok() {
        "release work"
    } else {
        "rollback to work; release work"
    })?;
    result
}

struct Worker {
    connection: Connection,
    messages: Receiver<Message>,
    /// Work done inside the open transaction.
    waiting: Vec<AfterCommit>,
    damaged: Arc<AtomicBool>,
    /// Made when damage is met, so that the next start does not trust the database.
    suspicion: PathBuf,
    ballast: Ballast,
}

impl Worker {
    fn run(mut self) {
        let mut deadline = None;
        loop {
            let message = match deadline {
                None => self
                    .messages
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => self.messages.recv_timeout(remaining(at)),
            };
            match message {
                Ok(Message::Write(work)) => {
                    self.write(work);
                    deadline.get_or_insert_with(|| Instant::now() + GATHER);
                    if deadline.is_some_and(|at| remaining(at).is_zero()) {
                        self.commit();
                        deadline = None;
                    }
                }
                Ok(Message::UrgentWrite(work)) => {
                    self.write(work);
                    let closing = self.drain();
                    self.commit();
                    deadline = None;
                    if closing {
                        return;
                    }
                }
                Ok(Message::Read(work)) => {
                    self.commit();
                    deadline = None;
                    work(&self.connection)(None);
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.commit();
                    deadline = None;
                }
                Ok(Message::Close) | Err(RecvTimeoutError::Disconnected) => {
                    self.commit();
                    return;
                }
            }
        }
    }

    /// Takes along whatever else is there already; true when that was the end.
    fn drain(&mut self) -> bool {
        while let Ok(message) = self.messages.try_recv() {
            match message {
                Message::Write(work) | Message::UrgentWrite(work) => self.write(work),
                Message::Read(work) => {
                    self.commit();
                    work(&self.connection)(None);
                }
                Message::Close => return true,
            }
        }
        false
    }

    fn write(&mut self, work: Work) {
        if self.waiting.is_empty()
            && let Err(error) = self.connection.execute_batch("begin immediate")
        {
            tracing::warn!(%error, "the index cannot begin a transaction");
        }
        let after = work(&self.connection);
        self.waiting.push(after);
    }

    fn commit(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let failure = self.connection.execute_batch("commit").err().map(|error| {
            self.failed(&error);
            error.to_string()
        });
        for after in self.waiting.drain(..) {
            after(failure.clone());
        }
        if self.damaged.load(Ordering::Relaxed) && !self.suspicion.exists() {
            // Where even that fails, the next start meets the damage as this one did.
            let _ = std::fs::File::create(&self.suspicion);
        }
    }

    fn failed(&self, error: &rusqlite::Error) {
        tracing::warn!(%error, "the index cannot commit");
        if is_damage(error) {
            self.damaged.store(true, Ordering::Relaxed);
        }
        if error.sqlite_error_code() == Some(ErrorCode::DiskFull) && self.ballast.drop() {
            tracing::warn!("gave up the space set aside, so that recordings can be deleted");
        }
        if !self.connection.is_autocommit() {
            // Fails only when SQLite has rolled back by itself.
            let _ = self.connection.execute_batch("rollback");
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

fn remaining(at: Instant) -> Duration {
    at.saturating_duration_since(Instant::now())
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
