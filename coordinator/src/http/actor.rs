//! From a request to the person behind it: the session cookie, checked at every request.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};

use super::Api;
use super::client::Client;
use super::error::{Code, Error};
use super::limit;
use super::middleware::request_id;
use crate::domain::audit::Origin;
use crate::services::access::{Actor, SessionToken};

pub const COOKIE: &str = "cctv_session";

/// Longest cookie looked at; ours are far shorter.
const MAX_TOKEN: usize = 256;

impl FromRequestParts<Arc<Api>> for Actor {
    type Rejection = Error;

    /// # Errors
    /// [`Code::Unauthenticated`] without a live session, [`Code::RateLimited`] with too much to ask.
    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Error> {
        let found = behind(parts, api).await;
        limit::count(parts, api, found).await
    }
}

async fn behind(parts: &Parts, api: &Api) -> Result<Actor, Error> {
    let jar = CookieJar::from_headers(&parts.headers);
    let token = jar
        .get(COOKIE)
        .map(Cookie::value)
        .filter(|value| value.len() <= MAX_TOKEN)
        .ok_or(Code::Unauthenticated)?;
    let token = SessionToken::presented(token);
    let access = &api.services.access;
    Ok(access.actor(&token, origin_of(parts)).await?)
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
    cookie(token.expose().to_owned(), secure)
}

/// The same without a session, to take it back.
pub fn no_session_cookie(secure: bool) -> Cookie<'static> {
    let mut cookie = cookie(String::new(), secure);
    cookie.make_removal();
    cookie
}

fn cookie(value: String, secure: bool) -> Cookie<'static> {
    Cookie::build((COOKIE, value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(secure)
        .build()
}
