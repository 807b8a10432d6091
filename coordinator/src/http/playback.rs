//! Playback: HLS playlists over stored segments, and the segments themselves by byte range.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use shared::id::{CameraId, PlaybackId, SegmentId};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::error::{
    AtAgent, Bytes, Changing, Code, Error, OnOne, Playlist, Signed, SignedIn, WithBody, WithQuery,
};
use super::extract::{Json, Path, Query};
use super::range;
use super::timeline::time_range;
use super::vocabulary::{Stream, Timestamp};
use crate::domain::access::Deed;
use crate::domain::playback::Show;
use crate::services::access::Actor;
use crate::services::playback::{PlaybackView, SegmentRequest};

/// What to play: a stretch (`from` and `to`), or the present (`live`).
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "camera_id": "01954f3e-8d2f-7c51-a3b0-d6a4f1c2e3b4",
    "from": "2026-03-01T14:00:00Z",
    "to": "2026-03-01T15:00:00Z",
}))]
pub struct PlaybackOrder {
    #[schema(value_type = String, format = Uuid)]
    pub camera_id: CameraId,
    /// The main stream when left out.
    pub stream: Option<Stream>,
    pub from: Option<Timestamp>,
    /// At most 24 hours after `from`.
    pub to: Option<Timestamp>,
    /// Follow the recording a few seconds behind the present.
    #[serde(default)]
    pub live: bool,
}

/// A prepared playback; it ends by itself when nobody asks for its playlist any more.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Playback {
    #[schema(value_type = String, format = Uuid)]
    pub id: PlaybackId,
    #[schema(value_type = String, format = Uuid)]
    pub camera_id: CameraId,
    pub stream: Stream,
    pub live: bool,
    /// Begin of the stretch; of a live playback the oldest moment its playlist lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// End of the stretch; absent for a live playback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// For an HLS player, relative to the coordinator's address.
    #[schema(example = "/api/v1/playback/01954f3e-8d2f-7c51-a3b0-d6a4f1c2e3b4/playlist.m3u8")]
    pub playlist_url: String,
    #[schema(example = "/api/v1/playback/01954f3e-8d2f-7c51-a3b0-d6a4f1c2e3b4")]
    pub status_url: String,
    pub expires_at: Timestamp,
}

/// The signature in a segment's address, as the playlist wrote it.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SegmentSignature {
    /// Until when the address works by itself, in seconds since 1970.
    #[param(required, minimum = 0, maximum = 253_402_300_799_i64)]
    pub expires: Option<i64>,
    /// HMAC-SHA-256 over playback, segment and expiry, base64url.
    #[param(required, max_length = 256)]
    pub signature: Option<String>,
}

/// `{segment id}.mp4`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct SegmentFile(SegmentId);

impl TryFrom<String> for SegmentFile {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, &'static str> {
        name.strip_suffix(".mp4")
            .and_then(|id| id.parse().ok())
            .map(Self)
            .ok_or("not the name of a segment")
    }
}

impl PlaybackOrder {
    fn show(&self) -> Result<Show, Error> {
        match (self.from, self.to, self.live) {
            (None, None, true) => Ok(Show::Live),
            (Some(from), Some(to), false) => Ok(Show::Range(time_range(from, to)?)),
            _ => Err(Error::new(Code::InvalidValue)
                .with_details("either `from` and `to`, or `live`: true")),
        }
    }
}

impl From<PlaybackView> for Playback {
    fn from(view: PlaybackView) -> Self {
        let status_url = format!("/api/v1/playback/{}", view.playback.id);
        Self {
            id: view.playback.id,
            camera_id: view.playback.camera,
            stream: view.playback.stream.into(),
            live: view.playback.show == Show::Live,
            from: view.from.map(Timestamp),
            to: view.to.map(Timestamp),
            playlist_url: format!("{status_url}/playlist.m3u8"),
            status_url,
            expires_at: Timestamp(view.expires_at),
        }
    }
}

