//! One's own account.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::users::User;
use crate::http::Api;
use crate::http::error::{Changing, Error, OwnPassword, SignedIn, WithBody};
use crate::http::extract::Json;
use crate::http::vocabulary::Language;
use crate::services::access::Actor;

/// Somebody, and what they chose for themselves.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OwnUser {
    #[serde(flatten)]
    pub user: User,
    /// Of the pages; left out until one was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

/// What people change themselves. The rest is for administrators.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnSettings {
    /// Of the pages, wherever one signs in next.
    pub language: Language,
}

/// A new password of one's own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnPasswordChange {
    #[schema(value_type = String, format = Password, max_length = 1024)]
    pub old_password: SecretString,
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 1024)]
    pub new_password: SecretString,
}

/// One's own account
///
/// As administrators see it, and what one chose oneself.
#[utoipa::path(get, path = "/api/v1/iam/me", operation_id = "get_own_user", tag = "iam",
    responses((status = 200, description = "The person who asks.", body = OwnUser), SignedIn))]
pub async fn get_own_user(
    actor: Actor,
    State(api): State<Arc<Api>>,
) -> Result<Json<OwnUser>, Error> {
    Ok(Json(own(&api, &actor).await?))
}

/// Change what is one's own
///
/// Not with the token of a machine.
#[utoipa::path(put, path = "/api/v1/iam/me", operation_id = "set_own_settings", tag = "iam",
    request_body = OwnSettings,
    responses((status = 200, description = "The person as changed.", body = OwnUser), SignedIn, Changing, WithBody))]
pub async fn set_own_settings(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Json(body): Json<OwnSettings>,
) -> Result<Json<OwnUser>, Error> {
    let users = &api.services.users;
    users.set_language(&actor, body.language.into()).await?;
    Ok(Json(own(&api, &actor).await?))
}

async fn own(api: &Api, actor: &Actor) -> Result<OwnUser, Error> {
    let users = &api.services.users;
    let (directory, user) = users.own(actor).await?;
    Ok(OwnUser {
        user: User::of(user, &directory),
        language: users.language(actor).await?.map(Into::into),
    })
}

/// Change one's own password
///
/// Ends all one's sessions, this one included.
#[utoipa::path(put, path = "/api/v1/iam/me/password", operation_id = "set_own_password", tag = "iam",
    request_body = OwnPasswordChange,
    responses((status = 204, description = "The password is set; sign in with it."), SignedIn, Changing, WithBody, OwnPassword))]
pub async fn set_own_password(
    actor: Actor,
    State(api): State<Arc<Api>>,
    Json(body): Json<OwnPasswordChange>,
) -> Result<StatusCode, Error> {
    let users = &api.services.users;
    users
        .set_own_password(&actor, body.old_password, body.new_password)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
