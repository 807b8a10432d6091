//! Watching live by WebRTC: the signalling of WHEP (draft-ietf-wish-whep, in the form that RFC 9725
//! gives WHIP). A POST with an offer opens a viewer, DELETE ends it; what lies between is `webrtc`'s.
//!
//! Candidates that clients send are thrown away: the coordinator looks for nobody (see `webrtc`).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG, LINK, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use shared::id::{CameraId, ReservationId, ViewerId};
use shared::segment::StreamKind;
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::client::Client;
use super::error::{Changing, Code, Error, OnOne, SignedIn, Watching, WithQuery, WithSdp};
use super::extract::{Path, Query, Raw};
use crate::domain::access::Deed;
use crate::services::access::{Actor, Ground};
use crate::services::live;
use crate::services::live_hub::{Event, Watch};
use crate::webrtc::{MAX_OFFER, Offer, OfferError, ViewerError, Wanted};

/// How long an answer waits to learn what the camera sends. A camera that is down is answered all the
/// same: its picture comes when it does.
const CURIOSITY: Duration = Duration::from_secs(2);

/// When to try again after there were too many viewers.
const BUSY_SECONDS: u64 = 5;

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// Which of a camera's streams to watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Rendition {
    /// The main stream.
    #[default]
    Main,
    /// The smaller one.
    Sub,
}

impl From<Rendition> for StreamKind {
    fn from(rendition: Rendition) -> Self {
        match rendition {
            Rendition::Main => Self::Main,
            Rendition::Sub => Self::Sub,
        }
    }
}

/// What to watch.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WatchQuery {
    /// `MAIN` when left out.
    #[serde(default)]
    pub rendition: Rendition,
    /// A reservation made before for this camera and rendition; one is made otherwise.
    #[param(value_type = Option<String>, format = Uuid)]
    pub reservation: Option<ReservationId>,
}

/// Watch a camera live
///
/// WHEP: the body is an SDP offer that receives video, and sound if it likes; the answer is SDP. The
/// coordinator sends H.264 as the camera does (packetization mode 1), and G.711 or Opus. It is ICE lite
/// and tells its addresses in the answer; candidates of the client are not looked at. RTP timestamps of
/// pictures are the low 32 bits of the wall time in 1/90,000 s. Opening takes a reservation, and
/// whatever ends the viewer gives it back.
#[utoipa::path(post, path = "/api/v1/cameras/{id}/whep", operation_id = "watch_camera", tag = "live",
    params(("id" = String, Path, format = Uuid), WatchQuery),
    request_body(content = String, content_type = "application/sdp", description = "The offer, of 32 KiB at most.",
        example = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 102\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=recvonly\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=setup:actpass\r\na=fingerprint:sha-256 AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB\r\na=rtpmap:102 H264/90000\r\na=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n"),
    responses(
        (status = 201, description = "The answer.", content_type = "application/sdp", body = String,
            headers(
                ("Location" = String, description = "Where the viewer is ended."),
                ("ETag" = String, description = "Of the ICE session."),
                ("Link" = String, description = "STUN and TURN servers, with `rel=\"ice-server\"`; one header each."),
            ),
            example = json!("v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-lite\r\nm=video 9 UDP/TLS/RTP/SAVPF 102\r\n")),
        SignedIn, OnOne, Changing, WithQuery, WithSdp, Watching
    ))]
pub async fn watch_camera(
    actor: Actor,
    client: Client,
    State(api): State<Arc<Api>>,
    Path(id): Path<CameraId>,
    Query(query): Query<WatchQuery>,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Error> {
    let access = &api.services.access;
    let grant = access.camera(&actor, id, Deed::ViewCamera).await?;
    let offer = read_offer(&headers, &body)?;
    let wanted = live::Wanted {
        stream: query.rendition.into(),
        reservation: query.reservation,
    };
    let viewing = api.services.live.open(&grant, wanted).await?;
    let wanted = what_comes(viewing.watch()).await?;
    let watch = viewing.watch();
    let standing = access.standing(&actor, Ground::Camera(id, Deed::ViewCamera));
    let over = async move {
        tokio::select! {
            () = viewing.lost() => {}
            ended = standing.ended() => tracing::info!(%ended, "a viewer was ended"),
        }
    };
    let who = (actor.user_id(), client.address);
    let answered = api.viewers.open(who, &offer, wanted, watch, over)?;
    Ok(created(&api, answered.viewer, answered.answer))
}

/// Candidates of a viewer
///
/// Taken and not looked at, because the coordinator looks for nobody; ICE is not restarted.
#[utoipa::path(patch, path = "/api/v1/live/{id}", operation_id = "trickle_candidates", tag = "live",
    params(("id" = String, Path, format = Uuid)),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag", description = "As in RFC 8840.",
        example = "a=end-of-candidates\r\n"),
    responses((status = 204, description = "Taken."), SignedIn, OnOne, Changing, WithSdp))]
