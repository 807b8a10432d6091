//! The WebSocket of the pages: what the coordinator has to say without being asked.
//!
//! Every message is a JSON object with a `type`; a client ignores types that it does not know. The
//! coordinator asks for a sign of life now and then, and ends the connection when the session ends.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::Instrument as _;
use utoipa::ToSchema;

use super::Api;
use super::error::{Code, CrossOrigin, Error, SignedIn, Upgrade};
use super::places::Socket;
use super::session::Me;
use super::vocabulary::Timestamp;
use crate::services::access::{Actor, Ended, Ground, News, Standing};
use crate::services::users::Users;

/// How often a sign of life is asked for; after three times without one the client is gone.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// How long a message may take to leave.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest message of a client.
const MAX_MESSAGE: usize = 4096;

/// The session has ended (from the range for private use, RFC 6455 section 7.4.2).
const SESSION_ENDED: u16 = 4401;

/// The system is busy or not ready: try again later (1013 in IANA's registry).
const TRY_AGAIN: u16 = 1013;

/// What the coordinator says.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HubMessage {
    /// The first message.
    Hello { server_time: Timestamp },
    /// Who is signed in or what they may do has changed.
    AccessChanged { me: Box<Me> },
    /// The last message: nobody is signed in any more. The connection is closed with 4401.
    SessionEnded {
        message_en: &'static str,
        message_ar: &'static str,
    },
}

/// Listen
///
/// A WebSocket (RFC 6455). The coordinator sends `HubMessage`s as text; what clients send is not
/// looked at. It is closed with 4401 when the session ends, within two seconds of whatever ends it,
/// with 1001 when the coordinator stops and with 1013 when it is busy.
#[utoipa::path(get, path = "/ws", operation_id = "open_hub", tag = "session",
    responses((status = 101, description = "`HubMessage`s.", content_type = "application/json", body = HubMessage, example = json!({ "type": "HELLO", "server_time": "2026-03-01T14:00:00Z" })), SignedIn, CrossOrigin, Upgrade))]
pub async fn open_hub(
    actor: Actor,
    State(api): State<Arc<Api>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Error> {
    let upgrade = upgrade.map_err(|rejection| {
        Error::new(Code::UpgradeRequired).with_details(rejection.body_text())
    })?;
    let place = api.sockets.take(actor.user_id());
    let place = place.ok_or_else(|| Error::new(Code::Overloaded).with_retry_after(30))?;
    let standing = api.services.access.standing(&actor, Ground::Session);
    let hello = HubMessage::Hello {
        server_time: Timestamp(api.clock.wall()),
    };
    let serve = async move |socket| serve(&api, socket, place, hello, standing).await;
    let span = tracing::Span::current();
    Ok(upgrade
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .on_upgrade(|socket| serve(socket).instrument(span)))
}

async fn serve(
    api: &Api,
    mut socket: WebSocket,
    place: Socket,
    hello: HubMessage,
    mut standing: Standing,
) {
    let end = tokio::select! {
        // Whoever may not listen hears nothing more.
        biased;
        () = api.stopping.cancelled() => Some((close_code::AWAY, None)),
        end = talk(&mut socket, hello, &mut standing, &api.services.users) => end,
    };
    if let Some((code, last)) = end {
        let _ = timeout(PATIENCE, close(&mut socket, code, last)).await;
    }
    drop(place);
}

/// Until the session or the connection ends; with what is to be said at the end, if anybody listens.
async fn talk(
    socket: &mut WebSocket,
    hello: HubMessage,
    standing: &mut Standing,
    users: &Users,
) -> Option<(u16, Option<HubMessage>)> {
    send(socket, &hello).await?;
    let mut heartbeats = interval(HEARTBEAT);
    heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            biased;
            news = standing.news() => match news {
                News::Changed(actor) => {
                    let Ok(me) = Me::of(&actor, users).await else {
                        return Some((TRY_AGAIN, None));
                    };
                    let me = Box::new(me);
                    send(socket, &HubMessage::AccessChanged { me }).await?;
                }
                News::Ended(ended) => return Some(farewell(&ended)),
            },
            received = socket.recv() => match received? {
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => heard = Instant::now(),
            },
            _ = heartbeats.tick() => {
                if heard.elapsed() > HEARTBEAT * 3 {
                    tracing::debug!("a WebSocket gave no sign of life");
                    return None;
                }
                let ping = socket.send(Message::Ping(bytes::Bytes::new()));
                timeout(PATIENCE, ping).await.ok()?.ok()?;
            }
        }
    }
}

fn farewell(ended: &Ended) -> (u16, Option<HubMessage>) {
    tracing::info!(%ended, "a WebSocket was ended");
    match ended {
        Ended::Session | Ended::Forbidden => {
            let sentence = Code::Unauthenticated.sentence();
            let last = HubMessage::SessionEnded {
                message_en: sentence.en,
                message_ar: sentence.ar,
            };
            (SESSION_ENDED, Some(last))
        }
        Ended::Unknown(_) => (TRY_AGAIN, None),
        Ended::Stopping => (close_code::AWAY, None),
    }
}

/// `None` when the client is gone or takes nothing.
async fn send(socket: &mut WebSocket, message: &HubMessage) -> Option<()> {
    let text = serde_json::to_string(message).ok()?;
    let sent = timeout(PATIENCE, socket.send(Message::Text(text.into())));
    sent.await.ok()?.ok()
}

async fn close(socket: &mut WebSocket, code: u16, last: Option<HubMessage>) -> Option<()> {
    if let Some(last) = last {
        send(socket, &last).await?;
    }
    let reason = CloseFrame {
        code,
        reason: "".into(),
    };
    socket.send(Message::Close(Some(reason))).await.ok()?;
    // Until the client has said the same, or there is nobody.
    while let Some(Ok(_)) = socket.recv().await {}
    Some(())
}
