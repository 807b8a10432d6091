//! Cameras: what is known of each, how it is doing, and what the centre decides for it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::id::{AgentId, CameraId, SiteId};
use utoipa::ToSchema;

use super::Api;
use super::error::{AtAgent, Changing, Code, Error, OnOne, SignedIn, WithBody, WithQuery};
use super::extract::{Json, Path, Query};
use super::page::{Page, PageQuery, key};
use super::vocabulary::{Cause, Reason, RecordingMode, Stream, Timestamp, UploadPolicy};
use crate::domain;
use crate::domain::access::Deed;
use crate::domain::agency::AgencyCode;
use crate::services::access::Actor;
use crate::services::cameras::CameraView;

/// One camera the actor may see.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Camera {
    #[schema(value_type = String, format = Uuid)]
    pub id: CameraId,
    /// As operators see it: the name given at the centre, else the installer's.
    #[schema(example = "Gate 3")]
    pub name: String,
    #[schema(value_type = String, format = Uuid)]
    pub agent_id: AgentId,
    pub agent_name: String,
    #[schema(value_type = String, format = Uuid)]
    pub site_id: SiteId,
    pub site_name: String,
    /// IANA name of the zone in which people at the site read their clocks; absent where its agent
    /// did not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Asia/Dubai")]
    pub time_zone: Option<String>,
    /// Code of the agency the camera belongs to.
    #[schema(example = "DUBAI_POLICE")]
    pub agency: String,
    pub streams: Vec<Stream>,
    /// When it first became known; nothing is expected before.
    pub since: Timestamp,
    /// Whether its agent still lists it; recordings of a camera that was taken away stay.
    pub listed: bool,
    pub settings: CameraSettings,
    pub health: Health,
}

/// What the centre decided for a camera; what is absent is as the agent's own file says.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CameraSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<RecordingMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload: Option<UploadPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_hours: Option<u32>,
}

/// How a camera is doing, judged by the time of its newest picture.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Health {
    pub state: HealthState,
    /// Why there is no picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "The camera could not be reached.")]
    pub message_en: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "تعذّر الوصول إلى الكاميرا.")]
    pub message_ar: Option<&'static str>,
    /// Since when it has been down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When the newest picture was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_picture: Option<Timestamp>,
    /// Age of that picture as this answer was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
    /// Everything before is recorded, or its absence explained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_until: Option<Timestamp>,
    /// Everything before is on stable storage at the site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durable_until: Option<Timestamp>,
    /// Over the last ten seconds.
    pub bits_per_second: u64,
    /// Pictures per second over the last ten seconds.
    #[schema(example = 25.0)]
    pub fps: f64,
    /// How far the camera's clock may be from the truth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_uncertainty_us: Option<u64>,
    /// Camera clock minus agent clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_offset_us: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// A picture younger than five seconds.
    Live,
    /// The agent is connected and has no reason, but the newest picture is older than that.
    Stale,
    /// The agent says why there is no picture.
    Down,
    /// The agent is not connected.
    Offline,
    /// Nobody wants pictures of it now.
    Off,
    /// The agent has not said anything about it yet.
    Unknown,
}

/// What to change; what is left out stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CameraChange {
    /// Code of an existing agency.
    #[schema(example = "METRO")]
    pub agency: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    pub display_name: Option<String>,
    pub recording: Option<RecordingMode>,
    pub upload: Option<UploadPolicy>,
    /// How long the agent keeps recordings.
    #[schema(minimum = 1, maximum = 87600)]
    pub retention_hours: Option<u32>,
}

/// Which stream to measure.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeOrder {
    /// The main stream when left out.
    pub stream: Option<Stream>,
}

/// What the agent measured at the camera.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProbeReport {
    #[schema(value_type = String, format = Uuid)]
    pub camera_id: CameraId,
    pub stream: Stream,
    /// As `cctv-agent probe --json` prints it: codec, resolution, GOP, rates, clock offset,
    /// playability.
    #[schema(value_type = Object)]
    pub report: serde_json::Value,
}

impl From<CameraView> for Camera {
    fn from(CameraView { camera, health }: CameraView) -> Self {
        let name = camera.title().to_owned();
        Self {
            id: camera.id,
            name,
            agent_id: camera.agent,
            agent_name: camera.agent_name,
            site_id: camera.site,
            site_name: camera.site_name,
            time_zone: camera.time_zone,
            agency: camera.agency.to_string(),
            streams: camera.streams.into_iter().map(Stream::from).collect(),
            since: Timestamp(camera.since),
            listed: camera.present,
            settings: CameraSettings {
                recording: camera.settings.recording.map(RecordingMode::from),
                upload: camera.settings.upload.map(UploadPolicy::from),
                retention_hours: camera.settings.retention_hours,
            },
            health: health.into(),
        }
    }
}

