//! The audit: entries beside the changes they tell of, each chained to the one before.

mod chaining;
mod search;
mod witnesses;

pub(super) use chaining::chain_existing;

use async_trait::async_trait;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};

use shared::id::AgentId;
use shared::time::WallTime;

use super::columns::{Blob, Count};
use super::{SqlError, Sqlite};
use crate::domain::audit::Entry;
use crate::domain::audit::chain::{Head, Record};
use crate::domain::audit::search::{Found, Place, Search, Visible};
use crate::domain::audit::witness::{Compared, Dispute, Witness};
use crate::stores::{Audit, Result};

/// The columns of a [`Record`], in its order.
const COLUMNS: &str = "chain, number, at_us, who, who_id, what, agency, object, correlation_id,
    details, address, user_agent, salt, previous, hash";

#[async_trait]
impl Audit for Sqlite {
    async fn audit(&self, entries: Vec<Entry>) -> Result<()> {
        self.write("write the audit", move |sql| {
            entries.iter().try_for_each(|entry| write_audit(sql, entry))
        })
        .await
    }

    async fn audit_head(&self) -> Result<Option<Head>> {
        self.read("read the head of the audit", head).await
    }

    async fn audit_search(
        &self,
        search: Search,
        visible: Visible,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Found> {
        self.read("search the audit", move |sql| {
            search::search(sql, &search, &visible, after, limit)
        })
        .await
    }

    async fn audit_compare(
        &self,
        agent: AgentId,
        told: Head,
        at: WallTime,
        audit: Entry,
    ) -> Result<Compared> {
        self.write(
            "compare the audit with what an agent remembers",
            move |sql| witnesses::compare(sql, agent, told, at, &audit),
        )
        .await
    }

    async fn audit_witnesses(&self) -> Result<Vec<Witness>> {
        self.read("read what agents remember", witnesses::witnesses)
            .await
    }

    async fn audit_disputes(&self) -> Result<Vec<Dispute>> {
        self.read("read disputes of the audit", witnesses::disputes)
            .await
    }

    async fn explain_disputes(&self, at: WallTime, audit: Entry) -> Result<u64> {
        self.write("explain disputes of the audit", move |sql| {
            witnesses::explain(sql, at, &audit)
        })
        .await
    }

    async fn audit_records(&self, after: u64, limit: usize) -> Result<Vec<Record>> {
        self.read("read the audit", move |sql| {
            let query =
                format!("select {COLUMNS} from audit where number > ?1 order by number limit ?2");
            let mut records = sql.prepare_cached(&query)?;
            let rows = records.query_map(params![Count(after), Count(limit as u64)], record)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}

/// Writes an entry behind the last one; called inside the transaction of the change it tells of.
pub(super) fn write_audit(sql: &Connection, entry: &Entry) -> Result<(), SqlError> {
    append(sql, |head| Record::following(head, entry, rand::random()))
}

/// Asks for the head inside the transaction: one that another process has written counts, one that
/// was rolled back does not.
fn append(sql: &Connection, make: impl FnOnce(Option<Head>) -> Record) -> Result<(), SqlError> {
    let record = make(head(sql)?);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let maybe = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(text);
    sql.prepare_cached(&format!(
        "insert into audit ({COLUMNS})
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
    ))?
    .execute(params![
        record.chain,
        record.number,
        record.at_us,
        text(&record.who),
        record.who_id,
        text(&record.what),
        maybe(&record.agency),
        maybe(&record.object),
        maybe(&record.correlation_id),
        maybe(&record.details),
        maybe(&record.address),
        maybe(&record.user_agent),
        record.salt,
        record.previous,
        record.hash,
    ])?;
    Ok(())
}

fn head(sql: &Connection) -> Result<Option<Head>, SqlError> {
    let mut newest =
        sql.prepare_cached("select chain, number, hash from audit order by number desc limit 1")?;
    let head = newest.query_row([], |row| {
        Ok(Head {
            chain: row.get(0)?,
            number: row.get::<_, Count>(1)?.0,
            hash: row.get::<_, Blob<_>>(2)?.0,
        })
    });
    Ok(head.optional()?)
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    // Text too: somebody may have put there what is none.
    let bytes = |column: usize| {
        Ok::<_, rusqlite::Error>(match row.get_ref(column)? {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes.to_vec()),
            _ => None,
        })
    };
    let needed = |column: usize| Ok::<_, rusqlite::Error>(bytes(column)?.unwrap_or_default());
    Ok(Record {
        chain: row.get(0)?,
        number: row.get(1)?,
        at_us: row.get(2)?,
        who: needed(3)?,
        who_id: bytes(4)?,
        what: needed(5)?,
        agency: bytes(6)?,
        object: bytes(7)?,
        correlation_id: bytes(8)?,
        details: bytes(9)?,
        address: bytes(10)?,
        user_agent: bytes(11)?,
        salt: needed(12)?,
        previous: needed(13)?,
        hash: needed(14)?,
    })
}
