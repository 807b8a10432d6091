//! The description of this API, generated from the handlers.

pub(super) mod examples;

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::actor::COOKIE;
use super::error::{self, ErrorBody, Open};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "RTA CCTV coordinator",
        description = "Cameras, recordings and playback of all sites.\n\nTimes are RFC 3339 in UTC; ids are UUIDs. Every answer carries `X-Request-Id`; every error is an `ErrorBody` in English and Arabic. Whoever asks is known by the cookie of `sign_in` or by a bearer token: an access token of `issue_tokens`, or an API token of `create_api_token`. Requests that change something must come from this origin: browsers say so by themselves, other clients send a bearer token or `X-Requested-With: cctv`; those for tokens need neither.",
    ),
    components(schemas(ErrorBody, super::audit::ExportFormat, super::whep::Rendition)),
    modifiers(&Shared),
    // Any one of them.
    security(("cctv_session" = []), ("bearer" = [])),
    tags(
        (name = "session", description = "Signing in and out."),
        (name = "sites", description = "Groups of cameras in one place."),
        (name = "agents", description = "The installed programs near the cameras."),
        (name = "cameras", description = "Cameras, their health and their timelines."),
        (name = "streams", description = "Live streams: how many there are and may be, of whom."),
        (name = "live", description = "Watching live: WHEP, and fragments of MP4 over a WebSocket."),
        (name = "playback", description = "HLS over recordings, wherever they are."),
        (name = "audit", description = "Who did what, and whether that record is whole."),
        (name = "storage", description = "What the centre stores."),
        (name = "iam", description = "People, groups, roles and agencies: who may do what."),
        (name = "operation", description = "For load balancers and monitoring."),
    )
)]
pub(super) struct Document;

/// What operations refer to by name: how one says who one is, and the errors.
struct Shared;

impl utoipa::Modify for Shared {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        components.responses.extend(error::components());
        let cookie = ApiKeyValue::with_description(COOKIE, "Set by `sign_in`.");
        components.add_security_scheme(COOKIE, SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "An access token of `issue_tokens`, or an API token of `create_api_token`.",
            ))
            .build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
}

/// The document as it is committed in `coordinator/openapi.json`.
pub fn document() -> String {
    let mut document = super::routes().into_openapi();
    examples::complete(&mut document);
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// This description
#[utoipa::path(get, path = "/api/v1/openapi.json", operation_id = "get_openapi", tag = "operation", security(()),
    responses((status = 200, description = "OpenAPI 3.1.", content_type = "application/json", body = serde_json::Value, example = json!({ "openapi": "3.1.0" })), Open))]