impl From<domain::health::Health> for Health {
    fn from(health: domain::health::Health) -> Self {
        let reason = health.reason.map(Reason::from);
        let (message_en, message_ar) = reason
            .map(|reason| (reason.sentence().en, reason.sentence().ar))
            .unzip();
        Self {
            state: health.state.into(),
            reason,
            cause: health.cause.map(Cause::from),
            message_en,
            message_ar,
            since: health.since.map(Timestamp),
            last_picture: health.last_picture.map(Timestamp),
            age_ms: health
                .age
                .map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            recorded_until: health.recorded_until.map(Timestamp),
            durable_until: health.durable_until.map(Timestamp),
            bits_per_second: health.bits_per_second,
            fps: f64::from(health.milli_fps) / 1000.0,
            clock_uncertainty_us: health.clock_uncertainty_us,
            clock_offset_us: health.clock_offset_us,
        }
    }
}

impl From<domain::health::HealthState> for HealthState {
    fn from(state: domain::health::HealthState) -> Self {
        use domain::health::HealthState as Theirs;
        match state {
            Theirs::Live => Self::Live,
            Theirs::Stale => Self::Stale,
            Theirs::Down => Self::Down,
            Theirs::Offline => Self::Offline,
            Theirs::Off => Self::Off,
            Theirs::Unknown => Self::Unknown,
        }
    }
}

impl TryFrom<CameraChange> for domain::camera::CameraChange {
    type Error = Error;

    fn try_from(change: CameraChange) -> Result<Self, Error> {
        let agency = change.agency.map(AgencyCode::try_from).transpose();
        Ok(Self {
            agency: agency.map_err(|error| Error::new(Code::InvalidValue).with_details(error))?,
            display_name: change.display_name,
            recording: change.recording.map(Into::into),
            upload: change.upload.map(Into::into),
            retention_hours: change.retention_hours,
        })
    }
}

/// List cameras
///
/// The cameras the actor may see, by site, name and id.
#[utoipa::path(get, path = "/api/v1/cameras", operation_id = "list_cameras", tag = "cameras",
    params(PageQuery),
    responses((status = 200, description = "One page of cameras.", body = Page<Camera>), SignedIn, WithQuery))]
pub async fn list_cameras(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Camera>>, Error> {
    let cameras = api.services.cameras.list(&actor).await?;
    let cameras = page.cut(cameras, |CameraView { camera, .. }| {
        key([&camera.site_name, camera.title(), &camera.id.to_string()])
    })?;
    Ok(Json(cameras.map(Camera::from)))
}

/// Get a camera
#[utoipa::path(get, path = "/api/v1/cameras/{id}", operation_id = "get_camera", tag = "cameras",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, description = "The camera.", body = Camera), SignedIn, OnOne))]
pub async fn get_camera(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<CameraId>,
) -> Result<Json<Camera>, Error> {
    let access = &api.services.access;
    let grant = access.camera(&actor, id, Deed::ViewCamera).await?;
    Ok(Json(api.services.cameras.get(&grant).await?.into()))
}

/// Change a camera
///
/// Settings for recording, upload and retention are handed to the agent at once when it is
/// connected, and when it next connects otherwise.
#[utoipa::path(patch, path = "/api/v1/cameras/{id}", operation_id = "change_camera", tag = "cameras",
    params(("id" = String, Path, format = Uuid)),
    request_body = CameraChange,
    responses((status = 200, description = "The camera as changed.", body = Camera), SignedIn, OnOne, Changing, WithBody))]
pub async fn change_camera(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<CameraId>,
    Json(change): Json<CameraChange>,
) -> Result<Json<Camera>, Error> {
    let access = &api.services.access;
    let grant = access.camera(&actor, id, Deed::ConfigureCamera).await?;
    let changed = api
        .services
        .cameras
        .change(&grant, change.try_into()?)
        .await?;
    Ok(Json(changed.into()))
}

/// Restart a camera
///
/// The agent ends its session with the camera and begins a new one.
#[utoipa::path(post, path = "/api/v1/cameras/{id}/restart", operation_id = "restart_camera", tag = "cameras",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 202, description = "The agent has been told."), SignedIn, OnOne, Changing, AtAgent))]
pub async fn restart_camera(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<CameraId>,
) -> Result<StatusCode, Error> {
    let access = &api.services.access;
    let grant = access.camera(&actor, id, Deed::RestartCamera).await?;
    api.services.cameras.restart(&grant).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Probe a camera
///
/// The agent measures the stream; takes up to 20 seconds.
#[utoipa::path(post, path = "/api/v1/cameras/{id}/probe", operation_id = "probe_camera", tag = "cameras",
    params(("id" = String, Path, format = Uuid)),
    request_body = ProbeOrder,
    responses((status = 200, description = "What was measured.", body = ProbeReport), SignedIn, OnOne, Changing, WithBody, AtAgent))]
pub async fn probe_camera(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<CameraId>,
    Json(order): Json<ProbeOrder>,
) -> Result<Json<ProbeReport>, Error> {
    let access = &api.services.access;
    let grant = access.camera(&actor, id, Deed::ProbeCamera).await?;
    let stream = order.stream.unwrap_or(Stream::Main);
    let report = api.services.cameras.probe(&grant, stream.into()).await?;
    Ok(Json(ProbeReport {
        camera_id: id,
        stream,
        report,
    }))
}
