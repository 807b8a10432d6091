//! One fetch: bytes of a segment that is still at the edge, passed on as they come.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use quinn::{ReadError, RecvStream};
use shared::id::SegmentId;
use shared::wire::segment::{FetchAnswer, FetchRequest};
use shared::wire::{CloseCode, StreamHeader};
use tokio::time::timeout;

use super::agent_session::Session;
use super::message::{self, MessageError};
use super::{brief, code};
use crate::services::edge_source::{EdgeBytes, EdgeError};

/// How long a fetch may wait for its turn, for a stream, for its answer, and for more bytes.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes passed on at once.
const PIECE: usize = 256 * 1024;

impl Session {
    /// # Errors
    /// The agent did not answer with the bytes that were asked for.
    pub(super) async fn fetch(
        self: &std::sync::Arc<Self>,
        segment: SegmentId,
        range: Range<u64>,
    ) -> Result<EdgeBytes, EdgeError> {
        let session = self.clone();
        // Held by the stream for as long as it runs.
        let turn = timeout(PATIENCE, self.fetches.clone().acquire_owned())
            .await
            .map_err(|_| EdgeError::Overloaded)?
            .map_err(|_| EdgeError::Offline)?;
        let receive = timeout(PATIENCE, session.ask(segment, &range))
            .await
            .map_err(|_| EdgeError::TimedOut)??;
        let left = range.end.saturating_sub(range.start);
        let pieces = stream::try_unfold((receive, left), |(mut receive, left)| async move {
            let Some(piece) = next_piece(&mut receive, left).await? else {
                return Ok(None);
            };
            let left = left.saturating_sub(piece.len() as u64);
            Ok(Some((piece, (receive, left))))
        });
        let held = pieces.map(move |piece| {
            let _ = &turn;
            piece
        });
        Ok(held.boxed())
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

/// `None` when all `left` bytes have come.
async fn next_piece(receive: &mut RecvStream, left: u64) -> Result<Option<Bytes>, EdgeError> {
    let most = PIECE.min(usize::try_from(left).unwrap_or(PIECE));
    if most == 0 {
        let _ = receive.stop(code(CloseCode::Done));
        return Ok(None);
    }
    match timeout(PATIENCE, receive.read_chunk(most, true)).await {
        Ok(Ok(Some(chunk))) => Ok(Some(chunk.bytes)),
        Ok(Ok(None)) => Err(EdgeError::Corrupt {
            message: format!("{left} bytes are missing at the end"),
        }),
        Ok(Err(error)) => Err(read_failed(&error)),
        Err(_) => Err(EdgeError::TimedOut),
    }
}

fn broken(error: &MessageError) -> EdgeError {
    match error {
        MessageError::Read(error) => read_failed(error),
        MessageError::Write(_) => EdgeError::Offline,
        MessageError::Stalled | MessageError::NotTaken | MessageError::Silent(_) => {
            EdgeError::TimedOut
        }
        MessageError::Truncated | MessageError::Codec(_) => EdgeError::Failed {
            message: error.to_string(),
        },
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
