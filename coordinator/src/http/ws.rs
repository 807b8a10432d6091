//! The WebSockets of the pages: what the coordinator has to say without being asked.
//!
//! Every message is a JSON object with a `type`; a client ignores types that it does not know. The
//! coordinator asks for a sign of life now and then, and ends the connection when the session ends.

mod message;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::Instrument as _;

use self::message::ClientMessage;
pub use self::message::{AlertKind, HubMessage};
use super::Api;
use super::error::{Code, CrossOrigin, Error, SignedIn, Upgrade};
use super::places::Socket;
use super::session::Me;
use super::vocabulary::Timestamp;
use crate::services::access::{Actor, Ended, Ground, News, Standing};
use crate::services::events::{Event, Listener};

/// How often a sign of life is asked for; after three times without one the client is gone.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// How long a message may take to leave.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest message of a client.
const MAX_MESSAGE: usize = 4096;

/// Messages of a client between two heartbeats; ours say one now and then.
const MAX_MESSAGES: u32 = 100;

/// The session has ended (from the range for private use, RFC 6455 section 7.4.2).
pub(super) const SESSION_ENDED: u16 = 4401;

/// The system is busy or not ready: try again later (1013 in IANA's registry).
pub(super) const TRY_AGAIN: u16 = 1013;

/// Listen
///
/// A WebSocket (RFC 6455). The coordinator sends `HubMessage`s as text: first `HELLO`, then what
/// stands, then what changes. A client that was away sends `{"type": "RESUME", "after": seq, "hub":
/// hub}` with the last number and the hub that it knows, and is told of everything that is another
/// since, or of everything where that was another hub. It is closed with 4401 when the session ends,
/// within two seconds of whatever ends it, with 1001 when the coordinator stops, with 1008 when the
/// client says too much and with 1013 when the system is busy.
#[utoipa::path(get, path = "/ws", operation_id = "open_hub", tag = "session",
    responses((status = 101, description = "`HubMessage`s.", content_type = "application/json", body = HubMessage, example = json!({ "type": "HELLO", "server_time": "2026-03-01T14:00:00Z", "hub": "8a4c6e0f2b7d4951a3c5e7f90b1d2f34" })), SignedIn, CrossOrigin, Upgrade))]
pub async fn open_hub(
    actor: Actor,
    State(api): State<Arc<Api>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Error> {
    open(actor, api, upgrade, Subject::Everything)
}

/// Listen to how many streams there are
///
/// As `open_hub`, with nothing but `STREAM_STATS` and, at the end, `SESSION_ENDED`.
#[utoipa::path(get, path = "/ws/stream/stats", operation_id = "open_stream_stats", tag = "streams",
    responses((status = 101, description = "`HubMessage`s.", content_type = "application/json", body = HubMessage, example = json!({ "type": "STREAM_STATS", "seq": 12, "agencies": [], "total": { "full": { "current": 7, "limit": 500 }, "reduced": { "current": 0, "limit": 500 } } })), SignedIn, CrossOrigin, Upgrade))]
pub async fn open_stream_stats(
    actor: Actor,
    State(api): State<Arc<Api>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Error> {
    open(actor, api, upgrade, Subject::StreamStats)
}

/// What somebody listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Everything,
    StreamStats,
}

fn open(
    actor: Actor,
    api: Arc<Api>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    subject: Subject,
) -> Result<Response, Error> {
    let upgrade = upgrade.map_err(|rejection| {
        Error::new(Code::UpgradeRequired).with_details(rejection.body_text())
    })?;
    let place = api.sockets.take(actor.user_id());
    let place = place.ok_or_else(|| Error::new(Code::Overloaded).with_retry_after(30))?;
    let conversation = Conversation {
        standing: api.services.access.standing(&actor, Ground::Session),
        listener: api.services.events.listen(),
        actor,
        subject,
        api,
        said: 0,
    };
    let serve = async move |socket| serve(socket, place, conversation).await;
    let span = tracing::Span::current();
    Ok(upgrade
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .on_upgrade(|socket| serve(socket).instrument(span)))
}

