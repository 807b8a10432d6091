//! The description of this API, generated from the handlers.

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};

use super::actor::COOKIE;
use super::error::{self, ErrorBody};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "RTA CCTV coordinator",
        description = "Cameras, recordings and playback of all sites.\n\nTimes are RFC 3339 in UTC; ids are UUIDs. Every answer carries `X-Request-Id`; every error is an `ErrorBody` in English and Arabic. Requests that change something must come from this origin: browsers say so by themselves, other clients send `X-Requested-With: cctv`.",
    ),
    components(schemas(ErrorBody)),
    modifiers(&Shared),
    security(("cctv_session" = [])),
    tags(
        (name = "session", description = "Signing in and out."),
        (name = "sites", description = "Groups of cameras in one place."),
        (name = "agents", description = "The installed programs near the cameras."),
        (name = "cameras", description = "Cameras, their health and their timelines."),
        (name = "playback", description = "HLS over recordings, wherever they are."),
        (name = "storage", description = "What the centre stores."),
        (name = "operation", description = "For load balancers and monitoring."),
    )
)]
pub(super) struct Document;

/// What operations refer to by name: the session cookie and the errors.
struct Shared;

impl utoipa::Modify for Shared {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        components.responses.extend(error::components());
        let cookie = ApiKeyValue::with_description(COOKIE, "Set by `sign_in`.");
        components.add_security_scheme(COOKIE, SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

/// The document as it is committed in `coordinator/openapi.json`.
pub fn document() -> String {
    let mut text = super::routes()
        .into_openapi()
        .to_pretty_json()
        .unwrap_or_default();
    text.push('\n');
    text
}

/// This description
#[utoipa::path(get, path = "/api/v1/openapi.json", operation_id = "get_openapi", tag = "operation", security(()),
    responses((status = 200, description = "OpenAPI 3.1.", content_type = "application/json", body = serde_json::Value)))]
pub async fn get_openapi() -> impl IntoResponse {
    static DOCUMENT: LazyLock<String> = LazyLock::new(document);
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_document_is_current() {
        let committed = include_str!("../../openapi.json");
        assert!(
            document() == committed,
            "coordinator/openapi.json is out of date: `cctv-coordinator openapi > coordinator/openapi.json`"
        );
    }
}
