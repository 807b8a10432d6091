//! One fetch: bytes of a segment that is still at the edge, passed on as they come.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use quinn::{ReadError, RecvStream};
use shared::id::SegmentId;
use shared::wire::segment::{FetchAnswer, FetchRequest};
use shared::wire::{CloseCode, StreamHeader};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::agent_session::Session;
use super::message::{self, MessageError};
use super::{brief, code};
use crate::services::edge_source::{EdgeBytes, EdgeError};

/// How long a fetch may wait for its turn, for a stream, for its answer, and for more bytes.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pieces, of a packet each, taken from QUIC at once.
const PIECES: usize = 64;

impl Session {
    /// # Errors
    /// The agent did not answer with the bytes that were asked for.
    pub(super) async fn fetch(
        &self,
        segment: SegmentId,
        range: Range<u64>,
    ) -> Result<EdgeBytes, EdgeError> {
        let turn = timeout(PATIENCE, self.fetches.clone().acquire_owned())
            .await
            .map_err(|_| EdgeError::Overloaded)?
            .map_err(|_| EdgeError::Offline)?;
        let receive = timeout(PATIENCE, self.ask(segment, &range))
            .await
            .map_err(|_| EdgeError::TimedOut)??;
        let transfer = Transfer {
            receive,
            left: range.end.saturating_sub(range.start),
            arrived: VecDeque::new(),
            _turn: turn,
        };
        let pieces = stream::try_unfold(transfer, |mut transfer| async move {
            let piece = transfer.next().await?;
            Ok(piece.map(|piece| (piece, transfer)))
        });
        Ok(pieces.boxed())
    }

    /// Sends the request and reads the answer that precedes the bytes.
    async fn ask(&self, segment: SegmentId, range: &Range<u64>) -> Result<RecvStream, EdgeError> {
        let (mut send, mut receive) = self
            .connection
            .open_bi()
            .await
            .map_err(|_| EdgeError::Offline)?;
        let request = StreamHeader::Fetch(FetchRequest {
            segment,
            start: range.start,
            end: range.end,
        });
        message::write(&mut send, &request)
            .await
            .map_err(|error| broken(&error))?;
        let _ = send.finish();
        let answer = message::read(&mut receive)
            .await
            .map_err(|error| broken(&error))?;
        let asked = range.end.saturating_sub(range.start);
        match answer {
            Some(FetchAnswer::Bytes { length }) if length == asked => Ok(receive),
            Some(FetchAnswer::Bytes { length }) => Err(EdgeError::Corrupt {
                message: format!("{asked} bytes were asked for, {length} offered"),
            }),
            Some(FetchAnswer::NotFound { message }) => Err(EdgeError::NotFound {
                message: brief(&message),
            }),
            Some(FetchAnswer::Failed { message }) => Err(EdgeError::Failed {
                message: brief(&message),
            }),
            Some(FetchAnswer::Unknown) => Err(EdgeError::Unsupported),
            None => Err(EdgeError::Failed {
                message: "the agent gave no answer".into(),
            }),
        }
    }
}

/// The bytes behind an answer, as they come.
struct Transfer {
    receive: RecvStream,
    /// Bytes not passed on yet.
    left: u64,
    arrived: VecDeque<Bytes>,
    /// Held for as long as the transfer runs.
    _turn: OwnedSemaphorePermit,
}

impl Transfer {
    /// `None` when all bytes have been passed on.
    async fn next(&mut self) -> Result<Option<Bytes>, EdgeError> {
        if self.left == 0 {
            let _ = self.receive.stop(code(CloseCode::Done));
            return Ok(None);
        }
        if self.arrived.is_empty() {
            self.arrive().await?;
        }
        let mut piece = self.arrived.pop_front().unwrap_or_default();
        // More than was offered is not asked for.
        piece.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left = self.left.saturating_sub(piece.len() as u64);
        Ok(Some(piece))
    }

    async fn arrive(&mut self) -> Result<(), EdgeError> {
        let mut pieces = [const { Bytes::new() }; PIECES];
        match timeout(PATIENCE, self.receive.read_chunks(&mut pieces)).await {
            Ok(Ok(Some(count))) => {
                self.arrived.extend(pieces.into_iter().take(count));
                Ok(())
            }
            Ok(Ok(None)) => Err(EdgeError::Corrupt {
                message: format!("{} bytes are missing at the end", self.left),
            }),
            Ok(Err(error)) => Err(read_failed(&error)),
            Err(_) => Err(EdgeError::TimedOut),
        }
    }
}

fn broken(error: &MessageError) -> EdgeError {
    match error {
        MessageError::Read(error) => read_failed(error),
        MessageError::Write(_) => EdgeError::Offline,
        MessageError::Stalled | MessageError::NotTaken | MessageError::Silent(_) => {
            EdgeError::TimedOut
        }
        MessageError::Truncated | MessageError::Codec(_) | MessageError::TooLong { .. } => {
            EdgeError::Failed {
                message: error.to_string(),
            }
        }
    }
}

fn read_failed(error: &ReadError) -> EdgeError {
    let reset = match error {
        ReadError::Reset(reset) => CloseCode::from_u64(reset.into_inner()),
        _ => return EdgeError::Offline,
    };
    let message = "the agent broke off".to_owned();
    match reset {
        Some(CloseCode::UnknownKind) => EdgeError::Unsupported,
        Some(CloseCode::Overloaded) => EdgeError::Overloaded,
        Some(CloseCode::NotFound) => EdgeError::NotFound { message },
        _ => EdgeError::Failed { message },
    }
}
