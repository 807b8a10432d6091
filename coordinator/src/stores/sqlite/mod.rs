//! The embedded back end: SQLite in one file, write-ahead log, one writer and a few readers.
//!
//! All changes go through one thread ([`writer`]), which puts those that wait into one transaction,
//! so that a sync of the disk is paid once for all of them. Questions go to a bounded pool of
//! read-only connections ([`readers`]) on blocking threads. Nothing outside this folder imports
//! rusqlite. The tables are explained in `schema.sql`.

mod agents;
mod audit;
mod cameras;
mod catalogue;
mod columns;
mod credentials;
mod footage;
mod migrate;
mod outside;
mod people;
mod playbacks;
mod quotas;
mod readers;
mod report;
mod sessions;
mod uploads;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::packed::PackedError;
use super::{Result, Store, StoreError};
use readers::Readers;
use writer::Writer;

const FILE: &str = "coordinator.sqlite";

/// How long another process that writes is waited for.
const BUSY: Duration = Duration::from_secs(10);

/// Opens the database in `directory`, creating or migrating it.
///
/// # Errors
/// The file cannot be opened, or a newer version has written it.
pub async fn open(directory: &Path) -> Result<Arc<dyn Store>> {
    open_as(directory, Opening::Whatever).await
}

/// Opens the database of a coordinator that may be running: nothing is created or migrated.
///
/// # Errors
/// There is none, or its schema is not the one this program knows.
pub async fn open_existing(directory: &Path) -> Result<Arc<dyn Store>> {
    open_as(directory, Opening::Existing).await
}

async fn open_as(directory: &Path, opening: Opening) -> Result<Arc<dyn Store>> {
    let directory = directory.to_owned();
    let opened = tokio::task::spawn_blocking(move || Sqlite::open(&directory, opening));
    let store = opened.await.map_err(|error| StoreError::Failed {
        attempted: "open the database",
        message: error.to_string(),
    })??;
    Ok(Arc::new(store))
}

/// Which databases are opened.
#[derive(Clone, Copy, Debug)]
enum Opening {
    Whatever,
    Existing,
}

/// A database in one file. Dropping it finishes what has been handed to the writer.
#[derive(Debug)]
pub struct Sqlite {
    writer: Writer,
    readers: Readers,
}

impl Sqlite {
    fn open(directory: &Path, opening: Opening) -> Result<Self> {
        let path = directory.join(FILE);
        let connection = match opening {
            Opening::Whatever => create(directory, &path),
            Opening::Existing => existing(&path),
        };
        let connection = connection.map_err(|error| error.while_trying("open the database"))?;
        Ok(Self {
            readers: Readers::open(&path)
                .map_err(|error| error.while_trying("open the database for reading"))?,
            writer: Writer::start(connection)?,
        })
    }

    /// Runs `work` in a transaction; what it returns is durable.
    async fn write<T: Send + 'static>(
        &self,
        attempted: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T> {
        self.writer.run(attempted, work).await
    }

    /// Runs `work` on a snapshot.
    async fn read<T: Send + 'static>(
        &self,
        attempted: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T> {
        self.readers.run(attempted, work).await
    }
}

fn create(directory: &Path, path: &Path) -> Result<Connection, SqlError> {
    std::fs::create_dir_all(directory).map_err(|error| StoreError::Failed {
        attempted: "create the data directory",
        message: format!("{}: {error}", directory.display()),
    })?;
    let mut connection = Connection::open(path)?;
    prepare_writer(&connection)?;
    migrate::to_newest(&mut connection)?;
    Ok(connection)
}

fn existing(path: &Path) -> Result<Connection, SqlError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Before the settings, which write.
    migrate::check_newest(&connection)?;
    prepare_writer(&connection)?;
    Ok(connection)
}

fn prepare_writer(connection: &Connection) -> Result<(), SqlError> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // What is acknowledged survives a power cut.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.pragma_update(None, "cache_size", -32 * 1024)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(())
}

fn open_reader(path: &Path) -> Result<Connection, SqlError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "cache_size", -16 * 1024)?;
    connection.pragma_update(None, "mmap_size", 1_i64 << 30)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// An error on its way out of this folder.
#[derive(Debug)]
enum SqlError {
    Sql(rusqlite::Error),
    Damaged(String),
    Store(StoreError),
}

impl SqlError {
    fn while_trying(self, attempted: &'static str) -> StoreError {
        match self {
            Self::Sql(error) => StoreError::Failed {
                attempted,
                message: error.to_string(),
            },
            Self::Damaged(what) => StoreError::Damaged { what },
            Self::Store(error) => error,
        }
    }
}

impl From<rusqlite::Error> for SqlError {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..) => Self::Damaged(error.to_string()),
            error => Self::Sql(error),
        }
    }
}

impl From<PackedError> for SqlError {
    fn from(error: PackedError) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl From<StoreError> for SqlError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

#[cfg(test)]
mod tests;
