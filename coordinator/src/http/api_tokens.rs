//! API tokens: what machines sign in with.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use shared::id::{SessionId, UserId};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::error::{Changing, Error, NewToken, OnOne, Restricted, SignedIn, WithBody, WithQuery};
use super::extract::{Json, Path, Query};
use super::page::Page;
use super::vocabulary::Timestamp;
use crate::domain::access::{Deed, Rule};
use crate::domain::text::Line;
use crate::domain::token;
use crate::domain::user::SessionKind;
use crate::services::access::{AccessError, Actor, NewApiToken};

/// A machine's token, without its text.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiToken {
    #[schema(value_type = String, format = Uuid)]
    pub id: SessionId,
    #[schema(value_type = String, format = Uuid)]
    pub user_id: UserId,
    #[schema(example = "video wall")]
    pub name: String,
    /// What it may do of what its owner may do; empty: all of it.
    #[schema(example = json!(["camera:*:view"]))]
    pub scopes: Vec<String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// To the minute.
    pub last_used: Timestamp,
}

/// A token with its text, which is shown this once.
#[derive(Serialize, ToSchema)]
pub struct CreatedApiToken {
    #[serde(flatten)]
    pub token: ApiToken,
    /// For `Authorization: Bearer`.
    #[schema(example = "cctv_AZVP8-0tfyGjsNak8cLjtGq0kXlmMZ3uXo0f9nC2vU8wq7h3")]
    pub text: String,
}

/// What a machine shall have.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiTokenRequest {
    #[schema(value_type = String, min_length = 1, max_length = 64, example = "video wall")]
    pub name: Line<64>,
    /// Permissions that narrow those of its owner; all of them when empty.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 50, example = json!(["camera:*:view"]))]
    pub scopes: Vec<Rule>,
    #[schema(minimum = 1, maximum = 732, example = 90)]
    pub valid_for_days: u32,
}

/// Whose tokens.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WhoseTokens {
    /// Somebody else, for those who look after tokens; one's own when left out.
    #[param(value_type = Option<uuid::Uuid>)]
    pub user: Option<UserId>,
}

impl From<token::ApiToken> for ApiToken {
    fn from(token: token::ApiToken) -> Self {
        let token::ApiToken { name, session } = token;
        let expires_at = Timestamp(session.expires_at());
        let scopes = match session.kind {
            SessionKind::Machine { scopes, .. } => scopes,
            SessionKind::Browser | SessionKind::Client | SessionKind::Outside { .. } => Vec::new(),
        };
        Self {
            id: session.id,
            user_id: session.user,
            name,
            scopes,
            created_at: Timestamp(session.created_at),
            expires_at,
            last_used: Timestamp(session.last_seen),
        }
    }
}

/// List API tokens
#[utoipa::path(get, path = "/api/v1/iam/api-tokens", operation_id = "list_api_tokens", tag = "session",
    params(WhoseTokens),
    responses((status = 200, description = "Newest first; at most fifty.", body = Page<ApiToken>), SignedIn, WithQuery, Restricted))]
pub async fn list_api_tokens(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Query(whose): Query<WhoseTokens>,
) -> Result<Json<Page<ApiToken>>, Error> {
    let access = &api.services.access;
    let tokens = match whose.user.filter(|user| *user != actor.user_id()) {
        None => access.own_api_tokens(&actor).await?,
        Some(user) => {
            let grant = access.admin(&actor, Deed::ManageTokens)?;
            access.api_tokens_of(&grant, user).await?
        }
    };
    Ok(Json(Page {
        items: tokens.into_iter().map(ApiToken::from).collect(),
        next: None,
    }))
}

/// Make an API token
///
/// One's own. Its text is shown this once. A machine cannot make one.
#[utoipa::path(post, path = "/api/v1/iam/api-tokens", operation_id = "create_api_token", tag = "session",
    request_body = ApiTokenRequest,
    responses((status = 201, description = "The token.", body = CreatedApiToken), SignedIn, Changing, WithBody, NewToken))]
pub async fn create_api_token(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Json(body): Json<ApiTokenRequest>,
) -> Result<(StatusCode, Json<CreatedApiToken>), Error> {
    let new = NewApiToken {
        name: body.name,
        scopes: body.scopes,
        valid_for: Duration::from_secs(u64::from(body.valid_for_days) * 86_400),
    };
    let (token, text) = api.services.access.create_api_token(&actor, new).await?;
    let created = CreatedApiToken {
        token: token.into(),
        text: text.expose_secret().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Revoke an API token
///
/// One's own, or for those who look after tokens anybody's. What it has open ends.
#[utoipa::path(delete, path = "/api/v1/iam/api-tokens/{id}", operation_id = "revoke_api_token", tag = "session",
    params(("id" = uuid::Uuid, Path, description = "Of `list_api_tokens`.")),
    responses((status = 204, description = "Revoked."), SignedIn, Changing, OnOne))]
pub async fn revoke_api_token(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Path(id): Path<SessionId>,
) -> Result<StatusCode, Error> {
    let access = &api.services.access;
    match access.revoke_own_api_token(&actor, id).await {
        Err(AccessError::Hidden) => match access.admin(&actor, Deed::ManageTokens) {
            Ok(grant) => access.revoke_api_token(&grant, id).await?,
            // Whoever may not look after tokens does not learn which exist.
            Err(_) => return Err(AccessError::Hidden.into()),
        },
        revoked => revoked?,
    }
    Ok(StatusCode::NO_CONTENT)
}
