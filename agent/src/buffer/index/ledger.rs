//! Rows of streams and of the gap ledger. Statements only; which gap opens when is decided by
//! [`gaps`](crate::buffer::gaps).

use rusqlite::{Connection, OptionalExtension, Row, params};
use shared::id::{CameraId, LedgerId};
use shared::segment::StreamKind;
use shared::time::{TimeRange, WallTime};
use shared::timeline::{LedgerEntry, Reason};

use super::rows::{blob, range, reason_from, reason_name, stream_code, stream_from, time};
use crate::buffer::outbox;

/// A stream as the index remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamHistory {
    /// Nothing is expected before.
    pub since: WallTime,
    /// Everything before is in a segment or a gap.
    pub explained_until: WallTime,
}

/// What is known of the stream, and whether it is new: then it is known from `since` on. A clock
/// that was set back does not make it older.
pub(crate) fn register_stream(
    connection: &Connection,
    camera: CameraId,
    stream: StreamKind,
    since: WallTime,
) -> rusqlite::Result<(StreamHistory, bool)> {
    let inserted = connection
        .prepare_cached(
            "insert into stream (camera, stream, since_us, explained_us) values (?1, ?2, ?3, ?3)
             on conflict do nothing",
        )?
        .execute(params![
            camera.as_bytes(),
            stream_code(stream),
            since.as_micros()
        ])?;
    let history =
        history(connection, camera, stream)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok((history, inserted > 0))
}

/// A recording of the stream was found that begins at `since`, so it was known by then.
pub(crate) fn known_from(
    connection: &Connection,
    camera: CameraId,
    stream: StreamKind,
    since: WallTime,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "insert into stream (camera, stream, since_us, explained_us) values (?1, ?2, ?3, ?3)
             on conflict do update set since_us = min(since_us, excluded.since_us)",
        )?
        .execute(params![
            camera.as_bytes(),
            stream_code(stream),
            since.as_micros()
        ])?;
    Ok(())
}

/// What is known of the stream, if anything.
pub(crate) fn history(
    connection: &Connection,
    camera: CameraId,
    stream: StreamKind,
) -> rusqlite::Result<Option<StreamHistory>> {
    connection
        .prepare_cached(
            "select since_us, max(explained_us,
                 coalesce((select end_us from segment s where s.camera = t.camera
                           and s.stream = t.stream and s.end_us is not null
                           order by s.end_us desc limit 1), 0),
                 coalesce((select end_us from gap g where g.camera = t.camera
                           and g.stream = t.stream order by g.end_us desc limit 1), 0))
                 as explained_us
             from stream t where camera = ?1 and stream = ?2",
        )?
        .query_row(params![camera.as_bytes(), stream_code(stream)], |row| {
            Ok(StreamHistory {
                since: time(row, "since_us")?,
                explained_until: time(row, "explained_us")?,
            })
        })
        .optional()
}

/// Explains what lies between the last thing known of a stream and `until`: the gap that was open
/// when the agent ended goes on to there, and where none was, it was for `reason`.
pub(crate) fn bridge(
    connection: &Connection,
    camera: CameraId,
    stream: StreamKind,
    until: WallTime,
    reason: Reason,
    now: WallTime,
) -> rusqlite::Result<()> {
    let Some(history) = history(connection, camera, stream)? else {
        return Ok(());
    };
    let from = history.explained_until;
    if until <= from {
        return Ok(());
    }
    let open = connection
        .prepare_cached(&format!(
            "{GAP} where camera = ?1 and stream = ?2 and end_us = ?3 order by start_us limit 1"
        ))?
        .query_row(
            params![camera.as_bytes(), stream_code(stream), from.as_micros()],
            entry,
        )
        .optional()?;
    let extended = |start| TimeRange::starting_at(start, until.saturating_duration_since(start));
    let entry = match open {
        Some(gap) => LedgerEntry {
            range: extended(gap.range.start()),
            ..gap
        },
        None => LedgerEntry {
            id: LedgerId::new(now),
            camera,
            stream,
            range: extended(from),
            reason,
            detail: None,
        },
    };
    record_gap(connection, &entry)
}

/// Remembers how far the stream was accounted for, before what proves it goes.
pub(super) fn explained(
    connection: &Connection,
    camera: CameraId,
    stream: StreamKind,
    until: WallTime,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "update stream set explained_us = max(explained_us, ?3)
             where camera = ?1 and stream = ?2",
        )?
        .execute(params![
            camera.as_bytes(),
            stream_code(stream),
            until.as_micros()
        ])?;
    Ok(())
}

