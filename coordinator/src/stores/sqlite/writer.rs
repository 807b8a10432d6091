//! The one thread that changes the database. Changes that arrive while it syncs the disk share the
//! next transaction, each in a savepoint of its own, so that one that fails takes nobody along.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, DropBehavior, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};
use tracing::Span;

use super::{Result, SqlError, StoreError};

/// Changes that may wait; further ones wait to be allowed to, for [`PATIENCE`].
const QUEUE: usize = 1024;
/// Changes in one transaction.
const GROUP: usize = 256;
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(super) struct Writer {
    changes: Option<mpsc::Sender<Box<dyn Change>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self> {
        let (changes, queue) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || serve(connection, queue))
            .map_err(|error| StoreError::Failed {
                attempted: "start the database thread",
                message: error.to_string(),
            })?;
        Ok(Self {
            changes: Some(changes),
            thread: Some(thread),
        })
    }

    /// Returns when the change is durable. If the caller does not wait for that, the change still
    /// happens.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        attempted: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let change = Box::new(Pending {
            attempted,
            request: Span::current(),
            work: Some(work),
            outcome: None,
            reply,
        });
        let changes = self.changes.as_ref().ok_or(StoreError::Closed)?;
        match tokio::time::timeout(PATIENCE, changes.send(change)).await {
            Ok(Ok(())) => answer.await.map_err(|_| StoreError::Closed)?,
            Ok(Err(_)) => Err(StoreError::Closed),
            Err(_) => Err(StoreError::Busy { waiting: QUEUE }),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The thread ends when the last sender is gone and the queue is empty.
        self.changes = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the database thread panicked");
        }
    }
}

/// A change with the type of its result hidden.
trait Change: Send {
    /// Runs inside a savepoint; `false` asks to roll it back.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Tells the caller, once the transaction is durable or lost.
    fn answer(self: Box<Self>, committed: Result<()>);
}

struct Pending<W, T> {
    attempted: &'static str,
    /// What the log shows this change to belong to.
    request: Span,
    work: Option<W>,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<W, T> Change for Pending<W, T>
where
    W: FnOnce(&Connection) -> Result<T, SqlError> + Send,
    T: Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take() else {
            return false;
        };
        let _request = self.request.enter();
        tracing::trace!(self.attempted, "writing");
        let outcome = catch_unwind(AssertUnwindSafe(|| work(connection)));
        let outcome = match outcome {
            Ok(outcome) => outcome.map_err(|error| error.while_trying(self.attempted)),
            Err(_) => Err(StoreError::Failed {
                attempted: self.attempted,
                message: "it panicked".to_owned(),
            }),
        };
        self.outcome.insert(outcome).is_ok()
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let outcome = self.outcome.unwrap_or(Err(StoreError::Closed));
        // Nobody may be waiting any more.
        let _ = self.reply.send(committed.and(outcome));
    }
}

fn serve(mut connection: Connection, mut queue: mpsc::Receiver<Box<dyn Change>>) {
    while let Some(first) = queue.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(next) = queue.try_recv()
        {
            group.push(next);
        }
        let committed = commit(&mut connection, &mut group)
            .map_err(|error| SqlError::from(error).while_trying("commit to the database"));
        if let Err(error) = &committed {
            tracing::error!(%error, changes = group.len(), "changes were not written");
        }
        for change in group {
            change.answer(committed.clone());
        }
    }
}

fn commit(connection: &mut Connection, group: &mut [Box<dyn Change>]) -> rusqlite::Result<()> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for change in group {
        let mut savepoint = transaction.savepoint()?;
        savepoint.set_drop_behavior(DropBehavior::Ignore);
        if change.run(&savepoint) {
            savepoint.commit()?;
        } else {
            // Fails where the error has rolled back everything, such as a full disk; then nothing
            // of the group can be kept.
            savepoint.rollback()?;
            savepoint.commit()?;
        }
    }
    transaction.commit()
}
