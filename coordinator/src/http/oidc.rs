//! Signing in at an identity provider: the way there and the way back.
//!
//! A person's browser comes here, not a program, so what goes wrong is shown as a page that leads to
//! the sign-in page, where it stands in both languages; a program gets the envelope like everywhere.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{ACCEPT, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use maud::{DOCTYPE, html};
use serde::{Deserialize, Serialize};
use shared::time::WallTime;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::client::Client;
use super::error::{Code, Error, FinishedOutside, Open, StartedOutside};
use super::extract::{Json, Query};
use super::iam;
use super::middleware::request_id;
use super::session::enter;
use super::vocabulary::Timestamp;
use crate::domain::audit::Origin;
use crate::domain::outside::LocalPath;
use crate::services::outside::{CameBack, Methods, ProviderState, Reachable};

/// Of a sign-in that is under way at the provider.
const COOKIE: &str = "cctv_oidc";
const COOKIE_PATH: &str = "/api/v1/session/oidc";

const START: &str = "/api/v1/session/oidc/start";

/// Where the pages show what went wrong.
const SIGN_IN_PAGE: &str = "/sign-in";

/// Longest value of a query looked at; codes may be long.
const MAX_VALUE: usize = 4096;

/// How people may sign in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SignInMethods {
    pub password: PasswordMethod,
    /// The identity provider; left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcMethod>,
}

/// Login and password of this system.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct PasswordMethod {
    /// Whether everybody who has a password may use it. Otherwise only accounts for the day on which
    /// the provider is gone may, and the form is best kept out of the way.
    #[schema(example = true)]
    pub for_everybody: bool,
}

/// Sign-in at an identity provider (OpenID Connect).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OidcMethod {
    pub name: iam::Name,
    /// Where the browser goes, with `?next=` and a path of the pages to come back to.
    #[schema(example = "/api/v1/session/oidc/start")]
    pub start_url: &'static str,
    pub state: ProviderReachable,
    /// Since when it does not answer, where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreachable_since: Option<Timestamp>,
}

/// Whether the provider answers, as far as was found out lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderReachable {
    /// It was not asked yet; that is being done.
    Unknown,
    Reachable,
    Unreachable,
}

impl From<Methods> for SignInMethods {
    fn from(methods: Methods) -> Self {
        Self {
            password: PasswordMethod {
                for_everybody: methods.local_for_everybody,
            },
            oidc: methods.provider.map(OidcMethod::from),
        }
    }
}

impl From<ProviderState> for OidcMethod {
    fn from(provider: ProviderState) -> Self {
        let (state, since): (_, Option<WallTime>) = match provider.reachable {
            Reachable::Unknown => (ProviderReachable::Unknown, None),
            Reachable::Yes => (ProviderReachable::Reachable, None),
            Reachable::NotSince(since) => (ProviderReachable::Unreachable, Some(since)),
        };
        Self {
            name: provider.name.into(),
            start_url: START,
            state,
            unreachable_since: since.map(Timestamp),
        }
    }
}

/// Ways to sign in
///
/// For the sign-in page. Answers at once, whether the provider does or not.
#[utoipa::path(get, path = "/api/v1/session/methods", operation_id = "get_sign_in_methods", tag = "session", security(()),
    responses((status = 200, description = "The ways.", body = SignInMethods), Open))]
pub async fn get_sign_in_methods(State(api): State<Arc<Api>>) -> Json<SignInMethods> {
    Json(api.services.outside.methods().into())
}

/// Where a browser is going.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Going {
    /// A path of the pages to come back to; `/` otherwise.
    #[param(max_length = 512, example = "/cameras")]
    next: Option<String>,
}

/// Sign in at the identity provider
///
/// Sends the browser there. A browser is led back to the sign-in page if that cannot be, with the
/// code of the error in `error`.
#[utoipa::path(get, path = "/api/v1/session/oidc/start", operation_id = "start_oidc_sign_in", tag = "session", security(()),
    params(Going),
    responses(
        (status = 303, description = "To the provider.", headers(("location" = String, description = "The provider's address."), ("set-cookie" = String, description = "What the browser brings back."))),
        StartedOutside
    ))]
pub async fn start_oidc_sign_in(
    State(api): State<Arc<Api>>,
    client: Client,
    headers: HeaderMap,
    jar: CookieJar,
    query: Result<Query<Going>, Error>,
) -> Response {
    let started = async {
        let Query(going) = query?;
        let next = going.next.map(|next| next.parse());
        let next: Option<LocalPath> = next
            .transpose()
            .map_err(|error| Error::new(Code::InvalidValue).with_details(error))?;
        let next = next.unwrap_or_else(LocalPath::root);
        Ok::<_, Error>(api.services.outside.begin(next).await?)
    };
    match started.await {
        Ok(started) => {
            let jar = jar.add(cookie(started.cookie, client.secure));
            let location = [(LOCATION, started.url.to_string())];
            (StatusCode::SEE_OTHER, jar, location).into_response()
        }
        Err(error) => shown(error, &headers),
    }
}

