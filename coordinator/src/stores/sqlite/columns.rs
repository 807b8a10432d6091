//! Our types in columns: ids and hashes as blobs, wall times as integers, the rest as JSON or text.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Value, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::hash::Sha256;
use shared::id::{
    AgentId, BootId, CameraId, CommandId, GroupId, InviteId, LedgerId, PlaybackId, RunId,
    SegmentId, SessionId, SiteId, UserId,
};
use shared::segment::{Signature, StreamKind};
use shared::time::{TimeRange, WallTime};

use crate::domain::segment::{CentreCopy, EdgeCopy};

/// A value of fixed length in a blob.
pub(super) trait Fixed: Sized {
    fn bytes(&self) -> &[u8];
    fn read(bytes: &[u8]) -> Option<Self>;
}

macro_rules! fixed {
    ($($name:ty,)*) => {$(
        impl Fixed for $name {
            fn bytes(&self) -> &[u8] {
                self.as_bytes()
            }
            fn read(bytes: &[u8]) -> Option<Self> {
                Self::from_slice(bytes)
            }
        }
    )*};
}

fixed! {
    AgentId, BootId, CameraId, CommandId, GroupId, InviteId, LedgerId, PlaybackId, RunId, SegmentId,
    SessionId, Sha256, Signature, SiteId, UserId,
}

impl<const N: usize> Fixed for [u8; N] {
    fn bytes(&self) -> &[u8] {
        self
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok()
    }
}

/// An id, a hash or a key.
pub(super) struct Blob<T>(pub(super) T);

impl<T: Fixed> ToSql for Blob<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.bytes())))
    }
}

impl<T: Fixed> FromSql for Blob<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        T::read(value.as_blob()?)
            .map(Self)
            .ok_or(FromSqlError::InvalidType)
    }
}

/// A wall time in microseconds.
pub(super) struct Us(pub(super) WallTime);

impl ToSql for Us {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Integer(self.0.as_micros())))
    }
}

impl FromSql for Us {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(WallTime::from_micros).map(Self)
    }
}

/// A size or a count. What is larger than SQLite's integers becomes the largest of them.
pub(super) struct Count(pub(super) u64);

impl ToSql for Count {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = i64::try_from(self.0).unwrap_or(i64::MAX);
        Ok(ToSqlOutput::Owned(Value::Integer(value)))
    }
}

impl FromSql for Count {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let value = value.as_i64()?;
        u64::try_from(value)
            .map(Self)
            .map_err(|_| FromSqlError::OutOfRange(value))
    }
}

/// A type of `shared` as JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        serde_json::to_string(&self.0)
            .map(|text| ToSqlOutput::Owned(Value::Text(text)))
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?)
            .map(Self)
            .map_err(|error| FromSqlError::Other(error.into()))
    }
}

/// An enumeration of `shared` under the name it has in JSON.
pub(super) struct Name<T>(pub(super) T);

impl<T: Serialize> ToSql for Name<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match serde_json::to_value(&self.0) {
            Ok(serde_json::Value::String(name)) => Ok(ToSqlOutput::Owned(Value::Text(name))),
            Ok(other) => Err(rusqlite::Error::ToSqlConversionFailure(
                format!("{other} is not a name").into(),
            )),
            Err(error) => Err(rusqlite::Error::ToSqlConversionFailure(error.into())),
        }
    }
}

impl<T: DeserializeOwned> FromSql for Name<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let name = serde_json::Value::String(value.as_str()?.to_owned());
        serde_json::from_value(name)
            .map(Self)
            .map_err(|error| FromSqlError::Other(error.into()))
    }
}

/// Small enumerations as the integers that `schema.sql` names.
pub(super) struct Code<T>(pub(super) T);

macro_rules! codes {
    ($($name:ty { $($variant:ident = $code:literal,)* })*) => {$(
        impl ToSql for Code<$name> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let code = match self.0 { $(<$name>::$variant => $code,)* };
                Ok(ToSqlOutput::Owned(Value::Integer(code)))
            }
        }
        impl FromSql for Code<$name> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                match value.as_i64()? {
                    $($code => Ok(Self(<$name>::$variant)),)*
                    other => Err(FromSqlError::OutOfRange(other)),
                }
            }
        }
    )*};
}

codes! {
    StreamKind { Main = 0, Sub = 1, }
    EdgeCopy { Growing = 0, Present = 1, Deleted = 2, }
    CentreCopy { Absent = 0, Stored = 1, Lost = 2, }
}

/// The range between two columns of wall times. An end before its start, which the schema rules
/// out, becomes an empty range.
pub(super) fn range(start: WallTime, end: WallTime) -> TimeRange {
    TimeRange::starting_at(start, end.saturating_duration_since(start))
}
