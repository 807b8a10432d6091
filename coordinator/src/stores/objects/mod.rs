//! The bytes of segments.

pub mod filesystem;
#[cfg(test)]
pub mod suite;

use std::fmt::Debug;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

pub type Result<T, E = ObjectError> = std::result::Result<T, E>;

/// Bytes of an object in order, in pieces of any size.
pub type ObjectBytes = BoxStream<'static, Result<Bytes>>;

/// Why the object store could not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ObjectError {
    #[error("there is no object {path}")]
    NotFound { path: String },
    #[error("object {path} has {size} bytes; {start}..{end} was asked for")]
    OutOfRange {
        path: String,
        size: u64,
        start: u64,
        end: u64,
    },
    /// Somebody else in this process writes it; that ends by itself.
    #[error("object {path} is being written already")]
    InUse { path: String },
    #[error("no space left while trying to {attempted} {path}")]
    Full {
        attempted: &'static str,
        path: String,
    },
    #[error("could not {attempted} {path}: {message}")]
    Failed {
        attempted: &'static str,
        path: String,
        message: String,
    },
    #[error(
        "`{path}` is not a path of an object: segments of letters, digits, `_`, `-` and `.` with `/` between"
    )]
    Path { path: String },
}

/// A store of immutable objects that come into being by appending.
///
/// An object has a name such as `recordings/METRO/…/….mp4`. Until it is committed it is *partial*:
/// invisible to [`Objects::read`], kept over restarts, and of any length after a crash.
#[async_trait]
pub trait Objects: Debug + Send + Sync {
    /// Bytes kept of a partial object; 0 when there is none.
    async fn partial_length(&self, path: &str) -> Result<u64>;
    /// Reads what is kept of a partial object.
    async fn read_partial(&self, path: &str, range: Range<u64>) -> Result<ObjectBytes>;
    /// Goes on writing a partial object behind its first `at` bytes, dropping what lies beyond; a
    /// new one at 0. Only one at a time: what was appended before but is not finished yet cannot
    /// overwrite anything later.
    async fn resume(&self, path: &str, at: u64) -> Result<Box<dyn PartialObject>>;
    async fn discard_partial(&self, path: &str) -> Result<()>;
    /// Size of a committed object; `None` when there is none.
    async fn size(&self, path: &str) -> Result<Option<u64>>;
    /// Bytes `range` of a committed object.
    async fn read(&self, path: &str, range: Range<u64>) -> Result<ObjectBytes>;
    /// Nothing happens when there is none.
    async fn delete(&self, path: &str) -> Result<()>;
    /// Everything there is, in no particular order.
    async fn list(&self) -> Result<BoxStream<'static, Result<Listed>>>;
    async fn space(&self) -> Result<Space>;
}

/// An object being written. Dropping it keeps what was appended, as far as it survives.
#[async_trait]
pub trait PartialObject: Debug + Send {
    /// Bytes written so far.
    fn length(&self) -> u64;
    async fn append(&mut self, pieces: Vec<Bytes>) -> Result<()>;
    /// Drops everything behind the first `length` bytes.
    async fn truncate(&mut self, length: u64) -> Result<()>;
    /// Makes the object durable and then visible, in this order. An object of the same name is
    /// replaced.
    async fn commit(self: Box<Self>) -> Result<()>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub path: String,
    pub size: u64,
    pub partial: bool,
}

/// Room in the store, as far as it can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    pub total_bytes: u64,
    pub free_bytes: u64,
}
