//! The thread that owns the connection: takes work, groups commits, and answers after them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use super::answer::is_damage;
use crate::buffer::ballast::Ballast;

/// How long a write that nobody waits for may be held to share its commit with others.
const GATHER: Duration = Duration::from_millis(200);

/// Called after the commit, with what went wrong with it if anything did.
pub(super) type AfterCommit = Box<dyn FnOnce(Option<String>) + Send>;
pub(super) type Work = Box<dyn FnOnce(&Connection) -> AfterCommit + Send>;

pub(super) enum Message {
    Read(Work),
    /// Committed within [`GATHER`], together with others.
    Write(Work),
    /// Committed at once, together with whatever waits.
    UrgentWrite(Work),
    Close,
}

pub(super) struct Worker {
    pub(super) connection: Connection,
    pub(super) messages: Receiver<Message>,
    /// Work done inside the open transaction.
    pub(super) waiting: Vec<AfterCommit>,
    pub(super) damaged: Arc<AtomicBool>,
    /// Made when damage is met, so that the next start does not trust the database.
    pub(super) suspicion: PathBuf,
    pub(super) ballast: Ballast,
}

impl Worker {
    pub(super) fn run(mut self) {
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

/// One failing piece of work undoes only itself, not what shares its transaction.
pub(super) fn in_savepoint<T>(
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

fn remaining(at: Instant) -> Duration {
    at.saturating_duration_since(Instant::now())
}
