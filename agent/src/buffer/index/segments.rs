//! Rows of segments: opened, closed, uploaded, locked, evicted. Statements only; when to call them
//! is decided by the callers.

use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use shared::hash::Sha256;
use shared::id::{CameraId, LedgerId, SegmentId};
use shared::segment::{FragmentMeta, SegmentHead, SegmentMeta, Signature, StreamKind};
use shared::time::{TimeRange, WallTime};
use shared::timeline::{LedgerEntry, Reason};

use super::{ledger, packed};
use crate::buffer::outbox;

/// What planning needs to know of a closed segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    pub segment: SegmentId,
    pub camera: CameraId,
    pub stream: StreamKind,
    pub range: TimeRange,
    /// Bytes of the file.
    pub size: u64,
    pub uploaded: bool,
    /// Kept as evidence.
    pub locked: bool,
}

/// A row whose file needs a look when the agent starts.
#[derive(Clone, Debug)]
pub(crate) struct Unfinished {
    pub(crate) id: SegmentId,
    pub(crate) camera: CameraId,
    pub(crate) stream: StreamKind,
    pub(crate) path: String,
    /// `SegmentHead` as JSON.
    pub(crate) head: String,
    /// Set when it was about to be deleted.
    pub(crate) eviction: Option<Reason>,
}

/// A row and its file.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    pub(crate) id: SegmentId,
    pub(crate) camera: CameraId,
    pub(crate) stream: StreamKind,
    pub(crate) path: String,
    pub(crate) closed: bool,
    /// Of the file; `None` while open.
    pub(crate) size: Option<u64>,
}

pub(crate) fn stream_code(stream: StreamKind) -> i64 {
    match stream {
        StreamKind::Main => 0,
        StreamKind::Sub => 1,
    }
}

pub(super) fn stream_from(code: i64) -> rusqlite::Result<StreamKind> {
    match code {
        0 => Ok(StreamKind::Main),
        1 => Ok(StreamKind::Sub),
        _ => Err(rusqlite::Error::IntegralValueOutOfRange(0, code)),
    }
}