/// Every known stream and since when it is known.
pub(crate) fn streams(
    connection: &Connection,
) -> rusqlite::Result<Vec<(CameraId, StreamKind, WallTime)>> {
    connection
        .prepare_cached("select camera, stream, since_us from stream order by camera, stream")?
        .query_map([], |row| {
            Ok((
                blob(row.get_ref("camera")?.as_blob()?, CameraId::from_slice)?,
                stream_from(row.get("stream")?)?,
                time(row, "since_us")?,
            ))
        })?
        .collect()
}

/// Writes a gap, or its correction under the same id, and queues it for the coordinator.
pub(crate) fn record_gap(connection: &Connection, entry: &LedgerEntry) -> rusqlite::Result<()> {
    let seq = outbox::push_gap(connection, entry.id)?;
    connection
        .prepare_cached(
            "insert into gap (id, camera, stream, start_us, end_us, reason, detail, record_seq)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             on conflict (id) do update set start_us = excluded.start_us, end_us = excluded.end_us,
                 reason = excluded.reason, detail = excluded.detail,
                 record_seq = excluded.record_seq",
        )?
        .execute(params![
            entry.id.as_bytes(),
            entry.camera.as_bytes(),
            stream_code(entry.stream),
            entry.range.start().as_micros(),
            entry.range.end().as_micros(),
            reason_name(entry.reason),
            entry.detail,
            seq,
        ])?;
    Ok(())
}

const GAP: &str = "select id, camera, stream, start_us, end_us, reason, detail from gap ";

fn entry(row: &Row<'_>) -> rusqlite::Result<LedgerEntry> {
    Ok(LedgerEntry {
        id: blob(row.get_ref("id")?.as_blob()?, LedgerId::from_slice)?,
        camera: blob(row.get_ref("camera")?.as_blob()?, CameraId::from_slice)?,
        stream: stream_from(row.get("stream")?)?,
        range: range(row)?,
        reason: reason_from(row.get("reason")?)?,
        detail: row.get("detail")?,
    })
}

pub(crate) fn gap(connection: &Connection, id: LedgerId) -> rusqlite::Result<Option<LedgerEntry>> {
    connection
        .prepare_cached(&format!("{GAP} where id = ?1"))?
        .query_row([id.as_bytes()], entry)
        .optional()
}

/// The gaps of a stream that touch a range.
pub(crate) fn gaps(
    connection: &Connection,
    camera: CameraId,
    stream: StreamKind,
    range: TimeRange,
) -> rusqlite::Result<Vec<LedgerEntry>> {
    connection
        .prepare_cached(&format!(
            "{GAP} where camera = ?1 and stream = ?2 and end_us > ?3 and start_us < ?4
             order by start_us"
        ))?
        .query_map(
            params![
                camera.as_bytes(),
                stream_code(stream),
                range.start().as_micros(),
                range.end().as_micros()
            ],
            entry,
        )?
        .collect()
}

/// Everything that is known of a stream: the ranges of its segments and gaps, in any order.
pub(crate) fn ranges(
    connection: &Connection,
    camera: CameraId,
    stream: StreamKind,
) -> rusqlite::Result<Vec<TimeRange>> {
    connection
        .prepare_cached(
            "select start_us, end_us from segment
             where camera = ?1 and stream = ?2 and end_us is not null
             union all select start_us, end_us from gap where camera = ?1 and stream = ?2",
        )?
        .query_map(params![camera.as_bytes(), stream_code(stream)], range)?
        .collect()
}

/// Forgets acknowledged gaps and events that ended before `before`.
pub(crate) fn forget_before(connection: &Connection, before: WallTime) -> rusqlite::Result<usize> {
    connection.execute("delete from event where end_us < ?1", [before.as_micros()])?;
    connection.execute(
        "update stream set explained_us = max(explained_us, coalesce((
             select max(end_us) from gap where gap.camera = stream.camera
             and gap.stream = stream.stream and end_us < ?1), 0))",
        [before.as_micros()],
    )?;
    connection.execute(
        "delete from gap where end_us < ?1
         and record_seq <= (select acknowledged_seq from state)",
        [before.as_micros()],
    )
}

/// Segments that touch the range are uploaded by the policy `events`.
pub(crate) fn record_event(
    connection: &Connection,
    camera: CameraId,
    range: TimeRange,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "insert into event (camera, start_us, end_us) values (?1, ?2, ?3)
             on conflict do nothing",
        )?
        .execute(params![
            camera.as_bytes(),
            range.start().as_micros(),
            range.end().as_micros()
        ])?;
    Ok(())
}
