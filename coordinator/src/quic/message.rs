//! Messages on QUIC streams: the framing of `shared::wire::codec`, with limits on how long and how
//! long-winded a peer may be.

use std::time::Duration;

use bytes::BytesMut;
use quinn::{ReadError, RecvStream, SendStream, WriteError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::wire::codec::{self, CodecError, LENGTH_BYTES};
use shared::wire::{CloseCode, MAX_MESSAGE_BYTES};
use tokio::time::timeout;

/// How long a message that has begun may stop for, and how long a peer may take no bytes of ours.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Memory set aside for a message before its bytes are there; more only as they come.
const FIRST_BYTES: usize = 16 * 1024;

/// Why a message did not come or go.
#[derive(Debug, thiserror::Error)]
pub(super) enum MessageError {
    #[error("the message ends in the middle")]
    Truncated,
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error("a message of {length} bytes is longer than the {limit} allowed here")]
    TooLong { length: usize, limit: usize },
    #[error("the peer stopped in the middle of a message for {} s", PATIENCE.as_secs())]
    Stalled,
    #[error("the peer takes no messages for {} s", PATIENCE.as_secs())]
    NotTaken,
    #[error("no message came for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("the stream ended")]
    Read(#[from] ReadError),
    #[error("the stream ended")]
    Write(#[from] WriteError),
}

impl MessageError {
    /// What to close the connection with; `None` when the stream or the connection is over anyway.
    pub(super) const fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::Truncated | Self::Codec(_) | Self::TooLong { .. } => {
                Some(CloseCode::ProtocolError)
            }
            Self::Stalled | Self::NotTaken => Some(CloseCode::Overloaded),
            Self::Silent(_) => Some(CloseCode::Done),
            Self::Read(_) | Self::Write(_) => None,
        }
    }
}

/// The next message, however long it takes to begin; `None` when the peer has finished the stream.
pub(super) async fn read<T: DeserializeOwned>(
    stream: &mut RecvStream,
) -> Result<Option<T>, MessageError> {
    read_at_most(stream, MAX_MESSAGE_BYTES).await
}

/// The same for peers who may say less.
pub(super) async fn read_at_most<T: DeserializeOwned>(
    stream: &mut RecvStream,
    limit: usize,
) -> Result<Option<T>, MessageError> {
    let mut prefix = [0; LENGTH_BYTES];
    let Some(first) = stream.read(&mut prefix).await? else {
        return Ok(None);
    };
    let rest = prefix.get_mut(first..).unwrap_or_default();
    fill(stream, rest).await?;
    let length = codec::body_length(prefix)?;
    if length > limit {
        return Err(MessageError::TooLong { length, limit });
    }
    let mut body = BytesMut::with_capacity(length.min(FIRST_BYTES));
    while body.len() < length {
        let missing = length - body.len();
        let chunk = timeout(PATIENCE, stream.read_chunk(missing, true))
            .await
            .map_err(|_| MessageError::Stalled)??
            .ok_or(MessageError::Truncated)?;
        body.extend_from_slice(&chunk.bytes);
    }
    Ok(Some(codec::decode(&body)?))
}

/// The same, but only so long.
pub(super) async fn read_within<T: DeserializeOwned>(
    stream: &mut RecvStream,
    limit: Duration,
) -> Result<Option<T>, MessageError> {
    timeout(limit, read(stream))
        .await
        .map_err(|_| MessageError::Silent(limit))?
}

/// Sends one message; the peer has to take it in time.
pub(super) async fn write<T: Serialize + Sync>(
    stream: &mut SendStream,
    message: &T,
) -> Result<(), MessageError> {
    let bytes = codec::encode(message)?;
    timeout(PATIENCE, stream.write_chunk(bytes))
        .await
        .map_err(|_| MessageError::NotTaken)??;
    Ok(())
}

async fn fill(stream: &mut RecvStream, mut buffer: &mut [u8]) -> Result<(), MessageError> {
    while !buffer.is_empty() {
        let read = timeout(PATIENCE, stream.read(buffer))
            .await
            .map_err(|_| MessageError::Stalled)??
            .ok_or(MessageError::Truncated)?;
        buffer = buffer.get_mut(read..).unwrap_or_default();
    }
    Ok(())
}
