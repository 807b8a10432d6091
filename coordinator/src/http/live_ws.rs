//! Watching live where WebRTC cannot carry it (H.265 in many browsers) or where only the web's own ports
//! are open: fragments of MP4 over a WebSocket, for Media Source Extensions.
//!
//! The socket is the queue: while a client takes nothing, nothing is read for it from the feed, which
//! lets it go on with a newer sync picture.

mod fragments;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::json;
use shared::id::CameraId;
use shared::time::TICKS_PER_SECOND;
use tokio::time::timeout;
use tracing::Instrument as _;
use utoipa::ToSchema;

use self::fragments::{Fragments, Piece};
use super::Api;
use super::error::{Code, CrossOrigin, Error, OnOne, SignedIn, Upgrade, WithQuery};
use super::extract::{Path, Query};
use super::vocabulary::{self, Timestamp};
use super::whep::WatchQuery;
use super::ws::{SESSION_ENDED, TRY_AGAIN};
use crate::domain::access::Deed;
use crate::services::access::{Actor, CameraGrant, Ended, Ground, Standing};
use crate::services::live::{self, Viewing};
use crate::services::live_hub::Event;

/// How long a message may take to leave.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest message of a client, who has nothing to say.
const MAX_MESSAGE: usize = 1_024;

/// Longest reason of a close (RFC 6455 section 5.5).
const MAX_REASON: usize = 123;

/// No such stream, and too many of them already (RFC 6455 section 7.4.2 leaves these numbers to us): 4000
/// more than the status of the error.
const HIDDEN: u16 = 4404;
const LIMIT_REACHED: u16 = 4429;

/// What is said between the bytes.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LiveMessage {
    /// The next message has the bytes with which a stream begins; also in between, where a camera has
    /// other settings.
    Init {
        /// For `addSourceBuffer`.
        #[schema(example = "video/mp4; codecs=\"avc1.4d401f\"")]
        mime: String,
        /// Units of time in a second.
        #[schema(example = 90_000)]
        timescale: i64,
    },
    /// The next message has a fragment: `moof` and `mdat`.
    Fragment {
        /// When its first picture was taken.
        wall: Timestamp,
        /// Whether decoding can begin with it.
        sync: bool,
    },
    /// There is no picture until the next `FRAGMENT`.
    Down {
        /// For a program.
        #[schema(example = "site_offline")]
        reason: &'static str,
        message_en: &'static str,
        message_ar: &'static str,
        since: Timestamp,
    },
}

/// Watch a camera live, over a WebSocket
///
/// Text messages are `LiveMessage`s; binary ones are what was announced before, to be appended to a
/// `SourceBuffer` in this order. What clients send is not looked at. Closed with 4401 when the session
/// or the permission ends, 4404 when the camera has no such stream, 4429 when a limit of streams is reached,
/// with the code of the error in the reason, 1013 when the coordinator is busy and 1001 when it stops.
#[utoipa::path(get, path = "/api/v1/cameras/{id}/live", operation_id = "watch_camera_fragments", tag = "live",
    params(("id" = String, Path, format = Uuid), WatchQuery),
    responses((status = 101, description = "`LiveMessage`s and fragments.", content_type = "application/json", body = LiveMessage, example = json!({ "type": "FRAGMENT", "wall": "2026-03-01T14:00:00Z", "sync": true })), SignedIn, OnOne, CrossOrigin, WithQuery, Upgrade))]