/// Names as they are in JSON, so that the tables can be read by people.
pub(crate) fn reason_name(reason: Reason) -> String {
    match serde_json::to_value(reason) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

pub(super) fn reason_from(name: String) -> rusqlite::Result<Reason> {
    serde_json::from_value(serde_json::Value::String(name)).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

pub(super) fn blob<T>(bytes: &[u8], read: impl Fn(&[u8]) -> Option<T>) -> rusqlite::Result<T> {
    read(bytes).ok_or(rusqlite::Error::InvalidColumnType(
        0,
        "id or hash".to_owned(),
        rusqlite::types::Type::Blob,
    ))
}

pub(super) fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<WallTime> {
    row.get(column).map(WallTime::from_micros)
}

pub(super) fn range(row: &Row<'_>) -> rusqlite::Result<TimeRange> {
    let start = time(row, "start_us")?;
    let duration = time(row, "end_us")?.saturating_duration_since(start);
    Ok(TimeRange::starting_at(start, duration))
}

fn size(row: &Row<'_>) -> rusqlite::Result<u64> {
    row.get::<_, i64>("size_bytes")
        .map(|bytes| u64::try_from(bytes).unwrap_or(0))
}

fn camera_of(row: &Row<'_>) -> rusqlite::Result<CameraId> {
    blob(row.get_ref("camera")?.as_blob()?, CameraId::from_slice)
}

fn id_of(row: &Row<'_>) -> rusqlite::Result<SegmentId> {
    blob(row.get_ref("id")?.as_blob()?, SegmentId::from_slice)
}

fn stream_of(row: &Row<'_>) -> rusqlite::Result<StreamKind> {
    stream_from(row.get("stream")?)
}

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

/// Where the files of these segments are; `None` for one that is not in the index.
pub(crate) fn paths(
    connection: &Connection,
    evictions: &[(SegmentId, Reason)],
) -> rusqlite::Result<Vec<Option<String>>> {
    let mut statement = connection.prepare_cached("select path from segment where id = ?1")?;
    evictions
        .iter()
        .map(|(id, _)| {
            statement
                .query_row([id.as_bytes()], |row| row.get("path"))
                .optional()
        })
        .collect()
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

pub(crate) fn unfinished(connection: &Connection) -> rusqlite::Result<Vec<Unfinished>> {
    connection
        .prepare_cached(
            "select id, camera, stream, path, head, eviction from segment where state <> 1
             order by id",
        )?
        .query_map([], |row| {
            Ok(Unfinished {
                id: id_of(row)?,
                camera: camera_of(row)?,
                stream: stream_of(row)?,
                path: row.get("path")?,
                head: row.get("head")?,
                eviction: row
                    .get::<_, Option<String>>("eviction")?
                    .map(reason_from)
                    .transpose()?,
            })
        })?
        .collect()
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
/// and whether the coordinator has a copy.
pub(crate) fn covering(
    connection: &Connection,
    camera: CameraId,
    stream: StreamKind,
    within: TimeRange,
) -> rusqlite::Result<Vec<(Vec<FragmentMeta>, bool)>> {
    connection
        .prepare_cached(
            "select uploaded_us, packed from segment join fragments on segment = id
             where camera = ?1 and stream = ?2 and state = 1 and end_us > ?3 and start_us < ?4",
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

/// Where the file of a closed segment is, and its size.
pub(crate) fn file(
    connection: &Connection,
    id: SegmentId,
) -> rusqlite::Result<Option<(String, u64)>> {
    connection
        .prepare_cached("select path, size_bytes from segment where id = ?1 and state = 1")?
        .query_row([id.as_bytes()], |row| Ok((row.get("path")?, size(row)?)))
        .optional()
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

const HOLDING: &str =
    "select id, camera, stream, start_us, end_us, size_bytes, uploaded_us, locked from segment ";

fn holding(row: &Row<'_>) -> rusqlite::Result<Holding> {
    Ok(Holding {
        segment: id_of(row)?,
        camera: camera_of(row)?,
        stream: stream_of(row)?,
        range: range(row)?,
        size: size(row)?,
        uploaded: row.get::<_, Option<i64>>("uploaded_us")?.is_some(),
        locked: row.get("locked")?,
    })
}

fn holdings(
    connection: &Connection,
    condition: &str,
    parameters: impl Params,
) -> rusqlite::Result<Vec<Holding>> {
    connection
        .prepare_cached(&format!("{HOLDING}{condition}"))?
        .query_map(parameters, holding)?
        .collect()
}

/// The first `limit` closed segments in the order in which space is made.
pub(crate) fn next_to_evict(
    connection: &Connection,
    limit: usize,
) -> rusqlite::Result<Vec<Holding>> {
    holdings(
        connection,
        "where state = 1 order by locked, uploaded_us is null, end_us limit ?1",
        [i64::try_from(limit).unwrap_or(i64::MAX)],
    )
}

/// Closed segments of a camera that ended before `before` and are not evidence, oldest first; what
/// was not uploaded only on demand.
pub(crate) fn ended_before(
    connection: &Connection,
    camera: CameraId,
    before: WallTime,
    unsent_too: bool,
    limit: usize,
) -> rusqlite::Result<Vec<Holding>> {
    holdings(
        connection,
        "where state = 1 and camera = ?1 and stream in (0, 1) and end_us < ?2 and locked = 0
         and (?3 or uploaded_us is not null) order by end_us limit ?4",
        params![
            camera.as_bytes(),
            before.as_micros(),
            unsent_too,
            i64::try_from(limit).unwrap_or(i64::MAX)
        ],
    )
}

/// Where every segment of the index is and how many bytes its row claims, in order of the ids;
/// `after` is the last one of the page before.
pub(crate) fn page(
    connection: &Connection,
    after: Option<SegmentId>,
    limit: usize,
) -> rusqlite::Result<Vec<Located>> {
    let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
    connection
        .prepare_cached(
            "select id, camera, stream, path, state, size_bytes from segment where id > ?1
             order by id limit ?2",
        )?
        .query_map(
            params![after, i64::try_from(limit).unwrap_or(i64::MAX)],
            located,
        )?
        .collect()
}

/// Which stream a segment is of; `None` when it is not in the index.
pub(crate) fn stream_of_segment(
    connection: &Connection,
    id: SegmentId,
) -> rusqlite::Result<Option<(CameraId, StreamKind)>> {
    connection
        .prepare_cached("select camera, stream from segment where id = ?1")?
        .query_row([id.as_bytes()], |row| {
            Ok((camera_of(row)?, stream_of(row)?))
        })
        .optional()
}

/// The segments that were closed last, newest first.
pub(crate) fn closed_last(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<Located>> {
    connection
        .prepare_cached(
            "select id, camera, stream, path, state, size_bytes from segment
             where state = 1 order by end_us desc limit ?1",
        )?
        .query_map([i64::try_from(limit).unwrap_or(i64::MAX)], located)?
        .collect()
}

fn located(row: &Row<'_>) -> rusqlite::Result<Located> {
    let state: i64 = row.get("state")?;
    Ok(Located {
        id: id_of(row)?,
        camera: camera_of(row)?,
        stream: stream_of(row)?,
        path: row.get("path")?,
        closed: state == 1,
        size: row
            .get::<_, Option<i64>>("size_bytes")?
            .and_then(|bytes| u64::try_from(bytes).ok()),
    })
}

/// Acknowledged segments of a camera whose bytes have not been uploaded, oldest first; with
/// `events_only` those that overlap an event.
pub(crate) fn to_upload(
    connection: &Connection,
    camera: CameraId,
    ended_after: WallTime,
    events_only: bool,
    limit: usize,
) -> rusqlite::Result<Vec<(Holding, Sha256)>> {
    let events = overlapping_events(events_only);
    connection
        .prepare_cached(&format!(
            "select id, camera, stream, start_us, end_us, size_bytes, uploaded_us, locked, root
             from segment where state = 1 and uploaded_us is null and camera = ?1 and end_us >= ?2
             and record_seq <= (select acknowledged_seq from state) {events}
             order by end_us limit ?3"
        ))?
        .query_map(
            params![
                camera.as_bytes(),
                ended_after.as_micros(),
                i64::try_from(limit).unwrap_or(i64::MAX)
            ],
            |row| {
                Ok((
                    holding(row)?,
                    blob(row.get_ref("root")?.as_blob()?, Sha256::from_slice)?,
                ))
            },
        )?
        .collect()
}

/// How many closed segments of a camera have not been uploaded, acknowledged or not; with
/// `events_only` those that overlap an event.
pub(crate) fn count_to_upload(
    connection: &Connection,
    camera: CameraId,
    events_only: bool,
) -> rusqlite::Result<u64> {
    let events = overlapping_events(events_only);
    connection
        .prepare_cached(&format!(
            "select count(*) from segment
             where state = 1 and uploaded_us is null and camera = ?1 {events}"
        ))?
        .query_row(params![camera.as_bytes()], |row| {
            Ok(row.get::<_, i64>(0)?.cast_unsigned())
        })
}

/// A condition on rows of `segment`.
const fn overlapping_events(events_only: bool) -> &'static str {
    if events_only {
        "and exists (select 1 from event where event.camera = segment.camera
                     and event.start_us < segment.end_us and event.end_us > segment.start_us)"
    } else {
        ""
    }
}

/// Sums over all closed segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub segments: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// Of those not uploaded yet.
    pub unsent_bytes: u64,
    /// Of those locked as evidence.
    pub locked_bytes: u64,
    /// Of those not uploaded and locked.
    pub unsent_locked_bytes: u64,
    /// End of the oldest segment.
    pub oldest: Option<WallTime>,
}

pub(crate) fn totals(connection: &Connection) -> rusqlite::Result<Totals> {
    connection
        .prepare_cached(
            "select held_segments, held_bytes, unsent_bytes, locked_bytes, unsent_locked_bytes,
                    (select min((select start_us from segment s where s.camera = t.camera
                                 and s.stream = t.stream and s.end_us is not null
                                 order by s.end_us limit 1)) from stream t) as oldest
             from state",
        )?
        .query_row([], |row| {
            let number = |column: &str| {
                row.get::<_, i64>(column)
                    .map(|number| u64::try_from(number).unwrap_or(0))
            };
            Ok(Totals {
                segments: number("held_segments")?,
                bytes: number("held_bytes")?,
                unsent_bytes: number("unsent_bytes")?,
                locked_bytes: number("locked_bytes")?,
                unsent_locked_bytes: number("unsent_locked_bytes")?,
                oldest: row
                    .get::<_, Option<i64>>("oldest")?
                    .map(WallTime::from_micros),
            })
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shared::testing::SegmentBuilder;

    use super::*;
    use crate::buffer::index::tests::fresh;
    use crate::buffer::retention::eviction_order;

    #[derive(Clone, Debug)]
    enum Step {
        Close(usize),
        Upload(usize),
        Lock(usize, bool),
        BeginEviction(usize),
        FinishEviction(usize),
        Discard(usize),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let which = 0_usize..6;
        prop_oneof![
            3 => which.clone().prop_map(Step::Close),
            1 => which.clone().prop_map(Step::Upload),
            1 => (which.clone(), any::<bool>()).prop_map(|(n, locked)| Step::Lock(n, locked)),
            1 => which.clone().prop_map(Step::BeginEviction),
            1 => which.clone().prop_map(Step::FinishEviction),
            1 => which.prop_map(Step::Discard),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn totals_are_the_sums_and_rows_come_in_the_order_of_eviction(
            steps in prop::collection::vec(any_step(), 1..60)
        ) {
            let connection = fresh();
            let start = WallTime::from_secs(1_772_359_200);
            let first = SegmentBuilder::new(start);
            let mut builders = vec![first];
            for index in 0..5 {
                let mut next = builders[index].next();
                next.fragments = u32::try_from(index + 1).unwrap();
                builders.push(next);
            }
            let metas: Vec<_> = builders.iter().map(|builder| builder.build().meta).collect();
            let camera = metas[0].head.camera;
            ledger::register_stream(&connection, camera, StreamKind::Main, start).unwrap();
            for step in steps {
                match step {
                    Step::Close(n) => close(&connection, &metas[n], "path").unwrap(),
                    Step::Upload(n) => mark_uploaded(&connection, metas[n].head.id, start).unwrap(),
                    Step::Lock(n, locked) => {
                        let range = metas[n].wall_range().unwrap();
                        set_locked(&connection, camera, StreamKind::Main, range, locked).unwrap();
                    }
                    Step::BeginEviction(n) => {
                        begin_eviction(&connection, &[(metas[n].head.id, Reason::ExpiredBySpace)]).unwrap();
                    }
                    Step::FinishEviction(n) => {
                        finish_eviction(&connection, metas[n].head.id, Reason::ExpiredBySpace, start).unwrap();
                    }
                    Step::Discard(n) => discard(&connection, metas[n].head.id).unwrap(),
                }
            }
            let held = next_to_evict(&connection, usize::MAX).unwrap();
            prop_assert!(held.is_sorted_by_key(eviction_order));
            let sum = |wanted: &dyn Fn(&Holding) -> bool| -> u64 {
                held.iter().filter(|holding| wanted(holding)).map(|holding| holding.size).sum()
            };
            let totals = totals(&connection).unwrap();
            prop_assert_eq!(totals.segments, held.len() as u64);
            prop_assert_eq!(totals.bytes, sum(&|_| true));
            prop_assert_eq!(totals.unsent_bytes, sum(&|h| !h.uploaded));
            prop_assert_eq!(totals.locked_bytes, sum(&|h| h.locked));
            prop_assert_eq!(totals.unsent_locked_bytes, sum(&|h| h.locked && !h.uploaded));
        }
    }
}
