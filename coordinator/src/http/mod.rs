//! The HTTP edge: turns a request into a service call and the answer back. This file is the table
//! of contents of the API.
//!
//! No business here: who may do what, what is stored where and what a playlist says is decided
//! below, in `services` and `domain`. Every handler takes an actor, gets a grant for it, and calls
//! the service that wants that grant.

#![allow(
    unused_qualifications,
    reason = "the derives of utoipa repeat the paths they are given"
)]

pub mod actor;
pub mod agents;
pub mod api_tokens;
pub mod audit;
pub mod cameras;
pub mod certificate;
pub mod client;
pub mod docs;
pub mod error;
pub mod errors;
pub mod extract;
pub mod health;
pub mod iam;
pub mod limit;
pub mod live_ws;
pub mod middleware;
pub mod oidc;
pub mod openapi;
pub mod page;
pub mod places;
pub mod playback;
pub mod postman;
mod range;
pub mod second_factor;
pub mod serve;
pub mod session;
pub mod sessions;
pub mod sites;
pub mod storage;
pub mod streams;
pub mod timeline;
pub mod tokens;
mod translate;
pub mod ui;
pub mod vocabulary;
pub mod whep;
pub mod ws;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use shared::clock::Clock;
use tokio_util::sync::CancellationToken;
use tower::util::option_layer;
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate as _};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ca::Authority;
use crate::config::{Address, Networks, WebOrigin};
use crate::metrics::{Meters, Metrics};
use crate::services::Services;
use crate::services::limits::Limits;
use crate::webrtc::Viewers;
use crate::webrtc::turn::Relays;

/// Largest body of a request; ours are a few hundred bytes.
const MAX_BODY: usize = 64 * 1024;

/// What handlers work with.
pub struct Api {
    pub services: Arc<Services>,
    pub authority: Arc<Authority>,
    pub meters: Meters,
    pub metrics: Metrics,
    pub limits: Arc<Limits>,
    pub clock: Arc<dyn Clock>,
    /// What enrolment codes tell agents to dial.
    pub agent_address: Address,
    pub ui_dir: PathBuf,
    pub metrics_from: Networks,
    /// Whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Networks,
    /// Whose pages may use the API besides our own.
    pub allowed_origins: Arc<[WebOrigin]>,
    /// Whether all browsers reach us over TLS; [`client::Client`] says it of one.
    pub secure: bool,
    pub request_timeout: Duration,
    /// WebSockets that are open.
    pub sockets: places::Sockets,
    /// Viewers by WebSocket.
    pub live_sockets: places::Sockets,
    /// Viewers by WebRTC, and what they are told of relays.
    pub viewers: Viewers,
    pub relays: Relays,
    /// Cancelled when the program is about to end.
    pub stopping: CancellationToken,
}

