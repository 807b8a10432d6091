//! Brings a database to the newest schema: numbered files of SQL, each in a transaction of its own.
//! A file that was released is never changed again.

use std::cmp::Ordering;

use rusqlite::{Connection, TransactionBehavior};

use super::{SqlError, StoreError};

/// In order; the number of a file is its place in this list, counted from one.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_time_zone.sql"),
    // Next: include_str!("migrations/0003_….sql"), with a fixture of version 2 in `fixtures/`.
];

/// # Errors
/// A newer program has written the database, or a migration fails.
pub(super) fn to_newest(connection: &mut Connection) -> Result<(), SqlError> {
    let known = newest();
    loop {
        // Each step asks again under the lock, in case another process migrates at the same time.
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = version(&step)?;
        if found > known {
            return Err(StoreError::TooNew { found, known }.into());
        }
        let Some(migration) = MIGRATIONS.get(found as usize) else {
            return Ok(());
        };
        step.execute_batch(migration)?;
        step.pragma_update(None, "user_version", found + 1)?;
        step.commit()?;
        tracing::info!(schema = found + 1, "the database was migrated");
    }
}

/// # Errors
/// The database has another schema than the one this program writes.
pub(super) fn check_newest(connection: &Connection) -> Result<(), SqlError> {
    connection.busy_timeout(super::BUSY)?;
    let (found, known) = (version(connection)?, newest());
    match found.cmp(&known) {
        Ordering::Less => Err(StoreError::TooOld { found, known }.into()),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(StoreError::TooNew { found, known }.into()),
    }
}

const fn newest() -> u32 {
    MIGRATIONS.len() as u32
}

fn version(connection: &Connection) -> Result<u32, SqlError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}
