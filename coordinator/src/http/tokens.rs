//! Access and refresh tokens, for programs that act for a person.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::error::{Error, Open, Rejected, RejectedProgram, RejectedToken, WithBody};
use super::extract::Json;
use super::vocabulary::Timestamp;
use crate::domain::audit::Origin;
use crate::domain::signing_key::LIST_FRESH;
use crate::services::access::Issued;

/// Login and password, and a code where the account has a second factor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    #[schema(max_length = 128, example = "layla")]
    pub login: String,
    #[schema(value_type = String, format = Password, max_length = 1024, example = "correct horse battery")]
    pub password: SecretString,
    #[schema(max_length = 64, example = "123456")]
    pub code: Option<String>,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PresentedRefresh {
    #[schema(value_type = String, max_length = 128, example = "cctvr_AZVP8-0tfyGjsNak8cLjtGq0kXlmMZ3uXo0f9nC2vU8wq7h3YtB1sR5dKeLxA4pJ0")]
    pub refresh_token: SecretString,
}

/// What a program acts with.
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    /// A JWT (RS256, RFC 9068) for `Authorization: Bearer`.
    #[schema(
        example = "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6Ii4uLiJ9.eyJpc3MiOiJydGEtY2N0diJ9.c2ln"
    )]
    pub access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    pub expires_at: Timestamp,
    /// Good once: it is exchanged for new tokens at `/api/v1/token/refresh`.
    #[schema(example = "cctvr_AZVP8-0tfyGjsNak8cLjtGq0kXlmMZ3uXo0f9nC2vU8wq7h3YtB1sR5dKeLxA4pJ0")]
    pub refresh_token: String,
    /// When the refresh token ends if it is not used before.
    pub refresh_expires_at: Timestamp,
}

impl From<Issued> for Tokens {
    fn from(issued: Issued) -> Self {
        Self {
            access_token: issued.access.expose_secret().to_owned(),
            token_type: "Bearer",
            expires_at: Timestamp(issued.access_ends),
            refresh_token: issued.refresh.expose_secret().to_owned(),
            refresh_expires_at: Timestamp(issued.refresh_ends),
        }
    }
}

/// Give a program its tokens
///
/// For programs that act for a person. Browsers sign in at `/api/v1/session` instead.
#[utoipa::path(post, path = "/api/v1/token", operation_id = "issue_tokens", tag = "session", security(()),
    request_body = TokenRequest,
    responses((status = 200, description = "The tokens.", body = Tokens), RejectedProgram, WithBody))]
pub async fn issue_tokens(
    State(api): State<Arc<Api>>,
    origin: Origin,
    Json(body): Json<TokenRequest>,
) -> Result<Json<Tokens>, Error> {
    let access = &api.services.access;
    let code = body.code.as_deref();
    let issued = access.issue(&body.login, body.password, code, origin);
    Ok(Json(issued.await?.into()))
}

/// Exchange a refresh token
///
/// The token is good once; presenting it again later ends the session, because two hold what one
/// was given. For ten seconds a repeated request is answered again, in case the answer was lost.
#[utoipa::path(post, path = "/api/v1/token/refresh", operation_id = "refresh_tokens", tag = "session", security(()),
    request_body = PresentedRefresh,
    responses((status = 200, description = "New tokens.", body = Tokens), RejectedToken, WithBody))]
pub async fn refresh_tokens(
    State(api): State<Arc<Api>>,
    origin: Origin,
    Json(body): Json<PresentedRefresh>,
) -> Result<Json<Tokens>, Error> {
    let access = &api.services.access;
    let presented = body.refresh_token.expose_secret();
    Ok(Json(access.refresh(presented, origin).await?.into()))
}

/// Revoke a refresh token
///
/// Ends the session, and with it its access tokens and whatever they have open. Succeeds whether
/// the token was good or not (RFC 7009).
#[utoipa::path(post, path = "/api/v1/token/revoke", operation_id = "revoke_tokens", tag = "session", security(()),
    request_body = PresentedRefresh,
    responses((status = 204, description = "The token is not good (any more)."), Rejected, WithBody))]
pub async fn revoke_tokens(
    State(api): State<Arc<Api>>,
    origin: Origin,
    Json(body): Json<PresentedRefresh>,
) -> Result<StatusCode, Error> {
    let presented = body.refresh_token.expose_secret();
    api.services.access.revoke(presented, origin).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Keys of access tokens
///
/// For whoever checks our access tokens by themselves (RFC 7517). A key is listed before it signs
/// and until the last token it signed has ended.
#[utoipa::path(get, path = "/.well-known/jwks.json", operation_id = "get_keys", tag = "session", security(()),
    responses((status = 200, description = "A JWK set.", content_type = "application/json", body = serde_json::Value,
        example = json!({ "keys": [{ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs", "e": "AQAB" }] })), Open))]
pub async fn get_keys(State(api): State<Arc<Api>>) -> impl IntoResponse {
    let fresh = format!("public, max-age={}", LIST_FRESH.as_secs());
    let headers = [
        (CONTENT_TYPE, "application/json".to_owned()),
        (CACHE_CONTROL, fresh),
    ];
    (headers, api.services.tokens.list().to_string())
}
