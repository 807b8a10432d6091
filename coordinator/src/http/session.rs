//! Signing in and out.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum_extra::extract::CookieJar;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::actor::{no_session_cookie, session_cookie};
use super::client::Client;
use super::error::{Changing, Error, Rejected, SignedIn as SignedInAnswers, WithBody};
use super::extract::Json;
use crate::domain::audit::Origin;
use crate::services::access::{Actor, SignedIn};

/// A login and a password.
#[derive(Deserialize, ToSchema)]
pub struct SignIn {
    #[schema(max_length = 128, example = "admin")]
    pub login: String,
    #[schema(value_type = String, format = Password, max_length = 1024)]
    pub password: secrecy::SecretString,
}

/// Who is signed in, and what they may do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Me {
    #[schema(value_type = String, format = Uuid)]
    pub user_id: shared::id::UserId,
    #[schema(example = "admin")]
    pub login: String,
    #[schema(example = "Administrator")]
    pub display_name: String,
    /// The full name in Arabic.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ليلى حسن")]
    pub arabic_name: Option<String>,
    /// What the person belongs to; left out for people of the whole authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "METRO")]
    pub agency: Option<String>,
    /// What the person may do, such as `camera:DUBAI_POLICE:view`, and with `!` before it what not;
    /// a hint for the interface, the server decides.
    #[schema(example = json!(["camera:METRO:view", "camera:METRO:playback", "!camera:METRO:export"]))]
    pub permissions: Vec<String>,
}

impl From<&Actor> for Me {
    fn from(actor: &Actor) -> Self {
        Self {
            user_id: actor.user_id(),
            login: actor.login().to_owned(),
            display_name: actor.display_name().to_owned(),
            arabic_name: actor.user().arabic_name.as_ref().map(ToString::to_string),
            agency: actor.agency().map(ToString::to_string),
            permissions: actor
                .permissions()
                .rules()
                .iter()
                .map(ToString::to_string)
                .collect(),
        }
    }
}

/// Sign in
///
/// Sets the cookie `cctv_session` (HttpOnly, SameSite=Strict), which every other operation wants.
#[utoipa::path(post, path = "/api/v1/session", operation_id = "sign_in", tag = "session", security(()),
    request_body = SignIn,
    responses(
        (status = 200, description = "Signed in.", body = Me, headers(("set-cookie" = String, description = "The session."))),
        Rejected, WithBody
    ))]
pub async fn sign_in(
    State(api): State<Arc<Api>>,
    origin: Origin,
    client: Client,
    jar: CookieJar,
    Json(body): Json<SignIn>,
) -> Result<(CookieJar, Json<Me>), Error> {
    let access = &api.services.access;
    let SignedIn { token, actor } = access.sign_in(&body.login, body.password, origin).await?;
    Ok((
        jar.add(session_cookie(&token, client.secure)),
        Json((&actor).into()),
    ))
}

/// Who is signed in
#[utoipa::path(get, path = "/api/v1/session", operation_id = "get_session", tag = "session",
    responses((status = 200, description = "The actor.", body = Me), SignedInAnswers))]
pub async fn get_session(actor: Actor) -> Json<Me> {
    Json((&actor).into())
}

/// Sign out
///
/// Ends the session at once, in every window that shares it.
#[utoipa::path(delete, path = "/api/v1/session", operation_id = "sign_out", tag = "session",
    responses((status = 204, description = "Signed out."), SignedInAnswers, Changing))]
pub async fn sign_out(
    actor: Actor,
    State(api): State<Arc<Api>>,
    client: Client,
    jar: CookieJar,
) -> Result<(CookieJar, StatusCode), Error> {
    api.services.access.sign_out(&actor).await?;
    Ok((
        jar.add(no_session_cookie(client.secure)),
        StatusCode::NO_CONTENT,
    ))
}
