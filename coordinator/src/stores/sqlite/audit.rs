//! The audit: entries beside the changes they tell of.

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::columns::{Blob, Us};
use super::{SqlError, Sqlite};
use crate::domain::audit::{Entry, Who};
use crate::stores::{Audit, Result};

#[async_trait]
impl Audit for Sqlite {
    async fn audit(&self, entry: Entry) -> Result<()> {
        self.write("write the audit", move |sql| write_audit(sql, &entry))
            .await
    }

    async fn audit_length(&self) -> Result<u64> {
        self.read("count the audit", |sql| {
            let mut last = sql.prepare_cached("select coalesce(max(number), 0) from audit")?;
            Ok(last
                .query_row([], |row| row.get::<_, super::columns::Count>(0))?
                .0)
        })
        .await
    }
}

/// Writes an entry; called inside the transaction of the change it tells of.
pub(super) fn write_audit(sql: &Connection, entry: &Entry) -> Result<(), SqlError> {
    let (who, id) = match &entry.who {
        Who::User(id) => ("user", Some(*id.as_bytes())),
        Who::Agent(id) => ("agent", Some(*id.as_bytes())),
        Who::Console => ("console", None),
        Who::System => ("system", None),
    };
    let details = (!entry.details.is_null()).then(|| entry.details.to_string());
    sql.prepare_cached(
        "insert into audit (at_us, who, who_id, what, object, details, address)
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        Us(entry.at),
        who,
        id.map(Blob),
        entry.what.name(),
        entry.object,
        details,
        entry.origin.address().map(|address| address.to_string()),
    ])?;
    Ok(())
}