/// What the provider sends along.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CallbackQuery {
    /// To be exchanged for an identity.
    #[param(
        max_length = 4096,
        pattern = "^[ -~]*$",
        example = "SplxlOBeZQQYbYS6WxSbIA"
    )]
    code: Option<String>,
    /// Of the sign-in that was begun.
    #[param(max_length = 4096, pattern = "^[ -~]*$", example = "af0ifjsldkj")]
    state: Option<String>,
    /// Who answers (RFC 9207).
    #[param(
        max_length = 4096,
        pattern = "^[ -~]*$",
        example = "https://sso.example"
    )]
    iss: Option<String>,
    /// Why there is no code.
    #[param(max_length = 4096, pattern = "^[ -~]*$", example = "access_denied")]
    error: Option<String>,
}

/// Come back from the identity provider
///
/// Sets the cookie of the session and answers a page that leads to where the browser was going. The
/// sign-in has to have been begun in the same browser, not long ago, and counts once.
#[utoipa::path(get, path = "/api/v1/session/oidc/callback", operation_id = "finish_oidc_sign_in", tag = "session", security(()),
    params(CallbackQuery),
    responses(
        (status = 200, description = "Signed in; a page that leads on.", content_type = "text/html", body = String, headers(("set-cookie" = String, description = "The session.")), example = "<!DOCTYPE html>"),
        FinishedOutside
    ))]
pub async fn finish_oidc_sign_in(
    State(api): State<Arc<Api>>,
    client: Client,
    origin: Origin,
    headers: HeaderMap,
    jar: CookieJar,
    query: Result<Query<CallbackQuery>, Error>,
) -> Response {
    let access = &api.services.access;
    let brought = jar.get(COOKIE).map(|cookie| cookie.value().to_owned());
    let jar = jar.add(no_cookie(client.secure));
    let finished = async {
        let Query(query) = query?;
        let back = came_back(query, brought.unwrap_or_default())?;
        let (signed_in, next) = access.sign_in_outside(back, origin).await?;
        let (entered, _) = enter(access, signed_in, jar.clone(), &client).await?;
        Ok::<_, Error>((entered, next))
    };
    match finished.await {
        // The session's cookie goes along only with what our own page asks for (SameSite=Strict), and
        // this request came from the provider's: so a page, not a redirect.
        Ok((jar, next)) => (jar, page(next.as_str())).into_response(),
        Err(error) => (jar, shown(error, &headers)).into_response(),
    }
}

fn came_back(query: CallbackQuery, cookie: String) -> Result<CameBack, Error> {
    let values = [&query.code, &query.state, &query.iss, &query.error];
    if !values.into_iter().flatten().all(|value| is_plain(value)) {
        return Err(Code::InvalidRequest.into());
    }
    let code = match (query.error, query.code) {
        (None, Some(code)) => Ok(code),
        (Some(error), _) => Err(tame(&error)),
        (None, None) => Err("it sends no code".to_owned()),
    };
    Ok(CameBack {
        cookie,
        state: query.state.unwrap_or_default(),
        code,
        issuer: query.iss,
    })
}

/// What codes and states are made of (RFC 6749, appendix A: `VSCHAR`, and blanks in descriptions).
fn is_plain(value: &str) -> bool {
    value.len() <= MAX_VALUE && value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// The provider's code of an error (RFC 6749, section 4.1.2.1), for the audit.
fn tame(error: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    error.chars().filter(plain).take(64).collect()
}

/// A page that leads on by itself.
fn page(to: &str) -> Response {
    let page = html! {
        (DOCTYPE)
        html {
            head {
                meta charset="utf-8";
                meta http-equiv="refresh" content={ "0;url=" (to) };
                title { "RTA CCTV" }
            }
            body { a href=(to) { "→" } }
        }
    };
    axum::response::Html(page.into_string()).into_response()
}

/// An error to whoever asked: a browser that was led here by a person, or a program.
fn shown(error: Error, headers: &HeaderMap) -> Response {
    let accepts = headers
        .get(ACCEPT)
        .and_then(|accepts| accepts.to_str().ok());
    if !accepts.is_some_and(|accepts| accepts.contains("text/html")) {
        return error.into_response();
    }
    let code = error.code();
    let to = format!(
        "{SIGN_IN_PAGE}?error={}&correlation_id={}",
        code.name(),
        request_id::current()
    );
    (code.status(), page(&to)).into_response()
}

/// Lax, because it has to come back with a navigation that the provider's page begins. It is worth
/// nothing without the state in the address, and says nothing to anybody else.
fn cookie(value: String, secure: bool) -> Cookie<'static> {
    Cookie::build((COOKIE, value))
        .path(COOKIE_PATH)
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(secure)
        .build()
}

fn no_cookie(secure: bool) -> Cookie<'static> {
    let mut cookie = cookie(String::new(), secure);
    cookie.make_removal();
    cookie
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::outside::CALLBACK;

    #[test]
    fn the_way_back_is_the_one_that_the_provider_is_told() {
        assert!(CALLBACK.starts_with(COOKIE_PATH) && START.starts_with(COOKIE_PATH));
        let paths = super::super::routes().into_openapi().paths.paths;
        assert!(paths.contains_key(CALLBACK) && paths.contains_key(START));
    }

    #[test]
    fn what_leads_on_is_escaped() {
        let path: LocalPath = "/a?b=1&c='2'".parse().unwrap();
        let page = page(path.as_str());
        assert_eq!(page.status(), StatusCode::OK);
        assert_eq!(tame("access_denied\r\n<script>"), "access_deniedscript");
    }
}