pub async fn trickle_candidates(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<ViewerId>,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<StatusCode, Error> {
    if !api.viewers.has(id, actor.user_id()) {
        return Err(Code::NotFound.into());
    }
    expect(&headers, FRAGMENT)?;
    check_length(&body)?;
    Ok(StatusCode::NO_CONTENT)
}

/// End a viewer
#[utoipa::path(delete, path = "/api/v1/live/{id}", operation_id = "end_viewer", tag = "live",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, description = "It has ended."), SignedIn, OnOne, Changing))]
pub async fn end_viewer(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<ViewerId>,
) -> Result<StatusCode, Error> {
    if api.viewers.end(id, actor.user_id()) {
        Ok(StatusCode::OK)
    } else {
        Err(Code::NotFound.into())
    }
}

fn read_offer(headers: &HeaderMap, body: &[u8]) -> Result<Offer, Error> {
    expect(headers, SDP)?;
    check_length(body)?;
    let text = std::str::from_utf8(body)
        .map_err(|error| Error::new(Code::InvalidValue).with_details(error))?;
    Ok(Offer::read(text)?)
}

fn expect(headers: &HeaderMap, wanted: &str) -> Result<(), Error> {
    let given = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    // Without parameters, such as a charset.
    let kind = given.and_then(|given| given.split(|byte| *byte == b';').next());
    let fits = kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()));
    if fits {
        return Ok(());
    }
    Err(Error::new(Code::SdpWanted).with_details(format!("Content-Type: {wanted}")))
}

fn check_length(body: &[u8]) -> Result<(), Error> {
    if body.len() > MAX_OFFER {
        let details = format!("{} bytes; {MAX_OFFER} are allowed", body.len());
        return Err(Error::new(Code::PayloadTooLarge).with_details(details));
    }
    Ok(())
}

/// What the camera sends, as far as can be known now.
async fn what_comes(mut watch: Watch) -> Result<Wanted, OfferError> {
    let told = async {
        while let Some(event) = watch.next().await {
            match event {
                Event::Picture(picture) => return Some(picture),
                Event::Down(_) => break,
                Event::Sound(_) | Event::Skipped => {}
            }
        }
        None
    };
    let Ok(Some(first)) = timeout(CURIOSITY, told).await else {
        return Ok(Wanted::UNKNOWN);
    };
    let wanted = Wanted::of(&first.run.parameters)?;
    // The kept GOP tells, where there is one.
    let mut newest = first.pts;
    while let Some(event) = watch.try_next() {
        let Event::Picture(picture) = event else {
            continue;
        };
        if picture.pts < newest {
            return Err(OfferError::NoCodec("H.264 with pictures out of order"));
        }
        newest = picture.pts;
    }
    Ok(wanted)
}

fn created(api: &Api, viewer: ViewerId, answer: String) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(SDP));
    let mut set = |name, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.append(name, value);
        }
    };
    set(LOCATION, format!("/api/v1/live/{viewer}"));
    set(ETAG, format!("\"{viewer}\""));
    for link in api.relays.links(viewer, api.clock.wall()) {
        set(LINK, link);
    }
    (StatusCode::CREATED, headers, answer).into_response()
}

impl From<OfferError> for Error {
    fn from(error: OfferError) -> Self {
        let code = match &error {
            OfferError::TooLong(_) => Code::PayloadTooLarge,
            OfferError::NoCodec(_) => Code::CodecNotCarried,
            OfferError::Unreadable(_) | OfferError::Refused(_) => Code::InvalidValue,
        };
        Self::new(code).with_details(error)
    }
}

impl From<ViewerError> for Error {
    fn from(error: ViewerError) -> Self {
        match error {
            ViewerError::Offer(error) => error.into(),
            ViewerError::TooMany(_) | ViewerError::TooManyOwn(_) => {
                let details = error.to_string();
                Self::new(Code::Overloaded)
                    .with_details(details)
                    .with_retry_after(BUSY_SECONDS)
            }
            ViewerError::Random => Self::internal(&error),
            ViewerError::Stopping => Code::Unavailable.into(),
        }
    }
}
