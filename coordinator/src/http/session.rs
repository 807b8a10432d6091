//! Signing in and out.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum_extra::extract::CookieJar;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::actor::{
    COOKIE, SIGN_IN_COOKIE, no_session_cookie, no_sign_in_cookie, presented, session_cookie,
    sign_in_cookie,
};
use super::client::Client;
use super::error::{
    Changing, Code, Error, Rejected, RejectedCode, SignedIn as SignedInAnswers, WithBody,
};
use super::extract::Json;
use super::second_factor::GivenCode;
use super::vocabulary::Language;
use crate::domain::audit::Origin;
use crate::services::access::{self, Access, Actor, SignedIn};
use crate::services::users::Users;

/// A login and a password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
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
    /// In which they want the pages; left out until they have chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// What the person may do, such as `camera:DUBAI_POLICE:view`, and with `!` before it what not;
    /// a hint for the interface, the server decides.
    #[schema(example = json!(["camera:METRO:view", "camera:METRO:playback", "!camera:METRO:export"]))]
    pub permissions: Vec<String>,
}

impl Me {
    /// # Errors
    /// The store failed.
    pub(super) async fn of(actor: &Actor, users: &Users) -> Result<Self, Error> {
        let language = users.language(actor).await?;
        Ok(Self {
            user_id: actor.user_id(),
            login: actor.login().to_owned(),
            display_name: actor.display_name().to_owned(),
            arabic_name: actor.user().arabic_name.as_ref().map(ToString::to_string),
            agency: actor.agency().map(ToString::to_string),
            language: language.map(Into::into),
            permissions: actor
                .permissions()
                .rules()
                .iter()
                .map(ToString::to_string)
                .collect(),
        })
    }
}

/// What a right password leads to: a session, or the question for a code.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum SignInAnswer {
    SignedIn(Box<Me>),
    CodeWanted(CodeWanted),
}

/// A code is wanted. `finish_sign_in` takes it within five minutes.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct CodeWanted {
    pub second_factor: FactorKind,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FactorKind {
    /// Six digits of an authenticator app, or a recovery code.
    Totp,
}

/// Sign in
///
/// Sets the cookie `cctv_session` (HttpOnly, SameSite=Strict), which every other operation wants;
/// or, for an account with a second factor, the cookie `cctv_sign_in`, with which `finish_sign_in`
/// goes on. The session that the browser had before ends.
#[utoipa::path(post, path = "/api/v1/session", operation_id = "sign_in", tag = "session", security(()),
    request_body = SignIn,
    responses(
        (status = 200, description = "Signed in, or asked for a code.", body = SignInAnswer, headers(("set-cookie" = String, description = "The session, or the sign-in."))),
        Rejected, WithBody
    ))]
pub async fn sign_in(
    State(api): State<Arc<Api>>,
    client: Client,
    origin: Origin,
    jar: CookieJar,
    Json(body): Json<SignIn>,
) -> Result<(CookieJar, Json<SignInAnswer>), Error> {
    let access = &api.services.access;
    let signed_in = access.sign_in(&body.login, body.password, origin);
    let (jar, answer) = match signed_in.await? {
        access::SignIn::Done(signed_in) => {
            let (jar, actor) = enter(access, *signed_in, jar, &client).await?;
            (
                jar,
                SignInAnswer::SignedIn(Box::new(Me::of(&actor, &api.services.users).await?)),
            )
        }
        access::SignIn::CodeWanted { token } => {
            let jar = jar.add(sign_in_cookie(&token, client.secure));
            let second_factor = FactorKind::Totp;
            (jar, SignInAnswer::CodeWanted(CodeWanted { second_factor }))
        }
    };
    Ok((jar, Json(answer)))
}

/// Finish signing in
///
/// With a code of the authenticator app or a recovery code. Takes the cookie of `sign_in` back and
/// sets that of the session. The session that the browser had before ends.
#[utoipa::path(post, path = "/api/v1/session/second-factor", operation_id = "finish_sign_in", tag = "session", security(()),
    request_body = GivenCode,
    responses(
        (status = 200, description = "Signed in.", body = Me, headers(("set-cookie" = String, description = "The session."))),
        RejectedCode, WithBody
    ))]
pub async fn finish_sign_in(
    State(api): State<Arc<Api>>,
    client: Client,
    origin: Origin,
    jar: CookieJar,
    Json(body): Json<GivenCode>,
) -> Result<(CookieJar, Json<Me>), Error> {
    let begun = presented(&jar, SIGN_IN_COOKIE).ok_or(Code::SignInExpired)?;
    let access = &api.services.access;
    let signed_in = access.finish_sign_in(&begun, &body.code, origin).await?;
    let jar = jar.add(no_sign_in_cookie(client.secure));
    let (jar, actor) = enter(access, signed_in, jar, &client).await?;
    let me = Me::of(&actor, &api.services.users).await?;
    Ok((jar, Json(me)))
}

/// Gives the browser its new session and ends the one that it had.
pub(super) async fn enter(
    access: &Access,
    signed_in: SignedIn,
    jar: CookieJar,
    client: &Client,
) -> Result<(CookieJar, Actor), Error> {
    let SignedIn { token, actor } = signed_in;
    if let Some(before) = presented(&jar, COOKIE) {
        access.leave(&before, &actor).await?;
    }
    Ok((jar.add(session_cookie(&token, client.secure)), actor))
}

/// Who is signed in
#[utoipa::path(get, path = "/api/v1/session", operation_id = "get_session", tag = "session",
    responses((status = 200, description = "The actor.", body = Me), SignedInAnswers))]
pub async fn get_session(actor: Actor, State(api): State<Arc<Api>>) -> Result<Json<Me>, Error> {
    Ok(Json(Me::of(&actor, &api.services.users).await?))
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
