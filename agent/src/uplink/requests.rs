//! The streams that the coordinator opens: what each asks for is in the file of its kind.

use std::sync::Arc;
use std::time::Duration;

use shared::wire::{CloseCode, StreamHeader};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::connection::{Connection, Opener, Receiver, Sender, StreamError};
use super::{SessionEnd, Shared, fetch, live};

/// How long the coordinator may take to say what it wants of a stream it opened.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// What all requests of a connection share.
struct Desk {
    uplink: Arc<Shared>,
    opener: Opener,
    fetches: Semaphore,
}

/// Serves until the connection ends. How many there may be at once is what QUIC allows.
pub(super) async fn run(connection: &Connection, uplink: &Arc<Shared>) -> SessionEnd {
    let desk = Arc::new(Desk {
        uplink: Arc::clone(uplink),
        opener: connection.opener(),
        fetches: fetch::room(),
    });
    let mut serving = JoinSet::new();
    loop {
        let (sender, receiver) = tokio::select! {
            accepted = connection.accept() => match accepted {
                Ok(stream) => stream,
                Err(closed) => return closed.into(),
            },
            Some(_) = serving.join_next() => continue,
        };
        let desk = Arc::clone(&desk);
        serving.spawn(async move {
            if let Err(error) = serve(sender, receiver, &desk).await {
                tracing::debug!(%error, "a request of the coordinator broke off");
            }
        });
    }
}

async fn serve(sender: Sender, mut receiver: Receiver, desk: &Desk) -> Result<(), StreamError> {
    let header = tokio::time::timeout(HEADER_TIMEOUT, receiver.message::<StreamHeader>());
    match header.await {
        Ok(Ok(Some(StreamHeader::Fetch(request)))) => {
            fetch::answer(sender, &request, &desk.uplink, &desk.fetches).await
        }
        Ok(Ok(Some(StreamHeader::Live(request)))) => {
            live::answer(sender, receiver, &request, &desk.uplink, &desk.opener).await
        }
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