/// Every operation, in the order of the document.
fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(openapi::Document::openapi())
        .routes(routes!(
            session::sign_in,
            session::get_session,
            session::sign_out
        ))
        .routes(routes!(session::finish_sign_in))
        .routes(routes!(oidc::get_sign_in_methods))
        .routes(routes!(oidc::start_oidc_sign_in))
        .routes(routes!(oidc::finish_oidc_sign_in))
        .routes(routes!(tokens::issue_tokens))
        .routes(routes!(tokens::refresh_tokens))
        .routes(routes!(tokens::revoke_tokens))
        .routes(routes!(tokens::get_keys))
        .routes(routes!(sessions::list_own_sessions))
        .routes(routes!(sessions::end_own_session))
        .routes(routes!(sessions::list_sessions, sessions::end_sessions))
        .routes(routes!(sessions::end_session))
        .routes(routes!(
            second_factor::get_second_factor,
            second_factor::offer_second_factor,
            second_factor::remove_second_factor
        ))
        .routes(routes!(second_factor::confirm_second_factor))
        .routes(routes!(second_factor::replace_recovery_codes))
        .routes(routes!(sessions::reset_second_factor))
        .routes(routes!(
            api_tokens::list_api_tokens,
            api_tokens::create_api_token
        ))
        .routes(routes!(api_tokens::revoke_api_token))
        .routes(routes!(sites::list_sites))
        .routes(routes!(agents::list_agents))
        .routes(routes!(agents::create_invite))
        .routes(routes!(agents::revoke_agent))
        .routes(routes!(cameras::list_cameras))
        .routes(routes!(cameras::get_camera, cameras::change_camera))
        .routes(routes!(cameras::restart_camera))
        .routes(routes!(cameras::probe_camera))
        .routes(routes!(timeline::get_timeline))
        .routes(routes!(playback::prepare_playback))
        .routes(routes!(playback::get_playback))
        .routes(routes!(playback::get_playlist))
        .routes(routes!(playback::get_segment))
        .routes(routes!(whep::watch_camera))
        .routes(routes!(whep::trickle_candidates, whep::end_viewer))
        .routes(routes!(live_ws::watch_camera_fragments))
        .routes(routes!(audit::search_audit))
        .routes(routes!(audit::export_audit))
        .routes(routes!(audit::get_audit_chain))
        .routes(routes!(storage::get_storage_stats))
        .routes(routes!(iam::users::list_users, iam::users::create_user))
        .routes(routes!(iam::users::get_user, iam::users::replace_user))
        .routes(routes!(iam::users::set_user_status))
        .routes(routes!(
            iam::identities::list_identities,
            iam::identities::link_identity,
            iam::identities::unlink_identities
        ))
        .routes(routes!(iam::users::set_user_password))
        .routes(routes!(iam::users::add_user_to_group))
        .routes(routes!(iam::users::remove_user_from_group))
        .routes(routes!(iam::groups::list_groups, iam::groups::create_group))
        .routes(routes!(
            iam::groups::get_group,
            iam::groups::replace_group,
            iam::groups::delete_group
        ))
        .routes(routes!(iam::roles::list_roles, iam::roles::create_role))
        .routes(routes!(iam::roles::replace_role, iam::roles::delete_role))
        .routes(routes!(
            iam::agencies::list_agencies,
            iam::agencies::create_agency
        ))
        .routes(routes!(iam::agencies::replace_agency))
        .routes(routes!(iam::events::receive_iam_event))
        .routes(routes!(iam::me::get_own_user, iam::me::set_own_settings))
        .routes(routes!(iam::me::set_own_password))
        .routes(routes!(streams::reserve_stream))
        .routes(routes!(streams::keep_stream))
        .routes(routes!(streams::release_stream))
        .routes(routes!(streams::get_stream_stats))
        .routes(routes!(
            streams::get_stream_limits,
            streams::set_total_stream_limit
        ))
        .routes(routes!(streams::set_stream_limit))
        .routes(routes!(ws::open_hub))
        .routes(routes!(ws::open_stream_stats))
        .routes(routes!(openapi::get_openapi))
        .routes(routes!(errors::list_errors))
        .routes(routes!(postman::get_postman))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
}

/// The API and the pages, with everything around them. The last layer sees a request first.
pub fn router(api: Arc<Api>) -> Router {
    let (router, _) = routes().split_for_parts();
    router
        .merge(docs::router())
        .method_not_allowed_fallback(ui::method_not_allowed)
        .fallback(ui::serve)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(
            api.allowed_origins.clone(),
            middleware::cross_site::layer,
        ))
        .layer(from_fn_with_state(api.clone(), limit::layer))
        .layer(from_fn_with_state(
            api.request_timeout,
            middleware::time_out,
        ))
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(option_layer(middleware::cors::layer(&api.allowed_origins)))
        .layer(from_fn_with_state(api.clone(), middleware::observe::layer))
        .layer(
            // A day's playlist of 4 MB shrinks to 5 % so, and to 4 % in nine times as long.
            CompressionLayer::new()
                .quality(CompressionLevel::Fastest)
                .compress_when(DefaultPredicate::new().and(NotForContentType::const_new("video/"))),
        )
        .layer(from_fn(middleware::headers::layer))
        .layer(from_fn_with_state(api.clone(), client::layer))
        .layer(from_fn(middleware::request_id::layer))
        .with_state(api)
}
