//! What the coordinator has to be told and has not acknowledged: records in one order, each with a
//! number that is never used twice.
//!
//! A record names its subject; the text is made from the subject's row when it is sent, so that a
//! gap that grows for days while nobody listens is one record. A later record about the same
//! subject takes the place of an unacknowledged one, under a new number.

use rusqlite::{Connection, params};
use shared::id::{LedgerId, SegmentId};
use shared::time::WallTime;
use shared::wire::segment::{Record, RecordBody};

use super::index::{ledger, segments};

#[derive(Clone, Copy)]
enum Kind {
    Segment = 0,
    Gap = 1,
    Evicted = 2,
    Discarded = 3,
}

pub(super) fn push_segment(connection: &Connection, id: SegmentId) -> rusqlite::Result<i64> {
    push(connection, Kind::Segment, id.as_bytes(), None)
}

pub(super) fn push_gap(connection: &Connection, id: LedgerId) -> rusqlite::Result<i64> {
    push(connection, Kind::Gap, id.as_bytes(), None)
}

pub(super) fn push_evicted(
    connection: &Connection,
    id: SegmentId,
    at: WallTime,
) -> rusqlite::Result<i64> {
    withdraw(connection, Kind::Segment, id.as_bytes())?;
    push(
        connection,
        Kind::Evicted,
        id.as_bytes(),
        Some(at.as_micros()),
    )
}

pub(super) fn push_discarded(connection: &Connection, id: SegmentId) -> rusqlite::Result<i64> {
    withdraw(connection, Kind::Segment, id.as_bytes())?;
    push(connection, Kind::Discarded, id.as_bytes(), None)
}

fn push(
    connection: &Connection,
    kind: Kind,
    subject: &[u8; 16],
    at_us: Option<i64>,
) -> rusqlite::Result<i64> {
    withdraw(connection, kind, subject)?;
    let seq: i64 = connection
        .prepare_cached("update state set next_seq = next_seq + 1 returning next_seq - 1")?
        .query_row([], |row| row.get(0))?;
    connection
        .prepare_cached("insert into outbox (seq, kind, subject, at_us) values (?1, ?2, ?3, ?4)")?
        .execute(params![seq, kind as i64, subject, at_us])?;
    Ok(seq)
}

fn withdraw(connection: &Connection, kind: Kind, subject: &[u8; 16]) -> rusqlite::Result<()> {
    connection
        .prepare_cached("delete from outbox where kind = ?1 and subject = ?2")?
        .execute(params![kind as i64, subject])?;
    Ok(())
}

/// The next records after `seq`, in order; a record whose subject is gone is left out.
pub(super) fn after(
    connection: &Connection,
    seq: u64,
    limit: usize,
) -> rusqlite::Result<Vec<Record>> {
    let rows: Vec<(u64, i64, [u8; 16], Option<i64>)> = connection
        .prepare_cached(
            "select seq, kind, subject, at_us from outbox where seq > ?1 order by seq limit ?2",
        )?
        .query_map(
            params![
                i64::try_from(seq).unwrap_or(i64::MAX),
                i64::try_from(limit).unwrap_or(i64::MAX)
            ],
            |row| {
                let seq: i64 = row.get(0)?;
                Ok((
                    u64::try_from(seq).unwrap_or(0),
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                ))
            },
        )?
        .collect::<rusqlite::Result<_>>()?;
    let mut records = Vec::with_capacity(rows.len());
    for (seq, kind, subject, at_us) in rows {
        if let Some(body) = body(connection, kind, &subject, at_us)? {
            records.push(Record { seq, body });
        }
    }
    Ok(records)
}

fn body(
    connection: &Connection,
    kind: i64,
    subject: &[u8; 16],
    at_us: Option<i64>,
) -> rusqlite::Result<Option<RecordBody>> {
    let segment = || SegmentId::from_slice(subject);
    Ok(match kind {
        0 => match segment() {
            Some(id) => segments::meta(connection, id)?.map(RecordBody::Segment),
            None => None,
        },
        1 => match LedgerId::from_slice(subject) {
            Some(id) => ledger::gap(connection, id)?.map(RecordBody::Gap),
            None => None,
        },
        2 => segment().map(|segment| RecordBody::Evicted {
            segment,
            at: WallTime::from_micros(at_us.unwrap_or(0)),
        }),
        _ => segment().map(|segment| RecordBody::Discarded { segment }),
    })
}

/// Everything up to `through` is stored at the coordinator. Numbers that were never given out are
/// not believed.
pub(super) fn acknowledge(connection: &Connection, through: u64) -> rusqlite::Result<()> {
    let through = i64::try_from(through).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "update state set acknowledged_seq = max(acknowledged_seq, min(?1, next_seq - 1))",
        )?
        .execute([through])?;
    connection
        .prepare_cached("delete from outbox where seq <= (select acknowledged_seq from state)")?
        .execute([])?;
    Ok(())
}

/// How many records wait.
pub(super) fn backlog(connection: &Connection) -> rusqlite::Result<u64> {
    let count: i64 = connection
        .prepare_cached("select count(*) from outbox")?
        .query_row([], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}
