//! Segments with their fragments, for playback.

use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use shared::id::{CameraId, RunId, SegmentId};
use shared::segment::StreamKind;
use shared::time::{TimeRange, WallTime};

use super::SqlError;
use super::columns::{Blob, Code, Us};
use crate::domain::segment::{CentreCopy, EdgeCopy, Footage, Fragment, MAX_SPAN};
use crate::stores::packed::unpack_figures;

/// Only what can still be played.
const FOOTAGE: &str = "select id, run_id, init_length, init_sha256, centre, fragments, number, edge
    from segments where (edge <> 2 or centre = 1)";

pub(super) fn in_range(
    sql: &Connection,
    camera: CameraId,
    stream: StreamKind,
    range: TimeRange,
) -> Result<Vec<Footage>, SqlError> {
    collect(
        sql,
        &format!(
            "{FOOTAGE} and camera_id = ?1 and stream = ?2 and start_us > ?3 and start_us < ?4
            and end_us > ?5 order by start_us"
        ),
        params![
            Blob(camera),
            Code(stream),
            Us(range.start() - MAX_SPAN),
            Us(range.end()),
            Us(range.start()),
        ],
    )
}

pub(super) fn before(
    sql: &Connection,
    run: RunId,
    before: WallTime,
    limit: usize,
) -> Result<Vec<Footage>, SqlError> {
    collect(
        sql,
        &format!("{FOOTAGE} and run_id = ?1 and start_us < ?2 order by start_us desc limit ?3"),
        params![Blob(run), Us(before), limit as i64],
    )
}

pub(super) fn live(
    sql: &Connection,
    camera: CameraId,
    stream: StreamKind,
    from: Option<SegmentId>,
    limit: usize,
) -> Result<Vec<Footage>, SqlError> {
    let from = match from {
        Some(from) => opened(sql, from)?,
        None => None,
    };
    if let Some(from) = from {
        return collect(
            sql,
            &format!(
                "{FOOTAGE} and camera_id = ?1 and stream = ?2 and opened >= ?3
                order by opened limit ?4"
            ),
            params![Blob(camera), Code(stream), from, limit as i64],
        );
    }
    let mut newest = collect(
        sql,
        &format!(
            "{FOOTAGE} and camera_id = ?1 and stream = ?2 and opened is not null
            order by opened desc limit ?3"
        ),
        params![Blob(camera), Code(stream), limit as i64],
    )?;
    newest.reverse();
    Ok(newest)
}

/// The fragments of one segment, closed or growing.
pub(super) fn fragments_of(sql: &Connection, number: i64) -> Result<Vec<Fragment>, SqlError> {
    let mut closed = sql.prepare_cached("select fragments from segments where number = ?1")?;
    let figures: Option<Option<Vec<u8>>> =
        closed.query_row([number], |row| row.get(0)).optional()?;
    let mut fragments = Vec::new();
    match figures.flatten() {
        Some(figures) => unpack_figures(&figures, &mut fragments)?,
        None => growing(sql, number, &mut fragments)?,
    }
    Ok(fragments)
}

fn opened(sql: &Connection, id: SegmentId) -> Result<Option<i64>, SqlError> {
    let mut opened = sql.prepare_cached("select opened from segments where id = ?1")?;
    let opened = opened.query_row([Blob(id)], |row| row.get(0));
    Ok(opened.optional()?.flatten())
}

fn collect(sql: &Connection, query: &str, with: impl Params) -> Result<Vec<Footage>, SqlError> {
    let mut segments = sql.prepare_cached(query)?;
    let mut rows = segments.query(with)?;
    let mut footage = Vec::new();
    while let Some(row) = rows.next()? {
        footage.push(read(sql, row)?);
    }
    Ok(footage)
}

fn read(sql: &Connection, row: &Row<'_>) -> Result<Footage, SqlError> {
    let mut fragments = Vec::new();
    match row.get_ref(5)?.as_blob_or_null() {
        Ok(Some(figures)) => unpack_figures(figures, &mut fragments)?,
        Ok(None) => growing(sql, row.get(6)?, &mut fragments)?,
        Err(error) => return Err(rusqlite::Error::from(error).into()),
    }
    Ok(Footage {
        id: row.get::<_, Blob<_>>(0)?.0,
        run: row.get::<_, Blob<_>>(1)?.0,
        init_length: row.get(2)?,
        init_sha256: row.get::<_, Blob<_>>(3)?.0,
        stored: row.get::<_, Code<CentreCopy>>(4)?.0 == CentreCopy::Stored,
        growing: row.get::<_, Code<EdgeCopy>>(7)?.0 == EdgeCopy::Growing,
        fragments,
    })
}

fn growing(sql: &Connection, number: i64, into: &mut Vec<Fragment>) -> Result<(), SqlError> {
    let mut tail =
        sql.prepare_cached("select fragments from growth where number = ?1 order by first")?;
    let mut rows = tail.query([number])?;
    while let Some(row) = rows.next()? {
        let figures = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        unpack_figures(figures, into)?;
    }
    Ok(())
}