pub async fn get_openapi() -> impl IntoResponse {
    static DOCUMENT: LazyLock<String> = LazyLock::new(document);
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde::Serialize;
    use serde_json::Value;

    use super::*;
    use crate::http::agents::AgentState;
    use crate::http::audit::{AuditActorKind, AuditChainState, ExportFormat};
    use crate::http::cameras::HealthState;
    use crate::http::error::Code;
    use crate::http::iam::events::IamEventOutcome;
    use crate::http::iam::users::UserStatus;
    use crate::http::oidc::ProviderReachable;
    use crate::http::session::FactorKind;
    use crate::http::sessions::HolderKind;
    use crate::http::streams::{LimitBound, StreamTier};
    use crate::http::timeline::SpanState;
    use crate::http::vocabulary::{
        Cause, Language, Place, Reason, RecordingMode, Stream, UploadPolicy,
    };
    use crate::http::whep::Rendition;
    use crate::http::ws::AlertKind;

    type Names = BTreeSet<String>;

    fn sent<T: Serialize>(all: &[T]) -> Names {
        let names = all.iter().map(|value| {
            let value = serde_json::to_value(value).unwrap();
            value.as_str().unwrap().to_owned()
        });
        names.collect()
    }

    fn described(values: &Value) -> Names {
        let values = values.as_array().unwrap().iter();
        values
            .map(|value| value.as_str().unwrap().to_owned())
            .collect()
    }

    /// Every list of values in the document that is not the schema of an enumeration.
    fn enumerations_elsewhere<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
        if let Some(object) = value.as_object() {
            found.extend(object.get("enum"));
            object
                .iter()
                .filter(|(key, _)| *key != "schemas")
                .for_each(|(_, value)| enumerations_elsewhere(value, found));
        } else if let Some(array) = value.as_array() {
            array
                .iter()
                .for_each(|value| enumerations_elsewhere(value, found));
        }
    }

    #[test]
    fn every_enumeration_is_described_as_it_is_sent() {
        use {AgentState as A, AuditActorKind as K, AuditChainState as C, ExportFormat as F};
        use {HealthState as H, SpanState as S};
        let sent = BTreeMap::from([
            ("AgentState", sent(&[A::Connected, A::Offline, A::Revoked])),
            (
                "AuditActorKind",
                sent(&[K::User, K::Agent, K::Console, K::System, K::Unknown]),
            ),
            (
                "AlertKind",
                sent(&[
                    AlertKind::AgencyStreams,
                    AlertKind::TotalStreams,
                    AlertKind::QuotaServer,
                ]),
            ),
            ("AuditChainState", sent(&[C::Whole, C::Broken])),
            ("Cause", sent(Cause::ALL)),
            ("Code", sent(Code::ALL)),
            ("FactorKind", sent(&[FactorKind::Totp])),
            (
                "HealthState",
                sent(&[H::Live, H::Stale, H::Down, H::Offline, H::Off, H::Unknown]),
            ),
            ("ExportFormat", sent(&[F::Csv, F::Jsonl])),
            (
                "HolderKind",
                sent(&[
                    HolderKind::Browser,
                    HolderKind::Program,
                    HolderKind::Machine,
                ]),
            ),
            (
                "IamEventOutcome",
                sent(&[
                    IamEventOutcome::Applied,
                    IamEventOutcome::UnknownUser,
                    IamEventOutcome::Ignored,
                ]),
            ),
            ("Language", sent(Language::ALL)),
            ("LimitBound", sent(&[LimitBound::Agency, LimitBound::Total])),
            ("Place", sent(Place::ALL)),
            (
                "ProviderReachable",
                sent(&[
                    ProviderReachable::Unknown,
                    ProviderReachable::Reachable,
                    ProviderReachable::Unreachable,
                ]),
            ),
            ("Reason", sent(Reason::ALL)),
            ("RecordingMode", sent(RecordingMode::ALL)),
            ("Rendition", sent(&[Rendition::Main, Rendition::Sub])),
            (
                "SpanState",
                sent(&[S::Recorded, S::Missing, S::NotYetReported, S::Unexplained]),
            ),
            ("Stream", sent(Stream::ALL)),
            ("StreamTier", sent(&[StreamTier::Full, StreamTier::Reduced])),
            ("UploadPolicy", sent(UploadPolicy::ALL)),
            (
                "UserStatus",
                sent(&[UserStatus::Active, UserStatus::Disabled]),
            ),
        ]);
        let document: Value = serde_json::from_str(&document()).unwrap();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let described_schemas: BTreeMap<_, _> = schemas
            .iter()
            .filter_map(|(name, schema)| Some((name.as_str(), described(schema.get("enum")?))))
            .collect();
        assert_eq!(described_schemas, sent);
        let mut elsewhere = Vec::new();
        enumerations_elsewhere(&document, &mut elsewhere);
        for values in elsewhere {
            let values = described(values);
            assert!(sent.values().any(|names| *names == values), "{values:?}");
        }
    }

    #[test]
    fn the_committed_document_is_current() {
        let committed = include_str!("../../openapi.json");
        assert!(
            document() == committed,
            "coordinator/openapi.json is out of date: `cctv-coordinator openapi > coordinator/openapi.json`"
        );
    }
}
