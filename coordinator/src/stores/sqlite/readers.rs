//! Read-only connections, one per question at a time, used on blocking threads.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;
use tracing::Span;

use super::{Result, SqlError, StoreError, open_reader};

/// Questions at once; more wait for their turn.
const CONNECTIONS: usize = 8;

#[derive(Debug)]
pub(super) struct Readers {
    turns: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, SqlError> {
        let connections: Result<Vec<_>, _> = (0..CONNECTIONS).map(|_| open_reader(path)).collect();
        Ok(Self {
            turns: Arc::new(Semaphore::new(CONNECTIONS)),
            idle: Arc::new(Mutex::new(connections?)),
        })
    }

    /// Runs `work` on a snapshot of the database.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        attempted: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T> {
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let idle = Arc::clone(&self.idle);
        let request = Span::current();
        let answered = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let _request = request.entered();
            tracing::trace!(attempted, "reading");
            let mut lent = Lent::take(idle).ok_or(StoreError::Closed)?;
            lent.ask(work)
                .map_err(|error| error.while_trying(attempted))
        });
        answered.await.map_err(|error| StoreError::Failed {
            attempted,
            message: error.to_string(),
        })?
    }
}

/// A connection that goes back when it is dropped, also by a panic.
struct Lent {
    connection: Option<Connection>,
    home: Arc<Mutex<Vec<Connection>>>,
}

impl Lent {
    fn take(home: Arc<Mutex<Vec<Connection>>>) -> Option<Self> {
        let connection = lock(&home).pop()?;
        Some(Self {
            connection: Some(connection),
            home,
        })
    }

    fn ask<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        let connection = self.connection.as_mut().ok_or(StoreError::Closed)?;
        let snapshot = connection.transaction()?;
        let answer = work(&snapshot)?;
        snapshot.commit()?;
        Ok(answer)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        lock(&self.home).extend(self.connection.take());
    }
}

fn lock(idle: &Mutex<Vec<Connection>>) -> std::sync::MutexGuard<'_, Vec<Connection>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
