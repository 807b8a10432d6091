//! Brings a database to the newest schema: numbered files of SQL, each in a transaction of its own,
//! with a function behind it for what SQL cannot do. A file that was released is never changed
//! again.

use std::cmp::Ordering;

use rusqlite::{Connection, TransactionBehavior};

use super::audit::chain_existing;
use super::{SqlError, StoreError};

/// In order; the number of a file is its place in this list, counted from one.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration::sql(include_str!("migrations/0001_first.sql")),
    Migration::sql(include_str!("migrations/0002_time_zone.sql")),
    Migration::sql(include_str!("migrations/0003_audit_chain.sql")).then(chain_existing),
    Migration::sql(include_str!("migrations/0004_identity.sql")),
    Migration::sql(include_str!("migrations/0005_credentials.sql")),
    Migration::sql(include_str!("migrations/0006_outside.sql")),
    Migration::sql(include_str!("migrations/0007_language.sql")),
    Migration::sql(include_str!("migrations/0008_stream_limits.sql")),
    // Next: Migration::sql(include_str!("migrations/0009_….sql")). Every version has a fixture in
    // `fixtures/`.
];

type Then = fn(&Connection) -> Result<(), SqlError>;

/// One step to the next version.
pub(super) struct Migration {
    sql: &'static str,
    then: Option<Then>,
}

impl Migration {
    const fn sql(sql: &'static str) -> Self {
        Self { sql, then: None }
    }

    const fn then(mut self, then: Then) -> Self {
        self.then = Some(then);
        self
    }
}

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
        step.execute_batch(migration.sql)?;
        if let Some(then) = migration.then {
            then(&step)?;
        }
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
