//! Framing of messages: a four-byte big-endian length, then that many bytes of JSON. Pure; the
//! transports read and write the bytes.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::MAX_MESSAGE_BYTES;

/// Bytes of the length in front of every message.
pub const LENGTH_BYTES: usize = 4;

/// Why a message could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    #[error("a message of {length} bytes is larger than the {MAX_MESSAGE_BYTES} allowed")]
    TooLong { length: usize },
    #[error("not a message of this protocol: {source} in `{excerpt}`")]
    Json {
        source: serde_json::Error,
        excerpt: String,
    },
}

/// The message with its length in front.
///
/// # Errors
/// It is longer than [`MAX_MESSAGE_BYTES`].
pub fn encode<T: Serialize>(message: &T) -> Result<Bytes, CodecError> {
    let mut buffer = BytesMut::zeroed(LENGTH_BYTES).writer();
    serde_json::to_writer(&mut buffer, message).map_err(|source| CodecError::Json {
        source,
        excerpt: String::new(),
    })?;
    let mut buffer = buffer.into_inner();
    let length = buffer.len() - LENGTH_BYTES;
    let prefix = u32::try_from(length)
        .ok()
        .filter(|_| length <= MAX_MESSAGE_BYTES)
        .ok_or(CodecError::TooLong { length })?;
    buffer[..LENGTH_BYTES].copy_from_slice(&prefix.to_be_bytes());
    Ok(buffer.freeze())
}

/// How many bytes of JSON follow this prefix.
///
/// # Errors
/// More than [`MAX_MESSAGE_BYTES`]; nothing should be read then.
pub fn body_length(prefix: [u8; LENGTH_BYTES]) -> Result<usize, CodecError> {
    let length = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
    if length > MAX_MESSAGE_BYTES {
        Err(CodecError::TooLong { length })
    } else {
        Ok(length)
    }
}

/// Reads the JSON of one message.
///
/// # Errors
/// The bytes are not a `T`; the error quotes the beginning of them.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, CodecError> {
    serde_json::from_slice(body).map_err(|source| {
        let excerpt = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        CodecError::Json { source, excerpt }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_checked_before_anything_is_read() {
        assert!(body_length(u32::MAX.to_be_bytes()).is_err());
        assert_eq!(body_length([0, 0, 1, 0]).unwrap(), 256);
        let huge = "x".repeat(MAX_MESSAGE_BYTES);
        assert!(matches!(encode(&huge), Err(CodecError::TooLong { .. })));
    }

    #[test]
    fn an_error_quotes_what_was_received_without_panicking_on_split_characters() {
        let body = "é".repeat(100).into_bytes();
        let error = decode::<u32>(&body[1..]).unwrap_err();
        assert!(error.to_string().contains("not a message"));
    }
}
