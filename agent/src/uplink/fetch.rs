//! Serves the streams that the coordinator opens: bytes of segments that are only here, for
//! somebody who is looking at them now.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use shared::wire::segment::{FetchAnswer, FetchRequest};
use shared::wire::{CloseCode, StreamHeader};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::connection::{Connection, Receiver, Sender, StreamError};
use super::{SessionEnd, Shared};
use crate::buffer::{ReadError, SegmentBytes};

/// Somebody is waiting for these bytes: above all recordings, below control.
const PRIORITY: i32 = 90;

/// Segments read at the same time; further requests wait in the connection.
const AT_ONCE: usize = 16;

/// How long the coordinator may take to say what it wants of a stream it opened.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until the connection ends.
pub(super) async fn run(connection: &Connection, uplink: &Arc<Shared>) -> SessionEnd {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut serving = JoinSet::new();
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&room).acquire_owned() => permit,
            Some(_) = serving.join_next() => continue,
        };
        let Ok(permit) = permit else {
            return SessionEnd::Protocol("the fetch queue is closed".to_owned());
        };
        let (sender, receiver) = match connection.accept().await {
            Ok(stream) => stream,
            Err(closed) => return closed.into(),
        };
        let uplink = Arc::clone(uplink);
        serving.spawn(async move {
            if let Err(error) = serve(sender, receiver, &uplink).await {
                tracing::debug!(%error, "a fetch broke off");
            }
            drop(permit);
        });
    }
}

async fn serve(sender: Sender, mut receiver: Receiver, uplink: &Shared) -> Result<(), StreamError> {
    let header = tokio::time::timeout(HEADER_TIMEOUT, receiver.message::<StreamHeader>());
    match header.await {
        Ok(Ok(Some(StreamHeader::Fetch(request)))) => answer(sender, &request, uplink).await,
        Ok(Ok(Some(_))) => {
            sender.give_up(CloseCode::UnknownKind);
            receiver.give_up(CloseCode::UnknownKind);
            Ok(())
        }
        Ok(Ok(None)) | Ok(Err(_)) | Err(_) => {
            sender.give_up(CloseCode::ProtocolError);
            receiver.give_up(CloseCode::ProtocolError);
            Ok(())
        }
    }
}

async fn answer(
    mut sender: Sender,
    request: &FetchRequest,
    uplink: &Shared,
) -> Result<(), StreamError> {
    sender.set_priority(PRIORITY);
    let found = uplink
        .buffer
        .read_range(request.segment, request.start, request.end)
        .await;
    match found {
        Ok(bytes) => send(sender, bytes, uplink).await,
        Err(error) => {
            sender.message(&refusal(&error)).await?;
            sender.finish();
            Ok(())
        }
    }
}

fn refusal(error: &ReadError) -> FetchAnswer {
    let message = error.to_string();
    match error {
        ReadError::Unknown(_) | ReadError::NotThatMuch { .. } => FetchAnswer::NotFound { message },
        ReadError::Io { .. } | ReadError::Index(_) => {
            tracing::warn!(%message, "cannot read what the centre asks for");
            FetchAnswer::Failed { message }
        }
    }
}

async fn send(
    mut sender: Sender,
    mut bytes: SegmentBytes,
    uplink: &Shared,
) -> Result<(), StreamError> {
    let length = bytes.remaining();
    sender.message(&FetchAnswer::Bytes { length }).await?;
    loop {
        match bytes.next().await {
            Ok(Some(piece)) => {
                let length = u64::try_from(piece.len()).unwrap_or(0);
                sender.encoded(piece).await?;
                uplink.fetched.fetch_add(length, Ordering::Relaxed);
            }
            Ok(None) => {
                sender.finish();
                return Ok(());
            }
            Err(error) => {
                tracing::warn!(%error, path = %bytes.path().display(), "cannot read a segment");
                sender.give_up(CloseCode::Internal);
                return Ok(());
            }
        }
    }
}