pub async fn watch_camera_fragments(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<CameraId>,
    Query(query): Query<WatchQuery>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Error> {
    let upgrade = upgrade.map_err(|rejection| {
        Error::new(Code::UpgradeRequired).with_details(rejection.body_text())
    })?;
    let place = api.live_sockets.take(actor.user_id());
    let place = place.ok_or_else(|| Error::new(Code::Overloaded).with_retry_after(30))?;
    let access = &api.services.access;
    let grant = access.camera(&actor, id, Deed::ViewCamera).await?;
    let standing = access.standing(&actor, Ground::Camera(id, Deed::ViewCamera));
    let watcher = Watcher {
        api: api.clone(),
        grant,
        standing,
        query,
    };
    let serve = async move |socket| {
        serve(socket, watcher).await;
        drop(place);
    };
    let span = tracing::Span::current();
    Ok(upgrade
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .on_upgrade(|socket| serve(socket).instrument(span)))
}

/// Somebody who may watch.
struct Watcher {
    api: Arc<Api>,
    grant: CameraGrant,
    standing: Standing,
    query: WatchQuery,
}

async fn serve(mut socket: WebSocket, watcher: Watcher) {
    let Watcher {
        api,
        grant,
        standing,
        query,
    } = watcher;
    let wanted = live::Wanted {
        stream: query.rendition.into(),
        reservation: query.reservation,
    };
    // A browser does not tell its page why an upgrade is refused, so a limit is told afterwards.
    let end = match api.services.live.open(&grant, wanted).await {
        Err(error) => Some(refusal(&error.into())),
        Ok(viewing) => tokio::select! {
            biased;
            () = api.stopping.cancelled() => Some((close_code::AWAY, String::new())),
            ended = standing.ended() => Some((farewell(&ended), String::new())),
            () = viewing.lost() => Some((TRY_AGAIN, String::new())),
            end = show(&mut socket, &viewing) => end.map(|code| (code, String::new())),
        },
    };
    if let Some((code, reason)) = end {
        let reason = reason.into();
        let close = socket.send(Message::Close(Some(CloseFrame { code, reason })));
        let _ = timeout(PATIENCE, close).await;
    }
}

/// Until the client or the feed has gone; with the code to close with, if anybody listens.
async fn show(socket: &mut WebSocket, viewing: &Viewing) -> Option<u16> {
    let mut watch = viewing.watch();
    let mut stream = Fragments::default();
    loop {
        tokio::select! {
            biased;
            received = socket.recv() => match received? {
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            },
            event = watch.next() => match event {
                None => return Some(TRY_AGAIN),
                Some(Event::Picture(picture)) => {
                    for piece in stream.picture(picture) {
                        send(socket, piece).await?;
                    }
                }
                Some(Event::Sound(sound)) => stream.sound(sound),
                Some(Event::Skipped) => if let Some(piece) = stream.pause() {
                    send(socket, piece).await?;
                },
                Some(Event::Down(down)) => {
                    if let Some(piece) = stream.pause() {
                        send(socket, piece).await?;
                    }
                    let (reason, sentence) = vocabulary::outage(down.because);
                    let message = LiveMessage::Down {
                        reason,
                        message_en: sentence.en,
                        message_ar: sentence.ar,
                        since: Timestamp(down.since),
                    };
                    say(socket, &message).await?;
                }
            }
        }
    }
}

/// `None` when the client is gone or takes nothing.
async fn send(socket: &mut WebSocket, piece: Piece) -> Option<()> {
    let (message, bytes) = match piece {
        Piece::Init { mime, bytes } => {
            let timescale = TICKS_PER_SECOND;
            (LiveMessage::Init { mime, timescale }, bytes)
        }
        Piece::Fragment { wall, sync, bytes } => {
            let wall = Timestamp(wall);
            (LiveMessage::Fragment { wall, sync }, bytes)
        }
    };
    say(socket, &message).await?;
    let sent = timeout(PATIENCE, socket.send(Message::Binary(bytes)));
    sent.await.ok()?.ok()
}

async fn say(socket: &mut WebSocket, message: &LiveMessage) -> Option<()> {
    let text = serde_json::to_string(message).ok()?;
    let sent = timeout(PATIENCE, socket.send(Message::Text(text.into())));
    sent.await.ok()?.ok()
}

/// The code to close with for an error, and the error as far as it fits.
fn refusal(error: &Error) -> (u16, String) {
    let code = match error.code().status() {
        StatusCode::UNAUTHORIZED => SESSION_ENDED,
        StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => HIDDEN,
        StatusCode::TOO_MANY_REQUESTS => LIMIT_REACHED,
        StatusCode::SERVICE_UNAVAILABLE => TRY_AGAIN,
        _ => close_code::ERROR,
    };
    let reason = json!({ "error": { "code": error.code().name() } }).to_string();
    let fits = reason.len() <= MAX_REASON;
    (code, if fits { reason } else { String::new() })
}

const fn farewell(ended: &Ended) -> u16 {
    match ended {
        Ended::Session | Ended::Forbidden => SESSION_ENDED,
        Ended::Unknown(_) => TRY_AGAIN,
        Ended::Stopping => close_code::AWAY,
    }
}