async fn serve(mut socket: WebSocket, place: Socket, mut conversation: Conversation) {
    let stopping = conversation.api.stopping.clone();
    let end = tokio::select! {
        // Whoever may not listen hears nothing more.
        biased;
        () = stopping.cancelled() => Some((close_code::AWAY, None)),
        end = conversation.talk(&mut socket) => end,
    };
    if let Some((code, last)) = end {
        let _ = timeout(PATIENCE, close(&mut socket, code, last)).await;
    }
    drop(place);
}

/// What is to be said at the end, if anybody listens.
type End = Option<(u16, Option<HubMessage>)>;

struct Conversation {
    api: Arc<Api>,
    actor: Actor,
    standing: Standing,
    listener: Listener,
    subject: Subject,
    /// By the client since the last heartbeat.
    said: u32,
}

impl Conversation {
    /// Until the session or the connection ends.
    async fn talk(&mut self, socket: &mut WebSocket) -> End {
        if self.subject == Subject::Everything {
            let hello = HubMessage::Hello {
                server_time: Timestamp(self.api.clock.wall()),
                hub: self.api.services.events.hub().to_owned(),
            };
            send(socket, &hello).await?;
        }
        let mut heartbeats = interval(HEARTBEAT);
        heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                biased;
                news = self.standing.news() => match news {
                    News::Changed(actor) => if let ControlFlow::Break(end) = self.change(socket, *actor).await {
                        return end;
                    },
                    News::Ended(ended) => return Some(farewell(&ended)),
                },
                received = socket.recv() => {
                    heard = Instant::now();
                    if let ControlFlow::Break(end) = self.hear(received?.ok()?) {
                        return end;
                    }
                }
                _ = heartbeats.tick() => {
                    if heard.elapsed() > HEARTBEAT * 3 {
                        tracing::debug!("a WebSocket gave no sign of life");
                        return None;
                    }
                    self.said = 0;
                    let ping = socket.send(Message::Ping(bytes::Bytes::new()));
                    timeout(PATIENCE, ping).await.ok()?.ok()?;
                }
                events = self.listener.next() => self.tell(socket, events).await?,
            }
        }
    }

    /// They may do something else from now on, so they hear again how things are.
    async fn change(&mut self, socket: &mut WebSocket, actor: Actor) -> ControlFlow<End> {
        if self.subject == Subject::Everything {
            let Ok(me) = Me::of(&actor, &self.api.services.users).await else {
                return ControlFlow::Break(Some((TRY_AGAIN, None)));
            };
            let me = Box::new(me);
            if send(socket, &HubMessage::AccessChanged { me })
                .await
                .is_none()
            {
                return ControlFlow::Break(None);
            }
        }
        self.actor = actor;
        self.listener.again();
        ControlFlow::Continue(())
    }

    fn hear(&mut self, message: Message) -> ControlFlow<End> {
        self.said += 1;
        if self.said > MAX_MESSAGES {
            let (audit, address) = (&self.api.services.audit, self.actor.origin().address());
            audit.rate_limited(Some(&self.actor), address);
            tracing::info!("a WebSocket was ended whose client said too much");
            return ControlFlow::Break(Some((close_code::POLICY, None)));
        }
        match message {
            Message::Close(_) => return ControlFlow::Break(None),
            Message::Text(text) => {
                // What a newer page says is not for us.
                if let Ok(ClientMessage::Resume { after, hub }) = serde_json::from_str(&text) {
                    self.listener.resume(&hub, after);
                }
            }
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => {}
        }
        ControlFlow::Continue(())
    }

    /// `None` when the client is gone, or takes so long that it may as well be.
    async fn tell(&self, socket: &mut WebSocket, events: Vec<(u64, Event)>) -> Option<()> {
        let telling = async {
            for (seq, event) in events {
                let wanted = match self.subject {
                    Subject::Everything => true,
                    Subject::StreamStats => matches!(event, Event::Streams(_)),
                };
                if wanted && let Some(event) = event.for_actor(&self.actor) {
                    send(socket, &HubMessage::new(seq, &event)).await?;
                }
            }
            Some(())
        };
        timeout(PATIENCE, telling).await.ok()?
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
