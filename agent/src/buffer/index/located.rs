//! Segments and their files: where each is, and what was open or about to go. Statements only.

use rusqlite::{Connection, OptionalExtension, Row, params};
use shared::id::{CameraId, SegmentId};
use shared::segment::StreamKind;
use shared::timeline::Reason;

use super::rows::{camera_of, id_of, reason_from, size, stream_of};

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
