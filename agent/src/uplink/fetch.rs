//! Bytes of segments that are only here, for somebody who is looking at them now.

use std::sync::atomic::Ordering;

use shared::wire::CloseCode;
use shared::wire::segment::{FetchAnswer, FetchRequest};
use tokio::sync::Semaphore;

use super::Shared;
use super::connection::{Sender, StreamError};
use crate::buffer::{ReadError, SegmentBytes};

/// Somebody is waiting for these bytes: above all recordings, below control.
const PRIORITY: i32 = 90;

/// Segments read at the same time; further requests wait.
const AT_ONCE: usize = 16;

/// Room for [`AT_ONCE`] of them.
pub(super) fn room() -> Semaphore {
    Semaphore::new(AT_ONCE)
}

pub(super) async fn answer(
    mut sender: Sender,
    request: &FetchRequest,
    uplink: &Shared,
    room: &Semaphore,
) -> Result<(), StreamError> {
    let _permit = room.acquire().await;
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
