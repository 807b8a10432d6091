//! One stream: messages behind their length, then raw bytes.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::wire::CloseCode;
use shared::wire::codec::{self, CodecError};

use super::Closed;

/// Why a stream is of no use any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    #[error(transparent)]
    Connection(#[from] Closed),
    /// The coordinator wants no more of it, or sends no more. `None`: a code we do not know.
    #[error("the coordinator gave the stream up ({0:?})")]
    GivenUp(Option<CloseCode>),
    #[error("the stream ended in the middle of a message")]
    Truncated,
    #[error("{0}")]
    Message(String),
}

impl From<CodecError> for StreamError {
    fn from(error: CodecError) -> Self {
        Self::Message(error.to_string())
    }
}

fn given_up(code: quinn::VarInt) -> StreamError {
    StreamError::GivenUp(CloseCode::from_u64(code.into_inner()))
}

impl From<quinn::WriteError> for StreamError {
    fn from(error: quinn::WriteError) -> Self {
        match error {
            quinn::WriteError::Stopped(code) => given_up(code),
            quinn::WriteError::ConnectionLost(error) => Self::Connection(error.into()),
            quinn::WriteError::ClosedStream | quinn::WriteError::ZeroRttRejected => {
                Self::GivenUp(None)
            }
        }
    }
}

impl From<quinn::ReadError> for StreamError {
    fn from(error: quinn::ReadError) -> Self {
        match error {
            quinn::ReadError::Reset(code) => given_up(code),
            quinn::ReadError::ConnectionLost(error) => Self::Connection(error.into()),
            quinn::ReadError::ClosedStream
            | quinn::ReadError::IllegalOrderedRead
            | quinn::ReadError::ZeroRttRejected => Self::GivenUp(None),
        }
    }
}

/// The sending half. Dropped without [`Sender::finish`] it tells the peer that it broke off.
#[derive(Debug)]
pub(crate) struct Sender {
    stream: quinn::SendStream,
    /// Whether its end, orderly or not, has been declared.
    ended: bool,
}

impl Sender {
    pub(super) const fn new(stream: quinn::SendStream) -> Self {
        Self {
            stream,
            ended: false,
        }
    }

    /// Streams with a higher number are sent first.
    pub(crate) fn set_priority(&self, priority: i32) {
        // Fails only on a stream that is closed, which the next write says as well.
        let _ = self.stream.set_priority(priority);
    }

    /// Waits while the connection is full.
    pub(crate) async fn message<T: Serialize + Sync>(
        &mut self,
        message: &T,
    ) -> Result<(), StreamError> {
        self.encoded(codec::encode(message)?).await
    }

    /// A message that [`codec::encode`] has made, or raw bytes. Waits while the connection is full.
    pub(crate) async fn encoded(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        Ok(self.stream.write_chunk(bytes).await?)
    }

    /// Sends as much as there is room for, at least something, and takes it off the front of
    /// `pieces`. May be left and polled again: what was not sent is still there.
    pub(crate) async fn some(&mut self, pieces: &mut VecDeque<Bytes>) -> Result<(), StreamError> {
        let written = self.stream.write_chunks(pieces.make_contiguous()).await?;
        pieces.drain(..written.chunks);
        Ok(())
    }

    /// Waits until everything has arrived, after [`Sender::finish`].
    pub(crate) async fn arrived(&mut self) {
        // Whether it arrived or is not wanted any more, there is nothing left to do.
        let _ = self.stream.stopped().await;
    }

    /// Nothing follows; what was written arrives also when this is dropped.
    pub(crate) fn finish(&mut self) {
        self.ended = true;
        // Fails only on a stream that is closed already.
        let _ = self.stream.finish();
    }

    /// Ends it at once; what was not sent is not sent any more.
    pub(crate) fn give_up(mut self, code: CloseCode) {
        self.ended = true;
        // Fails only on a stream that is closed already.
        let _ = self.stream.reset(code.as_u32().into());
    }
}

impl Drop for Sender {
    /// A stream dropped in the middle must not look complete, which is what quinn would make of it.
    fn drop(&mut self) {
        if !self.ended {
            // Fails only on a stream that is closed already.
            let _ = self.stream.reset(CloseCode::Internal.as_u32().into());
        }
    }
}

/// The receiving half.
#[derive(Debug)]
pub(crate) struct Receiver(quinn::RecvStream);

impl Receiver {
    pub(super) const fn new(stream: quinn::RecvStream) -> Self {
        Self(stream)
    }

    /// The next message; `None` when the peer has finished. Never holds more than one message of
    /// [`shared::wire::MAX_MESSAGE_BYTES`].
    pub(crate) async fn message<T: DeserializeOwned>(&mut self) -> Result<Option<T>, StreamError> {
        let mut prefix = [0; codec::LENGTH_BYTES];
        match self.0.read_exact(&mut prefix).await {
            Ok(()) => {}
            Err(quinn::ReadExactError::FinishedEarly(0)) => return Ok(None),
            Err(error) => return Err(from_exact(error)),
        }
        let mut body = vec![0; codec::body_length(prefix)?];
        self.0.read_exact(&mut body).await.map_err(from_exact)?;
        Ok(Some(codec::decode(&body)?))
    }

    /// One message after the other; may be left and polled again at any point.
    pub(crate) fn messages<T: DeserializeOwned>(
        self,
    ) -> impl Stream<Item = Result<T, StreamError>> {
        futures::stream::unfold(Some(self), async |receiver| {
            let mut receiver = receiver?;
            match receiver.message().await {
                Ok(Some(message)) => Some((Ok(message), Some(receiver))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    /// Tells the peer that the rest is of no interest.
    pub(crate) fn give_up(mut self, code: CloseCode) {
        // Fails only on a stream that is closed already.
        let _ = self.0.stop(code.as_u32().into());
    }
}

fn from_exact(error: quinn::ReadExactError) -> StreamError {
    match error {
        quinn::ReadExactError::FinishedEarly(_) => StreamError::Truncated,
        quinn::ReadExactError::ReadError(error) => error.into(),
    }
}