/// Prepare a playback
///
/// Works across gaps and wherever the footage is: what is only at the site is fetched as it is
/// watched.
#[utoipa::path(post, path = "/api/v1/playback/prepare", operation_id = "prepare_playback", tag = "playback",
    request_body = PlaybackOrder,
    responses((status = 201, description = "The playback.", body = Playback), SignedIn, OnOne, Changing, WithBody))]
pub async fn prepare_playback(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Json(order): Json<PlaybackOrder>,
) -> Result<(StatusCode, Json<Playback>), Error> {
    let access = &api.services.access;
    let grant = access
        .camera(&actor, order.camera_id, Deed::PlayCamera)
        .await?;
    let stream = order.stream.unwrap_or(Stream::Main);
    let view = api
        .services
        .playback
        .prepare(&grant, stream.into(), order.show()?)
        .await?;
    Ok((StatusCode::CREATED, Json(view.into())))
}

/// Status of a playback
#[utoipa::path(get, path = "/api/v1/playback/{id}", operation_id = "get_playback", tag = "playback",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, description = "The playback.", body = Playback), SignedIn, OnOne))]
pub async fn get_playback(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<PlaybackId>,
) -> Result<Json<Playback>, Error> {
    let grant = api.services.access.playback(&actor, id).await?;
    Ok(Json(api.services.playback.status(&grant).await?.into()))
}

/// Playlist of a playback
///
/// HLS version 7 with byte ranges of fragmented MP4; gaps are discontinuities. That of a live
/// playback changes as the recording grows.
#[utoipa::path(get, path = "/api/v1/playback/{id}/playlist.m3u8", operation_id = "get_playlist", tag = "playback",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, description = "The playlist.", content_type = "application/vnd.apple.mpegurl", body = String, example = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n"), SignedIn, OnOne, Playlist))]
pub async fn get_playlist(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<PlaybackId>,
) -> Result<impl IntoResponse, Error> {
    let grant = api.services.access.playback(&actor, id).await?;
    let playlist = api.services.playback.playlist(&grant).await?;
    Ok(([(CONTENT_TYPE, "application/vnd.apple.mpegurl")], playlist))
}

/// Bytes of a segment
///
/// The address is in the playlist and works by itself for five minutes; after that it works for
/// whoever prepared the playback. Ranges as in RFC 9110 section 14, one at a time.
#[utoipa::path(get, path = "/api/v1/playback/{id}/segments/{file}", operation_id = "get_segment", tag = "playback",
    params(
        ("id" = String, Path, format = Uuid),
        ("file" = String, Path, max_length = 40, description = "Id of the segment and `.mp4`.", example = "01954f3e-8d2f-7c51-a3b0-d6a4f1c2e3b4.mp4"),
        SegmentSignature,
        ("range" = Option<String>, Header, max_length = 256, description = "Such as `bytes=0-1023`."),
    ),
    responses(
        (status = 200, description = "The whole segment.", content_type = "video/mp4"),
        (status = 206, description = "The range.", content_type = "video/mp4"),
        SignedIn, OnOne, WithQuery, Signed, AtAgent, Bytes
    ))]
pub async fn get_segment(
    actor: Option<Actor>,
    State(api): State<Arc<Api>>,
    Path((playback, SegmentFile(segment))): Path<(PlaybackId, SegmentFile)>,
    Query(link): Query<SegmentSignature>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let unsigned = actor
        .as_ref()
        .map_or(Code::Unauthenticated, |_| Code::LinkInvalid);
    let request = SegmentRequest {
        playback,
        segment,
        expires: link.expires.ok_or(unsigned)?,
        signature: link.signature.ok_or(unsigned)?,
    };
    let wanted = range::wanted(&headers);
    let opened = api
        .services
        .playback
        .open(&request, actor.as_ref(), wanted)
        .await?;
    Ok(range::respond(opened, wanted))
}
