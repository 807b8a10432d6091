//! One log line and one measurement per request.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::http::Api;

pub async fn layer(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().clone();
    let started = api.clock.monotonic();
    let response = next.run(request).await;
    let took = api.clock.monotonic().saturating_sub(started);
    let status = response.status();
    api.meters
        .request(method.as_str(), &route, status.as_u16(), took);
    let duration_ms = took.as_secs_f64() * 1e3;
    if status.is_server_error() {
        tracing::warn!(status = status.as_u16(), duration_ms, "answered");
    } else {
        tracing::debug!(status = status.as_u16(), duration_ms, "answered");
    }
    response
}
