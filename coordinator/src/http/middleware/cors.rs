//! Which other origins' pages may read answers, and send the session with their requests: those of
//! `http.allowed_origins`, letter for letter, and by default none.
//!
//! [`super::cross_site`] asks the same list, so that what may be read may be changed and nothing
//! else.

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LINK, LOCATION, RANGE,
    RETRY_AFTER,
};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method};
use tower_http::cors::{AllowCredentials, AllowOrigin, CorsLayer};

use super::cross_site::REQUESTED_WITH;
use super::request_id;
use crate::config::WebOrigin;

/// How long browsers may remember what a preflight was told.
const MAX_AGE: Duration = Duration::from_secs(600);

/// Nothing at all where no other origin is allowed: then answers do not even mention CORS.
pub fn layer(allowed: &Arc<[WebOrigin]>) -> Option<CorsLayer> {
    if allowed.is_empty() {
        return None;
    }
    let listed = |allowed: &Arc<[WebOrigin]>| {
        let allowed = allowed.clone();
        move |origin: &HeaderValue, _: &Parts| is_listed(origin, &allowed)
    };
    Some(
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(listed(allowed)))
            .allow_credentials(AllowCredentials::predicate(listed(allowed)))
            .allow_methods([
                Method::GET,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
            ])
            .allow_headers([
                ACCEPT,
                AUTHORIZATION,
                CONTENT_TYPE,
                RANGE,
                REQUESTED_WITH,
                request_id::HEADER,
            ])
            .expose_headers([
                CONTENT_LENGTH,
                CONTENT_RANGE,
                // Of a live viewer: where it is ended, and its relays.
                LOCATION,
                LINK,
                RETRY_AFTER,
                request_id::HEADER,
            ])
            .max_age(MAX_AGE),
    )
}

/// Exactly one of them; `null` and anything that merely looks alike is not.
pub(super) fn is_listed(origin: &HeaderValue, allowed: &[WebOrigin]) -> bool {
    allowed
        .iter()
        .any(|listed| listed.as_str().as_bytes() == origin.as_bytes())
}
