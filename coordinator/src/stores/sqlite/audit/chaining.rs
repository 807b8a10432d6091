//! Puts entries from before there was a chain into it, as part of a migration.

use rusqlite::Connection;
use serde_json::json;
use shared::time::WallTime;

use super::super::SqlError;
use super::{append, head, write_audit};
use crate::domain::audit::chain::Record;
use crate::domain::audit::{Entry, What, Who};

/// Moves the entries of `audit_unchained` to `audit` in their order, says so in a last one, and
/// removes the old table. Without entries nothing is said.
pub(in crate::stores::sqlite) fn chain_existing(sql: &Connection) -> Result<(), SqlError> {
    let mut last = WallTime::from_micros(0);
    let mut old = sql.prepare(
        "select at_us, who, who_id, what, object, details, address
        from audit_unchained order by number",
    )?;
    let mut rows = old.query([])?;
    while let Some(row) = rows.next()? {
        let at_us = row.get(0)?;
        last = last.max(WallTime::from_micros(at_us));
        let text = |column: usize| {
            let text: Option<String> = row.get(column)?;
            Ok::<_, rusqlite::Error>(text.map(String::into_bytes))
        };
        let unchained = Record {
            at_us,
            who: text(1)?.unwrap_or_default(),
            who_id: row.get(2)?,
            what: text(3)?.unwrap_or_default(),
            object: text(4)?,
            details: text(5)?,
            address: text(6)?,
            ..Record::empty()
        };
        append(sql, |head| unchained.chained(head, rand::random()))?;
    }
    drop(rows);
    drop(old);
    if let Some(head) = head(sql)? {
        // There is no clock here; it was not before the newest of them.
        let note = Entry::new(last, Who::System, What::AuditChained);
        write_audit(sql, &note.with(json!({ "entries": head.number })))?;
    }
    sql.execute_batch("drop table audit_unchained")?;
    Ok(())
}
