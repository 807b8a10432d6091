//! For load balancers and monitoring: alive, ready, metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::Api;
use super::client::Client;
use super::error::{Code, Error, OnOne};

/// Whether the process answers
#[utoipa::path(get, path = "/healthz", operation_id = "healthz", tag = "operation", security(()),
    responses((status = 200, description = "It does.", content_type = "text/plain", body = String, example = "ok\n")))]
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether requests can be served
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "operation", security(()),
    responses(
        (status = 200, description = "They can.", content_type = "text/plain", body = String, example = "ready\n"),
        (status = 503, description = "They cannot yet, or no longer; the body says why.", content_type = "text/plain", body = String)
    ))]
pub async fn readyz(State(api): State<Arc<Api>>) -> (StatusCode, String) {
    if api.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".into());
    }
    match api.services.check_ready().await {
        Ok(()) => (StatusCode::OK, "ready\n".into()),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            let reason = "the catalogue or the object store does not answer; see the log\n";
            (StatusCode::SERVICE_UNAVAILABLE, reason.into())
        }
    }
}

/// Metrics
///
/// OpenMetrics text. Answered only to the networks that `http.metrics_from` names, and never through
/// a proxy that `http.trusted_proxies` does not name.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "operation", security(()),
    responses(
        (status = 200, description = "The metrics.", content_type = "application/openmetrics-text", body = String, example = "cctv_coordinator_agents_connected 2\n# EOF\n"),
        OnOne
    ))]
pub async fn metrics(
    State(api): State<Arc<Api>>,
    client: Client,
) -> Result<impl IntoResponse, Error> {
    // Behind an unknown proxy on this host everybody would look like this host.
    if client.relayed || !api.metrics_from.contains(client.address) {
        return Err(Code::NotFound.into());
    }
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, content_type)], api.metrics.render()))
}
