//! From a request to the person behind it: a session cookie or a bearer token, checked at every
//! request.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::HeaderValue;
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::request::Parts;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};

use super::Api;
use super::client::Client;
use super::error::{Code, Error};
use super::limit;
use super::middleware::request_id;
use crate::domain::audit::Origin;
use crate::services::access::{Actor, BadToken, SessionToken};

pub const COOKIE: &str = "cctv_session";

/// Of a sign-in that waits for its code.
pub const SIGN_IN_COOKIE: &str = "cctv_sign_in";
const SIGN_IN_PATH: &str = "/api/v1/session";

/// Longest cookie looked at; ours are far shorter.
const MAX_TOKEN: usize = 256;

impl FromRequestParts<Arc<Api>> for Actor {
    type Rejection = Error;

    /// A bearer token where there is one, and only that: a request does not fall back to being
    /// somebody else.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] without a live session, [`Code::RateLimited`] with too much to ask.
    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Error> {
        let found = behind(parts, api).await;
        limit::count(parts, api, found).await
    }
}

async fn behind(parts: &Parts, api: &Api) -> Result<Actor, Error> {
    let access = &api.services.access;
    let origin = origin_of(parts);
    let mut given = parts.headers.get_all(AUTHORIZATION).iter();
    if let Some(header) = given.next() {
        let token = bearer_token(header).filter(|_| given.next().is_none());
        let Some(token) = token else {
            return Err(access.refuse_token(&origin, BadToken::Malformed).into());
        };
        return Ok(access.bearer(token, origin).await?);
    }
    let jar = CookieJar::from_headers(&parts.headers);
    let token = presented(&jar, COOKIE).ok_or(Code::Unauthenticated)?;
    Ok(access.actor(&token, origin).await?)
}

/// The token of `Authorization: Bearer …` (RFC 6750, section 2.1).
fn bearer_token(header: &HeaderValue) -> Option<&str> {
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// What a cookie presents, if it can be a token at all.
pub fn presented(jar: &CookieJar, name: &str) -> Option<SessionToken> {
    let value = jar.get(name).map(Cookie::value)?;
    (value.len() <= MAX_TOKEN).then(|| SessionToken::presented(value))
}

/// Where a request came from, for the entries that it makes in the audit. Part of every `Actor`
/// already; by itself it is for requests of nobody.
impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(origin_of(parts))
    }
}

fn origin_of(parts: &Parts) -> Origin {
    let address = parts.extensions.get::<Client>().map(|it| it.address);
    let user_agent = parts.headers.get(USER_AGENT);
    let user_agent = user_agent.map(|value| String::from_utf8_lossy(value.as_bytes()));
    Origin::new(
        address,
        user_agent.as_deref(),
        request_id::known().as_deref(),
    )
}

/// For what also works without anybody signed in. A session that is over counts as none.
impl OptionalFromRequestParts<Arc<Api>> for Actor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Option<Self>, Error> {
        match <Self as FromRequestParts<_>>::from_request_parts(parts, api).await {
            Ok(actor) => Ok(Some(actor)),
            Err(error) if error.code() == Code::Unauthenticated => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The cookie that holds a session. It ends with the browser or the session, whichever is first.
pub fn session_cookie(token: &SessionToken, secure: bool) -> Cookie<'static> {
    cookie(COOKIE, token.expose().to_owned(), "/", secure)
}

/// The same without a session, to take it back.
pub fn no_session_cookie(secure: bool) -> Cookie<'static> {
    let mut cookie = cookie(COOKIE, String::new(), "/", secure);
    cookie.make_removal();
    cookie
}

/// The cookie of a sign-in that waits for its code: sent to the operations of signing in only, and
/// worth nothing after a few minutes, whatever the browser keeps.
pub fn sign_in_cookie(token: &SessionToken, secure: bool) -> Cookie<'static> {
    cookie(
        SIGN_IN_COOKIE,
        token.expose().to_owned(),
        SIGN_IN_PATH,
        secure,
    )
}

/// The same without a sign-in, to take it back.
pub fn no_sign_in_cookie(secure: bool) -> Cookie<'static> {
    let mut cookie = cookie(SIGN_IN_COOKIE, String::new(), SIGN_IN_PATH, secure);
    cookie.make_removal();
    cookie
}

fn cookie(name: &'static str, value: String, path: &'static str, secure: bool) -> Cookie<'static> {
    Cookie::build((name, value))
        .path(path)
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(secure)
        .build()
}
