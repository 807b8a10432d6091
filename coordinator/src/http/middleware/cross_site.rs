//! Refuses requests that change something, and WebSockets, that come from another site's page.
//!
//! The session cookie is `SameSite=Strict`, so such a request should carry no session anyway; this
//! is the second lock. A page says where it is from in `Origin`: our own host, or one of
//! `http.allowed_origins`. A program that says nothing shows with `X-Requested-With`,
//! `Authorization` or `X-IAM-Signature` that it is none: no page can send these to us without asking
//! first, and [`super::cors`] allows that to the same origins only. Where programs get their tokens
//! no cookie counts, so one that says nothing and has none is welcome.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN, UPGRADE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::cors;
use crate::config::WebOrigin;
use crate::http::client::Client;
use crate::http::error::{Code, Error};

/// They take what they need from the request itself, and set no cookie.
const FOR_PROGRAMS: [&str; 3] = [
    "/api/v1/token",
    "/api/v1/token/refresh",
    "/api/v1/token/revoke",
];

pub(super) const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// Of an event of the authority's identity management, which has no session at all.
const IAM_SIGNATURE: HeaderName = HeaderName::from_static("x-iam-signature");

pub async fn layer(
    State(allowed): State<Arc<[WebOrigin]>>,
    client: Client,
    request: Request,
    next: Next,
) -> Response {
    let (method, headers) = (request.method(), request.headers());
    let welcome = !(changes(method) || opens_socket(headers))
        || is_welcome(headers, request.uri(), client.secure, &allowed).unwrap_or(false);
    if !welcome {
        return Error::new(Code::CrossSite).into_response();
    }
    next.run(request).await
}

/// Browsers let every page open a WebSocket anywhere (RFC 6455 section 10.2).
fn opens_socket(headers: &HeaderMap) -> bool {
    let mut upgrades = headers.get_all(UPGRADE).iter();
    upgrades.any(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

fn changes(method: &Method) -> bool {
    ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

/// `None` and `false` are no; `None` is what does not even read.
fn is_welcome(headers: &HeaderMap, uri: &Uri, secure: bool, allowed: &[WebOrigin]) -> Option<bool> {
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else {
        let said = [REQUESTED_WITH, AUTHORIZATION, IAM_SIGNATURE];
        let said = said.iter().any(|name| headers.contains_key(name));
        let for_programs = FOR_PROGRAMS.contains(&uri.path()) && !headers.contains_key(COOKIE);
        return Some(said || for_programs);
    };
    if origins.next().is_some() {
        return None;
    }
    let welcome = cors::is_listed(origin, allowed) || is_ours(origin, headers, uri, secure)?;
    Some(welcome)
}

/// The origin that the request itself goes to. Where that speaks TLS, a page that came without it
/// may have been changed on the way.
fn is_ours(origin: &HeaderValue, headers: &HeaderMap, uri: &Uri, secure: bool) -> Option<bool> {
    let origin: Uri = origin.to_str().ok()?.parse().ok()?;
    let host = match headers.get(HOST) {
        Some(host) => host.to_str().ok()?,
        None => uri.authority()?.as_str(),
    };
    let same_host = origin.authority()?.as_str().eq_ignore_ascii_case(host);
    Some(same_host && (!secure || origin.scheme_str() == Some("https")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn welcome(headers: &[(&'static str, &'static str)], secure: bool) -> bool {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .fold(HeaderMap::new(), |mut map, (name, value)| {
                map.append(name, value);
                map
            });
        let allowed = ["https://wall.example".parse().unwrap()];
        is_welcome(&headers, &Uri::from_static("/"), secure, &allowed).unwrap_or(false)
    }

    #[test]
    fn our_pages_and_programs_pass_and_other_sites_do_not() {
        for ours in [
            &[("origin", "http://centre:8080"), ("host", "centre:8080")][..],
            &[("origin", "https://wall.example"), ("host", "centre:8080")],
            &[("x-requested-with", "cctv")],
            &[("authorization", "Bearer x")],
        ] {
            assert!(welcome(ours, false), "{ours:?}");
        }
        for foreign in [
            &[][..],
            &[("host", "centre:8080")],
            &[("origin", "http://centre:8080")],
            &[("origin", "http://evil.example"), ("host", "centre:8080")],
            &[("origin", "http://centre:8081"), ("host", "centre:8080")],
            &[("origin", "null"), ("host", "centre:8080")],
            &[("origin", "null"), ("x-requested-with", "cctv")],
            &[
                ("origin", "http://centre:8080.evil.example"),
                ("host", "centre:8080"),
            ],
            // What a page cannot send without asking does not help one that was refused.
            &[
                ("origin", "https://evil.example"),
                ("host", "centre:8080"),
                ("x-requested-with", "cctv"),
                ("authorization", "Bearer x"),
            ],
            &[
                ("origin", "https://wall.example.evil.example"),
                ("host", "x"),
            ],
            &[("origin", "https://evilwall.example"), ("host", "x")],
            &[("origin", "http://wall.example"), ("host", "x")],
            &[("origin", "https://wall.example:8443"), ("host", "x")],
            &[("origin", "https://wall.example/"), ("host", "x")],
            &[
                ("origin", "http://centre:8080"),
                ("origin", "http://evil.example"),
                ("host", "centre:8080"),
            ],
        ] {
            assert!(!welcome(foreign, false), "{foreign:?}");
        }
    }

    #[test]
    fn a_page_without_tls_is_not_the_one_with_it() {
        let page = |origin| [("origin", origin), ("host", "centre")];
        assert!(welcome(&page("https://centre"), true));
        assert!(!welcome(&page("http://centre"), true));
    }

    #[test]
    fn reading_is_nobodys_harm() {
        assert!(!changes(&Method::GET) && !changes(&Method::HEAD));
        assert!(changes(&Method::POST) && changes(&Method::PATCH) && changes(&Method::DELETE));
    }
}
