//! One upload: offer, answer, bytes, result. Bytes go from QUIC's buffers to the sink as they are;
//! verifying and storing them is the sink's business.

use std::time::Duration;

use bytes::Bytes;
use quinn::{RecvStream, SendStream};
use shared::wire::CloseCode;
use shared::wire::segment::{UploadAnswer, UploadOffer, UploadResult};
use tokio::time::timeout;

use super::agent_session::End;
use super::message::{self, MessageError};
use super::{Context, code};
use crate::metrics::Meters;
use crate::services::agents::AgentGrant;
use crate::services::ingest::{Offered, UploadSink, Written};

/// Pieces, of a packet each, taken from QUIC at once.
const PIECES: usize = 64;
/// How long an upload may bring nothing. Agents hold uploads back for what is more urgent, so this
/// is generous.
const PATIENCE: Duration = Duration::from_secs(120);
/// When to try again after the catalogue failed.
const AFTER_FAILURE_MS: u32 = 5_000;

/// # Errors
/// The peer broke a rule that ends the whole connection. An upload that breaks off is none: what
/// was verified is kept for the next attempt.
pub(super) async fn serve(
    mut send: SendStream,
    mut receive: RecvStream,
    offer: UploadOffer,
    grant: &AgentGrant,
    context: &Context,
) -> Result<(), End> {
    let segment = offer.segment;
    let (answer, sink) = match context.services.ingest.offer(grant, offer).await {
        Ok(Offered::Want { from, sink }) => (UploadAnswer::Want { from }, Some(sink)),
        Ok(Offered::Have) => (UploadAnswer::Have, None),
        Ok(Offered::Later { after_ms }) => (UploadAnswer::Later { after_ms }, None),
        Ok(Offered::Refused { message }) => (UploadAnswer::Refused { message }, None),
        Err(error) => {
            tracing::warn!(agent.id = %grant.id(), segment.id = %segment, %error, "could not decide about an offer");
            let after_ms = AFTER_FAILURE_MS;
            (UploadAnswer::Later { after_ms }, None)
        }
    };
    if !sent(message::write(&mut send, &answer).await)? {
        return Ok(());
    }
    if let Some(sink) = sink
        && let Some(result) = take(&mut receive, sink, &context.meters).await
    {
        tracing::debug!(agent.id = %grant.id(), segment.id = %segment, ?result, "an upload ended");
        sent(message::write(&mut send, &result).await)?;
    }
    let _ = send.finish();
    Ok(())
}

/// `None` when the agent broke off; what has come is kept for its next attempt.
async fn take(
    receive: &mut RecvStream,
    mut sink: UploadSink,
    meters: &Meters,
) -> Option<UploadResult> {
    let mut pieces = [const { Bytes::new() }; PIECES];
    loop {
        match timeout(PATIENCE, receive.read_chunks(&mut pieces)).await {
            Ok(Ok(Some(count))) => {
                for piece in pieces.iter_mut().take(count).map(std::mem::take) {
                    meters.received(piece.len());
                    if sink.write(piece).await == Written::Stop {
                        let _ = receive.stop(code(CloseCode::Done));
                        return Some(sink.finish().await);
                    }
                }
            }
            Ok(Ok(None)) => return Some(sink.finish().await),
            Ok(Err(error)) => {
                tracing::debug!(%error, "an upload broke off");
                sink.keep().await;
                return None;
            }
            Err(_) => {
                let _ = receive.stop(code(CloseCode::Overloaded));
                sink.keep().await;
                return None;
            }
        }
    }
}

/// Whether the message went out. A stream that the agent gave up is its business.
fn sent(result: Result<(), MessageError>) -> Result<bool, End> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.close_code().is_none() => Ok(false),
        Err(error) => Err(error.into()),
    }
}
