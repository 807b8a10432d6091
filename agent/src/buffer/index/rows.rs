//! How ids, times, reasons and streams stand in the columns.

use rusqlite::Row;
use shared::id::{CameraId, SegmentId};
use shared::segment::StreamKind;
use shared::time::{TimeRange, WallTime};
use shared::timeline::Reason;

pub(super) fn stream_code(stream: StreamKind) -> i64 {
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

pub(super) fn size(row: &Row<'_>) -> rusqlite::Result<u64> {
    row.get::<_, i64>("size_bytes")
        .map(|bytes| u64::try_from(bytes).unwrap_or(0))
}

pub(super) fn camera_of(row: &Row<'_>) -> rusqlite::Result<CameraId> {
    blob(row.get_ref("camera")?.as_blob()?, CameraId::from_slice)
}

pub(super) fn id_of(row: &Row<'_>) -> rusqlite::Result<SegmentId> {
    blob(row.get_ref("id")?.as_blob()?, SegmentId::from_slice)
}

pub(super) fn stream_of(row: &Row<'_>) -> rusqlite::Result<StreamKind> {
    stream_from(row.get("stream")?)
}
