//! The control API: a little JSON over HTTP for people and scripts outside the process.
//!
//! - `GET /cameras`: all cameras with URLs, viewers and faults.
//! - `GET /cameras/{name}`: one of them.
//! - `POST /cameras/{name}/faults` with `{"kind": "cut", "duration_s": 10}`: sets a fault; without a duration until cleared.
//! - `DELETE /cameras/{name}/faults`: ends all faults.
//! - `GET /cameras/{name}/objects?frame=17`: true boxes of what is to be seen.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::camera::{Camera, Rendition};
use crate::fault::{ActiveFault, Fault, FaultError};
use crate::rtsp::Server;
use crate::scene::SceneObject;
use crate::simulator::{CameraHandle, rtsp_url};

/// What the handlers share.
struct Control {
    server: Arc<Server>,
    rtsp_address: SocketAddr,
}

/// Serves until cancelled.
pub(crate) async fn serve(
    server: Arc<Server>,
    rtsp_address: SocketAddr,
    listener: TcpListener,
    stop: CancellationToken,
) {
    let router = Router::new()
        .route("/cameras", get(list))
        .route("/cameras/{name}", get(show))
        .route(
            "/cameras/{name}/faults",
            post(set_fault).delete(clear_faults),
        )
        .route("/cameras/{name}/objects", get(objects))
        .with_state(Arc::new(Control {
            server,
            rtsp_address,
        }));
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = serving.await {
        tracing::error!(%error, "the control API ended");
    }
}

/// A camera as the API shows it.
#[derive(Serialize)]
struct CameraView {
    number: u16,
    name: String,
    main: String,
    sub: Option<String>,
    viewers: usize,
    faults: Vec<ActiveFault>,
}

impl CameraView {
    fn of(control: &Control, camera: &Arc<Camera>) -> Self {
        let handle = CameraHandle::of(camera.clone());
        let url = |rendition| rtsp_url(control.rtsp_address, handle.name(), rendition).into();
        Self {
            number: handle.number(),
            name: handle.name().to_owned(),
            main: url(Rendition::Main),
            sub: camera.sub.is_some().then(|| url(Rendition::Sub)),
            viewers: handle.viewers(),
            faults: handle.faults(),
        }
    }
}

/// A fault and how long it lasts.
#[derive(Deserialize)]
struct FaultRequest {
    /// Simulated seconds; until cleared where absent.
    duration_s: Option<f64>,
    #[serde(flatten)]
    fault: Fault,
}

#[derive(Deserialize)]
struct FrameQuery {
    frame: u64,
}

async fn list(State(control): State<Arc<Control>>) -> Json<Vec<CameraView>> {
    let mut cameras: Vec<_> = control
        .server
        .cameras
        .values()
        .map(|camera| CameraView::of(&control, camera))
        .collect();
    cameras.sort_by_key(|camera| camera.number);
    Json(cameras)
}

async fn show(
    State(control): State<Arc<Control>>,
    Path(name): Path<String>,
) -> Result<Json<CameraView>, FaultError> {
    Ok(Json(CameraView::of(&control, find(&control, &name)?)))
}

async fn set_fault(
    State(control): State<Arc<Control>>,
    Path(name): Path<String>,
    Json(request): Json<FaultRequest>,
) -> Result<Json<Vec<ActiveFault>>, FaultError> {
    let camera = CameraHandle::of(find(&control, &name)?.clone());
    match request.duration_s.map(Duration::try_from_secs_f64) {
        None => camera.fault(request.fault)?,
        Some(Ok(duration)) => camera.fault_for(request.fault, duration)?,
        Some(Err(_)) => {
            return Err(FaultError::OutOfRange(
                "a duration is a positive number of seconds",
            ));
        }
    }
    Ok(Json(camera.faults()))
}

async fn clear_faults(
    State(control): State<Arc<Control>>,
    Path(name): Path<String>,
) -> Result<StatusCode, FaultError> {
    CameraHandle::of(find(&control, &name)?.clone()).clear();
    Ok(StatusCode::NO_CONTENT)
}

async fn objects(
    State(control): State<Arc<Control>>,
    Path(name): Path<String>,
    Query(query): Query<FrameQuery>,
) -> Result<Json<Vec<SceneObject>>, FaultError> {
    Ok(Json(
        CameraHandle::of(find(&control, &name)?.clone()).objects(query.frame),
    ))
}

fn find<'a>(control: &'a Control, name: &str) -> Result<&'a Arc<Camera>, FaultError> {
    control
        .server
        .cameras
        .get(name)
        .ok_or_else(|| FaultError::NoSuchCamera(name.to_owned()))
}

impl IntoResponse for FaultError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NoSuchCamera(_) => StatusCode::NOT_FOUND,
            Self::NeedsLiveScene { .. } => StatusCode::CONFLICT,
            Self::OutOfRange(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        (
            status,
            Json(serde_json::json!({ "error": self.to_string() })),
        )
            .into_response()
    }
}
