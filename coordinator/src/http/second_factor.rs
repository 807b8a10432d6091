//! One's own second factor.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::error::{Changing, Error, OwnFactor, SignedIn, WithBody};
use super::extract::Json;
use crate::enrolment;
use crate::services::access::Actor;

/// Whether one is asked for a code.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SecondFactorState {
    #[schema(example = true)]
    pub enabled: bool,
    /// Recovery codes that were not used.
    #[schema(example = 10)]
    pub recovery_codes_left: u32,
}

/// What an authenticator app is told. It is shown once, and counts when a code of it has been given.
#[derive(Serialize, ToSchema)]
pub struct OfferedFactor {
    /// In base32, for typing.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    pub secret: String,
    #[schema(
        example = "otpauth://totp/RTA%20CCTV:layla?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=RTA%20CCTV"
    )]
    pub otpauth_uri: String,
    /// The same as a QR code, an SVG document.
    #[schema(example = "<svg></svg>")]
    pub qr_svg: String,
}

/// A code of the app, or where one signs in also a recovery code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenCode {
    #[schema(max_length = 64, example = "123456")]
    pub code: String,
}

/// The password of whoever is signed in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenPassword {
    #[schema(value_type = String, format = Password, max_length = 1024, example = "correct horse battery")]
    pub password: SecretString,
}

/// Ten codes that sign in once each, for when the app is gone. Shown this once.
#[derive(Serialize, ToSchema)]
pub struct RecoveryCodes {
    #[schema(example = json!(["abcd-efgh-ijkl-mnop"]))]
    pub codes: Vec<String>,
}

impl From<Vec<SecretString>> for RecoveryCodes {
    fn from(codes: Vec<SecretString>) -> Self {
        let codes = codes.iter().map(|code| code.expose_secret().to_owned());
        Self {
            codes: codes.collect(),
        }
    }
}

/// Own second factor
#[utoipa::path(get, path = "/api/v1/iam/me/second-factor", operation_id = "get_second_factor", tag = "session",
    responses((status = 200, description = "Whether there is one.", body = SecondFactorState), SignedIn))]
pub async fn get_second_factor(
    actor: Actor,
    State(api): State<Arc<Api>>,
) -> Result<Json<SecondFactorState>, Error> {
    let (enabled, recovery_codes_left) = api.services.credentials.state(&actor).await?;
    Ok(Json(SecondFactorState {
        enabled,
        recovery_codes_left,
    }))
}

/// Begin a second factor
///
/// Makes a secret for an authenticator app. It is asked for once `confirm_second_factor` has seen a
/// code of it; asked again before that, it makes another.
#[utoipa::path(post, path = "/api/v1/iam/me/second-factor", operation_id = "offer_second_factor", tag = "session",
    responses((status = 200, description = "What the app is told.", body = OfferedFactor), SignedIn, Changing, OwnFactor))]
pub async fn offer_second_factor(
    actor: Actor,
    State(api): State<Arc<Api>>,
) -> Result<Json<OfferedFactor>, Error> {
    let offered = api.services.credentials.offer(&actor).await?;
    let qr_svg = enrolment::svg(&offered.address).map_err(|error| Error::internal(&error))?;
    Ok(Json(OfferedFactor {
        secret: offered.secret.expose_secret().to_owned(),
        otpauth_uri: offered.address.expose_secret().to_owned(),
        qr_svg,
    }))
}

/// Confirm a second factor
///
/// From now on signing in asks for a code. The recovery codes are shown this once.
#[utoipa::path(post, path = "/api/v1/iam/me/second-factor/confirm", operation_id = "confirm_second_factor", tag = "session",
    request_body = GivenCode,
    responses((status = 200, description = "Recovery codes.", body = RecoveryCodes), SignedIn, Changing, WithBody, OwnFactor))]
pub async fn confirm_second_factor(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Json(body): Json<GivenCode>,
) -> Result<Json<RecoveryCodes>, Error> {
    let codes = api.services.credentials.confirm(&actor, &body.code).await?;
    Ok(Json(codes.into()))
}

/// Remove one's second factor
#[utoipa::path(delete, path = "/api/v1/iam/me/second-factor", operation_id = "remove_second_factor", tag = "session",
    request_body = GivenPassword,
    responses((status = 204, description = "Removed."), SignedIn, Changing, WithBody, OwnFactor))]
pub async fn remove_second_factor(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Json(body): Json<GivenPassword>,
) -> Result<StatusCode, Error> {
    let credentials = &api.services.credentials;
    credentials.remove_own(&actor, body.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// New recovery codes
///
/// The old ones are void.
#[utoipa::path(post, path = "/api/v1/iam/me/recovery-codes", operation_id = "replace_recovery_codes", tag = "session",
    responses((status = 200, description = "Recovery codes.", body = RecoveryCodes), SignedIn, Changing, OwnFactor))]
pub async fn replace_recovery_codes(
    actor: Actor,
    State(api): State<Arc<Api>>,
) -> Result<Json<RecoveryCodes>, Error> {
    let codes = api
        .services
        .credentials
        .replace_recovery_codes(&actor)
        .await?;
    Ok(Json(codes.into()))
}
