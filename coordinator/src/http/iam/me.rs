//! One's own account.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::users::User;
use crate::http::Api;
use crate::http::error::{Changing, Error, OwnPassword, SignedIn, WithBody};
use crate::http::extract::Json;
use crate::services::access::Actor;

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
/// As administrators see it.
#[utoipa::path(get, path = "/api/v1/iam/me", operation_id = "get_own_user", tag = "iam",
    responses((status = 200, description = "The person who asks.", body = User), SignedIn))]
pub async fn get_own_user(actor: Actor, State(api): State<Arc<Api>>) -> Result<Json<User>, Error> {
    let (directory, user) = api.services.users.own(&actor).await?;
    Ok(Json(User::of(user, &directory)))
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
