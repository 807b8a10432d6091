//! Rows of segments: opened, closed, uploaded, locked, evicted. Statements only; when to call them
//! is decided by the callers.

use rusqlite::{Connection, OptionalExtension, params};
use shared::hash::Sha256;
use shared::id::{CameraId, LedgerId, SegmentId};
use shared::segment::{FragmentMeta, SegmentHead, SegmentMeta, Signature, StreamKind};
use shared::time::{TimeRange, WallTime};
use shared::timeline::{LedgerEntry, Reason};

use super::rows::{blob, camera_of, range, reason_name, size, stream_code, stream_of};
use super::{ledger, packed};
use crate::buffer::outbox;

pub(crate) fn insert_open(
    connection: &Connection,
    head: &SegmentHead,
    path: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "insert into segment (id, camera, stream, run, state, path, head)
             values (?1, ?2, ?3, ?4, 0, ?5, ?6) on conflict (id) do nothing",
        )?
        .execute(params![
            head.id.as_bytes(),
            head.camera.as_bytes(),
            stream_code(head.stream),
            head.run.as_bytes(),
            path,
            head_json(head)?,
        ])?;
    Ok(())
}

fn head_json(head: &SegmentHead) -> rusqlite::Result<String> {
    serde_json::to_string(head)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// Makes the row complete and queues its record. Repeating it with the same metadata changes
/// nothing; other metadata (a file that lost its end) replaces the row and is reported again.
pub(crate) fn close(
    connection: &Connection,
    meta: &SegmentMeta,
    path: &str,
) -> rusqlite::Result<()> {
    let Some(range) = meta.wall_range() else {
        return discard(connection, meta.head.id);
    };
    let known: Option<(i64, Option<Vec<u8>>)> = connection
        .prepare_cached("select state, root from segment where id = ?1")?
        .query_row([meta.head.id.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    if matches!(&known, Some((state, Some(root))) if *state != 0 && root == meta.root.as_bytes()) {
        return Ok(());
    }
    let seq = outbox::push_segment(connection, meta.head.id)?;
    connection
        .prepare_cached(
            "insert into segment (id, camera, stream, run, state, path, head, start_us, end_us,
                                  size_bytes, root, signature, record_seq)
             values (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             on conflict (id) do update set state = 1, path = excluded.path, head = excluded.head,
                 start_us = excluded.start_us, end_us = excluded.end_us,
                 size_bytes = excluded.size_bytes, root = excluded.root,
                 signature = excluded.signature, record_seq = excluded.record_seq,
                 uploaded_us = null, eviction = null",
        )?
        .execute(params![
            meta.head.id.as_bytes(),
            meta.head.camera.as_bytes(),
            stream_code(meta.head.stream),
            meta.head.run.as_bytes(),
            path,
            head_json(&meta.head)?,
            range.start().as_micros(),
            range.end().as_micros(),
            i64::try_from(meta.size).unwrap_or(i64::MAX),
            meta.root.as_bytes(),
            meta.signature.as_bytes(),
            seq,
        ])?;
    connection
        .prepare_cached(
            "insert into fragments (segment, packed) values (?1, ?2)
             on conflict (segment) do update set packed = excluded.packed",
        )?
        .execute(params![
            meta.head.id.as_bytes(),
            packed::pack(&meta.fragments)
        ])?;
    Ok(())
}

/// The file held nothing and is gone.
pub(crate) fn discard(connection: &Connection, id: SegmentId) -> rusqlite::Result<()> {
    outbox::push_discarded(connection, id)?;
    delete_row(connection, id)
}

fn delete_row(connection: &Connection, id: SegmentId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("delete from segment where id = ?1")?
        .execute([id.as_bytes()])?;
    Ok(())
}

/// Writes down that these are about to be deleted, before their files are.
pub(crate) fn begin_eviction(
    connection: &Connection,
    evictions: &[(SegmentId, Reason)],
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "update segment set state = 2, eviction = ?2 where id = ?1 and state = 1",
    )?;
    for (id, reason) in evictions {
        statement.execute(params![id.as_bytes(), reason_name(*reason)])?;
    }
    Ok(())
}

/// They could not be deleted and are held as before.
pub(crate) fn give_up_eviction(connection: &Connection, ids: &[SegmentId]) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("update segment set state = 1, eviction = null where id = ?1")?;
    for id in ids {
        statement.execute([id.as_bytes()])?;
    }
    Ok(())
}

/// The file is gone: the row goes, and the coordinator is told. Where it was the only copy, the
/// ledger says why it is missing.
pub(crate) fn finish_eviction(
    connection: &Connection,
    id: SegmentId,
    reason: Reason,
    now: WallTime,
) -> rusqlite::Result<()> {
    let gone: Option<(CameraId, StreamKind, TimeRange, bool)> = connection
        .prepare_cached(
            "select camera, stream, start_us, end_us, uploaded_us from segment
             where id = ?1 and state <> 0",
        )?
        .query_row([id.as_bytes()], |row| {
            let uploaded = row.get::<_, Option<i64>>("uploaded_us")?.is_some();
            Ok((camera_of(row)?, stream_of(row)?, range(row)?, uploaded))
        })
        .optional()?;
    let Some((camera, stream, range, uploaded)) = gone else {
        return Ok(());
    };
    if !uploaded {
        let entry = LedgerEntry {
            id: LedgerId::new(now),
            camera,
            stream,
            range,
            reason,
            detail: Some(format!("segment {id}")),
        };
        ledger::record_gap(connection, &entry)?;
    }
    ledger::explained(connection, camera, stream, range.end())?;
    outbox::push_evicted(connection, id, now)?;
    delete_row(connection, id)
}

/// The whole metadata, as it is reported; `None` unless closed.
pub(crate) fn meta(
    connection: &Connection,
    id: SegmentId,
) -> rusqlite::Result<Option<SegmentMeta>> {
    connection
        .prepare_cached(
            "select head, size_bytes, root, signature, packed
             from segment join fragments on segment = id where id = ?1 and state <> 0",
        )?
        .query_row([id.as_bytes()], |row| {
            let head: String = row.get("head")?;
            Ok(SegmentMeta {
                head: serde_json::from_str(&head).map_err(|error| {
                    rusqlite::Error::FromSqlConversionFailure(
                        0,
                        rusqlite::types::Type::Text,
                        Box::new(error),
                    )
                })?,
                size: size(row)?,
                fragments: blob(row.get_ref("packed")?.as_blob()?, packed::unpack)?,
                root: blob(row.get_ref("root")?.as_blob()?, Sha256::from_slice)?,
                signature: blob(row.get_ref("signature")?.as_blob()?, Signature::from_slice)?,
            })
        })
        .optional()
}

/// What the closed segments of a stream that touch the range have recorded, fragment by fragment,
/// and whether the coordinator has a copy. One that is being deleted counts until the ledger says
/// that it is gone.
pub(crate) fn covering(
    connection: &Connection,
    camera: CameraId,
    stream: StreamKind,
    within: TimeRange,
) -> rusqlite::Result<Vec<(Vec<FragmentMeta>, bool)>> {
    connection
        .prepare_cached(
            "select uploaded_us, packed from segment join fragments on segment = id
             where camera = ?1 and stream = ?2 and state <> 0 and end_us > ?3 and start_us < ?4",
        )?
        .query_map(
            params![
                camera.as_bytes(),
                stream_code(stream),
                within.start().as_micros(),
                within.end().as_micros()
            ],
            |row| {
                let uploaded = row.get::<_, Option<i64>>("uploaded_us")?.is_some();
                let fragments = blob(row.get_ref("packed")?.as_blob()?, packed::unpack)?;
                Ok((fragments, uploaded))
            },
        )?
        .collect()
}

pub(crate) fn mark_uploaded(
    connection: &Connection,
    id: SegmentId,
    now: WallTime,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "update segment set uploaded_us = ?2 where id = ?1 and uploaded_us is null",
        )?
        .execute(params![id.as_bytes(), now.as_micros()])?;
    Ok(())
}

/// Locks or unlocks what touches the range; how many segments that changed.
pub(crate) fn set_locked(
    connection: &Connection,
    camera: CameraId,
    stream: StreamKind,
    range: TimeRange,
    locked: bool,
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "update segment set locked = ?5 where camera = ?1 and stream = ?2 and end_us > ?3
             and start_us < ?4 and locked <> ?5",
        )?
        .execute(params![
            camera.as_bytes(),
            stream_code(stream),
            range.start().as_micros(),
            range.end().as_micros(),
            locked,
        ])
}
