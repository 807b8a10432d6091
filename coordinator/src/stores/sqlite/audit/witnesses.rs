//! What agents remember of the chain.

use rusqlite::{Connection, OptionalExtension, Row, params};
use shared::hash::Sha256;
use shared::id::AgentId;
use shared::time::WallTime;

use super::super::SqlError;
use super::super::columns::{Blob, Count, Us};
use super::write_audit;
use crate::domain::audit::Entry;
use crate::domain::audit::chain::Head;
use crate::domain::audit::witness::{Compared, Dispute, MAX_DISPUTES, Witness};

pub(super) fn compare(
    sql: &Connection,
    agent: AgentId,
    told: Head,
    at: WallTime,
    audit: &Entry,
) -> Result<Compared, SqlError> {
    note(sql, agent, told, at)?;
    let ours = hash_at(sql, told)?;
    if ours == Some(told.hash) {
        return Ok(Compared::Agrees);
    }
    if let Some(explained) = known(sql, agent, told)? {
        let new = false;
        return Ok(Compared::Disputed {
            ours,
            new,
            explained,
        });
    }
    let new = disputes_of(sql, agent)? < MAX_DISPUTES;
    if new {
        sql.prepare_cached(
            "insert into audit_disputes (agent_id, chain, number, hash, ours, found_us)
            values (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            Blob(agent),
            told.chain,
            Count(told.number),
            Blob(told.hash),
            ours.map(Blob),
            Us(at),
        ])?;
        write_audit(sql, audit)?;
    }
    Ok(Compared::Disputed {
        ours,
        new,
        explained: false,
    })
}

fn note(sql: &Connection, agent: AgentId, told: Head, at: WallTime) -> Result<(), SqlError> {
    sql.prepare_cached(
        "insert into audit_witnesses (agent_id, chain, number, hash, told_us)
        values (?1, ?2, ?3, ?4, ?5)
        on conflict (agent_id) do update set chain = excluded.chain, number = excluded.number,
        hash = excluded.hash, told_us = excluded.told_us",
    )?
    .execute(params![
        Blob(agent),
        told.chain,
        Count(told.number),
        Blob(told.hash),
        Us(at),
    ])?;
    Ok(())
}

fn hash_at(sql: &Connection, told: Head) -> Result<Option<Sha256>, SqlError> {
    let mut entry =
        sql.prepare_cached("select hash from audit where number = ?1 and chain = ?2")?;
    let hash = entry.query_row(params![Count(told.number), told.chain], |row| {
        Ok(row.get::<_, Blob<_>>(0)?.0)
    });
    Ok(hash.optional()?)
}

/// Whether it was explained, if the dispute is known.
fn known(sql: &Connection, agent: AgentId, told: Head) -> Result<Option<bool>, SqlError> {
    let mut dispute = sql.prepare_cached(
        "select explained_us is not null from audit_disputes
        where agent_id = ?1 and chain = ?2 and number = ?3 and hash = ?4",
    )?;
    let explained = dispute.query_row(
        params![Blob(agent), told.chain, Count(told.number), Blob(told.hash)],
        |row| row.get(0),
    );
    Ok(explained.optional()?)
}

fn disputes_of(sql: &Connection, agent: AgentId) -> Result<u32, SqlError> {
    let mut count =
        sql.prepare_cached("select count(*) from audit_disputes where agent_id = ?1")?;
    Ok(count.query_row([Blob(agent)], |row| row.get(0))?)
}

pub(super) fn witnesses(sql: &Connection) -> Result<Vec<Witness>, SqlError> {
    let mut told = sql.prepare_cached(
        "select chain, number, hash, agents.id, agents.name, told_us
        from audit_witnesses join agents on agents.id = agent_id order by agents.name, agents.id",
    )?;
    let told = told.query_map([], |row| {
        Ok(Witness {
            head: head(row)?,
            agent: row.get::<_, Blob<_>>(3)?.0,
            agent_name: row.get(4)?,
            told_at: row.get::<_, Us>(5)?.0,
        })
    })?;
    Ok(told.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn disputes(sql: &Connection) -> Result<Vec<Dispute>, SqlError> {
    let mut found = sql.prepare_cached(
        "select chain, number, hash, agents.id, agents.name, ours, found_us, explained_us
        from audit_disputes join agents on agents.id = agent_id
        order by found_us desc, agents.name, number",
    )?;
    let found = found.query_map([], |row| {
        Ok(Dispute {
            head: head(row)?,
            agent: row.get::<_, Blob<_>>(3)?.0,
            agent_name: row.get(4)?,
            ours: row.get::<_, Option<Blob<_>>>(5)?.map(|Blob(hash)| hash),
            found_at: row.get::<_, Us>(6)?.0,
            explained_at: row.get::<_, Option<Us>>(7)?.map(|Us(at)| at),
        })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn explain(sql: &Connection, at: WallTime, audit: &Entry) -> Result<u64, SqlError> {
    let explained = sql
        .prepare_cached("update audit_disputes set explained_us = ?1 where explained_us is null")?
        .execute([Us(at)])?;
    if explained > 0 {
        write_audit(sql, audit)?;
    }
    Ok(explained as u64)
}

fn head(row: &Row<'_>) -> rusqlite::Result<Head> {
    Ok(Head {
        chain: row.get(0)?,
        number: row.get::<_, Count>(1)?.0,
        hash: row.get::<_, Blob<_>>(2)?.0,
    })
}
