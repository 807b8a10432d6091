//! The one row about the index itself and the agent's life. Statements only.

use rusqlite::{Connection, params};
use shared::time::WallTime;

/// What the last run of the agent wrote down about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ending {
    /// `None` when there was no run before.
    pub(crate) started: Option<WallTime>,
    /// `None` unless it was stopped in an orderly way.
    pub(crate) stopped: Option<WallTime>,
    /// Boot id of the host it ran on.
    pub(crate) host_boot: String,
}

pub(crate) fn ending(connection: &Connection) -> rusqlite::Result<Ending> {
    connection.query_row(
        "select started_us, stopped_us, host_boot from state",
        [],
        |row| {
            let started: i64 = row.get("started_us")?;
            Ok(Ending {
                started: (started != 0).then(|| WallTime::from_micros(started)),
                stopped: row
                    .get::<_, Option<i64>>("stopped_us")?
                    .map(WallTime::from_micros),
                host_boot: row.get("host_boot")?,
            })
        },
    )
}

pub(crate) fn begin(
    connection: &Connection,
    now: WallTime,
    host_boot: &str,
) -> rusqlite::Result<()> {
    connection.execute(
        "update state set started_us = ?1, stopped_us = null, host_boot = ?2",
        params![now.as_micros(), host_boot],
    )?;
    Ok(())
}

/// The agent stops because it was asked to.
pub(crate) fn stop(connection: &Connection, now: WallTime) -> rusqlite::Result<()> {
    connection.execute("update state set stopped_us = ?1", [now.as_micros()])?;
    Ok(())
}

pub(crate) fn is_rebuilding(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("select rebuilding from state", [], |row| row.get(0))
}

pub(crate) fn set_rebuilding(connection: &Connection, rebuilding: bool) -> rusqlite::Result<()> {
    connection.execute("update state set rebuilding = ?1", [rebuilding])?;
    Ok(())
}

/// Whether the file is consistent within itself. Reads all of it.
pub(crate) fn is_sound(connection: &Connection) -> rusqlite::Result<bool> {
    let verdict: String = connection.query_row("pragma quick_check(1)", [], |row| row.get(0))?;
    Ok(verdict == "ok")
}
